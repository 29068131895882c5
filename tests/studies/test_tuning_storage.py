from __future__ import annotations

import re

import pytest

from ohlcv_factory.errors import DataError, MissingExtraError, StorageError, UsageError
from ohlcv_factory.studies.tuning_storage import odd_rows_told, opened_storage, shown_url, storage_url

optuna = pytest.importorskip("optuna")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hush@db:5432/trials", "postgresql://me@db:5432/trials"),
        ("postgresql://me:h%40sh@db/trials?sslmode=require&sslpassword=x", "postgresql://me@db/trials?sslmode=require"),
        ("mysql+pymysql://me@db/trials?passwd=hush&api_token=1", "mysql+pymysql://me@db/trials"),
        ("sqlite:////tmp/trials.sqlite", "sqlite:////tmp/trials.sqlite"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url, shown):
    assert shown_url(url) == shown


def test_what_is_no_url_is_refused_without_repeating_it():
    with pytest.raises(UsageError, match="this is no URL of a database") as caught:
        shown_url("me:hush@db")
    assert "hush" not in str(caught.value)


def test_without_a_url_the_trials_lie_in_the_study_folder(tmp_path):
    assert storage_url(None, tmp_path) == f"sqlite:///{tmp_path.resolve()}/trials.sqlite"
    assert storage_url("postgresql://me@db/trials", tmp_path) == "postgresql://me@db/trials"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url, tmp_path):
    with pytest.raises(UsageError, match="a database in memory keeps no trials"):
        storage_url(url, tmp_path)


def test_an_error_of_the_database_does_not_tell_the_password(monkeypatch):
    from sqlalchemy.exc import OperationalError

    def refuse(url):
        raise OperationalError(None, None, Exception(f"no answer from {url} (password hush, key shh)"))

    monkeypatch.setattr(optuna.storages, "RDBStorage", refuse)
    url = "postgresql://me:hush@db/trials?sslkey=shh"
    with pytest.raises(StorageError, match="the database of the trials: ") as caught, opened_storage(url):
        pass
    assert "no answer from postgresql://me:***@db" in caught.value.what
    assert caught.value.where == "postgresql://me@db/trials"
    assert not {"hush", "shh"} & set(re.findall(r"\w+", str(caught.value)))


def test_a_database_that_cannot_be_opened_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="unable to open database file"):
        with_nothing(f"sqlite:///{tmp_path}/nowhere/trials.sqlite")


def with_nothing(url):
    with opened_storage(url):
        pass


def test_a_missing_driver_is_a_missing_package():
    with pytest.raises(MissingExtraError, match="the driver of this database is not installed"):
        with_nothing("oracle://me:hush@db/trials")


def test_an_error_of_the_caller_passes_unchanged(tmp_path):
    with pytest.raises(RuntimeError, match=r"^mine$"), opened_storage(storage_url(None, tmp_path)):
        raise RuntimeError("mine")


def test_a_file_that_is_no_database_is_damaged_data(tmp_path):
    (tmp_path / "trials.sqlite").write_bytes(b"something else than a database of SQLite" * 100)
    with pytest.raises(DataError, match=r"the database of the trials is damaged: .*not a database"):
        with_nothing(f"sqlite:///{tmp_path}/trials.sqlite")


def test_a_file_that_others_can_write_is_refused_before_optuna_reads_it(tmp_path):
    with_nothing(storage_url(None, tmp_path))
    (tmp_path / "trials.sqlite").chmod(0o666)
    with pytest.raises(DataError, match=r"trials\.sqlite is not of this account alone") as caught:
        with_nothing(storage_url(None, tmp_path))
    assert caught.value.where == str(tmp_path / "trials.sqlite")


def test_rows_that_optuna_never_wrote_are_told_with_the_database(tmp_path):
    with opened_storage(storage_url(None, tmp_path)) as storage:
        with pytest.raises(DataError, match="something else than trials: KeyError: 'name'"), odd_rows_told(storage):
            raise KeyError("name")
        with pytest.raises(UsageError, match="mine"), odd_rows_told(storage):
            raise UsageError("mine")
