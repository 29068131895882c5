from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from ohlcv_factory.config import setting
from ohlcv_factory.dataset.samples import Samples
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.models.base import (
    BLOCK_ROWS,
    BaseModel,
    EpochSink,
    FitReport,
    MissingClassWarning,
    ModelConfig,
    PredictionOutput,
    array_samples,
    importance_shares,
)
from ohlcv_factory.models.explanation import Explanation


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
