"""The page of a dataset: where its bars came from, what was assumed, what the labels look like, which columns it has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ohlcv_factory.dataset.store import read_manifest
from ohlcv_factory.features.catalogue import category_of
from ohlcv_factory.reports import data_tables, explanation
from ohlcv_factory.reports.page import Section, bullets, compose, facts, heading, paragraph, table
from ohlcv_factory.reports.words import bar_size, count, listing, moment, plural
from ohlcv_factory.storage.atomic import write_text

PAGE = "report.html"


def write_dataset_report(folder: Path) -> Path:
    """Write `<folder>/report.html` from `dataset.json` alone; the same dataset gives the same bytes.

    Raises InputMissingError (66) where there is no dataset, DataError (65) for one of a newer version.
    """
    manifest = read_manifest(folder)
    sections = tuple(make(manifest) for make in SECTIONS)
    path = folder / PAGE
    write_text(path, compose(_title(manifest), _lead(manifest), sections, manifest["created_by"]))
    return path


def sources(manifest: Mapping[str, Any]) -> Section:
    """Every file with what was assumed to read it, and every warning."""
    rows = [
        (each["symbol"], each["source"], count(each["rows"]), f"{moment(each['first'])} to {moment(each['last'])}")
        for each in manifest["sources"]
    ]
    html = table(("Symbol", "Source", "Rows read", "Span (UTC, open times)"), rows)
    html += "".join(_reading(each) for each in manifest["sources"])
    if build_warnings(manifest):
        html += heading("Warnings of the build") + bullets(build_warnings(manifest))
    return Section("Sources", "sources", html)


def build_warnings(manifest: Mapping[str, Any]) -> list[str]:
    """What the build warned of, too many columns for the training rows included."""
    advice = manifest["summary"]["sample_to_feature"]["warning"]
    return [*manifest["warnings"], *([advice] if advice else [])]


def symbols(manifest: Mapping[str, Any]) -> Section:
    """Bars per symbol."""
    return Section("Symbols and costs", "symbols", data_tables.symbol_table(manifest))


def parts(manifest: Mapping[str, Any]) -> Section:
    """The split in time."""
    return Section("Parts", "parts", data_tables.part_table(manifest))


def labels(manifest: Mapping[str, Any]) -> Section:
    """Label statistics and what a label is."""
    horizons = manifest["config"]["horizons"]
    html = explanation.label_words(manifest, horizons) + data_tables.label_tables(manifest, horizons)
    html += explanation.random_walk_words() + data_tables.class_count_table(manifest)
    return Section("Labels", "labels", html)


def columns(manifest: Mapping[str, Any]) -> Section:
    """Columns by category, and those left out with the reason."""
    used = _grouped({name: category_of(name) for name in manifest["feature_names"]})
    rows = [(category, len(names), ", ".join(names)) for category, names in used.items()]
    html = table(("Category", "Columns", "Names"), rows, kind="words")
    left_out = _grouped(manifest["left_out"])
    if not left_out:
        return Section("Columns", "columns", html + paragraph("No column of the catalogue had to be left out.", "note"))
    reasons = [(", ".join(names), reason) for reason, names in left_out.items()]
    html += heading("Left out") + table(("Columns", "Reason"), reasons, kind="words")
    return Section("Columns", "columns", html)


def provenance(manifest: Mapping[str, Any]) -> Section:
    """What identifies the dataset."""
    digests = [(f"Digest of {each['source']}", each["sha256"]) for each in manifest["sources"]]
    pairs = [("Written by", manifest["created_by"]), ("Fingerprint", manifest["fingerprint"]), *digests]
    return Section("Provenance", "provenance", facts(pairs))


SECTIONS = (sources, symbols, parts, labels, columns, provenance)


def _title(manifest: Mapping[str, Any]) -> str:
    names = listing(manifest["summary"]["symbols"])
    sizes = {bar_size(entry["bar_seconds"]) for entry in manifest["symbols"]}
    return f"Dataset: {names}, {listing(sorted(sizes))} bars"


def _lead(manifest: Mapping[str, Any]) -> str:
    warnings = len(build_warnings(manifest)) + sum(len(each["warnings"]) for each in manifest["sources"])
    bars = count(sum(entry["bars"] for entry in manifest["symbols"]))
    words = (
        f"{bars} bars of {plural(len(manifest['symbols']), 'symbol')}, {len(manifest['feature_names'])} columns, "
        f"labels at horizons of {listing(manifest['config']['horizons'])} bars. "
    )
    return paragraph(words + (f"{plural(warnings, 'warning')}: see Sources." if warnings else "No warnings."))


def _reading(account: Mapping[str, Any]) -> str:
    html = heading(f"{account['symbol']}: what was assumed") + bullets(account["assumed"])
    if account["warnings"]:
        html += heading(f"{account['symbol']}: warnings") + bullets(account["warnings"])
    return html


def _grouped(groups: Mapping[str, str]) -> dict[str, list[str]]:
    """Names by their group, in order of appearance."""
    found: dict[str, list[str]] = {}
    for name, group in groups.items():
        found.setdefault(group, []).append(name)
    return found
