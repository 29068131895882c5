"""A run that is killed at any moment, or whose checkpoints are damaged, ends with the bytes of one that was left alone."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import call, succeed
from faulty_runs import KILLED_AT, check_same, check_whole, command, hurt, only_run, whole_run

from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.storage import atomic
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.run_folders import run_facts

MODELS = ("gru", "xgboost", "lightgbm", "catboost", "random_forest")
CALLS = {"gru": 380, "xgboost": 400, "lightgbm": 400, "catboost": 1300, "random_forest": 210}
BEGUN = 60
"""About as many as a run of each model makes, and the first of them when it has settings; one that made fewer is finished."""
KILLS = 20


@pytest.fixture(scope="module")
def wholes(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`wholes(model)` is a run that nothing hit."""
    found: dict[str, Path] = {}

    def whole(model: str) -> Path:
        if not ModelRegistry.entry(model).installed:
            pytest.skip(f"{model} needs {ModelRegistry.entry(model).requires}")
        if model not in found:
            found[model] = whole_run(model, small, tmp_path_factory.mktemp(model) / "runs")
        return found[model]

    return whole


def check_killed(model: str, moments: list[int], small: Path, folder: Path, whole: Path) -> int:
    """Kill one run again and again, each time at another call, until all moments are over; how many kills it took."""
    runs, kills = folder / "runs", 0
    for moment in moments:
        begun = [state.parent for state in runs.glob("*/config/start.json")]
        arguments = ["resume", str(begun[0].parent)] if begun else command(model, small, runs)
        answer = hurt(KILLED_AT, arguments, KILLED_AT=str(moment), KILLED_IN=str(folder))
        if answer.returncode == 0:
            break
        assert answer.returncode == -signal.SIGKILL, answer.stderr
        kills += 1
        for run in [state.parent for state in runs.glob("*/state.json")]:
            for path in run.rglob("*.json"):
                if ".partial-" not in str(path):
                    read_json(path)
            assert run_facts(run).state in {"LOST", "FINISHED"}
        _forget_unbegun(runs)
        if any(read_json(state)["state"] == "FINISHED" for state in runs.glob("*/state.json")):
            break
    if not list(runs.glob("*/state.json")):
        succeed(*command(model, small, runs))
    run = only_run(runs)
    if read_json(run / "state.json")["state"] != "FINISHED":
        succeed("resume", run)
    check_same(run, whole)
    return kills


def _forget_unbegun(runs: Path) -> None:
    """A run that was killed before it had settings is nothing that could go on: the next attempt is a new run."""
    for state in runs.glob("*/state.json"):
        if not (state.parent / "config" / "start.json").is_file():
            state.unlink()


