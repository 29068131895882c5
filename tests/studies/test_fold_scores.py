from __future__ import annotations

import pytest

from ohlcv_factory.storage.formats import jsonable
from ohlcv_factory.studies.fold_scores import (
    DESCRIPTIVE,
    LABEL_SCORES,
    MONEY_SCORES,
    block_stability,
    plain_scores,
    score_of,
    summary,
)
from ohlcv_factory.studies.folds import TrainFolds
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training.fitting import fit_pipeline
from ohlcv_factory.training.scoring import score_part


def entry(block, skill, ends=(-0.1, 0.1), fold=1):
    interval = None if ends is None else [skill + ends[0], skill + ends[1]]
    return {
        "fold": fold,
        "block": block,
        "log_loss_skill": skill,
        "log_loss_skill_interval": interval,
        "classification": {
            "direction_edge": None,
            "direction_edge_interval": None,
            "macro_f1": skill,
            "present": ["a"],
        },
        "trading": {"sharpe_ratio": 1.0, "sharpe_interval": [0.0, 2.0], "per_symbol": {}},
    }


def test_a_block_is_scored_as_a_run_scores_its_val_part(study, container, config, quick):
    folds = TrainFolds.of(container, CrossValidationConfig(folds=3), 1)
    part = folds.part(folds.folds[1])
    predictions = fit_pipeline(config(), part).pipeline.predict(part, part.rows("val"))
    (found,) = study.folds[1].blocks
    expected = jsonable(score_part("val", predictions, part, seed=42).block)
    assert {name: found[name] for name in expected} == expected


def test_the_skill_is_the_loss_of_the_class_shares_less_that_of_the_model(study):
    for result in study.folds:
        (block,) = result.blocks
        prior = block["baselines"]["class_prior"]["classification"]["log_loss"]
        assert block["log_loss_skill"] == pytest.approx(prior - block["classification"]["log_loss"])
        low, high = block["log_loss_skill_interval"]
        assert low < block["log_loss_skill"] < high


def test_a_summary_takes_numbers_only():
    found = summary([entry(0, 0.1), entry(1, 0.3)])
    assert set(found) == {"log_loss_skill", "direction_edge", "macro_f1", "sharpe_ratio"}
    assert found["log_loss_skill"] == pytest.approx(
        {"mean": 0.2, "spread": 0.1414213562, "low": 0.1, "high": 0.3, "blocks": 2}
    )
    assert found["direction_edge"]["blocks"] == 0


def test_the_grade_is_that_of_the_skill():
    found = block_stability([entry(block, skill) for block, skill in enumerate((0.0, 0.5, 1.0))])
    assert found["grade"] == found["log_loss_skill"]["grade"] == "D"
    assert found["sharpe_ratio"]["grade"] == "A"
    assert found["direction_edge"]["grade"] is None


def test_folds_that_predict_the_same_block_count_as_one_witness():
    once = [entry(block, skill) for block, skill in enumerate((0.0, 0.1, 0.2))]
    more = [entry(0, 0.0), entry(0, 0.0, fold=2), entry(1, 0.05, fold=2), entry(1, 0.15, fold=3), entry(2, 0.2, fold=3)]
    assert block_stability(more)["log_loss_skill"] == pytest.approx(block_stability(once)["log_loss_skill"])


def test_a_score_is_found_with_its_interval():
    assert score_of(entry(0, 0.5), "log_loss_skill") == (0.5, [0.4, 0.6])
    assert score_of(entry(0, 0.5), "sharpe_ratio") == (1.0, [0.0, 2.0])


def test_plain_scores_are_the_numbers_of_a_block_without_baselines_and_intervals(study, container):
    folds = TrainFolds.of(container, CrossValidationConfig(folds=3), 1)
    for fold, result in zip(folds.folds, study.folds, strict=True):
        (block,) = result.blocks
        table = {"log_loss_skill": block["log_loss_skill"], **block["classification"], **block["trading"]}
        found = plain_scores(folds, fold, result.predictions)
        known = {name: value for name, value in found.items() if name in (*LABEL_SCORES, *MONEY_SCORES)}
        assert known == pytest.approx({name: table[name] for name in known}, abs=1e-12)


def test_every_number_of_a_block_has_a_direction_or_describes(study, container):
    folds = TrainFolds.of(container, CrossValidationConfig(folds=3), 1)
    numbers = {
        name for name in plain_scores(folds, folds.folds[0], study.folds[0].predictions) if "interval" not in name
    }
    assert numbers == {*LABEL_SCORES, *MONEY_SCORES, *DESCRIPTIVE}
    assert not {*LABEL_SCORES, *MONEY_SCORES} & {*DESCRIPTIVE}
