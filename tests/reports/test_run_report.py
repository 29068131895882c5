from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from ohlcv_factory.errors import DataError, InputMissingError, UsageError
from ohlcv_factory.reports import model_cards
from ohlcv_factory.reports.dataset_report import write_dataset_report
from ohlcv_factory.reports.run_report import write_run_report
from ohlcv_factory.studies.finished_runs import FinishedRun
from ohlcv_factory.studies.leaderboard import leaderboard

ALL_SECTIONS = (
    "asked", "data", "leaderboard", "curves", "decisions", "reliability", "breakdown", "importance", "training", "meaning", "provenance",
)  # fmt: skip
VOID = {"meta", "br"}


@pytest.fixture(scope="session")
def page(run, tmp_path_factory) -> str:
    return write_run_report([run], tmp_path_factory.mktemp("page") / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def copied(run, tmp_path):
    """A copy of the run folder, named as asked, whose files may be changed."""

    def make(name="copy_h5_20260101T000000Z_abc", **manifest):
        folder = shutil.copytree(run.path, tmp_path / name)
        path = folder / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **manifest}))
        return FinishedRun.read(folder)

    return make


class Balance(HTMLParser):
    """Open elements; fails at the first end tag that does not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, self.getpos()


def balanced(html: str) -> bool:
    parser = Balance()
    parser.feed(html.removeprefix("<!DOCTYPE html>"))
    return not parser.open


def rewritten(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_sections_stand_in_their_order(page):
    assert tuple(re.findall(r'<section id="(\w+)">', page)) == ALL_SECTIONS


def test_the_page_is_well_formed(page):
    assert balanced(page)


def test_nothing_comes_from_elsewhere(page):
    assert not re.search(r"https?://|src=|<script|<link|@import|url\(", page)


def test_no_number_is_shown_as_nan_or_none(page):
    assert not re.search(r">[^<]*\b(nan|NaN|None|inf)\b", page.split("</style>")[1])


def test_the_numbers_are_those_of_the_run(run, tmp_path):
    trading = {**run.evaluation["trading"], "sharpe_ratio": -1.234, "sharpe_interval": [-2.5, 0.75], "num_trades": 1234}
    classes = {**run.evaluation["classification"], "macro_f1": 0.4321, "direction_hit_rate": 0.5126}
    classes["direction_hit_rate_interval"] = [0.4807, 0.5444]
    known = replace(run, evaluation={**run.evaluation, "trading": trading, "classification": classes})
    html = write_run_report([known], tmp_path / "page.html").read_text(encoding="utf-8")
    assert '<tr><th scope="row">logistic</th><td>−1.23<small>−2.50 to 0.75</small></td>' in html
    assert "<td>1\u202f234</td>" in html
    assert '<tr><th scope="row">logistic</th><td>0.432</td>' in html
    assert "<td>0.513<small>0.481 to 0.544</small></td>" in html


def test_the_number_of_trials_stands_beside_the_amount_of_evidence_and_the_deflated_ratio_in_the_table(run, tmp_path):
    trials = {**run.evaluation["trials"], "count": 12, "expected_maximum_sharpe": 1.634, "deflated_sharpe_ratio": 0.713}
    known = replace(run, evaluation={**run.evaluation, "trials": trials})
    html = write_run_report([known], tmp_path / "page.html").read_text(encoding="utf-8")
    words = "Trials on this data: 12; the best of as many without skill would show a Sharpe ratio of 1.63."
    assert words in html
    assert "<td>71.3\u202f%</td>" in html


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("edge", "edge", "An edge on the validation part: logistic at horizon 5"),
        ("no edge found", "none", "No edge found"),
        ("too little data", "few", "Too little data"),
    ],
)
def test_the_verdict_stands_above_everything(run, tmp_path, code, kind, words):
    judged = replace(run, evaluation={**run.evaluation, "verdict": {"code": code, "words": "Because."}})
    html = write_run_report([judged], tmp_path / "page.html").read_text(encoding="utf-8")
    assert f'<div class="verdict {kind}"><strong>{words}</strong><p>Horizon 5, logistic: Because.</p>' in html
    assert html.index('class="verdict') < html.index("<section")


def test_baselines_stand_under_the_model_in_the_same_columns(page):
    table = page[page.index("Money, best") : page.index("Decisions and probabilities")]
    names = re.findall(r'<th scope="row">([^<]+)</th>', table)
    assert names == ["logistic", "class prior", "last label", "buy and hold", "always flat", "random as logistic"]
    assert len({row.count("<td>") for row in re.findall(r"<tr><th scope=\"row\">.*?</tr>", table)}) == 1


def test_a_rule_that_makes_sets_shows_how_they_kept_their_coverage(run, tmp_path):
    shares = {"short": 0.8, "neutral": 0.95, "long": None}
    sets = {"nominal": 0.9, "rows": 500, "coverage": 0.8412, "coverage_by_class": shares, "mean_size": 1.87}
    sets |= {"empty_share": 0.0, "acted_share": 0.0625}
    decision = {"kind": "conformal", "words": "where it is sure", "sets": sets}
    decision["adaptive_sets"] = {**sets, "coverage": 0.8977}
    judged = replace(run, evaluation={**run.evaluation, "decision": decision})
    html = write_run_report([judged], tmp_path / "page.html").read_text(encoding="utf-8").replace("\u202f", " ")
    cells = "<td>80.0 %</td><td>95.0 %</td><td>–</td><td>1.87</td><td>6.2 %</td>"
    assert f'<th scope="row">logistic, fixed</th><td>90.0 %</td><td>84.1 %</td>{cells}' in html
    assert f'<th scope="row">logistic, adaptive</th><td>90.0 %</td><td>89.8 %</td>{cells}' in html
    assert "<dt>Acts on</dt><dd>where it is sure</dd>" in html


def test_without_sets_there_is_no_table_of_them(page):
    assert "Coverage of the prediction sets" not in page
    assert "<dt>Acts on</dt><dd>the most probable class</dd>" in page


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"kind": "temperature_bias", "temperature": 1.0, "bias": [0.0, 0.0, 0.0]}, "identity"),
        (
            {"kind": "temperature_bias", "temperature": 1.25, "bias": [0.5, -0.5, 0.0]},
            "temperature 1.25; bias short 0.50, neutral −0.50, long 0.00",
        ),
        (
            {"kind": "sigmoid", "slope": [1.0, 2.0, 0.5], "intercept": [0.0, 0.1, -0.2]},
            "sigmoid, slope short 1.00, neutral 2.00, long 0.50; intercept short 0.00, neutral 0.10, long −0.20",
        ),
        (
            {"kind": "isotonic", "curves": [{"x": [0.1] * 3}, {"x": [0.1] * 4}, {"x": [0.1] * 5}]},
            "isotonic, 3, 4 and 5 knots",
        ),
    ],
)
def test_every_kind_of_calibrator_has_its_words(state, words):
    assert model_cards._calibrator(state) == words


def test_a_run_of_the_first_version_is_still_reported(run, tmp_path):
    copy = tmp_path / run.path.name
    shutil.copytree(run.path, copy)
    recipe = copy / "config" / "training_config.yaml"
    kept = [
        line for line in recipe.read_text().splitlines() if not line.startswith(("calibration:", "decision:", "conf"))
    ]
    recipe.write_text("\n".join([*kept, "calibrate: true"]) + "\n")
    evaluation = {name: value for name, value in run.evaluation.items() if name not in ("decision", "breakdown")}
    html = write_run_report([replace(run, path=copy, evaluation=evaluation)], tmp_path / "page.html").read_text()
    assert "<dt>Calibrated</dt><dd>by temperature and bias</dd>" in html
    assert "<dt>Acts on</dt><dd>the most probable class</dd>" in html


def test_scores_stand_again_by_year_session_and_volatility(run, page):
    section = page[page.index('<section id="breakdown">') :].partition("</section>")[0]
    names = re.findall(r'<th scope="row">([^<]+)</th>', section)
    assert names == [name for groups in run.evaluation["breakdown"].values() for name in groups]
    assert {"2024", "asia", "outside"} <= set(names) and {"calm", "usual", "wild"} & set(names)


def test_the_break_even_cost_stands_beside_the_cost_that_was_paid(run, tmp_path):
    trading = {**run.evaluation["trading"], "break_even_cost_bps": -1.236, "cost_bps": 4.5}
    known = replace(run, evaluation={**run.evaluation, "trading": trading})
    html = write_run_report([known], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<td>−1.24 bp<small>paid 4.50 bp</small></td>" in html


def test_undefined_scores_are_dashes(page):
    flat = re.search(r'<tr><th scope="row">always flat</th>.*?</tr>', page)[0]
    assert "<td>–</td>" in flat


def test_several_symbols_are_also_shown_apart(page):
    assert '<th scope="row">logistic, SYNTHB</th>' in page


def test_several_seeds_of_one_model_are_shown_with_their_spread(run, page, copied, tmp_path):
    other = copied(seed=run.manifest["seed"] + 1)
    classes = {**other.evaluation["classification"], "log_loss": run.evaluation["classification"]["log_loss"] + 0.2}
    other = replace(other, evaluation={**other.evaluation, "classification": classes})
    html = write_run_report([run, other], tmp_path / "page.html").read_text(encoding="utf-8")
    table = html[html.index("Several seeds of the same settings") :]
    middle = run.evaluation["classification"]["log_loss"] + 0.1
    assert f"<td>{middle:.3f} ± 0.141</td>" in table[: table.index("</table>")]  # 0.2 / sqrt(2)
    assert "Several seeds" not in page


def test_the_label_is_explained_with_the_datasets_own_barriers(page):
    assert "Horizon 5, SYNTHA: +1.2 / −1.2 ATR, 15 bars." in page


def test_the_same_runs_give_the_same_bytes(run, page, tmp_path):
    assert write_run_report([run], tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_markup_in_names_and_notes_is_inert(copied, tmp_path):
    bad = "<script>alert(1)</script>"
    run = copied(symbols=[bad], created_by=bad)  # a model of such a name is refused before it is shown
    rewritten(run.path / "metrics" / "training_metrics.json", notes=[bad])
    html = write_run_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert "<li>&lt;script&gt;alert(1)&lt;/script&gt;</li>" in html


def test_a_pretrained_models_card_says_where_its_weights_come_from_and_what_was_verified(copied, page, tmp_path):
    run = copied()
    stated = {"name": "amazon/<b>", "path": "/models/bolt", "digest": "ab" * 32, "licence": None, "data_until": None}
    rewritten(run.path / "metrics" / "training_metrics.json", pretraining=[{**stated, "source": "not known here"}])
    html = write_run_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    assert balanced(html)
    assert "amazon/&lt;b&gt;, sha256 abababababab…, from /models/bolt" in html
    assert "not known here" in html and "nobody says (not known here)" in html
    assert "Verified by the factory" in html and "Not verified: what these weights forecast" in html
    assert "Not verified" not in page


def test_a_model_twice_is_told_apart_by_the_runs_short_id(run, copied, tmp_path):
    html = write_run_report([run, copied()], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "best of 2 by net Sharpe" in html
    assert '<th scope="row">logistic abc</th>' in html


def test_a_dataset_that_is_gone_is_said_to_be_gone(copied, tmp_path):
    run = copied()
    config = run.path / "config" / "training_config.yaml"
    lines = [line for line in config.read_text().splitlines() if not line.startswith("dataset:")]
    config.write_text("\n".join([*lines, "dataset: /nowhere/at/all"]))
    html = write_run_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "because it is gone: /nowhere/at/all does not exist." in html
    assert "buy and hold</li>" in html, "the baseline's interval is the run's own"
    assert 'class="held"' not in html


def test_a_run_on_data_in_memory_has_no_dataset_to_describe(copied, tmp_path):
    run = copied()
    config = run.path / "config" / "training_config.yaml"
    lines = [line for line in config.read_text().splitlines() if not line.startswith("dataset:")]
    config.write_text("\n".join([*lines, "dataset: null"]))
    assert "data in memory" in write_run_report([run], tmp_path / "page.html").read_text(encoding="utf-8")


def test_another_dataset_is_refused_by_name(copied, dataset, tmp_path):
    with pytest.raises(DataError, match="is not the dataset of these runs"):
        write_run_report([copied(data_fingerprint="other")], tmp_path / "page.html", dataset=dataset)


def test_a_named_dataset_must_be_there(run, tmp_path):
    with pytest.raises(InputMissingError, match="does not exist"):
        write_run_report([run], tmp_path / "page.html", dataset=tmp_path / "nowhere")


def test_runs_on_different_rows_are_refused(run, copied, tmp_path):
    with pytest.raises(DataError, match="scored on different rows"):
        write_run_report([run, copied(row_digest="other")], tmp_path / "page.html")


def test_runs_of_other_symbols_and_horizons_stand_in_groups_of_their_own(board_runs, tmp_path):
    runs = [FinishedRun.read(path) for place in board_runs for path in board_runs[place]]
    html = write_run_report(runs, tmp_path / "page.html").read_text(encoding="utf-8")
    assert (
        "<title>SYNTHA and SYNTHB, 240-minute bars, horizons 5 and 10: 7 runs</title>".replace("240-minute", "4-hour")
        in html
    )
    words = ["SYNTHA, horizon 5", "SYNTHA, horizon 10", "SYNTHA, SYNTHB, horizon 5", "SYNTHB, horizon 5"]
    scores = html[html.index('<section id="leaderboard">') : html.index('<section id="curves">')]
    assert re.findall(r"<h3>([^<]+)</h3>", scores) == words
    lines = re.findall(r"<li>([^:]+):", html[html.index('class="verdict') : html.index("<nav")])
    assert [line.split(", best of")[0].removesuffix(", logistic") for line in lines] == words
    data = html[html.index('<section id="data">') : html.index('<section id="leaderboard">')]
    assert data.count(">How labels end</p>") == 1 and "now holds another" not in html  # all are of one dataset
    assert html.count('class="held"') >= 4  # each group's curves find its bars
    assert balanced(html)


def test_several_runs_of_a_group_are_ranked_with_the_words_of_the_leaderboard(board_runs, page, tmp_path):
    runs = [FinishedRun.read(path) for path in board_runs["one_symbol"]]
    html = write_run_report(runs, tmp_path / "page.html").read_text(encoding="utf-8")
    (found,) = leaderboard(*board_runs["one_symbol"]).groups.values()
    assert all(f"<p>{words}</p>" in html for words in found.words)
    table = html[html.index("Ranks by net Sharpe ratio") :]
    rows = re.findall(
        r'<tr><th scope="row">(\w+)</th><td>(\d)</td><td>(\d) to (\d)</td>', table[: table.index("</table>")]
    )
    assert [(name, int(rank), (int(low), int(high))) for name, rank, low, high in rows] == [
        (name, each.rank, each.rank_interval) for name, each in zip(found.names, found.standings, strict=True)
    ]
    assert "Ranks by net Sharpe ratio" not in page  # of one run there is nothing to rank


def test_runs_of_several_datasets_are_described_each_by_its_own(run, dataset, board_runs, tmp_path):
    other = FinishedRun.read(board_runs["other_symbol"][0])
    html = write_run_report([run, other], tmp_path / "page.html", dataset=dataset).read_text(encoding="utf-8")
    data = html[html.index('<section id="data">') : html.index('<section id="leaderboard">')]
    assert re.findall(r"<h3>([^<]+)</h3>", data) == ["SYNTHA and SYNTHB", "SYNTHB"]
    assert data.count(">How labels end</p>") == 2
    assert "Horizon 5, SYNTHA: +1.2 / −1.2 ATR, 15 bars." in html and "Horizon 5, SYNTHB: +2 / −2 ATR, " in html
    fingerprints = [each.manifest["data_fingerprint"] for each in (run, other)]
    assert f"{fingerprints[0]}: SYNTHA, SYNTHB, horizon 5; {fingerprints[1]}: SYNTHB, horizon 5" in html
    moved = replace(other, manifest={**other.manifest, "data_fingerprint": "other"})
    html = write_run_report([run, moved], tmp_path / "moved.html").read_text(encoding="utf-8")
    assert "now holds another dataset than the one of these runs" in html


def test_a_page_without_a_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match="at least 1 run"):
        write_run_report([], tmp_path / "page.html")


def test_a_model_without_importances_or_path_still_has_its_page(copied, tmp_path):
    run = copied()
    (run.path / "metrics" / "feature_importance.json").unlink()
    (run.path / "predictions" / "val_path.parquet").unlink()
    html = write_run_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "No importances: logistic." in html
    assert '<section id="curves">' not in html


def test_scores_that_are_all_undefined_are_dashes(run, tmp_path):
    classes = dict.fromkeys(run.evaluation["classification"])
    classes |= {"confusion_matrix": [[0] * 3] * 3, "per_class_f1": dict.fromkeys(("short", "neutral", "long"))}
    classes |= {"per_symbol": {}, "direction_effective_rows": 0.0}
    trading = {**run.evaluation["trading"], "per_symbol": {}, "sharpe_ratio": None, "sharpe_interval": None}
    empty = replace(run, evaluation={**run.evaluation, "classification": classes, "trading": trading})
    html = write_run_report([empty], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "No probabilities to judge." in html
    assert balanced(html)


def test_six_runs_stay_under_600_kilobytes(copied, tmp_path):
    runs = [copied(f"logistic_h5_x_{number}") for number in range(6)]
    assert write_run_report(runs, tmp_path / "page.html").stat().st_size < 600_000


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_shows_both_pages_without_sideways_scrolling(page, dataset, tmp_path):
    """On a phone and a desk a page is as wide as its window; wide tables scroll in their own boxes."""
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    shutil.copy(dataset / "dataset.json", tmp_path)
    write_dataset_report(tmp_path)
    frames = "".join(
        f'<iframe src="{name}" style="width:{width}px;height:900px;border:0"></iframe>'
        for name in ("page.html", "report.html")
        for width in (390, 1280)
    )
    measure = "[...document.querySelectorAll('iframe')].map(f => f.contentDocument.documentElement.scrollWidth).join()"
    probe = f"<!DOCTYPE html>{frames}<script>onload = () => {{ document.title = {measure}; }}</script>"
    (tmp_path / "probe.html").write_text(probe, encoding="utf-8")
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--allow-file-access-from-files",
        "--hide-scrollbars", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", str(tmp_path / "probe.html"),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert re.search("<title>([^<]*)</title>", shown)[1] == "390,1280,390,1280"
