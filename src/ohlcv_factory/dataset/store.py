"""A dataset on disk: per symbol a Parquet file and its feature matrix, and a manifest, written last.

The Parquet file holds everything, for people and other tools. The matrix repeats its feature columns row by row, so
that training maps it into memory instead of decoding it. Where the bars were made of finer ones, these lie beside them:
the trade simulation asks them which of two barriers came first inside one bar.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ohlcv_factory import __version__
from ohlcv_factory.bars.instruments import Instrument
from ohlcv_factory.bars.schema import COLUMNS, Bars
from ohlcv_factory.dataset.build import Dataset, SymbolData, narrowed
from ohlcv_factory.dataset.labelling import HorizonLabels
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import DataError, InputMissingError, UsageError, VerificationError, unknown_name
from ohlcv_factory.features import catalogue
from ohlcv_factory.features.plugins import PluginRecord
from ohlcv_factory.labels.classes import CLASS_COUNT, CLASS_NAMES
from ohlcv_factory.labels.paths import TOUCH_NAMES, PathLabels
from ohlcv_factory.labels.rules import RULES, LabelRule
from ohlcv_factory.labels.triple_barrier import barrier_atr
from ohlcv_factory.labels.weights import Quality
from ohlcv_factory.splits.chronological import PART_NAMES
from ohlcv_factory.storage import atomic, manifests
from ohlcv_factory.storage.cache import remember
from ohlcv_factory.storage.digests import file_digest
from ohlcv_factory.storage.formats import told_as_damage, write_json
from ohlcv_factory.storage.parquet import column_names, read_table, write_table
from ohlcv_factory.storage.trial import Trial, try_foreign

MANIFEST = atomic.DATASET_SEAL
SCHEMA_VERSION = 2
READ_VERSIONS = (1, 2)
PAGES = (MANIFEST, "report.html", "report.json")
"""What a dataset's folder has beside the files of its manifest: pages about it, which are made anew at any time."""
TRANSPOSED_ROWS = 4096


