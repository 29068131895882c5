"""Bytes that rot, are cut off or edited: by the digest always one sentence, behind it never a crash and never a hang.

With the manifest as it was, every damage is refused by the name of the file before a parser sees it. With a manifest that
was written anew, parsers see it: then a run is refused in one sentence, or it answers its reference rows as it should.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mutations import KINDS, damaged
from resealed import reseal, reseal_all

from ohlcv_factory.errors import VerificationError
from ohlcv_factory.training.run_manifest import read_run_manifest, verify_files

MOST_SECONDS = 10.0
FILES = {
    "LightGBM text": ("lightgbm", "checkpoints/best_model.txt"),
    "XGBoost UBJ": ("xgboost", "checkpoints/best_model.ubj"),
    "CatBoost": ("catboost", "checkpoints/best_model.cbm"),
    "skops": ("logistic", "checkpoints/best_model.skops"),
    "safetensors": ("mlp", "checkpoints/best_model.safetensors"),
    "npz": ("logistic", "checkpoints/reference.npz"),
    "npy": ("logistic", "predictions/val_probabilities.npy"),
    "Parquet": ("logistic", "predictions/val_predictions.parquet"),
    "JSON": ("logistic", "metrics/evaluation_metrics.json"),
    "facts": ("logistic", "checkpoints/best_model.meta.json"),
    "YAML": ("logistic", "config/feature_config.yaml"),
}
"""One file of each format that is read."""
NO_SUCH_BARS = "the run was trained on"
"""What is said where a digit of the bar size was changed: a run may have been trained on any."""
ALL = range(1, 31)
"""Seeds of each kind of damage to each format, 120 damages of a format, behind `--all`."""
LATER = [pytest.param(kind, seed, marks=pytest.mark.slow) for kind in KINDS for seed in ALL]


def drawn() -> list[object]:
    """Two kinds of damage to each format in the ordinary suite, so that each kind has its turn; then all."""
    sample = [(name, KINDS[(place + more) % len(KINDS)], 0) for place, name in enumerate(FILES) for more in (0, 1)]
    later = [pytest.param(name, kind, seed, marks=pytest.mark.slow) for name in FILES for kind in KINDS for seed in ALL]
    return [*sample, *later]


@pytest.mark.parametrize("format", FILES)
def test_every_damage_is_told_by_the_digest_before_a_parser_sees_it(format, copied) -> None:
    model, name = FILES[format]
    run = copied(model)
    content, manifest = (run / name).read_bytes(), read_run_manifest(run)
    for kind in KINDS:
        for seed in range(10):
            (run / name).write_bytes(damaged(content, kind, seed))
            with pytest.raises(VerificationError, match=f"{Path(name).name} is not the file that was written"):
                verify_files(run, manifest)
    (run / name).write_bytes(content)
    assert verify_files(run, manifest) == len(manifest["files"])


@pytest.mark.parametrize(("format", "kind", "seed"), drawn())
def test_a_parser_behind_a_manifest_to_fit_neither_crashes_nor_hangs(
    format, kind, seed, guarded, trials, copied, stand
) -> None:
    model, name = FILES[format]
    run = copied(model)
    (run / name).write_bytes(damaged((run / name).read_bytes(), kind, seed))
    reseal(run)
    answer = guarded("predict", run, stand.bars)
    assert trials.cpu_seconds < MOST_SECONDS
    assert answer.code in (0, 65, 76), answer.err
    assert not answer.code or Path(name).name in answer.err or NO_SUCH_BARS in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(("kind", "seed"), [("digits", 0), ("flip", 0), *LATER])
@pytest.mark.parametrize("command", ["compare", "report"])
def test_scores_and_tables_are_read_or_refused_in_one_sentence(command, kind, seed, guarded, copied, tmp_path) -> None:
    run = copied("logistic")
    out = ("--out", tmp_path / "report.html") if command == "report" else ()
    for name in ("metrics/evaluation_metrics.json", "predictions/val_path.parquet"):
        content = (run / name).read_bytes()
        (run / name).write_bytes(damaged(content, kind, seed))
        reseal(run)
        answer = guarded(command, run, *out)
        assert answer.code in (0, 65, 76), answer.err
        assert not answer.code or Path(name).name in answer.err
        (run / name).write_bytes(content)


@pytest.mark.parametrize("name", ["SYNTH.parquet", "SYNTH.features.npy"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_dataset_is_refused_by_its_digest_and_its_pages(
    name, kind, guarded, copied_dataset, tmp_path
) -> None:
    path, train = copied_dataset / name, ("train", "--model", "logistic", "--horizon", "5", "--dry-run")
    path.write_bytes(damaged(path.read_bytes(), kind, 3))
    answer = guarded(*train, "--dataset", copied_dataset, "--output-dir", tmp_path / "out")
    assert (answer.code, name in answer.err) == (65, True)
    if name.endswith(".parquet"):
        reseal(copied_dataset, "dataset.json")
        answer = guarded(*train, "--dataset", copied_dataset, "--output-dir", tmp_path / "out")
        assert (answer.code, name in answer.err) == (65, True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_table_of_ours_is_no_bar_file(kind, guarded, copied_dataset, tmp_path: Path) -> None:
    bars: Callable[..., Path] = tmp_path.joinpath
    content = (copied_dataset / "SYNTH.parquet").read_bytes()
    bars("SYNTH.parquet").write_bytes(damaged(content, kind, 5))
    answer = guarded("data", "check", bars("SYNTH.parquet"))
    assert answer.code == 65
    assert "SYNTH.parquet" in answer.err


OF_STUDIES = {
    "scores of a study": ("cv", "metrics/metrics.json"),
    "predictions of a study": ("cv", "predictions/oof_predictions.parquet"),
    "times of a fold": ("cv", "folds/fold_02/time.json"),
    "recipe of a study": ("cv", "config/study.yaml"),
    "weights": ("voting", "checkpoints/best_model.json"),
    "members": ("voting", "config/feature_config.yaml"),
    "a member": ("voting", "members/logistic/final/checkpoints/best_model.skops"),
    "a meta-learner": ("stacking", "checkpoints/best_model.learner.skops"),
    "scores of an addendum": ("evaluated", "addenda/002/metrics/evaluation_metrics.json"),
    "money of an addendum": ("evaluated", "addenda/002/predictions/test_path.parquet"),
}
"""What no single model's run has."""
FEW = range(1, 8)
"""Seeds of each kind of damage to each of these, behind `--all`."""


def drawn_of_studies() -> list[object]:
    """One kind of damage to every second in the ordinary suite, then all."""
    sample = [(name, KINDS[place % len(KINDS)], 0) for place, name in enumerate(OF_STUDIES) if place % 2 == 0]
    each = ((name, kind, seed) for name in OF_STUDIES for kind in KINDS for seed in FEW)
    return [*sample, *(pytest.param(*one, marks=pytest.mark.slow) for one in each)]


@pytest.mark.parametrize(("what", "kind", "seed"), drawn_of_studies())
def test_a_parser_of_a_study_neither_crashes_nor_hangs(what, kind, seed, guarded, copied_study, studies) -> None:
    study, name = OF_STUDIES[what]
    folder = copied_study(study)
    (folder / name).write_bytes(damaged((folder / name).read_bytes(), kind, seed))
    reseal_all(folder)
    part = {"cv": ("--part", "oof"), "evaluated": ("--part", "test")}
    command = ("compare", folder, *part[study]) if study in part else ("predict", folder, studies.bars)
    answer = guarded(*command)
    assert answer.code in (0, 65, 76), answer.err
    assert not answer.code or Path(name).name in answer.err, answer.err
    assert "Traceback" not in answer.err
