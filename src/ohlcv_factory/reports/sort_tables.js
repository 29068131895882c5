"use strict";
// A click on a heading of a sortable table sorts its rows: numbers by the value of their <data>, words by their letters.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => sortBy(table, headings, column));
    heading.replaceChildren(button);
  });
}

function sortBy(table, headings, column) {
  const descending = headings[column].getAttribute("aria-sort") === "ascending";
  headings.forEach((heading) => heading.removeAttribute("aria-sort"));
  headings[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
  const sign = descending ? -1 : 1;
  const rows = [...table.tBodies[0].rows].map((row) => [keyOf(row.cells[column]), row]);
  rows.sort(([a], [b]) => (a.absent - b.absent) || sign * (a.number - b.number || a.words.localeCompare(b.words)));
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function keyOf(cell) {
  const data = cell.querySelector("data");
  const words = cell.textContent;
  return { absent: Number(words === "–"), number: data ? Number(data.value) : 0, words };
}
