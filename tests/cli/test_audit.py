from __future__ import annotations

from pathlib import Path

import pytest
from command_line import call, succeed, train, write_bars
from own_features import own_features
from own_models import own_models
from planted_names import LEAKS

from ohlcv_factory.audit import fit_checks, subject

SUPPORT = Path(__file__).parent.parent / "support"
PLANTED, MODELS = SUPPORT / "planted.py", SUPPORT / "dishonest_models.py"
FEW = "return_1,rsi_14"


@pytest.fixture(scope="module")
def bars(folder):
    return write_bars(folder / "AUDIT_5min.csv", 3000)


@pytest.fixture(autouse=True)
def _small_market(monkeypatch):
    monkeypatch.setattr(fit_checks, "NULL_BARS", 16_000)
    monkeypatch.setattr(fit_checks, "PLANTED_BETA", 0.6)
    monkeypatch.setattr(subject, "MODEL_BARS", 6000)


def test_clean_columns_pass_with_one_table(bars):
    answer = succeed("audit", "features", "--bars", bars, "--features", FEW)
    assert "features AUDIT: 10 pass" in answer.out
    assert answer.out.splitlines()[2].split() == ["check", "verdict", "size", "what", "to", "do"]
    assert "truncation         pass     2 columns on 3000 bars" in answer.out


def test_planted_leaks_fail_with_a_table_of_test_column_bar_and_size(bars):
    with own_features():
        answer = call("audit", "features", "--bars", bars, "--plugin", PLANTED, "--check", "truncation,stream")
    assert answer.code == 1
    assert "features AUDIT: 2 fail" in answer.out
    assert "the column reads later bars: compute row t from rows up to t" in answer.out
    lines = [
        line.split() for line in answer.out.splitlines() if line.startswith("truncation  ") and " fail " not in line
    ]
    assert {line[1] for line in lines} == set(LEAKS)
    for line in lines:
        assert 0 <= int(line[2]) < 3000
        assert float(line[4]) > 0
    assert "bar_body" not in answer.out


def test_json_holds_the_same(bars):
    with own_features():
        names = ("--features", "global_z_score", "--check", "truncation", "--check", "other-symbol")
        answer = call("audit", "features", "--bars", bars, "--plugin", PLANTED, *names, "--json")
    assert answer.code == 1
    assert answer.json["passed"] is False
    assert (answer.json["kind"], answer.json["subject"]) == ("features", "AUDIT")
    truncation, other_symbol = answer.json["checks"]
    assert (truncation["check"], truncation["verdict"], truncation["measured"]) == ("truncation", "fail", 1.0)
    assert truncation["what_to_do"].startswith("the column reads later bars")
    assert {violation["feature"] for violation in truncation["violations"]} == {"global_z_score"}
    assert (other_symbol["verdict"], other_symbol["what_to_do"], other_symbol["violations"]) == ("pass", "", [])


def test_bars_are_resampled_and_several_files_are_audited_together(bars, folder):
    other = write_bars(folder / "OTHER_5min.csv", 3000, seed=8)
    files = ("--bars", bars, "--bars", other)
    answer = succeed(
        "audit", "features", *files, "--bar-size", "10min", "--features", FEW, "--check", "truncation", "--json"
    )
    assert answer.json["subject"] == "AUDIT, OTHER"
    assert answer.json["checks"][0]["size"] == "2 columns on 3000 bars"


def test_only_the_newest_bars_are_looked_at(bars):
    few = ("--features", FEW, "--last", "1000", "--check", "values")
    answer = succeed("audit", "features", "--bars", bars, *few, "--json")
    assert answer.json["checks"][0]["size"] == "2 columns on 1000 bars"


def test_a_column_that_needs_more_bars_is_named(bars):
    names = ("--features", "return_1,rsi_14_1h", "--last", "1000", "--check", "values")
    answer = succeed("audit", "features", "--bars", bars, *names)
    assert "1 columns on 1000 bars, 1 need more bars: rsi_14_1h" in answer.out


