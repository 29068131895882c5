"""The public surface: every name there is can be imported, and importing the package costs nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import ohlcv_factory


def test_the_public_names_are_sorted() -> None:
    assert ohlcv_factory.__all__ == sorted(set(ohlcv_factory.__all__))


@pytest.mark.parametrize("name", ohlcv_factory.__all__)
def test_a_public_name_can_be_imported_and_says_what_it_is(name: str) -> None:
    member = getattr(ohlcv_factory, name)
    assert member.__name__ == name
    assert member.__doc__


def test_dir_lists_the_public_names() -> None:
    assert set(ohlcv_factory.__all__) < set(dir(ohlcv_factory))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'ohlcv_factory' has no attribute 'Trainr'"):
        _ = ohlcv_factory.Trainr


def test_importing_the_package_imports_nothing_else() -> None:
    program = (
        "import sys, json; before = set(sys.modules); import ohlcv_factory\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    loaded = json.loads(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
    assert [name for name in loaded if name not in sys.stdlib_module_names] == ["ohlcv_factory"]
