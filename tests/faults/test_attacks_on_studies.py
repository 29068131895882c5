"""Files made to do harm in studies, ensembles, sweeps and addenda, through every command that reads them.

As in `test_attacks.py`: once as the manifests stand, which give the file away, and once with all of them written anew.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import harmful
import pytest
from attacked import IRREGULAR, refused, some, unfinished
from resealed import reseal_all

from ohlcv_factory.cli.app import invoke  # noqa: F401  (imported before anything is watched)

pytestmark = pytest.mark.usefixtures("in_this_process")

FOLD, FINAL = "folds/fold_01", "final"
LEARNER = "checkpoints/best_model.learner"
FOREST = "members/random_forest/final"
Harm = Callable[[Path], bytes]
SWAPPED: dict[str, dict[str, tuple[str, Harm]]] = {
    "cv": {
        "a pickle as predictions": ("predictions/oof_predictions.parquet", harmful.pickled),
        "a pickle as money": ("predictions/oof_path.parquet", harmful.pickled),
        "an object array": ("predictions/oof_probabilities.npy", harmful.object_array),
        "a pickle as scores": ("metrics/metrics.json", harmful.pickled),
        "a pickle as folds": ("folds.json", harmful.pickled),
        "a tag in the recipe": ("config/study.yaml", harmful.yaml_tag),
        "a bomb of aliases in the recipe": ("config/study.yaml", harmful.yaml_bomb),
        "ten megabytes of recipe": ("config/study.yaml", harmful.yaml_of_10_mb),
        "a pickle as a fold's predictions": (f"{FOLD}/predictions.parquet", harmful.pickled),
        "a pickle as a fold's scores": (f"{FOLD}/scores.json", harmful.pickled),
        "a pickle as a fold's fit": (f"{FOLD}/fit.json", harmful.pickled),
        "a pickle as a fold's times": (f"{FOLD}/time.json", harmful.pickled),
        "a pickle as a fold's manifest": (f"{FOLD}/manifest.json", harmful.pickled),
        "a planted type in a fold's model": (f"{FOLD}/checkpoints/best_model.skops", harmful.planted_skops),
        "object arrays as a fold's reference": (f"{FOLD}/checkpoints/reference.npz", harmful.object_arrays),
        "a pickle as the final model": (f"{FINAL}/checkpoints/best_model.skops", harmful.pickled),
        "a torch archive as the final model": (f"{FINAL}/checkpoints/best_model.skops", harmful.torch_archive),
        "a tag in the final model's columns": (f"{FINAL}/config/feature_config.yaml", harmful.yaml_tag),
    },
    "tune": {
        "a pickle as numbers": ("metrics/tuning.json", harmful.pickled),
        "a tag in the best settings": ("best.yaml", harmful.yaml_tag),
        "a bomb of aliases in the recipe": ("config/tuning.yaml", harmful.yaml_bomb),
        "a pickle as the start": ("config/start.json", harmful.pickled),
    },
    "barriers": {
        "a pickle as numbers": ("metrics/barriers.json", harmful.pickled),
        "a tag in the barriers": ("barriers.yaml", harmful.yaml_tag),
        "ten megabytes of recipe": ("config/barrier_tuning.yaml", harmful.yaml_of_10_mb),
    },
    "voting": {
        "a pickle as weights": ("checkpoints/best_model.json", harmful.pickled),
        "a pickle as a member": ("members/logistic/final/checkpoints/best_model.skops", harmful.pickled),
        "a planted type in a member": (f"{FOREST}/checkpoints/best_model.skops", harmful.planted_skops),
        "a pickle as a member's scaler": ("members/logistic/final/checkpoints/scaler.json", harmful.pickled),
        "a tag in a member's columns": (f"{FOREST}/config/feature_config.yaml", harmful.yaml_tag),
        "object arrays as a member's reference": (f"{FOREST}/checkpoints/reference.npz", harmful.object_arrays),
        "a pickle as a member's manifest": (f"{FOREST}/manifest.json", harmful.pickled),
    },
    "stacking": {
        "a pickle as the head": ("checkpoints/best_model.json", harmful.pickled),
        "a pickle as the meta-learner": (f"{LEARNER}.skops", harmful.pickled),
        "a planted type in the meta-learner": (f"{LEARNER}.skops", harmful.planted_skops),
        "a torch archive as the meta-learner": (f"{LEARNER}.skops", harmful.torch_archive),
        "a pickle as the meta-learner's facts": (f"{LEARNER}.meta.json", harmful.pickled),
        "a pickle as answers of members": ("predictions/oof_members.parquet", harmful.pickled),
        "a pickle as the comparison": ("metrics/ensemble.json", harmful.pickled),
        "a pickle as a member's fold": (f"members/logistic/{FOLD}/predictions.parquet", harmful.pickled),
        "a pickle as a member's job": (f"{FOREST}/job.json", harmful.pickled),
    },
    "evaluated": {
        "a pickle as scores of the test part": ("addenda/002/metrics/evaluation_metrics.json", harmful.pickled),
        "a pickle as its predictions": ("addenda/002/predictions/test_predictions.parquet", harmful.pickled),
        "a pickle as its money": ("addenda/002/predictions/test_path.parquet", harmful.pickled),
        "an object array": ("addenda/002/predictions/test_probabilities.npy", harmful.object_array),
        "a pickle as the addendum's manifest": ("addenda/002/manifest.json", harmful.pickled),
    },
}
"""By kind of folder: what, the file, its content."""
ATTACKS = [(kind, attack) for kind, attacks in SWAPPED.items() for attack in attacks]
ADDED = {
    "cv": ("x.pkl", f"{FOLD}/checkpoints/weights.pt", f"{FINAL}/checkpoints/model.joblib"),
    "tune": ("sampler.pkl",),
    "barriers": ("sampler.pickle",),
    "stacking": (f"{LEARNER}.pkl", f"{FOREST}/pytorch_model.bin"),
    "evaluated": ("addenda/002/x.pkl",),
}
LINKED = {
    "cv": (
        "predictions/oof_predictions.parquet",
        f"{FOLD}/scores.json",
        f"{FINAL}/checkpoints/scaler.json",
        "manifest.json",
    ),
    "tune": ("trials.sqlite", "best.yaml", "manifest.json"),
    "barriers": ("trials.sqlite",),
    "voting": ("checkpoints/best_model.json", f"{FOREST}/checkpoints/best_model.skops"),
    "evaluated": ("addenda/002/predictions/test_path.parquet", "addenda/002/manifest.json"),
}


def crossed(files: Mapping[str, Iterable[str]], more: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Each file of each kind with each of some further values."""
    return [(kind, name, each) for (kind, names), each in product(files.items(), more) for name in names]


