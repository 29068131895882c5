from __future__ import annotations

import pytest

from ohlcv_factory.errors import DataError
from ohlcv_factory.studies.cross_validation import CrossValidation
from ohlcv_factory.studies.cross_validation_plan import cross_validation_plan
from ohlcv_factory.studies.folds import TrainFolds
from ohlcv_factory.studies.settings import CrossValidationConfig


def test_a_plan_says_rows_of_every_fold_memory_and_time_and_writes_nothing(container, config):
    cv = CrossValidationConfig(folds=3)
    plan = cross_validation_plan(CrossValidation(config(), cv), container)
    records = list(TrainFolds.of(container, cv, 1).records())
    assert [fold["rows"] for fold in plan["folds"]] == [record["rows"] for record in records]
    assert (plan["model"], plan["horizon"], plan["scheme"], plan["features"]) == ("logistic", 5, "kfold", 4)
    assert plan["seconds_at_most"] >= 0  # three short fits may come to less than the tenth that is shown
    assert plan["memory_gb"] > 0
    assert not config().experiments_folder.exists()


def test_what_a_run_would_refuse_the_plan_refuses(container, config):
    with pytest.raises(DataError, match="at least 200 are needed"):
        cross_validation_plan(CrossValidation(config(), CrossValidationConfig(folds=15)), container)
