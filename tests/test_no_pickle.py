"""No line of the package reads a format that runs code: beside ruff's rules S301, S302, S506 what they do not know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ohlcv_factory

PACKAGE = Path(ohlcv_factory.__file__).parent
SOURCES = sorted(path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".txt"))
FORBIDDEN = (
    r"\bimport joblib\b|\bjoblib\.(load|dump)\b",
    r"\bcloudpickle\.|\bimport cloudpickle\b|\bimport dill\b",
    r"\btorch\.load\(",
    r"\bimport pickle\b|\bpickle\.load",
    r"\bshelve\b|\bmarshal\b",
    r"allow_pickle\s*=\s*True",
    r"read_pickle|to_pickle",
    r"weights_only\s*=\s*False",
    r"trust_remote_code\s*=\s*True",
    r"get_untrusted_types",
    r"unsafe_load|full_load|yaml\.load\(",
    r"extractall",
)


def found(text: str) -> list[str]:
    """The forbidden words in a text."""
    return [match.group() for pattern in FORBIDDEN for match in re.finditer(pattern, text)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_nothing_reads_a_format_that_runs_code(path: Path) -> None:
    code = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.strip().startswith(("#", '"""'))]
    assert found("\n".join(code)) == []


@pytest.mark.parametrize(
    "line",
    [
        "model = joblib.load(path)",
        "np.load(path, allow_pickle=True)",
        "yaml.unsafe_load(text)",
        "archive.extractall(folder)",
    ],
)
def test_such_a_line_would_be_found(line: str) -> None:
    assert found(line) != []