@pytest.mark.parametrize("model", ["lightgbm", pytest.param("gru", marks=pytest.mark.slow)])
def test_a_run_killed_at_two_moments_ends_with_the_bytes_of_a_whole_one(
    model: str, small: Path, wholes: Callable[[str], Path], tmp_path: Path
) -> None:
    """F1, a seeded sample."""
    moments = random.Random(f"{model}2").sample(range(BEGUN, CALLS[model] // 2), 2)
    assert check_killed(model, moments, small, tmp_path, wholes(model)) == 2


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("model", MODELS)
def test_a_run_killed_at_twenty_moments_ends_with_the_bytes_of_a_whole_one(
    model: str, small: Path, wholes: Callable[[str], Path], tmp_path: Path
) -> None:
    """F1: at least 20 random calls, those of checkpoint writes among them."""
    draw, kills, rounds = random.Random(model), 0, 0
    while kills < KILLS:
        moments, rounds = [draw.randrange(10, CALLS[model]) for _ in range(5)], rounds + 1
        kills += check_killed(model, moments, small, tmp_path / str(rounds), wholes(model))


def test_a_process_that_dies_between_any_two_steps_of_the_writer_leaves_the_old_file_or_the_new_one(
    tmp_path: Path,
) -> None:
    """F3: every pair of steps, in a process of its own; what is left beside the file goes at the next attempt."""
    path, step, seen = tmp_path / "state.json", 0, set()
    while True:
        step += 1
        path.write_text("old")
        child = os.fork()
        if child == 0:
            _die_at(step, str(tmp_path))
            atomic.write_text(path, "new")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        seen.add(path.read_text())
        atomic.remove_partial(tmp_path)
        assert [each.name for each in tmp_path.iterdir()] == ["state.json"]
        if os.waitstatus_to_exitcode(status) == 0:
            break
    assert step > 6
    assert seen == {"old", "new"}


def _die_at(step: int, root: str) -> None:
    """Let this process end before its n-th call to the disk below `root`."""
    left = [step]

    def counted(genuine: Callable[..., object]) -> Callable[..., object]:
        def call(place: object, *given: object, **options: object) -> object:
            where = os.readlink(f"/proc/self/fd/{place}") if isinstance(place, int) else str(place)
            if where.startswith(root):
                left[0] -= 1
                if left[0] == 0:
                    os._exit(9)
            return genuine(place, *given, **options)

        return call

    for owner, name in ((os, "open"), (os, "fsync"), (os, "replace"), (Path, "write_bytes"), (Path, "mkdir")):
        setattr(owner, name, counted(getattr(owner, name)))
    Path.unlink = counted(Path.unlink)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def removed(path: Path) -> None:
    path.unlink()


DAMAGES = (cut, zeroed, flipped, emptied, removed)
NEWEST = {"gru": "model.safetensors", "xgboost": "model.ubj", "lightgbm": "model.txt", "catboost": "model.cbsnapshot"}
INTERRUPTED = """
from ohlcv_factory.models.boosting import catboost
from ohlcv_factory.training.trainer import RunSink

catboost.SNAPSHOT_SECONDS = 0
tell = RunSink.on_epoch

def on_epoch(sink, epoch, total, metrics):
    tell(sink, epoch, total, metrics)
    if epoch > 0.7 * total:
        raise KeyboardInterrupt

RunSink.on_epoch = on_epoch
"""


@pytest.fixture(scope="module")
def interrupted(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`interrupted(model)` is a folder of runs whose one run was interrupted when it had several checkpoints."""
    found: dict[str, Path] = {}

    def runs(model: str) -> Path:
        if model not in found:
            found[model] = tmp_path_factory.mktemp(f"{model}_cut") / "runs"
            answer = hurt(INTERRUPTED, command(model, small, found[model]))
            assert answer.returncode == 130, answer.stderr
        return found[model]

    return runs


@pytest.mark.parametrize(
    ("model", "damage"),
    [
        pytest.param(model, damage, marks=[] if (model, damage) == ("lightgbm", flipped) else pytest.mark.slow)
        for model in NEWEST
        for damage in DAMAGES
    ],
)
def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_is_taken(
    model: str,
    damage: Callable[[Path], None],
    wholes: Callable[[str], Path],
    interrupted: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """F4."""
    whole, run = wholes(model), copied(interrupted(model), tmp_path)
    before, newest = sorted((run / "checkpoints").glob("checkpoint_epoch_*"))[-2:]
    damage(newest / NEWEST[model])
    answer = succeed("resume", run)
    assert answer.err.count("warning: ") == 1
    assert f"{newest / NEWEST[model]} is not the file that was written; {before.name} is taken" in answer.err
    assert read_json(run / "state.json")["resumed_from"] == before.name
    check_same(run, whole)


@pytest.mark.parametrize("damage", [removed, emptied])
def test_without_its_digests_a_checkpoint_is_not_taken_and_without_any_the_fit_starts_again(
    damage: Callable[[Path], None],
    wholes: Callable[[str], Path],
    interrupted: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """F4: digests are missing, in all of them."""
    whole, run = wholes("lightgbm"), copied(interrupted("lightgbm"), tmp_path)
    checkpoints = sorted((run / "checkpoints").glob("checkpoint_epoch_*"))
    for checkpoint in checkpoints:
        damage(checkpoint / "state.json")
    answer = succeed("resume", run)
    assert answer.err.count("warning: ") == 1
    assert all(str(checkpoint / "state.json") in answer.err for checkpoint in checkpoints)
    assert "none is left: the fit starts again" in answer.err
    assert read_json(run / "state.json")["resumed_from"] == "start"
    check_same(run, whole)


def copied(runs: Path, folder: Path) -> Path:
    """The run in a folder of its own: it has moved, too."""
    import shutil

    shutil.copytree(runs.parent, folder / "moved")
    return only_run(folder / "moved" / "runs")


def test_a_second_process_is_refused_within_a_second_and_names_the_first(
    small: Path, wholes: Callable[[str], Path], interrupted: Callable[[str], Path], tmp_path: Path
) -> None:
    """F7: while the first one trains."""
    wholes("lightgbm")
    run = copied(interrupted("lightgbm"), tmp_path)
    meddling = """
import resource, subprocess, sys, time
from ohlcv_factory.training.trainer import RunSink

tell, tried = RunSink.on_epoch, []

def on_epoch(sink, *given):
    if not tried:
        before, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        code = "from ohlcv_factory.cli.app import main; main()"
        tried.append(subprocess.run([sys.executable, "-c", code, *sys.argv[1:]], capture_output=True, text=True))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
        print("SECOND", tried[0].returncode, round(cpu, 2), tried[0].stderr.splitlines()[0], file=sys.stderr)
    tell(sink, *given)

RunSink.on_epoch = on_epoch
"""
    answer = hurt(meddling, ["resume", str(run)])
    assert answer.returncode == 0, answer.stderr
    second = next(line for line in answer.stderr.splitlines() if line.startswith("SECOND"))
    _, code, cpu, said = second.split(" ", 3)
    first = read_json(run / "state.json")["pid"]
    assert (int(code), said) == (
        75,
        f"error[E-locked]: this run is still at work (process {first} on {os.uname().nodename}).",
    )
    assert float(cpu) < 1  # CPU seconds: on an idle machine the whole answer takes no longer
    check_same(run, wholes("lightgbm"))
    check_whole(run)
    assert call("resume", run).code == 2  # it is finished