def write_dataset(dataset: Dataset, folder: Path, summary: dict[str, Any]) -> Path:
    """Write `<symbol>.parquet`, `<symbol>.features.npy` and `<symbol>.source.parquet` per symbol, then `dataset.json`.

    The last is the finer bars, where there are any. The same dataset gives the same bytes.

    `summary` (label and feature statistics for people) is kept in the manifest. Raises OutputError (73) when the folder
    is not empty.
    """
    atomic.create_folder(folder, must_be_new=True)
    for symbol in dataset.symbols:
        write_table(folder / _file_name(symbol), _symbol_frame(symbol, dataset.feature_names))
        atomic.write_with(folder / _matrix_name(symbol), partial(_write_matrix, symbol.features))
        if symbol.source is not None:
            write_table(folder / _source_name(symbol), symbol.source.frame())
    write_json(folder / MANIFEST, _manifest(dataset, folder, summary))
    remember(folder, MANIFEST)
    return folder


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a dataset folder.

    Raises InputMissingError (66) when there is none, DataError (65) for a newer schema.
    """
    previous = atomic.previous_folder(folder)
    if not folder.exists() and previous.exists():
        raise InputMissingError(
            f"{folder} does not exist: an update was cut off.", where=str(folder), help=f"mv {previous} {folder}"
        )
    if not folder.exists():
        raise InputMissingError(
            f"{folder} does not exist.", where=str(folder), help="ohlcv-factory data build FILE --out DIR"
        )
    if not (folder / MANIFEST).is_file():
        raise InputMissingError(
            f"{folder} holds no {MANIFEST}: not a dataset, or half-written.", where=str(folder), help="build it again"
        )
    manifest = manifests.read_manifest(folder, MANIFEST)
    if manifest.get("schema_version") not in READ_VERSIONS:
        raise DataError(
            f"dataset schema {manifest.get('schema_version')}, this version reads "
            f"{', '.join(map(str, READ_VERSIONS))}.",
            where=str(folder / MANIFEST),
            help="build the dataset again, or use the version that wrote it",
        )
    with told_as_damage(folder / MANIFEST):
        return _upgraded(manifest)


def read_dataset(folder: Path, *, symbol: str | None = None) -> Dataset:
    """Read a dataset folder back, digests first; with `symbol` the files of that one alone.

    Raises InputMissingError (66), DataError (65), or UnknownNameError (2) for a symbol that it does not hold.
    """
    manifest = read_manifest(folder)
    entries = [entry for entry in manifest["symbols"] if symbol in (None, entry["instrument"]["symbol"])]
    if not entries:
        raise unknown_name("symbol", str(symbol), [entry["instrument"]["symbol"] for entry in manifest["symbols"]])
    wanted = None if symbol is None else {name for entry in entries for name in _stored_names(entry)}
    _refuse_changed(folder, manifest, wanted)
    with told_as_damage(folder / MANIFEST):
        plain = {
            **manifest["config"],
            "plugins": [],
        }  # a path that a manifest names is never run; `plugins` says what made what
        config = DatasetConfig.parse(plain, where=str(folder / MANIFEST))
        dataset = _dataset(folder, manifest, config, entries)
        return dataset if len(entries) == len(manifest["symbols"]) else narrowed(dataset, dataset.symbols[0])


def _refuse_changed(folder: Path, manifest: dict[str, Any], wanted: set[str] | None) -> None:
    """Raise InputMissingError (66) or DataError (65) where the files are not those that were written, or cannot be read."""
    listed = {each.path for each in manifests.listed_files(manifest)}
    for name in sorted(name for entry in manifest["symbols"] for name in _stored_names(entry)):
        if name not in listed:
            raise DataError(f"{name} is not among the files.", where=str(folder / MANIFEST), help=_BUILD_AGAIN)
        if (wanted is None or name in wanted) and not (folder / name).exists():
            raise InputMissingError(f"{name} is missing.", where=str(folder / name), help=_BUILD_AGAIN)
    try:
        manifests.check_files(folder, manifest, later=PAGES, only=wanted)
    except VerificationError as error:
        raise DataError(error.what, where=error.where, help=_BUILD_AGAIN) from None
    try_foreign(folder, Trial(MANIFEST, None if wanted is None else frozenset(wanted)))


_BUILD_AGAIN = "the file is damaged or was changed: build the dataset again"


def _upgraded(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest as the newest version has it.

    Version 1 had the features in the Parquet file alone; it and the first of version 2 knew neither finer bars nor plugins.
    """
    symbols = [{"matrix": None, "source": None, **entry} for entry in manifest["symbols"]]
    return {"plugins": [], "feature_catalogue": 1, **manifest, "symbols": symbols}


