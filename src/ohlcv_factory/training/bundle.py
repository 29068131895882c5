"""A run as something that predicts: raw bars in, predictions of every eligible bar out, the newest included."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ohlcv_factory.bars.instruments import GENERIC, Instrument, instrument_table
from ohlcv_factory.bars.load import ReadOptions
from ohlcv_factory.bars.resample import resample
from ohlcv_factory.bars.rolls import Rolls, rolls_within, with_rolls
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.bars.sizes import size_text
from ohlcv_factory.dataset.market import row_market
from ohlcv_factory.dataset.rolled import eligible_rows, feature_rows, padded_windows
from ohlcv_factory.dataset.samples import INDEX_DTYPE, RowMarket
from ohlcv_factory.dataset.scaling import Scaler
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError
from ohlcv_factory.evaluation.calibrators import Calibrator
from ohlcv_factory.evaluation.decisions import ARGMAX, DecisionRule
from ohlcv_factory.evaluation.predictions import Predictions
from ohlcv_factory.features.plugins import PluginRecord, require
from ohlcv_factory.labels.rules import LabelRule
from ohlcv_factory.labels.triple_barrier import barrier_atr
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.plugin_files import Origin
from ohlcv_factory.storage import manifests
from ohlcv_factory.storage.formats import read_json, read_settings, told_as_damage
from ohlcv_factory.training.drift import DriftWarning, TrainingRange
from ohlcv_factory.training.ensemble import FittedEnsemble
from ohlcv_factory.training.pipeline import FittedPipeline, lookback_of
from ohlcv_factory.training.reference import REFERENCE, Reference
from ohlcv_factory.training.run_manifest import read_run_manifest, refuse_other_model, refuse_other_packages
from ohlcv_factory.training.trial import BEST_MODEL_FACTS, open_run

if TYPE_CHECKING:
    from ohlcv_factory.training.live import LiveSession

MANIFEST = manifests.MANIFEST
LARGEST_TOLERANCE = 1e-3
"""Of a self-test, whatever a manifest allows itself."""
BEST_MODEL = Path("checkpoints") / "best_model"
SCALER = Path("checkpoints") / "scaler.json"
CALIBRATOR = Path("checkpoints") / "calibrator.json"
DECISION = Path("checkpoints") / "decision.json"
TRAINING_RANGE = Path("checkpoints") / "training_range.json"
SELECTION = Path("checkpoints") / "selection.json"
FEATURE_CONFIG = Path("config") / "feature_config.yaml"
MODEL_CONFIG = Path("config") / "model_config.yaml"
Value = TypeVar("Value")


@dataclass(frozen=True)
class BarRows:
    """Rows of a symbol's bars as a source for any model of a bundle."""

    bundle: ModelBundle
    bars: Bars
    features: np.ndarray
    """`(m, F)` of the last m bars, in the order of the pipeline's columns; back to the first bar of the first window."""
    rows: np.ndarray

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbol of the bars."""
        return (self.bars.symbol,)

    @property
    def codes(self) -> np.ndarray:
        """All 0."""
        return np.zeros(len(self.rows), np.int64)

    def inputs(self, model: BaseModel, columns: Sequence[str]) -> Any:
        """A matrix or windows, as the model asks."""
        lookback = lookback_of(model)
        if lookback is None:
            return self.matrix(columns)
        features = self._features(columns)
        if model.input_spec.padded:
            return padded_windows(self.bars, features, self.rows, lookback, self.bundle.rolls)
        return WindowSource(features, self._places, lookback)

    def matrix(self, columns: Sequence[str]) -> np.ndarray:
        """Columns of the rows."""
        return np.asarray(self._features(columns)[self._places])

    def market(self) -> RowMarket:
        """The label rules of the rows, by the bundle's dataset."""
        return row_market(self.bars, barrier_atr(self.bars), self.bundle.label_rule(self.bars.symbol), self.rows)

    @property
    def _places(self) -> np.ndarray:
        return self.rows - (len(self.bars) - len(self.features))

    def _features(self, columns: Sequence[str]) -> np.ndarray:
        own = self.bundle.pipeline.columns
        if tuple(columns) == own:
            return self.features
        return np.ascontiguousarray(self.features[:, [own.index(name) for name in columns]])


