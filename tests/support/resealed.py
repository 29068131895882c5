"""Manifests written anew to fit what lies in the folder: what somebody does who changes a run and hides it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def reseal(folder: Path, name: str = "manifest.json", **changes: Any) -> None:
    """Sizes and digests of a manifest as the files now are, extra files added, missing ones dropped; keys by `changes`."""
    path = folder / name
    manifest = json.loads(path.read_text())
    roles = {entry["path"]: entry.get("role") for entry in manifest["files"]}
    kept = {"state.json", "tags.json", "time.json", "tracking.jsonl", "tracking.json", name}
    names = sorted(
        found.relative_to(folder).as_posix()
        for found in folder.rglob("*")
        if found.is_file() and found.relative_to(folder).parts[0] not in {*kept, "addenda"}
    )
    files = [_entry(folder, each, roles.get(each)) for each in names if name == "manifest.json" or each in roles]
    path.write_text(json.dumps({**manifest, "files": files, **changes}))


def reseal_all(folder: Path) -> None:
    """The same of a folder and of every folder in it that has a manifest of its own, the innermost first."""
    found = sorted(folder.rglob("manifest.json"), key=lambda path: -len(path.parts))
    for manifest in found:
        if manifest.read_bytes()[:1] == b"{":  # not one that was swapped itself
            reseal(manifest.parent)


def _entry(folder: Path, name: str, role: str | None) -> dict[str, Any]:
    content = (folder / name).read_bytes()
    entry = {"path": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return entry if role is None else {**entry, "role": role}
