from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from markets import COLUMNS, bar_file

from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.config import read_yaml
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import read_dataset, write_dataset
from ohlcv_factory.dataset.summary import summarise
from ohlcv_factory.errors import UnknownNameError, UsageError
from ohlcv_factory.storage.ledger import Ledger
from ohlcv_factory.studies import tuning
from ohlcv_factory.studies.barrier_tuning import BarrierTuning, penalties, tune_barriers
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.studies.train_bars import TrainBars
from ohlcv_factory.studies.tuning_settings import BarrierTuningConfig
from ohlcv_factory.training.settings import TrainerConfig

pytest.importorskip("optuna")

TWO = CrossValidationConfig(folds=2)


@pytest.fixture(autouse=True)
def _quick(quick):
    pass


@pytest.fixture
def search(tmp_path):
    """`search(dataset, trials=4)` is a finished search."""

    def run(dataset, folder=None, **asked):
        config = TrainerConfig(
            model_name="logistic", feature_set="neural_optimal", output_dir=tmp_path / "experiments" / "runs"
        )
        return tune_barriers(
            dataset, BarrierTuningConfig.parse({"trials": 4, **asked}), TWO, config=config, folder=folder
        )

    return run


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A dataset folder of two symbols and two horizons."""
    series = [random_walk(2600, seed, symbol=name, beta=0.8) for seed, name in ((1, "SYNTH_A"), (2, "SYNTH_B"))]
    settings = {"horizons": [5, 10], "features": list(COLUMNS), "embargo_days": "auto"}
    made = build_dataset([bar_file(bars) for bars in series], DatasetConfig.parse(settings))
    return write_dataset(made, tmp_path_factory.mktemp("pair") / "dataset", summarise(made))


@pytest.fixture(scope="module")
def train(dataset):
    return TrainBars.of(read_dataset(dataset), "SYNTH", 5)


def test_the_bars_end_where_val_begins(train, dataset):
    whole = read_dataset(dataset)
    assert train.symbol.bars.time_ns[-1] < whole.borders_ns[0] <= whole.symbols[0].bars.time_ns[len(train.symbol.bars)]
    container = train.container(BarrierRule(k_up=1.0, k_down=1.0, max_bars=40))
    assert len(container.rows("val")) == len(container.rows("test")) == 0


def test_the_train_rows_are_the_same_for_every_rule_and_only_their_labels_change(train, container):
    one, other = (train.container(BarrierRule(k_up=k, k_down=k, max_bars=bars)) for k, bars in ((1.0, 5), (3.0, 40)))
    for made in (one, other):
        assert (made.index["time_ns"][made.rows("train")] == container.index["time_ns"][container.rows("train")]).all()
    assert (one.labels.label != other.labels.label).any()
    assert one.fingerprint != other.fingerprint


def test_the_dataset_s_own_rule_gives_its_own_labels(train, container):
    rows = container.rows("train")
    made = train.container(train.rule)
    own = made.rows("train")
    for name in ("label", "scored", "end_ns", "uniqueness"):
        found, expected = getattr(made.labels, name)[own], getattr(container.labels, name)[rows]
        if name == "uniqueness":  # of the last rows it knows of fewer labels, as the bars end
            found, expected = found[:-50], expected[:-50]
        np.testing.assert_array_equal(found, expected)


def test_no_label_of_a_trial_looks_beyond_the_first_moment_of_val(train, dataset):
    container = train.container(BarrierRule(k_up=50.0, k_down=50.0, max_bars=300))
    labelled = container.labels.labelled
    assert labelled.any()
    assert (container.labels.end_ns[labelled] < read_dataset(dataset).borders_ns[0]).all()


def test_bars_of_val_and_test_change_no_trial(dataset, search, tmp_path):
    """Val and test become garbage in a copy; every trial is the same."""
    whole = read_dataset(dataset)
    (symbol,) = whole.symbols
    cut, bars = len(TrainBars.of(whole, "SYNTH", 5).symbol.bars), symbol.bars
    broken = {
        name: np.concatenate([getattr(bars, name)[:cut], np.full(len(bars) - cut, 1e6)])
        for name in ("open", "high", "low", "close")
    }
    other = replace(whole, symbols=(replace(symbol, bars=replace(bars, **broken)),))
    train, garbled = TrainBars.of(whole, "SYNTH", 5), TrainBars.of(other, "SYNTH", 5)
    rule = BarrierRule(k_up=2.0, k_down=1.5, max_bars=20)
    config = TrainerConfig(model_name="logistic", horizon=5, feature_set="neural_optimal")
    scores = [[fold() for fold in tuning.fold_tries(config, each.container(rule), TWO)] for each in (train, garbled)]
    assert scores[0] == scores[1]


def test_facts_of_a_rule_are_those_of_its_labels(train):
    found = train.facts(BarrierRule(k_up=50.0, k_down=50.0, max_bars=10))
    assert found["class_shares"] == {"short": 0.0, "neutral": 1.0, "long": 0.0}
    assert (found["bars_to_end"], found["timed_out"], found["ambiguous"]) == (10.0, 1.0, 0.0)
    near = train.facts(BarrierRule(k_up=0.5, k_down=3.0, max_bars=10))
    assert near["class_shares"]["long"] > 0.6
    assert near["bars_to_end"] < 4
    assert 0.0 < near["timed_out"] < 0.1


def test_a_search_scores_by_net_profit_and_leaves_what_data_build_takes(dataset, search):
    result = search(dataset)
    (entry,) = result.metrics["searches"]
    assert (entry["symbol"], entry["horizon"], entry["score"]) == ("SYNTH", 5, "total_return")
    assert entry["defaults"]["values"] == {"k_up": 2.0, "k_down": 2.0, "max_bars": 15}
    assert {name: entry["before"][name] for name in ("k_up", "k_down", "max_bars")} == entry["defaults"]["values"]
    folds = entry["best"]["folds"]
    cost = sum(entry["best"]["penalties"].values())
    assert entry["best"]["value"] == pytest.approx(np.mean(folds) - 0.5 * np.std(folds, ddof=1) - cost)
    piece = read_yaml(result.path / "barriers.yaml").values
    assert piece == {"horizons": [5], "barriers": {5: result.found["SYNTH", 5]}}
    rebuilt = DatasetConfig.parse({**piece, "features": list(COLUMNS)})
    rule = rebuilt.rule(read_dataset(dataset).symbols[0].instrument, 5)
    assert rule.plain() == result.found["SYNTH", 5]
    rows = pl.read_csv(result.path / "trials.csv")
    assert rows["trial"].to_list() == [1, 2, 3, 4]
    assert rows["max_bars"].min() >= 5
    assert rows["max_bars"].max() <= 25
    assert rows["penalty_asymmetry"].to_list() == pytest.approx(
        (0.02 * (rows["k_up"] - rows["k_down"]).abs()).to_list()
    )


def test_the_ranges_are_those_of_the_specification(train, dataset):
    ranges = {
        each.name: each.range for each in BarrierTuning(TrainerConfig(model_name="logistic"), dataset).space(train)
    }
    assert {name: (each.low, each.high, each.log) for name, each in ranges.items()} == {
        "k_up": (0.5, 4.0, False), "k_down": (0.5, 4.0, False), "max_bars": (5, 25, False),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("shares", "cost"),
    [((0.1, 0.8, 0.1), 0.0), ((0.05, 0.9, 0.05), 1.0), ((0.0, 0.9, 0.1), 1.0), ((0.0, 1.0, 0.0), 2.0)],
)
def test_a_class_under_a_tenth_is_penalised_by_how_far_it_lies_under_it(train, shares, cost):
    container = train.container(train.rule)
    rows = container.rows("train", scored=True)[:1000]
    label = container.labels.label.copy()
    label[rows] = np.repeat([0, 1, 2], [round(share * 1000) for share in shares])
    part = np.full(len(container), -1, dtype=np.int8)
    part[rows] = 0
    made = replace(container, labels=replace(container.labels, label=label), part=part)
    asked = BarrierTuningConfig(class_penalty=3.0)
    found = penalties(made, {"k_up": 2.0, "k_down": 2.0}, asked)
    assert found == pytest.approx({"rare_class": 3.0 * cost, "asymmetry": 0.0})


@pytest.mark.parametrize(("index", "cost"), [(False, 0.03), (True, 0.0)])
def test_unlike_barriers_cost_something_but_of_an_equity_index(train, index, cost):
    container = train.container(train.rule)
    (market,) = container.markets
    own = replace(market, instrument=market.instrument.model_copy(update={"equity_index": index}))
    made = replace(container, markets=(own,))
    found = penalties(made, {"k_up": 1.0, "k_down": 2.5}, BarrierTuningConfig())
    assert found["asymmetry"] == pytest.approx(cost)


def test_several_symbols_and_horizons_get_barriers_of_their_own(pair, search):
    result = search(pair, trials=2)
    keys = [("SYNTH_A", 5), ("SYNTH_A", 10), ("SYNTH_B", 5), ("SYNTH_B", 10)]
    assert list(result.found) == keys
    assert result.path.name.startswith("barriers_logistic_2")
    piece = read_yaml(result.path / "barriers.yaml").values
    config = DatasetConfig.parse(piece)
    for symbol, horizon in keys:
        assert config.rule(config.instrument(symbol), horizon).plain() == result.found[symbol, horizon]
    entries = Ledger.in_folder(result.path.parents[1]).entries(kind="trial")
    assert len({entry["data_digest"] for entry in entries}) == 1  # the dataset's own, whatever a trial labels
    entered = [entry["run_id"] for entry in entries]
    assert entered == [f"{result.path.name}/{s}_h{h}/trial_{number:03d}" for s, h in keys for number in (1, 2)]


def test_a_choice_of_symbols_and_horizons_leaves_the_others_as_they_are(pair, search):
    result = search(pair, trials=1, symbols=["SYNTH_B"], horizons=[10], k_up={"low": 3.0, "high": 4.0})
    assert list(result.found) == [("SYNTH_B", 10)]
    config, before = DatasetConfig.parse(read_yaml(result.path / "barriers.yaml").values), read_dataset(pair)
    for each in before.symbols:
        for horizon in (5, 10):
            own = before.config.rule(each.instrument, horizon).plain()
            name = each.instrument.symbol
            assert config.rule(config.instrument(name), horizon).plain() == result.found.get((name, horizon), own)


def test_barriers_of_horizons_that_were_not_searched_stay_as_the_dataset_has_them(search, tmp_path):
    settings = {"horizons": [5, 10], "features": list(COLUMNS), "embargo_days": "auto"}
    own = {"barriers": {5: {"k_up": 2.5, "k_down": 2.5}, 10: {"k_up": 3.0, "k_down": 3.0}}}
    made = build_dataset([bar_file(random_walk(3200, 7, beta=0.8))], DatasetConfig.parse({**settings, **own}))
    result = search(write_dataset(made, tmp_path / "dataset", summarise(made)), trials=1, horizons=[10])
    barriers = read_yaml(result.path / "barriers.yaml").values["barriers"]
    assert (barriers[5]["k_up"], barriers[10]) == (2.5, result.found["SYNTH", 10])


class Killed(BaseException):
    """In place of a signal that no code can catch."""


def test_a_search_that_was_cut_off_has_the_trials_of_one_that_was_not(pair, search, tmp_path, monkeypatch):
    asked = {"trials": 3, "symbols": ["SYNTH_A"]}
    whole, scores, left = search(pair, **asked), tuning.plain_scores, iter(range(7))

    def cut_off(*given):
        if next(left, None) is None:
            raise Killed
        return scores(*given)

    monkeypatch.setattr(tuning, "plain_scores", cut_off)
    with pytest.raises(Killed):
        search(pair, tmp_path / "cut", **asked)
    monkeypatch.setattr(tuning, "plain_scores", scores)
    found = search(pair, tmp_path / "cut", **asked)
    assert (found.path / "trials.csv").read_bytes() == (whole.path / "trials.csv").read_bytes()
    assert found.found == whole.found


def test_other_settings_on_the_same_folder_are_refused_by_name(dataset, search, tmp_path):
    search(dataset, tmp_path / "study", trials=1)
    with pytest.raises(UsageError, match=r"tune\.k_up\.high"):
        search(dataset, tmp_path / "study", trials=1, k_up={"low": 0.5, "high": 2.0, "log": True})


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"horizons": [7]}, UsageError, "horizon 7 is not in this dataset"),
        ({"symbols": ["SYNT"]}, UnknownNameError, "Unknown symbol 'SYNT'. Did you mean 'SYNTH'?"),
    ],
)
def test_what_the_dataset_does_not_hold_is_refused(dataset, asked, error, words):
    with pytest.raises(error, match=words.replace("?", r"\?")):
        BarrierTuning(TrainerConfig(model_name="logistic"), dataset, BarrierTuningConfig.parse(asked))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"k_up": {"low": 0, "high": 2}}, "tune.k_up: input should be greater than 0, got 0"),
        ({"max_bars": {"low": 1.5, "high": 9}}, "tune.max_bars: input should be a valid integer"),
    ],
)
def test_a_range_that_no_barrier_can_have_is_refused(dataset, asked, words):
    with pytest.raises(UsageError, match=words):
        BarrierTuning(TrainerConfig(model_name="logistic"), dataset, BarrierTuningConfig.parse(asked)).searches()


def test_labels_without_barriers_have_none_to_search(tmp_path):
    settings = {"horizons": [5], "label": "fixed_horizon", "features": list(COLUMNS), "embargo_days": "auto"}
    made = build_dataset([bar_file(random_walk(2600, 1))], DatasetConfig.parse(settings))
    folder = write_dataset(made, tmp_path / "dataset", summarise(made))
    with pytest.raises(UsageError, match="fixed_horizon labels have no barriers"):
        BarrierTuning(TrainerConfig(model_name="logistic"), folder).searches()