def commands(kind: str, folder: Path, ground: Any, tmp_path: Path) -> dict[str, tuple[str | Path, ...]]:
    """Every command that reads a finished folder of a kind."""
    data, shown = ("--dataset", ground.dataset), ("--track", "tensorboard", "--tracking-uri", tmp_path / "board")
    every = {"verify": ("verify", folder), "sync": ("sync", folder, *shown)}
    if kind == "evaluated":  # an addendum, which no tracker is told of
        return {"verify": every["verify"], "compare": ("compare", folder, "--part", "test")}
    own: dict[str, dict[str, tuple[str | Path, ...]]] = {
        "cv": {
            "compare": ("compare", folder, "--part", "oof"),
            "audit study": ("audit", "study", folder, *data),
        },
        "tune": {},
        "barriers": {},
    }
    return {**every, **own[kind]} if kind in own else {**every, **commands_of_a_run(folder, ground, tmp_path)}


def commands_of_a_run(folder: Path, ground: Any, tmp_path: Path) -> dict[str, tuple[str | Path, ...]]:
    """Every command that reads the model of a finished run."""
    data = ("--dataset", ground.dataset)
    return {
        "predict": ("predict", folder, ground.bars),
        "predict --bundle": ("predict", "--bundle", folder, ground.bars),
        "evaluate": ("evaluate", folder, *data),
        "reproduce": ("reproduce", folder, *data),
        "audit run": ("audit", "run", folder, *data),
        "compare": ("compare", folder),
        "report": ("report", folder, "--out", tmp_path / "report.html"),
        "recommend": ("recommend", *data, "--horizon", "5", "--runs", folder),
        "runs diff": ("runs", "diff", folder, ground.runs["evaluated"]),
        "export": ("export", folder, "--mlflow", tmp_path / "exported"),
    }


READS_NO_MODEL = ("compare", "audit study")
"""Of a study: models of folds are loaded by `predict` and by the audit's own checks, through their own manifests."""
READS_NOT_ALL = ("export",)
"""Copies files that are those of the manifest, and parses the manifest alone."""


