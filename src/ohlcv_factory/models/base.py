"""The contract of every model: `fit` and `predict` check once, authors write `_fit` and `_predict_proba`.

Authors get clean `Samples`: finite float32, class codes 0 .. k-1 with every class present, positive weights. They never
meet a missing class, a bad weight or a block size; the base translates, so all models behave alike.
"""

from __future__ import annotations

import math
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeVar, final

import numpy as np

from ohlcv_factory.config import Settings
from ohlcv_factory.dataset.samples import INDEX_DTYPE, InputSpec, RowMarket, Samples, taken
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError, FactoryWarning, UsageError
from ohlcv_factory.evaluation.classification import class_scores, log_loss
from ohlcv_factory.evaluation.confusion import confusion_matrix
from ohlcv_factory.features.catalogue import role_of
from ohlcv_factory.labels.classes import CLASS_COUNT, CLASS_NAMES, class_codes
from ohlcv_factory.models.explanation import Explanation, joined
from ohlcv_factory.models.pretraining import Pretraining
from ohlcv_factory.runtime.threads import one_blas_thread, thread_count
from ohlcv_factory.storage.formats import read_json, write_json

BLOCK_ROWS = 256
"""Rows per prediction block: BLAS gives other bits for one row than for many, so every block has this size, padded."""
DEFAULT_SEED = 42
Features = TypeVar("Features", bound="np.ndarray | WindowSource")


class ModelConfig(Settings):
    """Base of a model's settings: its fields are the model's hyper-parameters, and their only owner."""

    trainer_aliases: ClassVar[Mapping[str, str]] = {}
    """Trainer settings that this model understands, and the field that each of them sets."""
    refused: ClassVar[Mapping[str, str]] = {}
    """Keys known from elsewhere that cannot act here, and why: refused by name instead of silently ignored."""
    refused_everywhere: ClassVar[Mapping[str, str]] = {
        "n_jobs": "threads belong to the machine, not to the model: use --threads (or `threads=`)",
        "random_state": "the run's seed decides: use --seed (or `seed=`)",
    }

    @classmethod
    def parse(
        cls, values: Mapping[str, Any], *, where: str = "", lines: Mapping[str, int] | None = None, section: str = ""
    ) -> Self:
        """Settings from plain values. Raises UsageError (2) for a refused key with its reason, or any broken rule."""
        reasons = {**cls.refused_everywhere, **cls.refused}
        named = [f"{key} cannot act here: {reasons[key]}" for key in values if key in reasons]
        if named:
            raise UsageError("; ".join(named) + ".", where=where, help="leave the key out")
        return super().parse(values, where=where, lines=lines, section=section)

    def overridden(self, changes: Mapping[str, Any]) -> Self:
        """These settings with some of them changed, for one fit. Raises UsageError (2) as `parse` does."""
        return self.parse({**self.model_dump(), **changes}, where="config")


class MissingClassWarning(FactoryWarning):
    """A class does not occur in the rows of a fit; its probability is 0."""


@dataclass(frozen=True)
class PredictionOutput:
    """Class, probabilities `(n, 3)` in the order short, neutral, long, and the largest of them."""

    class_predictions: np.ndarray
    class_probabilities: np.ndarray
    confidence: np.ndarray
    metadata: dict[str, Any] = field(default_factory=dict)
    """What the model says about these rows, by name (`Explanation`), where it was asked to explain and can."""

    @classmethod
    def from_probabilities(cls, probabilities: np.ndarray, metadata: dict[str, Any] | None = None) -> PredictionOutput:
        """The output that belongs to `(n, 3)` probabilities; ties go to the lower class code."""
        chosen = probabilities.argmax(axis=1).astype(np.int8)
        return cls(chosen, probabilities, probabilities.max(axis=1), metadata or {})


@dataclass(frozen=True)
class TrainingMetrics:
    """How a fit went. `train_*` are on the fit rows, `val_*` on the stop rows (NaN without them), unweighted.

    `train_*` of a model that does not train are NaN: it learnt nothing from those rows.
    """

    train_loss: float
    val_loss: float
    train_accuracy: float
    val_accuracy: float
    train_f1: float
    val_f1: float
    epochs_trained: int
    training_time_seconds: float
    early_stopped: bool
    best_epoch: int | None
    history: dict[str, list[float]]


