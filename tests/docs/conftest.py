"""Runs the code blocks of a document in their order: Python in one namespace, commands through the command line."""

from __future__ import annotations

import glob
import importlib
import os
import re
import shlex
import sys

import pytest
from own_models import own_registry

from ohlcv_factory.cli.app import invoke
from ohlcv_factory.runtime.packages import is_installed

__all__ = ["own_registry"]

BLOCK = re.compile(r"^```(python|bash)( torch)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A fence of ```python torch is skipped where torch is not installed."""


@pytest.fixture
def own_environment(monkeypatch):
    """Thread counts that commands set are gone after the test."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


@pytest.fixture
def run_document(pytestconfig, tmp_path, monkeypatch, own_registry, own_environment):
    """`run_document("README.md")` runs it in an empty folder and returns that folder."""
    root = pytestconfig.rootpath
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # a script or a notebook imports the files beside it
    importlib.invalidate_caches()
    loaded = set(sys.modules)

    def run(name):
        text = (root / name).read_text(encoding="utf-8")
        namespace = {"__name__": "document"}
        for block in BLOCK.finditer(text):
            if block[2] and not is_installed("torch"):
                continue
            line = text[: block.start(3)].count("\n")
            if block[1] == "python":
                exec(compile("\n" * line + block[3], name, "exec"), namespace)  # line numbers are those of the page
            else:
                run_commands(block[3], root)
        return tmp_path

    yield run
    for module in set(sys.modules) - loaded:
        if str(getattr(sys.modules[module], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[module]


def run_commands(text, root):
    """Each line of a bash block: the factory's commands are run, the scripts must be there."""
    for line in text.splitlines():
        words = [
            word for pattern in shlex.split(line, comments=True) for word in sorted(glob.glob(pattern)) or [pattern]
        ]
        if not words:
            continue
        if words[0] == "ohlcv-factory":
            assert invoke(words[1:]) == 0, line
        else:
            assert words[0].startswith("scripts/"), f"no test knows how to run: {line}"
            assert os.access(root / words[0], os.X_OK), f"{words[0]} is not there"


@pytest.fixture
def run_script(pytestconfig, tmp_path, monkeypatch, own_registry, own_environment):
    """`run_script("examples/quickstart.py")` runs a script in an empty folder and returns its names."""
    monkeypatch.chdir(tmp_path)

    def run(name):
        path = pytestconfig.rootpath / name
        namespace = {"__name__": "__main__", "__file__": str(path)}
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
        return namespace

    return run


@pytest.fixture
def install_plugin(tmp_path, monkeypatch, own_registry):
    """`install_plugin("name", {"model": "module"}, source)` puts a distribution on the path as pip would."""
    from ohlcv_factory.models import registry

    monkeypatch.syspath_prepend(tmp_path)
    loaded = set(sys.modules)

    def install(name, models, source=None):
        info = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        points = "".join(f"{model} = {module}\n" for model, module in models.items())
        (info / "entry_points.txt").write_text(f"[{registry.ENTRY_POINT_GROUP}]\n{points}")
        if source is not None:
            monkeypatch.syspath_prepend(source)
        registry._plugin_entries.cache_clear()

    yield install
    registry._plugin_entries.cache_clear()
    for module in set(sys.modules) - loaded:
        if module.startswith(("ohlcv_", "other_")) and not module.startswith("ohlcv_factory"):
            del sys.modules[module]
