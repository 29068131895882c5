from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from ohlcv_factory.config import setting
from ohlcv_factory.dataset.samples import InputSpec, RowMarket, Samples
from ohlcv_factory.dataset.windows import WindowSource
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.models.base import (
    BLOCK_ROWS,
    BaseModel,
    EpochSink,
    FitReport,
    MissingClassWarning,
    ModelConfig,
    PredictionOutput,
    importance_shares,
)
from ohlcv_factory.models.explanation import Explanation
from ohlcv_factory.models.given_rows import array_samples


class SharesConfig(ModelConfig):
    rounds: int = setting(3, "rounds", ge=1, source="test")
    refused: ClassVar[dict[str, str]] = {"momentum": "there is no gradient"}


class Shares(BaseModel):
    """Predicts the weighted class shares of the rows it was fitted on, and remembers what it was given."""

    Config = SharesConfig
    native_suffix = ".npy"
    name = "shares"
    rounds_field = "rounds"

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        self.given, self.stop = train, val
        self.shares = np.bincount(train.y, train.weight) / train.weight.sum()
        return FitReport(epochs_trained=5, best_epoch=4)

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        self.rows_given = len(X)
        return np.tile(self.shares, (len(X), 1))

    def _save(self, path: Path) -> None:
        np.save(path, self.shares)

    def _load(self, path: Path) -> None:
        self.shares = np.load(path)


X = np.arange(8, dtype=np.float32).reshape(4, 2)
Y = np.array([0, 1, 2, 2])


def test_arrays_become_rows_with_weight_one_and_numbered_names() -> None:
    model = Shares()
    model.fit(X, Y)
    assert model.given.weight.tolist() == [1, 1, 1, 1]
    assert model.feature_names == ("f0", "f1")
    assert model.predict(X[:1]).class_probabilities.tolist() == [[0.25, 0.25, 0.5]]


def test_weights_reach_the_author() -> None:
    model = Shares()
    model.fit(X, Y, sample_weights=np.array([4.0, 2.0, 1.0, 1.0]))
    assert model.predict(X[:1]).class_probabilities.tolist() == [[0.5, 0.25, 0.25]]


def test_an_author_meets_codes_counted_among_the_classes_seen() -> None:
    model = Shares()
    with pytest.warns(MissingClassWarning, match="'short': 0"):
        model.fit(X, np.array([1, 1, 1, 2]), X, np.array([0, 0, 1, 2]))
    assert model.given.y.tolist() == [0, 0, 0, 1]
    assert model.stop.y.tolist() == [0, 1]
    assert model.predict(X[:1]).class_probabilities.tolist() == [[0.0, 0.75, 0.25]]


def test_stop_rows_of_unknown_classes_only_are_no_stop_rows() -> None:
    model = Shares()
    with pytest.warns(MissingClassWarning):
        model.fit(X, np.array([1, 1, 2, 2]), X, np.zeros(4, dtype=int))
    assert model.stop is None


def test_every_block_has_the_same_number_of_rows() -> None:
    model = Shares()
    model.fit(X, Y)
    for rows in (1, BLOCK_ROWS, BLOCK_ROWS + 1):
        assert len(model.predict(np.zeros((rows, 2))).confidence) == rows
        assert model.rows_given == BLOCK_ROWS


def test_ties_go_to_the_lower_class() -> None:
    output = PredictionOutput.from_probabilities(np.array([[0.4, 0.2, 0.4]]))
    assert output.class_predictions.tolist() == [0]
    assert output.confidence.tolist() == [0.4]


def test_settings_of_a_fit_stay_on_the_model() -> None:
    model = Shares({"rounds": 2})
    model.fit(X, Y, config={"rounds": 7})
    assert model.config.rounds == 7


def test_a_refit_trains_the_best_number_of_rounds() -> None:
    model = Shares()
    assert model.refit_schedule(model.fit(X, Y)) == {"rounds": 4}


@pytest.mark.parametrize(
    ("key", "reason"), [("momentum", "there is no gradient"), ("n_jobs", "--threads"), ("random_state", "--seed")]
)
def test_a_refused_key_is_named_with_its_reason(key: str, reason: str) -> None:
    with pytest.raises(UsageError) as raised:
        SharesConfig.parse({key: 1}, where="recipe.yaml")
    assert raised.value.what.startswith(f"{key} cannot act here: ")
    assert reason in raised.value.what
    assert (raised.value.where, raised.value.help) == ("recipe.yaml", "leave the key out")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, None), "needs y_train"),
        ((X, Y, X, None), "X_val and y_val come together"),
        ((array_samples(X, Y), Y), "Samples carry their own labels"),
    ],
)
def test_arguments_that_contradict_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Shares().fit(*arguments)


def test_one_class_alone_is_refused_with_the_counts() -> None:
    with pytest.raises(DataError, match="'short': 0, 'neutral': 4, 'long': 0"):
        Shares().fit(X, np.ones(4, dtype=int))


