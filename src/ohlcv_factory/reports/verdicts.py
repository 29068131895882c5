"""The verdict up front: one title for the page, one line per group of runs, one sentence on what follows."""

from __future__ import annotations

from ohlcv_factory.reports.page import bullets, paragraph, text
from ohlcv_factory.reports.reported_run import Groups, ReportedRun, group_words
from ohlcv_factory.reports.words import listing, plural

EDGE, NONE, FEW = "edge", "no edge found", "too little data"
TITLES = {NONE: "No edge found", FEW: "Too little data"}
KINDS = {EDGE: "edge", NONE: "none", FEW: "few"}
MEANING = {
    EDGE: "The validation part also served to choose among {models}, so the best looks somewhat better here than it is. "
    "The test part has not been looked at; one look at it, with one chosen model, is the next step.",
    NONE: "After costs, the scores of {models} cannot be told from chance on these rows. "
    "That is no proof that there is nothing to find.",
    FEW: "The numbers below are exact for these rows, but nothing follows from them. A longer validation part is needed.",
}


def verdict_box(groups: Groups) -> str:
    """The verdict as markup."""
    code = overall(groups)
    lines = [_line(words, groups[group]) for group, words in group_words(groups).items()]
    words = bullets(lines) if len(lines) > 1 else paragraph(lines[0])
    models = plural(sum(map(len, groups.values())), "run")
    return (
        f'<div class="verdict {KINDS[code]}"><strong>{text(title(groups))}</strong>{words}'
        f"{paragraph(MEANING[code].format(models=models))}</div>\n"
    )


def overall(groups: Groups) -> str:
    """`edge` if any run has one; `too little data` only if that holds for all."""
    codes = {run.verdict["code"] for group in groups.values() for run in group}
    return EDGE if EDGE in codes else FEW if codes == {FEW} else NONE


def title(groups: Groups) -> str:
    """The verdict in a few words."""
    code = overall(groups)
    if code != EDGE:
        return TITLES[code]
    found = {
        words: [run.name for run in groups[group] if run.verdict["code"] == EDGE]
        for group, words in group_words(groups).items()
    }
    places = [f"{listing(names)} at {words}" for words, names in found.items() if names]
    return f"An edge on the validation part: {listing(places)}"


def _line(words: str, group: tuple[ReportedRun, ...]) -> str:
    """The best run's verdict; one with an edge goes before one with a higher Sharpe ratio without."""
    best = next((run for run in group if run.verdict["code"] == EDGE), group[0])
    rank = f"best of {len(group)} by net Sharpe, " if best is group[0] and len(group) > 1 else ""
    return f"{words[0].upper()}{words[1:]}, {rank}{best.name}: {best.verdict['words']}"