def test_without_bars_a_random_walk_is_taken():
    answer = succeed("audit", "features", "--features", FEW, "--check", "values", "--json")
    assert answer.json["checks"][0]["size"] == "2 columns on 5000 bars"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("--features", "rsi_15"), "Did you mean 'rsi_14'"),
        (("--features", FEW, "--check", "trunction"), "Did you mean 'truncation'"),
        (("--features", FEW, "--check", "predict-path"), "check 'predict-path' is not for kind 'features'"),
    ],
)
def test_an_unknown_column_or_check_is_refused(bars, names, words):
    answer = call("audit", "features", "--bars", bars, *names)
    assert answer.code == 2
    assert words in answer.err


def test_a_dataset_is_audited(dataset, folder):
    answer = succeed("audit", "dataset", dataset, "--experiments", folder / "nowhere", "--json")
    found = {each["check"]: each["verdict"] for each in answer.json["checks"]}
    assert found.pop("test-looks") == "skipped"
    assert set(found.values()) == {"pass"}


def test_a_run_is_audited(run):
    answer = succeed(
        "audit", "run", run, "--check", "predict-path,determinism,fitted-state,span-overlap,planted-signal"
    )
    assert answer.out.count("pass") == 6
    assert "5 pass" in answer.out


def test_the_newest_run_of_a_folder_is_audited(run):
    answer = succeed("audit", "run", run.parent / "latest", "--check", "span-overlap", "--json")
    assert answer.json["subject"] == str(run)


def test_a_run_that_does_not_come_out_again_says_what_is_not_as_it_was(run, monkeypatch):
    fit = subject.fit_pipeline
    monkeypatch.setattr(subject, "fit_pipeline", lambda config, *more: fit(_of_other_strength(config), *more))
    monkeypatch.setattr(fit_checks, "environment_differences", lambda then, now: ("threads: 2 then, 1 now",))
    answer = call("audit", "run", run, "--check", "determinism")
    assert answer.code == 1
    assert "fitted again; not as it was: threads: 2 then, 1 now" in answer.out


def _of_other_strength(config):
    return config.model_copy(update={"model": {**config.model, "C": 0.01}})


def test_a_run_whose_test_part_was_looked_at_twice_fails(dataset, tmp_path):
    own = train(dataset, tmp_path / "experiments" / "runs")
    for _ in range(2):
        succeed("evaluate", own, "--part", "test")
    answer = call("audit", "run", own, "--check", "test-looks")
    assert answer.code == 1
    assert "2 looks, at most 1" in answer.out
    answer = call("audit", "dataset", dataset, "--experiments", tmp_path / "experiments", "--check", "test-looks")
    assert answer.code == 1


def test_a_run_is_audited_with_the_dataset_where_it_has_moved(run, dataset, tmp_path):
    moved = tmp_path / "moved"
    moved.symlink_to(dataset)
    succeed("audit", "run", run, "--dataset", moved, "--check", "stored-values")


def test_a_model_of_a_file_is_audited_by_name_and_the_file_alone_must_hold_one(tmp_path):
    with own_models():
        checks = ("--check", "predict-path,determinism")
        assert call("audit", "model", "honest_mean", "--plugin", MODELS, *checks).code == 0
        assert call("audit", "model", "batch_scaler", "--plugin", MODELS, *checks).code == 1
        several = call("audit", "model", MODELS, *checks)
    assert several.code == 2
    assert "registers 5 models: honest_mean, batch_scaler" in several.err
    one = tmp_path / "one_model.py"
    one.write_text(MODELS.read_text().partition('@ModelRegistry.register("batch_scaler"')[0])
    with own_models():
        succeed("audit", "model", one, *checks)


def test_settings_of_a_model_are_obeyed_or_refused():
    check = ("--check", "values")
    assert call("audit", "model", "logistic", "--set", "no_such_key=1", *check).code == 2
    succeed("audit", "model", "logistic", "--set", "max_iter=50", *check)