def test_a_file_of_another_model_is_refused(tmp_path: Path) -> None:
    class Other(Shares):
        name = "other"

    model = Shares()
    model.fit(X, Y)
    model.save(tmp_path / "model")
    with pytest.raises(DataError, match="holds a 'shares', not a 'other'"):
        Other().load(tmp_path / "model")


@pytest.mark.parametrize("name", ["fit", "predict", "save", "load"])
def test_the_public_methods_cannot_be_overridden(name: str) -> None:
    with pytest.raises(TypeError, match=f"must not override {name}"):
        type("Rogue", (Shares,), {name: lambda self: None})


def test_one_block_is_predicted_by_one_thread() -> None:
    model = Shares(threads=2)
    assert (model.threads_for(BLOCK_ROWS), model.threads_for(BLOCK_ROWS + 1)) == (1, 2)


def test_importances_are_shares_or_none() -> None:
    assert importance_shares(("a", "b"), np.array([3.0, 1.0])) == {"a": 0.75, "b": 0.25}
    assert importance_shares(("a", "b"), np.zeros(2)) is None


class Talking(Shares):
    """Says of each row its first value; padded rows must not come back."""

    def _explain(self, X: np.ndarray) -> dict[str, Explanation]:
        return {"first": Explanation("series", X[:, :1], {"feature": ("f0",)})}


def test_a_model_that_can_explain_does_so_for_each_row_when_asked() -> None:
    model = Talking()
    model.fit(X, Y)
    rows = np.arange(2 * (BLOCK_ROWS + 3), dtype=np.float32).reshape(-1, 2)
    told = model.predict(rows, explain=True)
    assert np.array_equal(told.metadata["first"].values, rows[:, :1])
    plain = model.predict(rows)
    assert plain.metadata == {}
    assert plain.class_probabilities.tobytes() == told.class_probabilities.tobytes()


def test_a_model_without_an_explanation_says_nothing() -> None:
    model = Shares()
    model.fit(X, Y)
    assert model.predict(X, explain=True).metadata == {}


def test_known_features_and_symbols_of_the_fit_are_saved(tmp_path: Path) -> None:
    named = replace(array_samples(X, Y), feature_names=("return_1", "hour_sin"))
    model, loaded = Shares(), Shares()
    model.fit(named.with_symbol(("AAA", "BBB"), np.array([0, 1, 1, 0])))
    model.save(tmp_path / "model")
    loaded.load(tmp_path / "model")
    assert loaded.known_features == ("hour_sin",)
    assert loaded.symbols == ("AAA", "BBB")
    assert loaded.feature_names == ("return_1", "hour_sin", "symbol")


def test_a_symbol_that_the_fit_did_not_have_is_refused() -> None:
    model, codes = Shares(), np.array([0, 1, 1, 0])
    rows = array_samples(X, Y).with_symbol(("AAA", "BBB"), codes)
    model.fit(rows)
    assert len(model.predict(rows).class_predictions) == 4
    with pytest.raises(DataError, match="symbol code 2 stands for no symbol") as refused:
        model.predict(np.column_stack([X, [0, 1, 2, 0]]))
    assert "0 AAA, 1 BBB" in refused.value.help
    with pytest.raises(DataError, match=r"the rows count symbols as \['AAA', 'CCC'\]"):
        model.predict(array_samples(X, Y).with_symbol(("AAA", "CCC"), codes))


class Barriers(Shares):
    """Predicts by the nearness of each row's upper barrier, in blocks of three rows."""

    input_spec = InputSpec(needs_market=True)
    block_rows = 3

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        self.blocks: list[RowMarket] = []
        return super()._fit(train, val, sink)

    def _predict_with_market(self, X: np.ndarray, market: RowMarket) -> np.ndarray:
        self.blocks.append(market)
        long = market.atr / (1 + market.atr)
        return np.column_stack([0 * long, 1 - long, long])

    def _explain_with_market(self, X: np.ndarray, market: RowMarket) -> dict[str, Explanation]:
        return {"atr": Explanation("series", market.atr[:, None].astype(np.float32), {"bar": (0,)})}


def market_of(atr: list[float]) -> RowMarket:
    values, one = np.array(atr), np.ones(len(atr))
    return RowMarket(100 * one, values, one, one, np.nan * one, np.full(len(atr), 8))


def with_market(atr: list[float]) -> Samples:
    rows = np.arange(2 * len(atr), dtype=np.float32).reshape(-1, 2)
    return replace(array_samples(rows, np.arange(len(atr)) % 3), market=market_of(atr))


def test_the_market_comes_in_blocks_that_are_filled_up_with_the_last_row() -> None:
    model = Barriers()
    model.fit(with_market([1.0, 1.0, 1.0]))
    model.blocks.clear()
    output = model.predict(with_market([1.0, 3.0, 1.0, 4.0]))
    assert [block.atr.tolist() for block in model.blocks] == [[1, 3, 1], [4, 4, 4]]
    assert output.class_probabilities[:, 2].tolist() == [0.5, 0.75, 0.5, 0.8]


