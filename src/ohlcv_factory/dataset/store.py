"""A dataset on disk: one Parquet file per symbol and a manifest, written last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ohlcv_factory import __version__
from ohlcv_factory.bars.instruments import BarrierRule, Instrument
from ohlcv_factory.bars.schema import COLUMNS, Bars
from ohlcv_factory.dataset.build import Dataset, HorizonLabels, SymbolData
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import DataError, InputMissingError, UsageError
from ohlcv_factory.features import catalogue
from ohlcv_factory.features.plugins import PluginRecord
from ohlcv_factory.labels.classes import CLASS_COUNT, CLASS_NAMES
from ohlcv_factory.labels.triple_barrier import TOUCH_NAMES, BarrierLabels, barrier_atr
from ohlcv_factory.labels.weights import Quality
from ohlcv_factory.splits.chronological import PART_NAMES
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.digests import file_digest
from ohlcv_factory.storage.formats import read_json, write_json

MANIFEST = "dataset.json"
SCHEMA_VERSION = 1


def write_dataset(dataset: Dataset, folder: Path, summary: dict[str, Any]) -> Path:
    """Write `<symbol>.parquet` per symbol, then `dataset.json`; the same dataset gives the same bytes.

    `summary` (label and feature statistics for people) is kept in the manifest. Raises OutputError (73) when the folder
    is not empty.
    """
    atomic.create_folder(folder, must_be_new=True)
    for symbol in dataset.symbols:
        atomic.write_with(folder / _file_name(symbol), _symbol_frame(symbol, dataset.feature_names).write_parquet)
    write_json(folder / MANIFEST, _manifest(dataset, folder, summary))
    return folder


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a dataset folder.

    Raises InputMissingError (66) when there is none, DataError (65) for a newer schema.
    """
    if not folder.exists():
        raise InputMissingError(
            f"{folder} does not exist.", where=str(folder), help="ohlcv-factory data build FILE --out DIR"
        )
    if not (folder / MANIFEST).is_file():
        raise InputMissingError(
            f"{folder} holds no {MANIFEST}: not a dataset, or half-written.", where=str(folder), help="build it again"
        )
    manifest: dict[str, Any] = read_json(folder / MANIFEST)
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"dataset schema {manifest.get('schema_version')}, this version reads {SCHEMA_VERSION}.",
            where=str(folder / MANIFEST),
            help="build the dataset again, or use the version that wrote it",
        )
    return manifest


def read_dataset(folder: Path) -> Dataset:
    """Read a dataset folder back, digests first. Raises InputMissingError (66) or DataError (65)."""
    manifest = read_manifest(folder)
    plain = {
        **manifest["config"],
        "plugins": [],
    }  # a path that a manifest names is never run; `plugins` says what made what
    config = DatasetConfig.parse(plain, where=str(folder / MANIFEST))
    for stored in manifest["files"]:
        _refuse_changed(folder / stored["path"], stored["sha256"])
    names = tuple(manifest["feature_names"])
    symbols = tuple(_read_symbol(folder, entry, names, config) for entry in manifest["symbols"])
    return Dataset(
        config=config,
        symbols=symbols,
        feature_names=names,
        left_out=manifest["left_out"],
        warm_up_bars=manifest["warm_up_bars"],
        borders_ns=tuple(manifest["borders_ns"]),
        embargo_ns=tuple(manifest["embargo_ns"]),
        warnings=tuple(manifest["warnings"]),
        accounts=tuple(manifest["sources"]),
        fingerprint=manifest["fingerprint"],
        plugins=tuple(PluginRecord.from_plain(record) for record in manifest.get("plugins", ())),
    )


def _manifest(dataset: Dataset, folder: Path, summary: dict[str, Any]) -> dict[str, Any]:
    names = [_file_name(symbol) for symbol in dataset.symbols]
    return {
        "schema_version": SCHEMA_VERSION,
        "created_by": f"ohlcv-model-factory {__version__}",
        "fingerprint": dataset.fingerprint,
        "files": [
            {"path": name, "size": (folder / name).stat().st_size, "sha256": file_digest(folder / name)}
            for name in names
        ],
        "sources": list(dataset.accounts),
        "config": dataset.config.plain(),
        "symbols": [_symbol_entry(symbol) for symbol in dataset.symbols],
        "feature_catalogue": catalogue.VERSION,
        "feature_names": list(dataset.feature_names),
        "plugins": [record.plain() for record in dataset.plugins],
        "left_out": dataset.left_out,
        "warm_up_bars": dataset.warm_up_bars,
        "borders_ns": list(dataset.borders_ns),
        "embargo_ns": list(dataset.embargo_ns),
        "warnings": list(dataset.warnings),
        "summary": summary,
    }


def _symbol_entry(symbol: SymbolData) -> dict[str, Any]:
    return {
        "file": _file_name(symbol),
        "bars": len(symbol.bars),
        "bar_seconds": symbol.bars.bar_seconds,
        "instrument": symbol.instrument.plain(),
        "rules": {str(horizon): labels.rule.plain() for horizon, labels in symbol.labels.items()},
    }


