from __future__ import annotations

import hashlib
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from own_models import OWN_MODEL, own_registry

from ohlcv_factory.config import read_yaml
from ohlcv_factory.errors import MissingExtraError, UnknownNameError, UsageError, VerificationError
from ohlcv_factory.models import registry
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.plugin_files import Origin, load_plugins

__all__ = ["own_registry"]

OURS = {"boosting": ["catboost", "lightgbm", "xgboost"], "classical": ["logistic", "random_forest", "svm"]}
RECIPES = "configs/models"
OWN_DIGEST = hashlib.sha256(OWN_MODEL.encode()).hexdigest()


@pytest.fixture
def own_file(tmp_path: Path, own_registry: None) -> Path:
    """A file that registers a model, and a registry that knows nothing of it."""
    path = tmp_path / "own_shares.py"
    path.write_text(OWN_MODEL)
    return path


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


def test_a_model_of_a_plugin_file_is_listed_with_its_file_and_created(own_file: Path) -> None:
    load_plugins([own_file])
    entry = ModelRegistry.entry("class_shares")
    assert (entry.family, entry.module, entry.distribution) == ("own", str(own_file), None)
    assert entry.description == "The weighted shares of the classes, whatever the features say."
    assert ModelRegistry.create("class_shares", {"smoothing": 3}).config.smoothing == 3.0
    assert ModelRegistry.origin("class_shares") == Origin(str(own_file), OWN_DIGEST)
    assert ModelRegistry.get_model_info("class_shares")["plugin"] == {"place": str(own_file), "sha256": OWN_DIGEST}


def test_a_built_in_model_has_no_origin_to_be_kept() -> None:
    assert ModelRegistry.origin("logistic") is None
    assert "plugin" not in ModelRegistry.get_model_info("logistic")
    ModelRegistry.require("logistic", None)


def test_a_model_that_was_imported_from_a_file_is_known_by_that_file(own_file: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(own_file.parent)
    importlib.import_module("own_shares")
    monkeypatch.delitem(sys.modules, "own_shares")
    assert ModelRegistry.origin("class_shares") == Origin(str(own_file), OWN_DIGEST)
    load_plugins([own_file])  # the same file again: it is not run a second time
    assert ModelRegistry.entry("class_shares").module == "own_shares"


def test_the_recorded_file_must_be_named_and_be_the_same(own_file: Path) -> None:
    with pytest.raises(UsageError, match=r"'class_shares': a model of own\.py, which was not named") as caught:
        ModelRegistry.require("class_shares", Origin("own.py", OWN_DIGEST))
    assert caught.value.help.endswith("if you trust it, add --plugin own.py")
    load_plugins([own_file])
    ModelRegistry.require("class_shares", Origin("own.py", OWN_DIGEST))
    with pytest.raises(
        VerificationError, match=rf"made model 'class_shares': sha256 {OWN_DIGEST[:12]}, recorded 0{{12}}"
    ):
        ModelRegistry.require("class_shares", Origin("own.py", "0" * 64))


def test_a_model_of_a_notebook_cannot_be_named_as_a_file() -> None:
    with pytest.raises(UsageError, match="which was not named") as caught:
        ModelRegistry.require("mine", Origin("__main__", ""))
    assert caught.value.help == "import __main__ before, or put its code into a file and name that: --plugin FILE.py"


def test_names_that_are_taken_are_refused_with_both_places(own_file: Path, tmp_path: Path) -> None:
    load_plugins([own_file])
    other = tmp_path / "other.py"
    other.write_text(OWN_MODEL)
    with pytest.raises(UsageError, match=r"'class_shares' is registered twice: by .*own_shares\.py and by .*other\.py"):
        load_plugins([other])
    other.write_text(OWN_MODEL.replace("class_shares", "svm"))
    with pytest.raises(
        UsageError, match=r"registered twice: by ohlcv_factory\.models\.classical\.svm and by .*other\.py"
    ):
        load_plugins([other])


def test_a_model_outside_the_package_needs_a_name(own_file: Path) -> None:
    own_file.write_text(OWN_MODEL.replace('register("class_shares", family="own")', "register()"))
    with pytest.raises(UsageError, match=r"own_shares\.py registers a model without its name and family"):
        load_plugins([own_file])