def test_a_row_without_a_known_rule_gets_the_class_shares_of_the_fit(tmp_path: Path) -> None:
    model, loaded = Barriers(), Barriers()
    model.fit(with_market([1.0] * 4))
    model.save(tmp_path / "model")
    loaded.load(tmp_path / "model")
    loaded.blocks = []
    output = loaded.predict(with_market([3.0, np.nan, 1.0]), explain=True)
    assert output.class_probabilities.tolist() == [[0, 0.25, 0.75], [0.5, 0.25, 0.25], [0, 0.5, 0.5]]
    np.testing.assert_array_equal(output.metadata["atr"].values.ravel(), [3, np.nan, 1])
    unknown = loaded.predict(with_market([np.nan]), explain=True)
    assert unknown.class_probabilities.tolist() == [[0.5, 0.25, 0.25]]
    assert unknown.metadata == {}


def test_metrics_of_a_fit_read_the_market_too() -> None:
    metrics = Barriers().fit(with_market([1.0, 2.0, 3.0]), with_market([1.0, 0.5, 3.0]))
    assert (metrics.train_accuracy, metrics.val_accuracy) == pytest.approx((1 / 3, 2 / 3))


@pytest.mark.parametrize("rows", [X, array_samples(X, Y)])
def test_rows_without_a_market_are_refused_by_name(rows: Any) -> None:
    model = Barriers()
    labels = None if isinstance(rows, Samples) else Y
    with pytest.raises(UsageError, match="model 'shares' needs market data"):
        model.fit(rows, labels)
    model.fit(with_market([1.0, 1.0, 1.0]))
    with pytest.raises(UsageError, match="model 'shares' needs market data"):
        model.predict(rows)


class Untrained(Barriers):
    trains = False


def test_a_model_that_does_not_train_needs_no_class_and_reports_nothing_of_the_fit_rows() -> None:
    model = Untrained()
    rows = with_market([1.0, 1.0, 1.0])
    metrics = model.fit(replace(rows, y=np.ones(3, np.int8)), rows)
    assert model.classes == (0, 1, 2)
    assert np.isnan(metrics.train_loss)
    assert np.isfinite(metrics.val_loss)


def test_a_model_without_an_answer_says_what_to_write() -> None:
    class Mute(Shares):
        _predict_proba = BaseModel._predict_proba

    model = Mute()
    with pytest.raises(NotImplementedError, match="Mute must write _predict_proba, or _predict_with_market"):
        model.fit(X, Y)


class Whole(Shares):
    input_spec = InputSpec("sequence", lookback=3)


class Padded(Shares):
    """Predicts as `Shares`, and remembers the windows of its last block."""

    input_spec = InputSpec("sequence", lookback=3, padded=True)
    block_rows = 2

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        self.seen = X
        return super()._predict_proba(X)


TABLE = np.arange(1, 7, dtype=np.float32)[:, None]
SHORT = WindowSource(TABLE, np.array([1, 3, 5]), 3, np.array([0, 3, 3]))


def test_a_padded_model_gets_nan_where_bars_do_not_exist_and_a_filled_block_repeats_its_last_row() -> None:
    model = Padded()
    model.fit(array_samples(SHORT, np.array([0, 1, 2])))
    for rows in (SHORT, SHORT[:]):
        assert len(model.predict(rows).confidence) == 3
        np.testing.assert_array_equal(model.seen[:, :, 0], [[4, 5, 6]] * 2)
        model.predict(rows[:1])
        np.testing.assert_array_equal(model.seen[:, :, 0], [[np.nan, 1, 2]] * 2)
    model.fit(SHORT[:], np.array([0, 1, 2]))


@pytest.mark.parametrize("place", [(0, 1), (0, 2), (2, 0)])
def test_nan_anywhere_else_is_refused(place: tuple[int, int]) -> None:
    model, broken = Padded(), SHORT[:]
    model.fit(array_samples(SHORT, np.array([0, 1, 2])))
    broken[2, 1] = np.nan if place == (2, 0) else broken[2, 1]  # a gap, not the left of the window
    broken[0, 1:] = np.nan if place[0] == 0 else broken[0, 1:]
    with pytest.raises(DataError, match="is nan"):
        model.predict(broken)
    table = TABLE.copy()
    table[1] = np.inf
    with pytest.raises(DataError, match="row 1, is inf"):
        model.predict(SHORT.with_table(table))


def test_a_model_of_whole_windows_refuses_padded_ones() -> None:
    model = Whole()
    for rows, message in ((SHORT, "reaches back before the first bar"), (SHORT[:], "is nan")):
        with pytest.raises(DataError, match=message):
            model.fit(array_samples(rows, np.array([0, 1, 2])))