@dataclass(frozen=True)
class FitReport:
    """What an author's `_fit` tells: rounds or epochs trained, the best of them, curves per round."""

    epochs_trained: int = 1
    best_epoch: int | None = None
    early_stopped: bool = False
    history: dict[str, list[float]] = field(default_factory=dict)


class EpochSink(Protocol):
    """What a training loop reports to; the Trainer turns it into checkpoints, logs and a progress bar."""

    def on_epoch(self, epoch: int, total: int, metrics: Mapping[str, float]) -> None:
        """Epoch (or boosting round) `epoch` of at most `total` is done."""

    def on_checkpoint(self, epoch: int, metric: float, save: Callable[[Path], None]) -> None:
        """The state after `epoch` can be saved by calling `save(folder)`; lower `metric` is better."""

    def scratch_folder(self) -> Path | None:
        """A folder on the run's own disk for what a library writes meanwhile; None: nothing is to be written."""


class SilentSink:
    """A sink that keeps nothing."""

    def on_epoch(self, epoch: int, total: int, metrics: Mapping[str, float]) -> None:
        """Ignore the epoch."""

    def on_checkpoint(self, epoch: int, metric: float, save: Callable[[Path], None]) -> None:
        """Ignore the checkpoint."""

    def scratch_folder(self) -> None:
        """Nothing is kept, so nothing needs to be written."""


