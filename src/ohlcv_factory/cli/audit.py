"""`audit features`: does any column, built in or one's own, know what came later?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, table

if TYPE_CHECKING:
    from ohlcv_factory.audit.bar_audit import BarAudit

EXIT_VIOLATIONS = 1

application = typer.Typer(help="Is it honest?", no_args_is_help=True)


@application.callback()
def _root() -> None:
    """Is it honest?"""


@application.command("features")
@options.with_reading
def features(
    *,
    bars: Annotated[list[Path], typer.Option("--bars", help="Bar file (CSV or Parquet); more than one is allowed.")],
    plugins: options.Plugins = None,
    names: Annotated[str | None, typer.Option("--features", help="Only these columns, comma between.")] = None,
    last: Annotated[
        int, typer.Option("--last", min=500, help="How many of the newest bars to look at; slow columns need more.")
    ] = 5000,
    bar_size: options.BarSize = None,
    instruments: options.Instruments = None,
    reading: dict[str, Any],
    as_json: options.AsJson = False,
) -> None:
    """Look for the future in every column: truncation, corrupted future, label reach, fitted state, stream against batch.

    Exit code 1 where a test is broken: the table names test, column, bar and size.
    """
    from ohlcv_factory.audit.bar_audit import audit_bars, audited_features
    from ohlcv_factory.bars.instruments import find_instrument
    from ohlcv_factory.bars.load import ReadOptions, read_bars
    from ohlcv_factory.bars.resample import resample
    from ohlcv_factory.bars.sizes import bar_seconds
    from ohlcv_factory.config import Layers
    from ohlcv_factory.runtime.plugin_files import load_plugins
    from ohlcv_factory.runtime.progress import track

    load_plugins(plugins or ())
    chosen = audited_features([name.strip() for name in names.split(",")] if names else None)
    read = ReadOptions.parse(Layers.merge([], (), reading).values.get("read", {}), where="flags")
    series = [read_bars(path, read).bars for path in bars]
    sized = [resample(one, bar_seconds(bar_size)) if bar_size else one for one in series]
    own = Path(instruments) if instruments else None
    audits = [audit_bars(one, find_instrument(one.symbol, own), chosen, last) for one in track(sized, "auditing")]
    emit([audit_values(audit) for audit in audits], "\n\n".join(audit_text(audit) for audit in audits), as_json)
    if any(audit.violations for audit in audits):
        raise typer.Exit(EXIT_VIOLATIONS)


def audit_values(audit: BarAudit) -> dict[str, Any]:
    """What `--json` prints of one symbol."""
    return {**asdict(audit), "tests": audit.counts, "passed": not audit.violations}


def audit_text(audit: BarAudit) -> str:
    """The tests with their number of violations, then each violation."""
    head = f"{audit.symbol}: {len(audit.columns)} columns on {audit.bars} bars"
    lines = [f"{head}, {len(audit.violations)} violations" if audit.violations else f"{head}: nothing found"]
    lines.append("  tests: " + ", ".join(f"{name} {count or 'ok'}" for name, count in audit.counts.items()))
    lines += [f"  left out: {name}: {reason}" for name, reason in audit.left_out.items()]
    if not audit.violations:
        return "\n".join(lines)
    rows = [
        [one.test, one.feature, one.bar, one.time or None, _size(one.size), one.complaint] for one in audit.violations
    ]
    return "\n".join([*lines, "", table(("test", "feature", "bar", "time", "size", "what was found"), rows)])


def _size(size: float | None) -> str:
    return "missing" if size is None else f"{size:.3g}"
