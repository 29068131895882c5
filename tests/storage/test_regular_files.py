"""Only regular files are read, and at once: no link, no pipe, no device, none that is too large."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ohlcv_factory.errors import DataError, InputMissingError
from ohlcv_factory.storage.regular_files import (
    is_ours,
    open_or_make,
    open_regular,
    read_regular,
    refuse_irregular_database,
)


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert read_regular(tmp_path / "a", 3) == b"abc"
    with pytest.raises(DataError, match="a is larger than 2 bytes"):
        read_regular(tmp_path / "a", 2)


def test_a_pipe_without_a_writer_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.ubj")
    with pytest.raises(DataError, match=r"model\.ubj is no regular file"):
        open_regular(tmp_path / "model.ubj")


def test_links_folders_sockets_and_devices_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "nowhere").symlink_to(tmp_path / "b")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
        for path in (*(tmp_path / name for name in ("link", "nowhere", "folder", "socket")), Path("/dev/null")):
            with pytest.raises(DataError, match="is no regular file"):
                open_regular(path)


@pytest.mark.parametrize("name", ["a", "b/c"])
def test_a_file_that_is_not_there_is_missing(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="does not exist"):
        open_regular(tmp_path / name)


def test_a_file_that_is_written_in_place_is_made_and_found_again(tmp_path: Path) -> None:
    for text in (b"a", b"b"):
        descriptor = open_or_make(tmp_path / "spool", os.O_APPEND)
        os.write(descriptor, text)
        os.close(descriptor)
    assert (tmp_path / "spool").read_bytes() == b"ab"


def test_nothing_is_written_in_place_through_a_link_a_second_name_or_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"kept")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "nowhere").symlink_to(tmp_path / "b")
    os.mkfifo(tmp_path / "pipe")
    os.link(tmp_path / "outside", tmp_path / "second")
    for name in ("link", "nowhere", "pipe", "second"):
        with pytest.raises(DataError, match=f"{name} is no regular file"):
            open_or_make(tmp_path / name)
    assert (tmp_path / "outside").read_bytes() == b"kept"
    with pytest.raises(FileNotFoundError):
        open_or_make(tmp_path / "no" / "folder")


@pytest.mark.parametrize("suffix", ["", "-journal", "-wal", "-shm"])
def test_a_database_and_what_lies_beside_it_are_regular_files_or_not_there(suffix: str, tmp_path: Path) -> None:
    database = tmp_path / "trials.sqlite"
    refuse_irregular_database(database)
    database.touch()
    refuse_irregular_database(database)
    planted = tmp_path / f"trials.sqlite{suffix}"
    planted.unlink(missing_ok=True)
    planted.symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match=f"{planted.name} is no regular file"):
        refuse_irregular_database(database)


def test_a_file_is_ours_where_nobody_else_can_have_written_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.touch(mode=0o644)
    assert is_ours(path)
    for mode in (0o664, 0o646):
        path.chmod(mode)
        assert not is_ours(path)
    path.chmod(0o600)
    monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    assert not is_ours(path)