def reading(kind: str, name: str, *rest: Any) -> list[tuple[str | Path, ...]]:
    """The commands that parse a file of a folder, where the manifest gives nothing away."""
    is_model = kind == "cv" and ("/checkpoints/" in name or "/config/" in name)
    left_out = READS_NOT_ALL + (READS_NO_MODEL if is_model else ())
    return [each for verb, each in commands(kind, *rest).items() if verb not in left_out]


def sampled(number: int, found: list[tuple[str | Path, ...]], count: int = 2) -> list[tuple[str | Path, ...]]:
    """Some of the commands, others for each number."""
    return [found[(number + step * 3) % len(found)] for step in range(min(count, len(found)))]


def swapped(kind: str, attack: str, folder: Path, canary: Path) -> str:
    """Put the harmful file into a folder; its name."""
    name, content = SWAPPED[kind][attack]
    (folder / name).write_bytes(content(canary))
    return name


@pytest.mark.parametrize("kind", some(SWAPPED, every=3))
def test_what_nobody_harmed_is_read_by_every_command(kind, guarded, copied_study, studies, tmp_path) -> None:
    folder = copied_study(kind)
    for arguments in commands(kind, folder, studies, tmp_path).values():
        answer = guarded(*arguments)
        looked_twice = arguments[0] == "audit"  # at the test part of this dataset, for `evaluated`
        assert answer.code == int(looked_twice), (arguments, answer.err or answer.out)


@pytest.mark.parametrize("number", some(range(len(ATTACKS)), every=4), ids=[" ".join(each) for each in ATTACKS])
def test_a_swapped_file_is_refused(number, guarded, copied_study, studies, canary, tmp_path) -> None:
    kind, attack = ATTACKS[number]
    folder = copied_study(kind)
    name = swapped(kind, attack, folder, canary)
    for arguments in sampled(number, list(commands(kind, folder, studies, tmp_path).values())):
        refused(guarded(*arguments), name)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "attack"), ATTACKS)
def test_a_swapped_file_is_refused_by_every_command(
    kind, attack, guarded, copied_study, studies, canary, tmp_path
) -> None:
    folder = copied_study(kind)
    name = swapped(kind, attack, folder, canary)
    for arguments in commands(kind, folder, studies, tmp_path).values():
        refused(guarded(*arguments), name)


@pytest.mark.parametrize("number", some(range(len(ATTACKS)), every=4), ids=[" ".join(each) for each in ATTACKS])
def test_a_swapped_file_with_manifests_to_fit_is_refused_by_its_parser(
    number, guarded, copied_study, studies, canary, tmp_path
) -> None:
    kind, attack = ATTACKS[number]
    folder = copied_study(kind)
    name = swapped(kind, attack, folder, canary)
    reseal_all(folder)
    for arguments in sampled(number, reading(kind, name, folder, studies, tmp_path), count=1):
        refused(guarded(*arguments), name)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "attack"), ATTACKS)
def test_every_command_holds_where_the_manifests_fit(
    kind, attack, guarded, copied_study, studies, canary, tmp_path
) -> None:
    folder = copied_study(kind)
    name = swapped(kind, attack, folder, canary)
    reseal_all(folder)
    for arguments in reading(kind, name, folder, studies, tmp_path):
        refused(guarded(*arguments), name)


@pytest.mark.parametrize(("kind", "name", "listed"), some(crossed(ADDED, [False, True]), every=3))
def test_a_file_that_could_run_code_is_refused_by_its_name(
    kind, name, listed, guarded, copied_study, studies, canary, tmp_path
) -> None:
    folder = copied_study(kind)
    (folder / name).write_bytes(harmful.pickled(canary))
    if listed:
        reseal_all(folder)
    for arguments in sampled(len(name), list(commands(kind, folder, studies, tmp_path).values())):
        refused(guarded(*arguments), name, codes=(65,))


@pytest.mark.parametrize(("kind", "name", "irregular"), some(crossed(LINKED, IRREGULAR), every=4))
def test_no_link_and_no_pipe_is_read(kind, name, irregular, guarded, copied_study, studies, tmp_path) -> None:
    folder = copied_study(kind)
    IRREGULAR[irregular](folder / name)
    if irregular == "hardlink" and Path(name).name == "manifest.json":
        pytest.skip("a second name of the manifest is no other content: its digest is what is pinned")
    for arguments in sampled(len(name), list(commands(kind, folder, studies, tmp_path).values())):
        refused(guarded(*arguments), name, codes=(65, 66))