class BaseModel(ABC):
    """Base of all models. See `CONTRIBUTING.md` for how to add one in a single file."""

    input_spec: ClassVar[InputSpec] = InputSpec()
    Config: ClassVar[type[ModelConfig]] = ModelConfig
    native_suffix: ClassVar[str]
    """Suffix of the file that `_save` writes, for example `.ubj`."""
    name: ClassVar[str] = ""
    family: ClassVar[str] = ""
    device_used: str = "cpu"
    """Where the fit ran; a model that can use a GPU sets it."""
    rounds_field: ClassVar[str | None] = None
    """The hyper-parameter that says how many rounds a fit without stop rows trains; None where there are none."""
    resumable: ClassVar[bool] = False
    """Whether `fit(resume=checkpoint)` continues a fit that was cut off, to the same bytes."""
    resume_from: Path | None = None
    """The checkpoint that the fit at hand continues from; for `_fit`."""
    shape_decides: ClassVar[bool] = False
    """Whether the arithmetic of a block follows from its shape alone, whatever its rows hold. A live session may then take
    smaller blocks, once it has seen that they give the same bytes (`small_blocks`)."""
    pretraining: tuple[Pretraining, ...] = ()
    """The weights that the model begins with, where they were trained elsewhere; known from `check_ready` on."""

    def __init__(
        self,
        config: Mapping[str, Any] | ModelConfig | None = None,
        *,
        seed: int = DEFAULT_SEED,
        threads: int | None = None,
    ) -> None:
        self.config: Any = config if isinstance(config, ModelConfig) else self.Config.parse(config or {}, where="model")
        self.seed = seed
        self.threads = threads or thread_count()
        self.classes: tuple[int, ...] = ()
        self.feature_names: tuple[str, ...] = ()
        self.known_features: tuple[str, ...] = ()
        """Those of the features whose coming values are known in advance: the calendar."""
        self.symbols: tuple[str, ...] = ()
        """The symbols of the fit, for a model that reads them: what the codes of its last column stand for."""
        self.class_shares: tuple[float, ...] = ()
        """Shares of the classes in the fit, for a model that reads the market: all that it says where no rule is known."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in ("fit", "predict", "save", "load"):
            if name in cls.__dict__:
                raise TypeError(f"{cls.__name__} must not override {name}: write _{name} (or _predict_proba) instead.")

    @property
    def model_family(self) -> str:
        """The family: boosting, classical, neural, …"""
        return self.family

    @property
    def trains(self) -> bool:
        """Whether a fit learns from its rows; a class may say so by `trains = False`, or by a property of its config."""
        return True

    @property
    def seeded(self) -> bool:
        """Whether the seed changes the predictions; a class may say so by `seeded = False`: nothing is drawn."""
        return True

    @property
    def block_rows(self) -> int:
        """Rows of every prediction block; may follow from the config, and from nothing else, so that bytes repeat."""
        return BLOCK_ROWS

    @property
    def requires_scaling(self) -> bool:
        """Whether the Trainer scales the features first."""
        return self.input_spec.scaling != "none"

    @property
    def lookback(self) -> int:
        """Bars that one sample reads: 1 for a tabular model."""
        return int(getattr(self.config, "lookback", self.input_spec.lookback))

    @property
    def requires_sequences(self) -> bool:
        """Whether X has a time axis."""
        return self.input_spec.is_sequence

    @classmethod
    def get_default_config(cls) -> dict[str, Any]:
        """The default of every hyper-parameter."""
        return cls.Config().plain()

    @property
    def is_fitted(self) -> bool:
        """Whether the model can predict."""
        return bool(self.classes)

    @final
    def fit(
        self,
        X_train: Samples | np.ndarray,
        y_train: Samples | np.ndarray | None = None,
        X_val: np.ndarray | None = None,
        y_val: np.ndarray | None = None,
        sample_weights: np.ndarray | None = None,
        config: Mapping[str, Any] | None = None,
        *,
        sample_weights_val: np.ndarray | None = None,
        sink: EpochSink | None = None,
        resume: Path | None = None,
    ) -> TrainingMetrics:
        """Fit on `fit(train, val)` with two `Samples`, or on the specification's arrays.

        `X_train` has shape `(n, F)`, or `(n, lookback, F)` for a sequence model; labels are 0 / 1 / 2 or -1 / 0 / +1. The
        validation rows stop the training early where the model can do that; without them it trains its fixed number of
        rounds. `config` overrides hyper-parameters for this fit and stays on the model. Weights count in the fit and in
        early stopping. `resume` is a checkpoint folder of the same fit that was cut off.

        Raises DataError (65) for bad X, y or weights, UsageError (2) for a bad config or arguments that contradict.
        """
        given = (X_train, y_train, X_val, y_val, sample_weights, sample_weights_val)
        train, val = samples_from_arguments(self.name, self.input_spec, *given)
        if resume is not None and not self.resumable:
            raise UsageError(f"model {self.name!r} cannot continue from a checkpoint.", help="train it again")
        self.resume_from = resume
        if config:
            self.config = self.config.overridden(config)
        for rows, what in ((train, "the training rows"), (val, "the validation rows")):
            if rows is not None:
                self._market_of(rows)
                self._refuse_other_layout(rows, what)
        self._check_samples(train, "the training rows")
        self._note_classes(train)
        self.feature_names, self.symbols = train.feature_names, train.symbols
        self.known_features = tuple(name for name in self.feature_names if role_of(name) == "known")
        started = time.perf_counter()
        with one_blas_thread():
            report = self._fit(self._encoded(train), self._stop_rows(val), sink or SilentSink())
        seconds = time.perf_counter() - started
        return self._metrics(train, val, report, seconds)

    @final
    def predict(
        self, X: Samples | np.ndarray | WindowSource, *, explain: bool = False, block_rows: int | None = None
    ) -> PredictionOutput:
        """Probabilities of n rows, `(n, 3)` in the order short, neutral, long; a class never seen has probability 0.

        Rows are computed in padded blocks of 256, so that a row's bytes do not depend on its neighbours; `block_rows` is
        for a caller that knows of smaller ones with the same bytes (`small_blocks.fewest_rows`). With `explain`
        the metadata hold what the model says about each row, an `Explanation` by name; nothing for most models.
        A model that reads the market needs `Samples` with it; where a row's label rule is not known yet, its
        probabilities are the class shares of the fit and its explanation is NaN.
        Raises UsageError (2) before `fit` or without the market, DataError (65) when the features are not those of the fit.
        """
        if not self.is_fitted:
            raise UsageError(f"model {self.name!r} is not fitted.", help="call fit or load first")
        market, values = self._market_of(X), self._checked_features(X)
        with one_blas_thread():
            probabilities = self._probabilities(values, market, block_rows)
            said = self._said(values, market) if explain else {}
        return PredictionOutput.from_probabilities(self._all_classes(probabilities), said)

    @final
    def save(self, path: Path) -> None:
        """Write `<path><native_suffix>` and `<path>.meta.json`; nothing that runs code when it is read."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._save(path.with_name(path.name + self.native_suffix))
        meta = {
            "model": self.name,
            "classes": [CLASS_NAMES[code] for code in self.classes],
            "feature_names": list(self.feature_names),
            "known_features": list(self.known_features),
            "symbols": list(self.symbols),
            "class_shares": list(self.class_shares),
            "seed": self.seed,
            "config": self.config.plain(),
        }
        write_json(path.with_name(path.name + ".meta.json"), meta)

    @final
    def load(self, path: Path) -> None:
        """Read what `save(path)` wrote. Raises DataError (65) when it belongs to another model."""
        path = Path(path)
        meta = read_json(path.with_name(path.name + ".meta.json"))
        if meta["model"] != self.name:
            raise DataError(
                f"{path} holds a {meta['model']!r}, not a {self.name!r}.", where=str(path), help="check the path"
            )
        self.config = self.Config.parse(meta["config"], where=str(path))
        self.seed = int(meta["seed"])
        self.classes = tuple(CLASS_NAMES.index(word) for word in meta["classes"])
        self.feature_names = tuple(meta["feature_names"])
        self.known_features = tuple(meta.get("known_features", ()))  # a model saved before roles were read has none
        self.symbols = tuple(meta.get("symbols", ()))
        self.class_shares = tuple(meta.get("class_shares", ()))
        self._load(path.with_name(path.name + self.native_suffix))

    def check_ready(self) -> None:  # noqa: B027  (most models need nothing)
        """Raise what would make a fit impossible before any work is done: something beside its rows that is not there."""

    def check_sound(self, where: str) -> None:  # noqa: B027  (of most models a prediction takes the same steps for every row)
        """Raise DataError (65) where for some rows a prediction of the loaded model would not end, or read beyond its arrays.

        The child process that reads a foreign file first asks for it: no self-test meets all rows.
        """

    @property
    def row_seconds(self) -> float | None:
        """Seconds that reading a row took in the fastest block so far, for a model that keeps count."""
        return None

    def notes(self) -> tuple[str, ...]:
        """What a run should say of this fitted model beside its numbers."""
        return ()

    def refit_schedule(self, metrics: TrainingMetrics) -> dict[str, int]:
        """Hyper-parameters that make a fit without stop rows end at the best round of an earlier one."""
        if self.rounds_field is None:
            return {}
        return {self.rounds_field: metrics.best_epoch or metrics.epochs_trained}

    def get_feature_importance(self) -> dict[str, float] | None:
        """Importance by feature name, or None where the model has none."""
        return None

    @abstractmethod
    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        """Fit on rows with class codes 0 .. k-1 (`self.class_count`), stop early on `val` where that is possible."""

    def _predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities `(m, k)` of the k classes seen, for float32 `X` of any number of rows m.

        `X` is an array, or after a fit of a sequence model the view that it was fitted on. A model that reads the
        market writes `_predict_with_market` instead.
        """
        raise NotImplementedError(f"{type(self).__name__} must write _predict_proba, or _predict_with_market.")

    def _predict_with_market(self, X: np.ndarray, market: RowMarket) -> np.ndarray:
        """The same for a model whose `InputSpec` asks for the market: blocks of `block_rows` rows whose rules are known."""
        return self._predict_proba(X)

    def _explain(self, X: np.ndarray) -> dict[str, Explanation]:
        """What the model says about each of m rows, by name; nothing where it cannot say anything."""
        return {}

    def _explain_with_market(self, X: np.ndarray, market: RowMarket) -> dict[str, Explanation]:
        """The same for a model whose `InputSpec` asks for the market."""
        return self._explain(X)

    @abstractmethod
    def _save(self, path: Path) -> None:
        """Write the fitted state to one file in the family's safe format."""

    @abstractmethod
    def _load(self, path: Path) -> None:
        """Read what `_save` wrote."""

    @property
    def class_count(self) -> int:
        """How many classes the training rows held."""
        return len(self.classes)

    def threads_for(self, rows: int) -> int:
        """Threads worth waking for a prediction of so many rows: one for a single block."""
        return 1 if rows <= self.block_rows else self.threads

    def _note_classes(self, train: Samples) -> None:
        """The classes seen in the fit; a model that does not train knows all three without seeing any."""
        if self.trains:
            self.classes = tuple(int(code) for code in np.flatnonzero(train.class_counts()))
            _refuse_single_class(train)
        else:
            self.classes = tuple(range(CLASS_COUNT))
        if self.input_spec.needs_market:
            self.class_shares = tuple((train.class_counts()[list(self.classes)] / len(train)).tolist())

    def _encoded(self, samples: Samples) -> Samples:
        """The same rows with class codes counted among the classes seen: `[0, 2]` becomes `[0, 1]`."""
        if self.class_count == CLASS_COUNT:
            return samples
        return replace(samples, y=np.searchsorted(self.classes, samples.y).astype(np.int8))

    def _stop_rows(self, val: Samples | None) -> Samples | None:
        """Validation rows of the classes seen: a library cannot score a class that it does not know."""
        if val is None or not len(val):
            return None
        self._check_samples(val, "the validation rows")
        known = np.isin(val.y, self.classes)
        if not known.any():
            return None
        return self._encoded(val if known.all() else val.take(np.flatnonzero(known)))

    def _refuse_other_layout(self, samples: Samples, what: str) -> None:
        shape = tuple(samples.X.shape)
        if self.requires_sequences and shape[1:-1] != (self.lookback,):
            raise DataError(
                f"{what} have shape {shape}, model {self.name!r} reads windows of {self.lookback} bars.",
                help=f"X of shape (n, {self.lookback}, features), or another lookback",
            )
        if not self.requires_sequences and len(shape) != 2:
            raise DataError(
                f"{what} have shape {shape}, model {self.name!r} reads one row per sample.",
                help="X of shape (n, features)",
            )

    def _check_samples(self, samples: Samples, what: str) -> None:
        if not len(samples):
            raise DataError(f"{what} are empty.", help="give at least one row per class")
        _finite(samples.X, samples.feature_names, padded=self.input_spec.padded)
        if not (np.isfinite(samples.weight).all() and (samples.weight > 0).all()):
            worst = samples.weight[~(samples.weight > 0)][:1]
            raise DataError(f"weights of {what} must be positive, got {worst.tolist()}.", help="leave rows out instead")

    def _market_of(self, X: Samples | np.ndarray | WindowSource) -> RowMarket | None:
        """The label rules of the rows, for a model that asks for them. Raises UsageError (2) where they are missing."""
        if not self.input_spec.needs_market:
            return None
        if not isinstance(X, Samples):
            raise UsageError(f"model {self.name!r} needs market data, which plain arrays lack.", help="pass Samples")
        if X.market is None:
            raise UsageError(
                f"model {self.name!r} needs market data, which these Samples lack.", help="samples(with_market=True)"
            )
        return X.market

    def _checked_features(self, X: Samples | np.ndarray | WindowSource) -> np.ndarray | WindowSource:
        values = _float32(self._ordered(X) if isinstance(X, Samples) else X)
        wanted = (self.lookback, len(self.feature_names)) if self.requires_sequences else (len(self.feature_names),)
        if values.shape[1:] != wanted:
            raise DataError(
                f"X has shape {values.shape}, model {self.name!r} was fitted on "
                + (f"windows of {wanted[0]} bars and " if self.requires_sequences else "")
                + f"{wanted[-1]} features.",
                help="give the same columns in the same order",
            )
        if self.input_spec.padded and not isinstance(values, WindowSource):
            values = WindowSource.of_array(values, padded=True)
        values = _finite(values, self.feature_names, padded=self.input_spec.padded)
        _refuse_other_codes(values, self.symbols)
        return values

    def _ordered(self, samples: Samples) -> Any:
        if samples.symbols != self.symbols:
            raise DataError(
                f"the rows count symbols as {list(samples.symbols)}, model {self.name!r} as {list(self.symbols)}.",
                help="use the codes of the fit",
            )
        return _ordered(samples, self.feature_names)

    def _probabilities(self, values: Any, market: RowMarket | None, block_rows: int | None = None) -> np.ndarray:
        """Probabilities `(n, k)`, in blocks; class shares where a row's label rule is not known."""
        if market is None or market.known.all():
            return self._in_blocks(values, market, block_rows)
        known = np.flatnonzero(market.known)
        probabilities = np.tile(np.array(self.class_shares), (len(values), 1))
        probabilities[known] = self._in_blocks(taken(values, known), market.take(known), block_rows)
        return probabilities

    def _in_blocks(self, values: Any, market: RowMarket | None, block_rows: int | None) -> np.ndarray:
        blocks = [
            np.asarray(self._block_probabilities(block, rules), dtype=np.float64)[:count]
            for block, rules, count in self._blocks(values, market, block_rows)
        ]
        return np.concatenate(blocks) if blocks else np.empty((0, self.class_count))

    def _block_probabilities(self, block: np.ndarray, market: RowMarket | None) -> np.ndarray:
        return self._predict_proba(block) if market is None else self._predict_with_market(block, market)

    def _blocks(
        self, values: Any, market: RowMarket | None, block_rows: int | None = None
    ) -> Iterator[tuple[np.ndarray, RowMarket | None, int]]:
        """Blocks of `block_rows` rows with their label rules, and how many rows of each are real: the last is filled up."""
        size, repeats = block_rows or self.block_rows, self.input_spec.needs_market or self.input_spec.padded
        for start in range(0, len(values), size):
            block = values[start : start + size]
            count = len(block)
            filled = np.minimum(np.arange(size), count - 1)
            if count < size:
                block = block[filled] if repeats else _with_zero_rows(block, size)
            yield block, market and market.take(start + filled), count

    def _said(self, values: Any, market: RowMarket | None) -> dict[str, Explanation]:
        """What the model says about each row, NaN where a row's label rule is not known."""
        if market is not None and not market.known.all():
            known = np.flatnonzero(market.known)
            said = self._said(taken(values, known), market.take(known))
            return {name: each.among(known, len(values)) for name, each in said.items()}
        blocks = [
            self._explain(block) if rules is None else self._explain_with_market(block, rules)
            for block, rules, _ in self._blocks(values, market)
        ]
        return joined(blocks, len(values))

    def _all_classes(self, probabilities: np.ndarray) -> np.ndarray:
        if self.class_count == CLASS_COUNT:
            return probabilities
        full = np.zeros((len(probabilities), CLASS_COUNT))
        full[:, list(self.classes)] = probabilities
        return full

    def _metrics(self, train: Samples, val: Samples | None, report: FitReport, seconds: float) -> TrainingMetrics:
        scores = {"train": self._scores(train if self.trains else None), "val": self._scores(val)}
        return TrainingMetrics(
            **{f"{part}_{name}": value for part, values in scores.items() for name, value in values.items()},
            epochs_trained=report.epochs_trained,
            training_time_seconds=seconds,
            early_stopped=report.early_stopped,
            best_epoch=report.best_epoch,
            history=report.history,
        )

    def _scores(self, samples: Samples | None) -> dict[str, float]:
        if samples is None or not len(samples):
            return {"loss": math.nan, "accuracy": math.nan, "f1": math.nan}
        probabilities = self._all_classes(self._fit_probabilities(samples))
        scores = class_scores(confusion_matrix(samples.y, probabilities.argmax(axis=1)))
        loss = log_loss(samples.y, probabilities)
        return {"loss": loss, "accuracy": scores["accuracy"], "f1": scores["macro_f1"]}

    def _fit_probabilities(self, samples: Samples) -> np.ndarray:
        """Probabilities `(n, k)` of rows of the fit: in one go, or in blocks where contexts may be too long for that."""
        market = self._market_of(samples)
        if market is not None or self.input_spec.padded:
            return self._probabilities(samples.X, market)
        return np.asarray(self._predict_proba(samples.X), dtype=np.float64)


