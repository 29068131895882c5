from __future__ import annotations

import pytest

from ohlcv_factory.errors import UnknownNameError, UsageError
from ohlcv_factory.training.settings import TrainerConfig


def test_trainer_settings_set_the_models_own_fields(config):
    model = config(model_name="lightgbm", max_epochs=70, early_stopping_patience=7).create_model()
    assert (model.config.n_estimators, model.config.early_stopping_rounds) == (70, 7)


@pytest.mark.parametrize("name", ["sequence_length", "batch_size", "max_epochs", "early_stopping_patience"])
def test_a_model_refuses_a_setting_that_it_cannot_obey(config, name):
    with pytest.raises(UsageError, match=f"{name} does not apply to model 'logistic'"):
        config(**{name: 3}).create_model()


def test_two_values_for_one_field_must_agree(config):
    assert config(model_name="xgboost", max_epochs=9, model={"n_estimators": 9}).create_model().config.n_estimators == 9
    with pytest.raises(UsageError, match=r"max_epochs=9 and model\.n_estimators=8 contradict each other"):
        config(model_name="xgboost", max_epochs=9, model={"n_estimators": 8}).create_model()


def test_an_unknown_model_is_refused_with_the_nearest(config):
    with pytest.raises(UnknownNameError, match=r"Unknown model 'xgbost'. Did you mean 'xgboost'?"):
        config(model_name="xgbost").create_model()


def test_the_ledger_lies_above_runs_or_in_the_output_folder(tmp_path):
    assert TrainerConfig(model_name="svm").experiments_folder.name == "experiments"
    assert TrainerConfig(model_name="svm", output_dir=tmp_path).experiments_folder == tmp_path


def test_the_earlier_name_of_calibration_still_works():
    assert TrainerConfig(model_name="svm", calibrate=True).calibration == "auto"
    assert TrainerConfig(model_name="svm", calibrate=False).calibration == "none"
    assert TrainerConfig.parse({"model_name": "svm", "calibrate": False}).calibration == "none"
    with pytest.raises(UsageError, match=r"calibrate is an earlier name of calibration.*beside calibration"):
        TrainerConfig.parse({"model_name": "svm", "calibrate": True, "calibration": "none"})
    with pytest.raises(UsageError, match="is true or false, got calibrate='maybe'"):
        TrainerConfig.parse({"model_name": "svm", "calibrate": "maybe"})


def test_a_coverage_needs_sets():
    assert TrainerConfig(model_name="svm", decision="conformal", conformal_coverage=0.8).conformal_coverage == 0.8
    with pytest.raises(UsageError, match="conformal_coverage applies to decision: conformal, got decision: argmax"):
        TrainerConfig.parse({"model_name": "svm", "conformal_coverage": 0.8})


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.5])
def test_a_coverage_lies_between_zero_and_one(coverage):
    with pytest.raises(UsageError, match="conformal_coverage"):
        TrainerConfig.parse({"model_name": "svm", "decision": "conformal", "conformal_coverage": coverage})