@dataclass(frozen=True)
class ModelBundle:
    """Features, scaler, model, calibrator and decision rule of one run; of an ensemble also its members' bundles."""

    pipeline: FittedPipeline | FittedEnsemble
    horizon: int
    bar_seconds: int
    first_eligible: int
    """Bars that must lie before the first prediction: warm-up + history of the dataset."""
    instruments: tuple[Instrument, ...]
    read_options: ReadOptions
    """How the training file was read; what `predict` assumes unless told otherwise."""
    training_range: TrainingRange
    rolls: Rolls
    """What the run's dataset did about contract rolls."""
    labels: DatasetConfig
    """What decides the label rule of the run's horizon, for a model that reads it."""
    plugins: tuple[PluginRecord, ...] = ()
    """What declared the columns that are not built in; it must be loaded, unchanged, before anything is predicted."""

    @classmethod
    def from_run(cls, folder: Path | str, *, always_try: bool = False) -> ModelBundle:
        """Load a finished run: digests first, a foreign one in a child process first, then the self-test.

        `always_try` takes it for foreign, whatever this machine knows of it. Raises InputMissingError (66) when it is not a
        finished run, VerificationError (76) for a changed file or other answers than then, DataError (65) for what cannot
        be parsed, MissingExtraError (69) for libraries that cannot read it, and what `require_model` raises where the model
        is one of the user's own.
        """
        folder = Path(folder)
        return parsed_bundle(folder, open_run(folder, always_try=always_try))

    def predict(self, bars: Bars) -> Predictions:
        """Predictions of every eligible bar of one symbol, from the first bar given on; nothing is scored.

        Finer bars are resampled to the run's bar size. Warns (DriftWarning) when the features look like none of the
        training's. Raises DataError (65) when the bars are coarser or too few,
        UsageError (2) or VerificationError (76) when a plugin that the run needs is not loaded, or has changed.
        """
        require(self.plugins)
        sized, instrument = self.sized(bars), self.instrument(bars.symbol)
        rows = eligible_rows(sized, self.first_eligible, self.rolls)
        if not len(rows):
            raise DataError(
                f"{bars.symbol}: have {len(sized)} bars, need more than {self.first_eligible} (warm-up and history).",
                where=bars.symbol,
                help="start the file earlier",
            )
        features = feature_rows(sized, instrument, self.pipeline.columns, self.rolls)
        watched = [self.pipeline.columns.index(name) for name in self.training_range.columns]
        drift = self.training_range.note(features[rows][:, watched], bars.symbol)
        if drift:
            warnings.warn(drift, DriftWarning, stacklevel=2)
        return self.answered(self.pipeline, BarRows(self, sized, features, rows))

    def live(self, bars: Bars) -> LiveSession:
        """A session that starts from these bars and then gets one bar at a time; see `LiveSession`.

        Raises what `predict` does for bars of another size and for plugins.
        """
        from ohlcv_factory.training.live import LiveSession

        require(self.plugins)
        return LiveSession(self, bars)

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of a symbol as the run knew it; a symbol that it did not know gets the shipped row."""
        known = {instrument.symbol: instrument for instrument in self.instruments}
        shipped = instrument_table()
        return known.get(symbol) or shipped.get(symbol) or shipped[GENERIC]

    def label_rule(self, symbol: str) -> LabelRule:
        """The rule that labels a symbol's rows at the run's horizon."""
        return self.labels.rule(self.instrument(symbol), self.horizon)

    def sized(self, bars: Bars) -> Bars:
        """The bars in the run's size, with the rolls that were confirmed. Raises DataError (65) for coarser or uneven ones."""
        rolled = with_rolls(bars, rolls_within(bars, self.rolls.at))
        if bars.bar_seconds == self.bar_seconds:
            return rolled
        if self.bar_seconds % bars.bar_seconds:
            raise DataError(
                f"the run was trained on {size_text(self.bar_seconds)} bars, got {size_text(bars.bar_seconds)} bars.",
                where=bars.symbol,
                help=f"give bars of {size_text(self.bar_seconds)}, or of a size that divides it",
            )
        return resample(rolled, self.bar_seconds, self.instrument(bars.symbol).sessions)

    def answered(
        self, pipeline: FittedPipeline | FittedEnsemble, source: BarRows, *, rows_before: int = 0
    ) -> Predictions:
        """Predictions of some rows of raw bars, of a series that began `rows_before` bars earlier."""
        raw, calibrated, decision = pipeline.answers(source)
        bars, rows = source.bars, source.rows
        count = len(rows)
        index = np.zeros(count, dtype=INDEX_DTYPE)
        index["time_ns"], index["row"] = bars.time_ns[rows], rows + rows_before
        unknown = np.zeros(count, dtype=bool)
        truth = np.zeros(count, dtype=np.int8)
        answers = (raw, calibrated, decision, truth, unknown, unknown)
        return Predictions(index, (bars.symbol,), *answers, self.horizon, pipeline.rule.sets(calibrated))