def _file_name(symbol: SymbolData) -> str:
    name = symbol.bars.symbol
    if not name or not all(letter.isalnum() or letter in "-_." for letter in name) or name.startswith("."):
        raise UsageError(
            f"symbol {name!r} cannot be a file name.", help="letters, digits, '-', '_' and '.': --symbol NAME"
        )
    return f"{name}.parquet"


def _refuse_changed(path: Path, digest: str) -> None:
    if not path.is_file():
        raise InputMissingError(f"{path.name} is missing.", where=str(path), help="build the dataset again")
    if file_digest(path) != digest:
        raise DataError(
            f"{path.name} is not the file that was written: its digest differs from the manifest's.",
            where=str(path),
            help="the file is damaged or was changed: build the dataset again",
        )


def _symbol_frame(symbol: SymbolData, names: tuple[str, ...]) -> pl.DataFrame:
    """One row per bar: time, bars, part, features, and per horizon label, end and weight components."""
    columns: list[pl.Series] = [
        pl.Series("part", np.array([*PART_NAMES, None], dtype=object)[symbol.part].tolist(), pl.String)
    ]
    columns += [
        pl.Series(name, np.ascontiguousarray(symbol.features[:, column]))
        for column, name in enumerate(names)
        if name not in COLUMNS  # raw columns: the bars are there already, in full precision
    ]
    for horizon, labels in symbol.labels.items():
        columns += _label_columns(f"h{horizon}", symbol.bars, labels)
    return symbol.bars.frame().with_columns(columns)


def _label_columns(prefix: str, bars: Bars, labels: HorizonLabels) -> list[pl.Series]:
    barrier, quality = labels.barrier, labels.quality
    words = np.where(barrier.labelled, barrier.label, CLASS_COUNT)
    return [
        pl.Series(f"{prefix}_label", np.array([*CLASS_NAMES, None], dtype=object)[words].tolist(), pl.String),
        pl.Series(f"{prefix}_ambiguous", barrier.ambiguous),
        pl.Series(f"{prefix}_label_end", bars.time_ns[barrier.end_row]).cast(pl.Datetime("ns", "UTC")),
        pl.Series(f"{prefix}_bars_to_hit", barrier.bars_to_hit),
        pl.Series(f"{prefix}_return", barrier.realised_return),
        pl.Series(f"{prefix}_adverse", barrier.adverse),
        pl.Series(f"{prefix}_touch", np.array(TOUCH_NAMES, dtype=object)[barrier.touch].tolist(), pl.String),
        pl.Series(f"{prefix}_quality_time", quality.time),
        pl.Series(f"{prefix}_quality_drawdown", quality.drawdown),
        pl.Series(f"{prefix}_quality_touch", quality.touch),
        pl.Series(f"{prefix}_quality", quality.total),
        pl.Series(f"{prefix}_uniqueness", labels.uniqueness),
    ]


def _read_symbol(folder: Path, entry: dict[str, Any], names: tuple[str, ...], config: DatasetConfig) -> SymbolData:
    try:
        frame = pl.read_parquet(folder / entry["file"])
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{entry['file']} cannot be read: {error}.", where=str(folder), help="build it again") from None
    instrument = Instrument.parse(entry["instrument"], where=str(folder / MANIFEST))
    arrays: dict[str, Any] = {name: frame[name].to_numpy().copy() for name in COLUMNS}
    bars = Bars(
        instrument.symbol,
        frame["timestamp"].dt.timestamp("ns").to_numpy().copy(),
        bar_seconds=entry["bar_seconds"],
        **arrays,
    )
    features = np.empty((len(bars), len(names)), dtype=np.float32)
    for column, name in enumerate(names):
        features[:, column] = frame[name].to_numpy()
    rules = {int(horizon): BarrierRule.parse(rule) for horizon, rule in entry["rules"].items()}
    labels = {horizon: _read_labels(frame, f"h{horizon}", rules[horizon]) for horizon in config.horizons}
    part = _codes(frame["part"], PART_NAMES, -1)
    return SymbolData(bars, instrument, features, barrier_atr(bars), part, labels)


def _codes(words: pl.Series, names: tuple[str, ...], missing: int) -> np.ndarray:
    table = {name: code for code, name in enumerate(names)}
    return words.replace_strict(table, return_dtype=pl.Int8, default=None).fill_null(missing).to_numpy().copy()


def _read_labels(frame: pl.DataFrame, prefix: str, rule: BarrierRule) -> HorizonLabels:
    def column(name: str) -> np.ndarray:
        return frame[f"{prefix}_{name}"].to_numpy().copy()

    codes = _codes(frame[f"{prefix}_label"], CLASS_NAMES, CLASS_COUNT)
    bars_to_hit = column("bars_to_hit")
    barrier = BarrierLabels(
        label=np.where(codes == CLASS_COUNT, 1, codes).astype(np.int8),
        labelled=codes != CLASS_COUNT,
        ambiguous=column("ambiguous"),
        end_row=np.arange(len(frame)) + bars_to_hit,
        bars_to_hit=bars_to_hit,
        realised_return=column("return"),
        adverse=column("adverse"),
        touch=_codes(frame[f"{prefix}_touch"], TOUCH_NAMES, 0),
    )
    quality = Quality(column("quality_time"), column("quality_drawdown"), column("quality_touch"))
    return HorizonLabels(rule, barrier, quality, column("uniqueness"))
