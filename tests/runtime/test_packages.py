"""A package of an extra is found without importing it, and its absence says what to install."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from ohlcv_factory.errors import MissingExtraError
from ohlcv_factory.runtime import packages
from ohlcv_factory.runtime.packages import (
    import_extra,
    is_installed,
    package_versions,
    refuse_version,
    wanted_range,
)

REQUIREMENTS = [
    "numpy>=2.0",
    "xgboost-cpu<4,>=3.2; extra == 'boosting'",
    "madeup<2,>=1.5; extra == 'boosting'",
    "madeup>=9; extra == 'track'",
    "rangeless; extra == 'boosting'",
]


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution with the requirements above."""
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: REQUIREMENTS)


@pytest.fixture
def madeup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed distribution `madeup` 1.7 whose module can be written by the test."""
    (tmp_path / "madeup-1.7.dist-info").mkdir()
    (tmp_path / "madeup-1.7.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: madeup\nVersion: 1.7\n")
    (tmp_path / "madeup.py").write_text("ANSWER = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "madeup", raising=False)
    return tmp_path / "madeup.py"


@pytest.mark.parametrize(
    ("module", "found"), [("json", True), ("json.decoder", True), ("no_such", False), ("no_such.inner", False)]
)
def test_a_module_is_found_by_name(module: str, found: bool) -> None:
    assert is_installed(module) is found


def test_looking_for_a_module_imports_nothing(madeup: Path) -> None:
    assert is_installed("madeup")
    assert "madeup" not in sys.modules


@pytest.mark.usefixtures("declared", "madeup")
def test_a_package_in_its_range_is_imported() -> None:
    assert import_extra("madeup", "boosting").ANSWER == 42


def test_an_absent_package_says_what_to_install() -> None:
    with pytest.raises(MissingExtraError) as caught:
        import_extra("no_such", "boosting")
    assert caught.value.exit_code == 69
    assert caught.value.what == "no_such is not installed."
    assert caught.value.help == "pip install 'ohlcv-model-factory[boosting]'"


@pytest.mark.usefixtures("declared", "madeup")
def test_a_version_outside_the_range_is_refused_before_it_is_imported() -> None:
    with pytest.raises(MissingExtraError, match=r"madeup 1\.7 is installed, >=9 is wanted") as caught:
        import_extra("madeup", "track")
    assert caught.value.help == "pip install 'ohlcv-model-factory[track]' --upgrade"
    assert "madeup" not in sys.modules


@pytest.mark.usefixtures("declared")
def test_a_broken_package_is_named_with_version_and_reason(madeup: Path) -> None:
    madeup.write_text("raise OSError('libgomp.so.1: cannot open shared object file')\n")
    with pytest.raises(MissingExtraError) as caught:
        import_extra("madeup", "boosting")
    assert caught.value.what == (
        "madeup 1.7 is installed but cannot be loaded: libgomp.so.1: cannot open shared object file."
    )
    assert caught.value.help.endswith("--force-reinstall")


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize(
    ("module", "extra", "wanted"),
    [
        ("madeup", "boosting", "<2,>=1.5"),
        ("madeup", "track", ">=9"),
        ("madeup", "neural", None),
        ("xgboost", "boosting", "<4,>=3.2"),
        ("rangeless", "boosting", None),
        ("numpy", "boosting", ">=2.0"),
    ],
)
def test_the_range_is_that_of_the_extra(module: str, extra: str, wanted: str | None) -> None:
    assert wanted_range(module, extra) == wanted


def test_from_a_checkout_that_is_not_installed_any_version_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "DISTRIBUTION", "no-such-distribution")
    assert wanted_range("numpy", "boosting") is None
    refuse_version("numpy", "boosting")


def test_versions_of_absent_packages_are_left_out() -> None:
    assert package_versions(("numpy", "no-such-distribution")) == {"numpy": importlib.metadata.version("numpy")}