def parsed_bundle(folder: Path, manifest: dict[str, Any] | None = None) -> ModelBundle:
    """The bundle in a folder whose files were compared with its manifest, or with that of the folder around it.

    Raises what `ModelBundle.from_run` raises beside that.
    """
    facts = read_run_manifest(folder) if manifest is None else manifest
    refuse_other_packages(folder, facts)
    features = read_settings(folder / FEATURE_CONFIG)
    pipeline = _pipeline_of(folder, facts, features)
    with told_as_damage(folder / FEATURE_CONFIG):
        data = features["data"]
        return ModelBundle(
            pipeline=pipeline,
            horizon=facts["horizon"],
            bar_seconds=data["bar_seconds"],
            first_eligible=data["warm_up_bars"] + data["history_bars"],
            instruments=tuple(Instrument.parse(row, where=FEATURE_CONFIG.name) for row in data["instruments"]),
            read_options=ReadOptions.parse(data["read"], where=FEATURE_CONFIG.name),
            training_range=_range_of(folder),
            rolls=Rolls.parse(data.get("rolls", {}), where=FEATURE_CONFIG.name),
            labels=DatasetConfig.parse(data.get("labels", {}), where=FEATURE_CONFIG.name),
            plugins=_plugins_of(pipeline.columns, data.get("plugins", [])),
        )


def _pipeline_of(folder: Path, facts: dict[str, Any], features: dict[str, Any]) -> FittedPipeline | FittedEnsemble:
    """The fitted model of a run with all around it; that of an ensemble over those of its members' bundles."""
    own = _own_pipeline(folder, facts, features)
    is_ensemble = own.model.input_spec.is_ensemble
    refuse_other_model(folder, facts, own, Path(BEST_MODEL_FACTS) if is_ensemble else FEATURE_CONFIG)
    if facts["reference"] is not None:
        _self_test(folder, facts["reference"], own)
    if not is_ensemble:
        return own
    listed = {each.path for each in manifests.listed_files(facts)}
    with told_as_damage(folder / FEATURE_CONFIG):
        members = {
            member: tuple(_member_of(folder, place, listed) for place in places)
            for member, places in features["members"].items()
        }
        return FittedEnsemble(own, members, tuple(features["context"]))


