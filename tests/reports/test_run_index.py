"""The page of all runs: every run in it, numbers that sort as numbers, and one script that its policy names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from ohlcv_factory.reports.run_index import write_run_index
from ohlcv_factory.storage.manifests import file_entries


@pytest.fixture
def runs(tmp_path) -> Path:
    """Three run folders with what the page reads: two finished, one that failed."""
    folder = tmp_path / "runs"
    for name, sharpe in (("a_run", 9.5), ("b_run", -10.25)):
        write(folder / name / "state.json", {"state": "FINISHED", "attempt": 1, "updated": "2026-01-01", "error": None})
        blocks = {"classification": {"macro_f1": 0.4}, "trading": {"sharpe_ratio": sharpe}}
        write(folder / name / "metrics" / "evaluation_metrics.json", {"evaluation_metrics": blocks})
        facts = {"model": "logistic", "horizon": 20, "symbols": ["X<Y"]}
        write(folder / name / "manifest.json", {**facts, "files": file_entries(folder / name)})
    error = {"type": "E-data", "message": "no <rows>", "hint": ""}
    write(folder / "c_run" / "state.json", {"state": "FAILED", "attempt": 1, "updated": "2026-01-02", "error": error})
    return folder


def write(path: Path, values: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def test_every_run_stands_in_the_page_and_its_words_are_inert(runs, tmp_path) -> None:
    html = write_run_index(runs, tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert [html.count(f'<th scope="row">{name}</th>') for name in ("a_run", "b_run", "c_run")] == [1, 1, 1]
    assert "FAILED<small>no &lt;rows&gt;</small>" in html and "X&lt;Y" in html and "<rows>" not in html
    assert '<data value="9.5">' in html and '<data value="-10.25">' in html


def test_the_page_may_run_the_text_of_its_own_script_and_nothing_else(runs, tmp_path) -> None:
    html = write_run_index(runs, tmp_path / "index.html").read_text(encoding="utf-8")
    (script,) = re.findall("<script>(.*?)</script>", html, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'" in html
    assert "src=" not in html.replace("img-src", "").replace("style-src", "")


def test_scores_that_no_manifest_vouches_for_are_not_shown(runs, tmp_path) -> None:
    scores = runs / "a_run" / "metrics" / "evaluation_metrics.json"
    scores.write_text(scores.read_text().replace("9.5", "99.5"))
    html = write_run_index(runs, tmp_path / "index.html").read_text(encoding="utf-8")
    assert '<data value="99.5">' not in html and '<data value="-10.25">' in html


def test_a_folder_without_runs_says_so(tmp_path) -> None:
    (tmp_path / "runs").mkdir()
    assert "0 runs in" in write_run_index(tmp_path / "runs", tmp_path / "index.html").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_click_sorts_numbers_as_numbers_and_leaves_dashes_last(runs, tmp_path) -> None:
    html = write_run_index(runs, tmp_path / "index.html").read_text(encoding="utf-8")
    clicked = """<script>
      const names = () => [...document.querySelectorAll('tbody th')].map(cell => cell.textContent).join();
      const button = [...document.querySelectorAll('th button')].find(each => each.textContent === 'Sharpe, net');
      button.click(); const up = names(); button.click(); document.title = up + ' ' + names();
    </script></body>"""
    open_policy = re.sub(r"script-src '[^']*'", "script-src 'unsafe-inline'", html)
    (tmp_path / "clicked.html").write_text(open_policy.replace("</body>", clicked), encoding="utf-8")
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update",
        f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", str(tmp_path / "clicked.html"),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert re.search("<title>([^<]*)</title>", shown)[1] == "b_run,a_run,c_run a_run,b_run,c_run"