UNFINISHED: dict[str, tuple[str, ...]] = {
    "cv": ("state.json", "config/study.yaml", "folds.json"),
    "tune": ("state.json", "config/tuning.yaml", "config/start.json", "trials.sqlite"),
    "barriers": ("state.json", "config/barrier_tuning.yaml", "config/start.json", "trials.sqlite"),
    "voting": ("state.json", "config/training_config.yaml", "config/start.json"),
}
"""What `resume` reads of a folder that is not finished, before it does anything."""
DONE = {
    "cv": (f"{FOLD}/predictions.parquet", f"{FOLD}/scores.json", f"{FOLD}/manifest.json", f"{FOLD}/time.json"),
    "voting": (
        f"members/logistic/{FOLD}/predictions.parquet",
        f"{FOREST}/checkpoints/best_model.skops",
        f"{FOREST}/job.json",
        f"{FOREST}/manifest.json",
    ),
}
"""What `resume` finds done there, and does again where it is not what was written."""
SHAPES = {"a list": b"[]", "an empty table": b"{}", "a word": b'"text"', "no bytes": b""}


def resumed(folder: Path, ground: Any) -> tuple[str | Path, ...]:
    return ("resume", folder, "--dataset", ground.dataset)


@pytest.mark.parametrize(("kind", "name", "harm"), some(crossed(UNFINISHED, ["pickle", *IRREGULAR]), every=5))
def test_resume_reads_nothing_harmful_of_an_unfinished_study(
    kind, name, harm, guarded, copied_study, studies, canary
) -> None:
    folder = unfinished(copied_study(kind))
    if harm == "pickle":
        (folder / name).write_bytes(harmful.pickled(canary))
    else:
        IRREGULAR[harm](folder / name)
    refused(guarded(*resumed(folder, studies)), name, codes=(65,))


@pytest.mark.parametrize(("kind", "name", "shape"), some(crossed(UNFINISHED, SHAPES), every=7))
def test_resume_says_which_file_of_an_unfinished_study_holds_something_else(
    kind, name, shape, guarded, copied_study, studies
) -> None:
    folder = unfinished(copied_study(kind))
    (folder / name).write_bytes(SHAPES[shape])
    answer = guarded(*resumed(folder, studies))
    if "began with other values" in answer.err:  # a recipe without keys asks for every default
        assert (answer.code, name) == (2, "config/barrier_tuning.yaml")
    else:
        refused(answer, name, codes=(2, 65, 66))


@pytest.mark.parametrize(("kind", "name"), [("cv", "sampler.pkl"), ("tune", "sampler.pkl"), ("voting", "members/x.pt")])
def test_resume_refuses_what_could_run_code(kind, name, guarded, copied_study, studies, canary) -> None:
    folder = unfinished(copied_study(kind))
    (folder / name).write_bytes(harmful.pickled(canary))
    refused(guarded(*resumed(folder, studies)), name, codes=(65,))


@pytest.mark.parametrize(("kind", "name", "listed"), some(crossed(DONE, [False, True]), every=9))
def test_what_resume_finds_done_and_harmful_is_done_again(
    kind, name, listed, guarded, copied_study, studies, canary
) -> None:
    folder = unfinished(copied_study(kind))
    (folder / name).write_bytes(harmful.pickled(canary))
    if listed:
        reseal_all(folder)
    answer = guarded(*resumed(folder, studies))
    if answer.code:
        refused(answer, name, codes=(65,))
    else:
        assert harmful.pickled(canary) != (folder / name).read_bytes()


@pytest.mark.parametrize("place", some(["addenda/member", ".partial-member", "tensorboard"], every=3))
def test_a_member_that_no_manifest_lists_is_none(place, guarded, copied_study, studies) -> None:
    run = copied_study("voting")
    (run / place).parent.mkdir(exist_ok=True)
    shutil.copytree(run / FOREST, run / place)
    columns = run / "config" / "feature_config.yaml"
    columns.write_text(columns.read_text().replace(f"[{FOREST}]", f"[{place}]"))
    reseal_all(run)
    manifest = json.loads((run / "manifest.json").read_text())
    kept = [each for each in manifest["files"] if not each["path"].startswith(place)]
    (run / "manifest.json").write_text(json.dumps({**manifest, "files": kept}))
    answer = guarded("predict", run, studies.bars)
    refused(answer, "feature_config.yaml", codes=(65,))
    assert f"there is no member at {place}" in answer.err
