"""What is kept on this machine beside runs and datasets: deleting it costs time only.

The digests of manifests that this account wrote or has tried are among it: whatever has another one is foreign, and is
parsed in a child process first.
"""

from __future__ import annotations

import os
from pathlib import Path

from ohlcv_factory.storage.manifests import MANIFEST, manifest_digest
from ohlcv_factory.storage.regular_files import is_ours

CACHE_VARIABLE = "FACTORY_CACHE"
KNOWN = "known_manifests"


def cache_folder() -> Path:
    """`FACTORY_CACHE`, or the factory's folder where this machine keeps caches."""
    named = os.environ.get(CACHE_VARIABLE)
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "ohlcv-factory"
    return Path(named or home).expanduser()


def is_known(digest: str) -> bool:
    """Whether this account wrote the manifest with this digest on this machine, or has tried it."""
    try:
        if not is_ours(cache_folder() / KNOWN):
            return False
        return digest.encode() in (cache_folder() / KNOWN).read_bytes().split(b"\n")
    except OSError:
        return False


def remember(folder: Path, name: str = MANIFEST) -> None:
    """Take note of a manifest that was written or tried here. Without a place for that it is tried again each time."""
    digest = manifest_digest(folder, name)
    if is_known(digest):
        return
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        descriptor = os.open(cache_folder() / KNOWN, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, f"{digest}\n".encode())  # one write: lines of several processes do not mix
        finally:
            os.close(descriptor)
    except OSError:
        return