def importance_shares(names: tuple[str, ...], gains: np.ndarray) -> dict[str, float] | None:
    """Importances that sum to 1, by feature name; None when nothing was gained anywhere."""
    values = np.asarray(gains, dtype=np.float64)
    if not values.sum() > 0:
        return None
    return dict(zip(names, (values / values.sum()).tolist(), strict=True))


def samples_from_arguments(
    name: str,
    spec: InputSpec,
    X_train: Samples | np.ndarray,
    y_train: Samples | np.ndarray | None,
    X_val: np.ndarray | None,
    y_val: np.ndarray | None,
    sample_weights: np.ndarray | None,
    sample_weights_val: np.ndarray | None,
) -> tuple[Samples, Samples | None]:
    """Training and validation rows from either form of `fit`'s arguments."""
    if isinstance(X_train, Samples):
        if isinstance(y_train, np.ndarray) or any(
            a is not None for a in (X_val, y_val, sample_weights, sample_weights_val)
        ):
            raise UsageError(
                "Samples carry their own labels and weights.", help="call fit(train, val) with two Samples"
            )
        return X_train, y_train
    if spec.needs_market:
        raise UsageError(f"model {name!r} needs market data, which plain arrays lack.", help="pass Samples")
    if y_train is None or isinstance(y_train, Samples):
        raise UsageError("fit needs y_train beside X_train.", help="fit(X_train, y_train, X_val, y_val)")
    if (X_val is None) != (y_val is None):
        raise UsageError("X_val and y_val come together.", help="give both, or neither")
    train = array_samples(X_train, y_train, sample_weights, padded=spec.padded)
    if X_val is None or y_val is None:
        return train, None
    return train, array_samples(X_val, y_val, sample_weights_val, padded=spec.padded)


