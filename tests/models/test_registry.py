from __future__ import annotations

import subprocess
import sys

import pytest

from ohlcv_factory.config import read_yaml
from ohlcv_factory.errors import MissingExtraError, UnknownNameError, UsageError
from ohlcv_factory.models import registry
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.models.registry import ModelRegistry

OURS = {"boosting": ["catboost", "lightgbm", "xgboost"], "classical": ["logistic", "random_forest", "svm"]}
RECIPES = "configs/models"


def test_models_are_listed_by_family() -> None:
    listed = ModelRegistry.list_models()
    assert {family: listed[family] for family in OURS} == OURS


def test_listing_imports_no_model_library() -> None:
    code = (
        "import sys; from ohlcv_factory.models.registry import ModelRegistry; ModelRegistry.list_models();"
        "print(sorted({'sklearn', 'xgboost', 'lightgbm', 'catboost', 'torch', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_name_nearly_right_is_answered_with_the_right_one() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'xgboost'"):
        ModelRegistry.create("xgbost")


def test_a_missing_package_is_named_with_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "is_installed", lambda package: package != "catboost")
    with pytest.raises(MissingExtraError, match=r"pip install 'ohlcv-model-factory\[boosting\]'"):
        ModelRegistry.create("catboost")


def test_a_second_model_of_one_name_is_refused_naming_both_modules() -> None:
    class Second(BaseModel):
        __module__ = "somewhere.else"

    with pytest.raises(UsageError, match=r"ohlcv_factory\.models\.boosting\.xgboost and by somewhere\.else"):
        ModelRegistry.register("xgboost", "boosting")(Second)


def test_the_description_is_the_first_line_of_the_file() -> None:
    assert ModelRegistry.entry("svm").description.startswith("Support vector machine with a Gaussian kernel")
    assert ModelRegistry.entry("xgboost").requires == ("xgboost",)


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        (
            "xgboost",
            {"n_estimators": 500, "max_depth": 6, "min_child_weight": 10.0, "gamma": 0.1, "learning_rate": 0.05},
        ),
        ("lightgbm", {"n_estimators": 500, "num_leaves": 31, "min_child_samples": 20, "subsample": 0.8}),
        ("catboost", {"iterations": 500, "depth": 6, "l2_leaf_reg": 3.0, "bagging_temperature": 1.0}),
        ("random_forest", {"n_estimators": 200, "max_depth": 10, "min_samples_split": 20, "max_features": "sqrt"}),
        ("logistic", {"C": 1.0, "solver": "lbfgs", "max_iter": 500}),
    ],
)
def test_defaults_are_the_specifications_figures(name: str, figures: dict[str, object]) -> None:
    defaults = ModelRegistry.get_model_info(name)["default_config"]
    assert {key: defaults[key] for key in figures} == figures


@pytest.mark.parametrize("name", [name for names in OURS.values() for name in names])
def test_each_model_has_a_recipe_that_names_only_what_differs(name: str, pytestconfig: pytest.Config) -> None:
    recipe = read_yaml(pytestconfig.rootpath / RECIPES / f"{name}.yaml")
    assert recipe.values == {"model_name": name}


@pytest.mark.parametrize("name", [name for names in OURS.values() for name in names])
def test_every_setting_says_what_it_does_and_where_its_figure_comes_from(name: str) -> None:
    for key, field in ModelRegistry.model_class(name).Config.model_fields.items():
        assert field.description, key
        assert field.json_schema_extra["source"], key  # type: ignore[index]
