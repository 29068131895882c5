"""Each error carries what, where and help, an exit code, and the builtin one would expect."""

from __future__ import annotations

import copy
import pickle

import pytest

from ohlcv_factory import errors
from ohlcv_factory.errors import (
    DataError,
    FactoryError,
    OutputError,
    UnknownNameError,
    nearest,
    told_again,
    unknown_name,
)

TREE = {
    "UsageError": ("E-usage", 2, ValueError),
    "UnknownNameError": ("E-unknown-name", 2, ValueError),
    "DataError": ("E-data", 65, ValueError),
    "InputMissingError": ("E-input-missing", 66, FileNotFoundError),
    "MissingExtraError": ("E-extra", 69, ImportError),
    "DeviceError": ("E-device", 69, RuntimeError),
    "ResourceError": ("E-memory", 70, MemoryError),
    "OutputError": ("E-output", 73, OSError),
    "StorageError": ("E-storage", 74, OSError),
    "LockedError": ("E-locked", 75, RuntimeError),
    "ServiceError": ("E-service", 75, ConnectionError),
    "VerificationError": ("E-verify", 76, ValueError),
    "AccessError": ("E-access", 77, PermissionError),
}


def test_the_tree_is_complete() -> None:
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and name.endswith("Error")}
    assert defined == {"FactoryError", *TREE}
    assert all(name in (errors.__doc__ or "") for name in defined)


@pytest.mark.parametrize("name", TREE)
def test_an_error_has_its_code_exit_code_and_builtin(name: str) -> None:
    code, exit_code, builtin = TREE[name]
    error = getattr(errors, name)("what", where="here", help="do this")
    assert (error.code, error.exit_code) == (code, exit_code)
    assert isinstance(error, FactoryError)
    assert isinstance(error, builtin)
    assert str(error) == f"error[{code}]: what\n  --> here\n  help: do this"


def test_place_and_help_are_left_out_where_there_are_none() -> None:
    assert str(DataError("0 bars.")) == "error[E-data]: 0 bars."


def test_an_error_is_one_plain_mapping_for_json() -> None:
    assert DataError("0 bars.", where="a.csv", help="export again").as_dict() == {
        "error": "E-data",
        "what": "0 bars.",
        "where": "a.csv",
        "help": "export again",
        "exit_code": 65,
    }


@pytest.mark.parametrize("name", TREE)
def test_an_error_crosses_a_process_border_whole(name: str) -> None:
    error = getattr(errors, name)("what", where="here", help="do this")
    for arrived in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301
        assert type(arrived) is type(error)
        assert str(arrived) == str(error)


def test_an_output_error_claims_no_errno() -> None:
    assert OutputError("full").errno is None


@pytest.mark.parametrize(
    ("name", "close"), [("lstmm", "lstm"), ("xgbost", "xgboost"), ("prophet", None), ("", None), ("LSTM", None)]
)
def test_the_nearest_name_is_one_that_looks_alike(name: str, close: str | None) -> None:
    assert nearest(name, ["lstm", "xgboost", "gru"]) == close


def test_an_unknown_name_comes_with_the_nearest_and_the_listing() -> None:
    error = unknown_name("model", "lstmm", ["lstm", "gru"], see="ohlcv-factory models list", where="--model")
    assert isinstance(error, UnknownNameError)
    assert error.what == "Unknown model 'lstmm'. Did you mean 'lstm'?"
    assert (error.where, error.help) == ("--model", "See: ohlcv-factory models list")


@pytest.mark.parametrize(
    ("offered", "help"), [(["lstm", "gru"], "offered: gru, lstm"), ([], "no model is offered here")]
)
def test_without_a_listing_elsewhere_the_help_lists_what_is_offered(offered: list[str], help: str) -> None:
    error = unknown_name("model", "qqq", iter(offered))
    assert (error.what, error.help) == ("Unknown model 'qqq'.", help)


@pytest.mark.parametrize("name", TREE)
def test_an_error_that_was_told_is_raised_again_under_its_own_class(name: str) -> None:
    error = getattr(errors, name)("what", where="here", help="do this")
    again = told_again(error.as_dict())
    assert type(again) is type(error)
    assert again.as_dict() == error.as_dict()


def test_an_error_that_is_not_ours_is_told_as_the_root() -> None:
    foreign = {"error": "E-internal", "what": "KeyError: 'x'", "where": "", "help": "", "exit_code": 70}
    assert type(told_again(foreign)) is FactoryError