def array_samples(
    X: np.ndarray | WindowSource, y: np.ndarray, weight: np.ndarray | None = None, *, padded: bool = False
) -> Samples:
    """Samples from plain arrays: features f0, f1, …, weight 1, rows numbered as they come.

    With `padded` bars of NaN on the left of a window are bars that do not exist.
    """
    values = _float32(X)
    if values.ndim not in (2, 3):
        raise DataError(
            f"X must have shape (n, features) or (n, lookback, features), got {values.shape}.",
            help="one row per sample",
        )
    if isinstance(values, np.ndarray) and values.ndim == 3:
        values = WindowSource.of_array(values, padded=padded)
    index = np.zeros(len(values), dtype=INDEX_DTYPE)
    index["row"] = index["time_ns"] = np.arange(len(values))
    weights = np.ones(len(values)) if weight is None else np.asarray(weight, dtype=np.float64)
    names = tuple(f"f{column}" for column in range(values.shape[-1]))
    return Samples(values, class_codes(np.asarray(y)), weights, index, index["time_ns"].copy(), names)


def _with_zero_rows(rows: np.ndarray, count: int) -> np.ndarray:
    """A block of `count` rows, those that are missing zero."""
    filled = np.zeros((count, *rows.shape[1:]), dtype=rows.dtype)
    filled[: len(rows)] = rows
    return filled