def _dataset(folder: Path, manifest: dict[str, Any], config: DatasetConfig, entries: list[dict[str, Any]]) -> Dataset:
    names = tuple(manifest["feature_names"])
    return Dataset(
        config=config,
        symbols=tuple(_read_symbol(folder, entry, names, config) for entry in entries),
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
    names = [name for symbol in dataset.symbols for name in _file_names(symbol)]
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


def _stored_names(entry: dict[str, Any]) -> list[str]:
    """The files of one symbol, as its entry names them."""
    source = [entry["source"]["file"]] if entry["source"] else []
    return [entry["file"], *([entry["matrix"]] if entry["matrix"] else []), *source]


def _symbol_entry(symbol: SymbolData) -> dict[str, Any]:
    return {
        "file": _file_name(symbol),
        "matrix": _matrix_name(symbol),
        "source": _source_entry(symbol),
        "bars": len(symbol.bars),
        "bar_seconds": symbol.bars.bar_seconds,
        "instrument": symbol.instrument.plain(),
        "rules": {str(horizon): labels.rule.plain() for horizon, labels in symbol.labels.items()},
    }


def _source_entry(symbol: SymbolData) -> dict[str, Any] | None:
    """The finer bars' file and bar size, or None without finer bars."""
    if symbol.source is None:
        return None
    return {"file": _source_name(symbol), "bars": len(symbol.source), "bar_seconds": symbol.source.bar_seconds}


def _file_names(symbol: SymbolData) -> list[str]:
    """Every file of one symbol."""
    names = [_file_name(symbol), _matrix_name(symbol)]
    return names if symbol.source is None else [*names, _source_name(symbol)]


def _file_name(symbol: SymbolData) -> str:
    name = symbol.bars.symbol
    if not name or not all(letter.isalnum() or letter in "-_." for letter in name) or name.startswith("."):
        raise UsageError(
            f"symbol {name!r} cannot be a file name.", help="letters, digits, '-', '_' and '.': --symbol NAME"
        )
    return f"{name}.parquet"


def _matrix_name(symbol: SymbolData) -> str:
    return f"{_file_name(symbol).removesuffix('.parquet')}.features.npy"


def _source_name(symbol: SymbolData) -> str:
    return f"{_file_name(symbol).removesuffix('.parquet')}.source.parquet"


def _write_matrix(features: np.ndarray, path: Path) -> None:
    np.save(path, np.ascontiguousarray(features), allow_pickle=False)


def _symbol_frame(symbol: SymbolData, names: tuple[str, ...]) -> pl.DataFrame:
    """One row per bar: time, bars, part, features, and per horizon label, end and weight components."""
    columns: list[pl.Series] = [
        pl.Series("part", np.array([*PART_NAMES, None], dtype=object)[symbol.part].tolist(), pl.String)
    ]
    by_column = _columns_of(symbol.features)
    columns += [pl.Series(name, values) for name, values in zip(names, by_column, strict=True) if name not in COLUMNS]
    for horizon, labels in symbol.labels.items():
        columns += _label_columns(f"h{horizon}", symbol.bars, labels)
    return symbol.bars.frame().with_columns(columns)


def _columns_of(matrix: np.ndarray) -> np.ndarray:
    """`(F, n)` copy of `(n, F)` values, a few thousand rows at a time, so that each stretch of memory is read once."""
    columns = np.empty(matrix.shape[::-1], dtype=matrix.dtype)
    for start in range(0, len(matrix), TRANSPOSED_ROWS):
        columns[:, start : start + TRANSPOSED_ROWS] = matrix[start : start + TRANSPOSED_ROWS].T
    return columns


def _label_columns(prefix: str, bars: Bars, labels: HorizonLabels) -> list[pl.Series]:
    path, quality = labels.path, labels.quality
    words = np.where(path.labelled, path.label, CLASS_COUNT)
    return [
        pl.Series(f"{prefix}_label", np.array([*CLASS_NAMES, None], dtype=object)[words].tolist(), pl.String),
        pl.Series(f"{prefix}_ambiguous", path.ambiguous),
        pl.Series(f"{prefix}_resolved", path.resolved),
        pl.Series(f"{prefix}_label_end", bars.time_ns[path.end_row]).cast(pl.Datetime("ns", "UTC")),
        pl.Series(f"{prefix}_bars_to_hit", path.bars_to_hit),
        pl.Series(f"{prefix}_return", path.realised_return),
        pl.Series(f"{prefix}_adverse", path.adverse),
        pl.Series(f"{prefix}_favourable", path.favourable),
        pl.Series(f"{prefix}_touch", np.array(TOUCH_NAMES, dtype=object)[path.touch].tolist(), pl.String),
        pl.Series(f"{prefix}_quality_time", quality.time),
        pl.Series(f"{prefix}_quality_drawdown", quality.drawdown),
        pl.Series(f"{prefix}_quality_touch", quality.touch),
        pl.Series(f"{prefix}_quality", quality.total),
        pl.Series(f"{prefix}_uniqueness", labels.uniqueness),
    ]


def _read_symbol(folder: Path, entry: dict[str, Any], names: tuple[str, ...], config: DatasetConfig) -> SymbolData:
    """The data of one symbol. Raises DataError (65) where a file does not hold what the manifest says."""
    with told_as_damage(folder / entry["file"]):
        return _symbol_in(folder, entry, names, config)


def _symbol_in(folder: Path, entry: dict[str, Any], names: tuple[str, ...], config: DatasetConfig) -> SymbolData:
    frame = _read_table(folder / entry["file"], names if entry["matrix"] else ())
    features = _read_matrix(folder / entry["matrix"]) if entry["matrix"] else _matrix_of(frame, names)
    if features.shape != (len(frame), len(names)) or features.dtype != np.float32:
        raise ValueError(
            f"the features are {features.dtype} {features.shape}, not ({len(frame)}, {len(names)}) float32"
        )
    instrument = Instrument.parse(entry["instrument"], where=str(folder / MANIFEST))
    bars, source = _bars(frame, instrument.symbol, entry["bar_seconds"]), entry["source"]
    finer = source and _bars(_read_table(folder / source["file"], ()), instrument.symbol, source["bar_seconds"])
    rules = {int(horizon): RULES[config.label].parse(rule) for horizon, rule in entry["rules"].items()}
    labels = {horizon: _read_labels(frame, f"h{horizon}", rules[horizon]) for horizon in config.horizons}
    part = _codes(frame["part"], PART_NAMES, -1)
    return SymbolData(bars, instrument, features, barrier_atr(bars), part, labels, finer)


def _read_table(path: Path, feature_names: tuple[str, ...]) -> pl.DataFrame:
    """Bars and labels of one symbol; the features come from the matrix."""
    names = (
        None
        if not feature_names
        else [name for name in column_names(path) if name in COLUMNS or name not in feature_names]
    )
    return read_table(path, names)


def _read_matrix(path: Path) -> np.ndarray:
    """The feature matrix of one symbol, mapped into memory and read-only."""
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (ValueError, OSError) as error:
        raise DataError(f"{path.name} cannot be read: {error}.", where=str(path), help="build it again") from None


def _matrix_of(frame: pl.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """The feature matrix out of the columns of a table that has no other place for it, float32 `(n, F)`."""
    return np.column_stack([frame[name].to_numpy().astype(np.float32) for name in names])


def _bars(frame: pl.DataFrame, symbol: str, bar_seconds: int) -> Bars:
    """The bars of a frame as `Bars.frame` made it."""
    arrays: dict[str, Any] = {name: frame[name].to_numpy().copy() for name in COLUMNS}
    time_ns = frame["timestamp"].dt.timestamp("ns").to_numpy().copy()
    if "contract" not in frame.columns:
        return Bars(symbol, time_ns, bar_seconds=bar_seconds, **arrays)
    names = tuple(frame["contract"].unique(maintain_order=True))
    codes = frame["contract"].replace_strict(names, range(len(names)), return_dtype=pl.Int32).to_numpy().copy()
    return Bars(symbol, time_ns, bar_seconds=bar_seconds, contract=codes, contract_names=names, **arrays)


def _codes(words: pl.Series, names: tuple[str, ...], missing: int) -> np.ndarray:
    table = {name: code for code, name in enumerate(names)}
    return words.replace_strict(table, return_dtype=pl.Int8, default=None).fill_null(missing).to_numpy().copy()


def _read_labels(frame: pl.DataFrame, prefix: str, rule: LabelRule) -> HorizonLabels:
    def column(name: str) -> np.ndarray:
        return frame[f"{prefix}_{name}"].to_numpy().copy()

    def later_column(name: str, unknown: float | bool) -> np.ndarray:
        """A column that datasets of the first days lack."""
        return column(name) if f"{prefix}_{name}" in frame.columns else np.full(len(frame), unknown)

    codes = _codes(frame[f"{prefix}_label"], CLASS_NAMES, CLASS_COUNT)
    bars_to_hit = column("bars_to_hit")
    path = PathLabels(
        label=np.where(codes == CLASS_COUNT, 1, codes).astype(np.int8),
        labelled=codes != CLASS_COUNT,
        ambiguous=column("ambiguous"),
        resolved=later_column("resolved", False),
        end_row=np.arange(len(frame)) + bars_to_hit,
        bars_to_hit=bars_to_hit,
        realised_return=column("return"),
        adverse=column("adverse"),
        favourable=later_column("favourable", np.nan),
        touch=_codes(frame[f"{prefix}_touch"], TOUCH_NAMES, 0),
    )
    quality = Quality(column("quality_time"), column("quality_drawdown"), column("quality_touch"))
    return HorizonLabels(rule, path, quality, column("uniqueness"))
