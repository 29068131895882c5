"""`predict`: raw bars through a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, table

if TYPE_CHECKING:
    import polars as pl

    from ohlcv_factory.training.bundle import ModelBundle

SHOWN = ("symbol", "time", "p_short", "p_neutral", "p_long", "decision")


@options.with_reading
def predict(
    *,
    run: Annotated[Path, typer.Argument(help="Run folder, or DIR/latest; with --bundle the first bar file.")],
    files: Annotated[
        list[Path] | None, typer.Argument(help="Bar files or folders, from the first bar to use on.")
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", help="A run or bundle of somebody else: always parsed in a child process first."),
    ] = None,
    expect_digest: Annotated[
        str | None,
        typer.Option("--expect-digest", help="SHA-256 of its manifest as train, verify or its author told it."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write all predictions here (.parquet or .csv).")] = None,
    last: Annotated[int, typer.Option("--last", min=1, help="How many of the newest bars to show.")] = 1,
    plugins: options.Plugins = None,
    reading: dict[str, Any],
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Probabilities and decision for every eligible bar of each symbol, the newest included; nothing is scored."""
    from ohlcv_factory.runtime.threads import set_threads

    set_threads(threads)

    import polars as pl

    from ohlcv_factory.errors import UsageError
    from ohlcv_factory.runtime.plugin_files import load_plugins
    from ohlcv_factory.studies.run_folders import named_run
    from ohlcv_factory.training.bundle import ModelBundle
    from ohlcv_factory.training.run_manifest import refuse_other_digest

    load_plugins(plugins or ())
    place, named = (run, files or []) if bundle is None else (bundle, [run, *(files or [])])
    if not named:
        raise UsageError("predict needs bars.", where="FILES", help="ohlcv-factory predict RUN BARS.csv")
    folder = named_run(place)
    if expect_digest is not None:
        refuse_other_digest(folder, expect_digest)
    model = ModelBundle.from_run(folder, always_try=bundle is not None)
    frames = _predictions(model, named, reading)
    frame, newest = pl.concat(frames), pl.concat(one.tail(last) for one in frames)
    if out is not None:
        write_frame(frame, out)
    facts = {"run": str(folder), "rows": len(frame), "written": str(out) if out else None, "newest": newest.to_dicts()}
    written = f", written to {out}" if out else ""
    emit(facts, f"{len(frame)} rows predicted{written}\n{_newest_text(newest)}", as_json)


def _predictions(model: ModelBundle, sources: list[Path], reading: dict[str, Any]) -> list[pl.DataFrame]:
    """A frame of each symbol; what the flags do not say is read as it was for the training."""
    from ohlcv_factory.bars.load import ReadOptions, read_sources

    recorded = {**model.read_options.plain(), "bar_size": None}
    told = ReadOptions.parse({**recorded, **options.reading_values(reading)}, where="flags")
    found = read_sources(sources, told)
    return [model.predict(source.bars).frame.drop("truth", "labelled", "scored") for source in found]


def _newest_text(newest: pl.DataFrame) -> str:
    rows = [
        [str(value) if name == "time" else value for name, value in zip(SHOWN, row, strict=True)]
        for row in newest.select(SHOWN).rows()
    ]
    return table(SHOWN, rows)


def write_frame(frame: pl.DataFrame, out: Path) -> None:
    """Write a frame as CSV or Parquet, by the suffix. Raises UsageError (2) for another one."""
    from ohlcv_factory.errors import UsageError
    from ohlcv_factory.storage.atomic import write_with
    from ohlcv_factory.storage.parquet import write_table

    if out.suffix == ".csv":
        write_with(out, frame.write_csv)
    elif out.suffix == ".parquet":
        write_table(out, frame)
    else:
        raise UsageError(
            f"--out must end in .parquet or .csv, got {out.name!r}.", where="--out", help="choose a suffix"
        )