def _refuse_other_codes(values: np.ndarray | WindowSource, symbols: tuple[str, ...]) -> None:
    """Raise DataError (65) where the last column of a model that reads the symbol holds a code of none."""
    if not symbols:
        return
    table = values.table[values.ends] if isinstance(values, WindowSource) else values
    strange = ~np.isin(table[..., -1], np.arange(len(symbols)))
    if strange.any():
        known = ", ".join(f"{code} {name}" for code, name in enumerate(symbols))
        raise DataError(f"symbol code {table[..., -1][strange][0]:g} stands for no symbol of the fit.", help=known)


def _float32(X: np.ndarray | WindowSource) -> np.ndarray | WindowSource:
    return X if isinstance(X, WindowSource) else np.ascontiguousarray(X, dtype=np.float32)


def _finite(values: Features, names: tuple[str, ...], *, padded: bool) -> Features:
    """Refuse what is not finite, but for the bars that a padded window lacks (DataError, 65)."""
    table = values.table if isinstance(values, WindowSource) else values
    broken = ~np.isfinite(table)
    if isinstance(values, WindowSource):
        if values.starts is not None and not padded:
            raise DataError("a window reaches back before the first bar.", help="a shorter lookback, or later rows")
        if broken.any():
            broken &= values.used_rows()[:, None]
    if not broken.any():
        return values
    row, *_, column = np.argwhere(broken)[0].tolist()
    raise DataError(f"feature {names[column]!r}, row {row}, is {table[row, column]}.", help="features must be finite")


def _ordered(samples: Samples, names: tuple[str, ...]) -> Any:
    """X with its columns in the order of the fit. Raises DataError (65) that names missing and extra columns."""
    if samples.feature_names == names:
        return samples.X
    missing = [name for name in names if name not in samples.feature_names]
    extra = [name for name in samples.feature_names if name not in names]
    if missing or extra:
        raise DataError(
            f"features differ from the fit: missing {missing[:5]}, extra {extra[:5]}.", help="use the same set"
        )
    columns = [samples.feature_names.index(name) for name in names]
    if isinstance(samples.X, WindowSource):
        return samples.X.with_table(np.ascontiguousarray(samples.X.table[:, columns]))
    return np.ascontiguousarray(samples.X[:, columns])


def _refuse_single_class(train: Samples) -> None:
    counts = dict(zip(CLASS_NAMES, train.class_counts().tolist(), strict=True))
    present = [name for name, count in counts.items() if count]
    if len(present) < 2:
        raise DataError(f"the training rows hold one class only: {counts}.", help="check barriers and horizon")
    if len(present) < CLASS_COUNT:
        warnings.warn(
            f"class missing in the training rows: {counts}; its probability is 0.", MissingClassWarning, stacklevel=3
        )