def _own_pipeline(folder: Path, facts: dict[str, Any], features: dict[str, Any]) -> FittedPipeline:
    require_model(folder)
    with told_as_damage(folder / MANIFEST):
        model = ModelRegistry.create(facts["model"])
    with told_as_damage(folder / f"{BEST_MODEL}{model.native_suffix}"):
        model.load(folder / BEST_MODEL)
    with told_as_damage(folder / FEATURE_CONFIG):
        columns = model.feature_names if model.input_spec.is_ensemble else tuple(features["columns"])
    return FittedPipeline(
        model=model,
        columns=columns,
        scaler=_stored(folder / SCALER, Scaler.from_plain),
        calibrator=_stored(folder / CALIBRATOR, Calibrator.from_plain),
        rule=_rule_of(folder),
    )


def _stored(path: Path, parse: Callable[[Any], Value]) -> Value:
    """What a JSON file holds, as an object. Raises DataError (65) for one that holds something else."""
    values = read_json(path)
    with told_as_damage(path):
        return parse(values)


def _self_test(folder: Path, facts: dict[str, Any], pipeline: FittedPipeline) -> None:
    """Raise VerificationError (76) where the model answers otherwise than when it was made."""
    with told_as_damage(folder / REFERENCE):
        reference = Reference.read(folder / REFERENCE, padded=pipeline.model.input_spec.padded)
        tolerance = min(float(facts["tolerance"]), LARGEST_TOLERANCE)
    with told_as_damage(folder / f"{BEST_MODEL}{pipeline.model.native_suffix}"):
        reference.check(pipeline, tolerance, folder / f"{BEST_MODEL}{pipeline.model.native_suffix}")


def _member_of(folder: Path, place: str, listed: Container[str]) -> FittedPipeline:
    """The pipeline of a bundle that lies in the folder, whose manifest lists its files too.

    What it does not list was compared with no digest: an addendum, or what trackers and killed writers leave.
    """
    inner = folder / place
    if f"{place}/{MANIFEST}" not in listed:
        raise DataError(f"there is no member at {place}.", where=str(folder / FEATURE_CONFIG), help="restore the run")
    return _single(parsed_bundle(inner), inner)


def member_pipeline(folder: Path) -> FittedPipeline:
    """That of a nested bundle. Raises what `ModelBundle.from_run` does, DataError (65) where it is an ensemble itself."""
    return _single(ModelBundle.from_run(folder), folder)


def _single(bundle: ModelBundle, folder: Path) -> FittedPipeline:
    if isinstance(bundle.pipeline, FittedEnsemble):
        raise DataError("an ensemble is no member of another.", where=str(folder), help="name its members instead")
    return bundle.pipeline


def _rule_of(folder: Path) -> DecisionRule:
    """The run's decision rule; runs from before there were others took the most probable class."""
    path = folder / DECISION
    return _stored(path, DecisionRule.from_plain) if path.is_file() else ARGMAX


def _range_of(folder: Path) -> TrainingRange:
    """Where the features of the training rows lie; the first runs kept nothing of that, and no column is watched."""
    path = folder / TRAINING_RANGE
    nothing = {"columns": (), "low": (), "high": ()}
    return _stored(path, TrainingRange.from_plain) if path.is_file() else TrainingRange.from_plain(nothing)


def _plugins_of(columns: tuple[str, ...], stored: list[dict[str, Any]]) -> tuple[PluginRecord, ...]:
    """The recorded plugins, each with those of its columns that the model reads."""
    found = [PluginRecord.from_plain(record) for record in stored]
    used = [replace(record, columns=tuple(name for name in record.columns if name in columns)) for record in found]
    return tuple(record for record in used if record.columns)


def require_model(run: Path) -> None:
    """Refuse to go on unless the model of a run, finished or not, is registered by the code that the run recorded.

    Raises UsageError (2) where that code was not named, VerificationError (76) where it has changed since.
    """
    facts = read_settings(run / MODEL_CONFIG)
    with told_as_damage(run / MODEL_CONFIG):
        name, recorded = str(facts["model_name"]), facts.get("plugin")
        origin = Origin(str(recorded["place"]), str(recorded["sha256"])) if recorded else None
    ModelRegistry.require(name, origin)
