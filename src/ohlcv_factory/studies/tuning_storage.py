"""Where the trials of a search are kept: a database of Optuna's, opened without its password ever being written down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ohlcv_factory.errors import DataError, FactoryError, MissingExtraError, StorageError, UsageError
from ohlcv_factory.runtime.packages import import_extra
from ohlcv_factory.storage.regular_files import database_files, is_ours, refuse_irregular_database

DATABASE = "trials.sqlite"
SECRET_WORDS = ("pass", "pwd", "secret", "token", "key")
EXTRA = "tune"
DAMAGE = (
    "not a database", "malformed", "no such table", "no such column", "no column named", "unsupported file format",
    "constraint failed", "datatype mismatch", "Could not decode",
)  # fmt: skip
"""What SQLite says of a file that holds something else than was written."""


def require_storage(url: str | None) -> None:
    """Raise what `storage_url` does, and MissingExtraError (69) without Optuna: asked before a study has a folder."""
    import_extra("optuna", EXTRA)
    storage_url(url, Path())


def shown_url(url: str) -> str:
    """The URL as it may be written down: without its password, and without what its query may hold of one.

    `postgresql://me:hush@db/trials?sslpassword=x` is shown as `postgresql://me@db/trials`. Raises UsageError (2).
    """
    parsed = _parsed(url)
    query = {name: value for name, value in parsed.query.items() if not _is_secret(name)}
    place = (parsed.username, None, parsed.host, parsed.port, parsed.database)
    shown = type(parsed).create(parsed.drivername, *place, query)  # `set(password=None)` would keep the old one
    return str(shown.render_as_string(hide_password=False))


def storage_url(url: str | None, folder: Path) -> str:
    """The database that was asked for, or a file of the study folder. Raises UsageError (2) for one that keeps nothing."""
    if url is None:
        return f"sqlite:///{(folder / DATABASE).resolve()}"
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise UsageError(
            "a database in memory keeps no trials.", where="tune.storage", help="sqlite:///FILE, or leave it out"
        )
    return url


@contextmanager
def opened_storage(url: str) -> Iterator[Any]:
    """An `optuna.storages.RDBStorage`; its connections end with the block.

    A file is trusted input, as Optuna reads it: so it must be this account's own. Raises MissingExtraError (69) without
    Optuna or the database's driver, DataError (65) for a file that is damaged, a link, or somebody else's, StorageError
    (74) where it cannot be used.
    """
    optuna = import_extra("optuna", EXTRA)
    _refuse_foreign_file(url)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    from sqlalchemy.exc import SQLAlchemyError

    storage = _connected(optuna, url)
    try:
        yield storage
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise _database_error(error, url) from None
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def odd_rows_told(storage: Any) -> Iterator[None]:
    """Turn what rows that Optuna never wrote make it raise into DataError (65); errors of ours and of the database stay."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (FactoryError, SQLAlchemyError):
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise DataError(
            f"the database of the trials holds something else than trials: {type(error).__name__}: {error}.",
            where=shown_url(storage.url),
            help="restore a copy, or start a new study",
        ) from None


def _refuse_foreign_file(url: str) -> None:
    """Raise DataError (65) for a database file that is no regular one, or that another account can have written."""
    path = _file_of(url)
    if path is None:
        return
    refuse_irregular_database(path)
    for each in database_files(path):
        if each.exists() and not is_ours(each):
            raise DataError(
                f"{each.name} is not of this account alone: others may have written the trials.",
                where=str(each),
                help="where you trust it: chown it to yourself, and chmod go-w",
            )


def _file_of(url: str) -> Path | None:
    """The file of a SQLite database; None for a server's, and for a URI that says more than a path."""
    parsed = _parsed(url)
    is_file = parsed.get_backend_name() == "sqlite" and not str(parsed.database).startswith("file:")
    return Path(parsed.database) if is_file else None


def _connected(optuna: Any, url: str) -> Any:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return optuna.storages.RDBStorage(url)
    except ImportError as error:
        raise MissingExtraError(
            f"the driver of this database is not installed: {error}.", where=shown_url(url), help="pip install it"
        ) from None
    except (SQLAlchemyError, RuntimeError, UnicodeDecodeError) as error:
        # RuntimeError: tables of another version of Optuna; UnicodeDecodeError: what SQLite says of a damaged schema
        raise _database_error(error, url) from None


def _database_error(error: Exception, url: str) -> FactoryError:
    said = str(error.__cause__ or error)  # Optuna's own words of a commit hide those of the database
    if isinstance(error, UnicodeDecodeError) or any(word in said for word in DAMAGE):
        return DataError(
            f"the database of the trials is damaged: {_without_password(said, url)}.",
            where=shown_url(url),
            help="restore a copy, or start a new study",
        )
    return StorageError(
        f"the database of the trials: {_without_password(said, url)}.",
        where=shown_url(url),
        help="check the URL, that the server runs, and that it lets this user in",
    )


def _parsed(url: str) -> Any:
    import_extra("optuna", EXTRA)
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # without the URL itself: it may hold a password
        raise UsageError(
            "this is no URL of a database.", where="tune.storage", help="for example: postgresql://USER@HOST/DATABASE"
        ) from None


def _without_password(words: str, url: str) -> str:
    """The first line of an error, with nothing in it of what the URL hides."""
    first = words.strip().partition("\n")[0]
    parsed = _parsed(url)
    hidden = [parsed.password, *(value for name, value in parsed.query.items() if _is_secret(name))]
    for secret in filter(None, hidden):
        first = first.replace(str(secret), "***")
    return first


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in SECRET_WORDS)
