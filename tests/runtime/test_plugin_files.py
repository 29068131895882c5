"""Plugin files are run once, when they are named, and leave nothing behind when they fail."""

from __future__ import annotations

import pytest
from own_features import OWN_FEATURE, own_features
from own_models import OWN_MODEL, own_models

from ohlcv_factory.errors import DataError, InputMissingError
from ohlcv_factory.features.plugins import user_features
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.plugin_files import load_plugins, running_file


@pytest.fixture(autouse=True)
def apart():
    """Every test starts without features and models of one's own, and leaves none."""
    with own_features(), own_models():
        yield


@pytest.fixture
def own_file(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN_FEATURE + OWN_MODEL)
    return path


def declared():
    models = [name for name, entry in ModelRegistry.entries().items() if entry.distribution is None]
    return [*(own.name for own in user_features()), *models]


def test_one_file_may_declare_features_and_models(own_file):
    load_plugins([own_file])
    assert declared() == ["gap_1", "gap_5", "class_shares"]
    assert running_file() is None


def test_a_file_is_run_once_and_again_when_it_has_changed(own_file):
    count = f"with open({str(own_file.parent / 'ran')!r}, 'a') as f: f.write('x')\n"
    own_file.write_text(OWN_FEATURE + OWN_MODEL + count)
    load_plugins([own_file, str(own_file)])
    load_plugins([own_file])
    assert (own_file.parent / "ran").read_text() == "x"
    before = ModelRegistry.origin("class_shares")
    own_file.write_text(OWN_FEATURE.replace("(1, 5)", "(2,)") + OWN_MODEL)
    load_plugins([own_file])
    assert declared() == ["gap_2", "class_shares"]
    assert ModelRegistry.origin("class_shares").sha256 != before.sha256


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputMissingError, match="does not exist"):
        load_plugins([tmp_path / "none.py"])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("import none_such_module", "fails: ModuleNotFoundError: No module named 'none_such_module'"),
        ("def (", "fails: SyntaxError"),
        ("x = 1", "declares no feature and no model"),
    ],
)
def test_a_file_that_fails_or_declares_nothing_is_refused(own_file, text, complaint):
    own_file.write_text(text)
    with pytest.raises(DataError, match=complaint):
        load_plugins([own_file])


def test_a_file_that_fails_half_way_leaves_nothing_behind(own_file):
    own_file.write_text(OWN_FEATURE + OWN_MODEL + "1 / 0\n")
    with pytest.raises(DataError, match="ZeroDivisionError"):
        load_plugins([own_file])
    assert declared() == []


def test_a_file_that_fails_after_a_change_leaves_what_it_declared_before(own_file):
    load_plugins([own_file])
    before = ModelRegistry.model_class("class_shares")
    own_file.write_text(OWN_FEATURE.replace("(1, 5)", "(2,)") + OWN_MODEL + "1 / 0\n")
    with pytest.raises(DataError, match="ZeroDivisionError"):
        load_plugins([own_file])
    assert declared() == ["gap_1", "gap_5", "class_shares"]
    assert ModelRegistry.model_class("class_shares") is before
