"""Only regular files are read, and at once: no link, no pipe, no device, none that is too large."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ohlcv_factory.errors import DataError, InputMissingError
from ohlcv_factory.storage.regular_files import open_regular, read_regular


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
