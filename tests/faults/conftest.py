from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from armed import watching
from attacked import promptly
from command_line import DATASET, FEATURES, Answer, call, succeed, train, write_bars
from inline_executor import InlineExecutor
from quick_studies import quick_studies
from warm_trial import WarmTrials, warm_trials

from ohlcv_factory.storage import trial
from ohlcv_factory.training.tracking import courier
from ohlcv_factory.training.tracking.settings import ExperimentConfig

MODELS = {
    "logistic": (),
    "lightgbm": ("--set", "model.n_estimators=12"),
    "xgboost": ("--set", "model.n_estimators=12"),
    "catboost": ("--set", "model.iterations=12"),
    "mlp": ("--set", "model.max_epochs=1", "--set", "model.hidden_size=8", "--set", "model.lookback=8"),
}
"""One model for each format that is parsed by a library."""
MEMBERS = ("--members", "logistic,random_forest", "--set", "members.random_forest.model.n_estimators=3")


@dataclass(frozen=True)
class Stand:
    """Bars, their dataset and finished runs, to be copied and never changed."""

    bars: Path
    dataset: Path
    runs: dict[str, Path]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with bars and their dataset."""
    folder = tmp_path_factory.mktemp("stand")
    bars = write_bars(folder / "SYNTH.csv", 1900)
    small = (
        "--horizons",
        "5",
        "--embargo",
        "auto",
        "--set",
        FEATURES,
        "--set",
        "history_bars=8",
        "--set",
        "timeframes=[]",
    )
    barriers = (
        "--set",
        "barriers.5={k_up: 2, k_down: 2, max_bars: 8}",
        "--set",
        "parts.train=0.5",
        "--set",
        "parts.val=0.25",
    )
    succeed("data", "build", bars, "--out", folder / "dataset", *small, *barriers)
    return folder


@pytest.fixture(scope="session")
def stand(built: Path) -> Stand:
    places = built / "experiments" / "runs"
    runs = {model: train(built / "dataset", places, *more, model=model) for model, more in MODELS.items()}
    return Stand(built / "SYNTH.csv", built / "dataset", runs)


@pytest.fixture(scope="session")
def studies(built: Path) -> Stand:
    """A finished one of each kind of study and of ensemble, and a run that was evaluated on its test part."""
    data = ("--dataset", built / "dataset")
    runs = (*data, "--output-dir", built / "studied" / "runs")
    two = ("--folds", "2", "--json")
    kinds = {
        "cv": ("cv", "logistic", *runs, "--horizon", "5", *two, "--keep-models", "--final"),
        "tune": ("tune", "logistic", *runs, "--horizon", "5", *two, "--trials", "2", "--range", "scaling=none,robust"),
        "barriers": ("tune-barriers", *runs, *two, "--trials", "2"),
        "sweep": ("sweep", "--models", "logistic", *data, "--out", built / "sweep"),
        "voting": ("ensemble", "--method", "voting", *MEMBERS, *runs, "--horizon", "5", *two),
        "stacking": ("ensemble", "--method", "stacking", *MEMBERS, *runs, "--horizon", "5", *two),
    }
    with quick_studies() as patch:
        patch.setattr("ohlcv_factory.studies.executor.protocol.open_executor", lambda *_, **__: InlineExecutor())
        for function in ("plot_history", "plot_importance"):
            patch.setattr(f"ohlcv_factory.studies.tuning.{function}", lambda *_: None)
        answers = {kind: succeed(*arguments) for kind, arguments in kinds.items()}
        evaluated = train(built / "dataset", built / "studied" / "runs")
        for _ in range(2):
            succeed("evaluate", evaluated, "--part", "test", *data)
    found = {kind: Path(answer.json["output_path"]) for kind, answer in answers.items() if kind != "sweep"}
    return Stand(built / "SYNTH.csv", built / "dataset", {**found, "sweep": built / "sweep", "evaluated": evaluated})


@pytest.fixture(scope="session")
def _warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WarmTrials, Path]]:
    folder = tmp_path_factory.getbasetemp()
    notes = tmp_path_factory.mktemp("notes") / "notes.txt"
    with warm_trials(notes, folder) as trials:
        yield trials, notes


@pytest.fixture
def trials(_warm: tuple[WarmTrials, Path]) -> WarmTrials:
    """What answers for the children."""
    return _warm[0]


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """What every harmful file would touch."""
    return tmp_path / "canary"


@pytest.fixture
def guarded(
    _warm: tuple[WarmTrials, Path], canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Answer]:
    """A command in this process, watched, and so are the children that parse for it: nothing may have run."""
    trials, notes = _warm
    monkeypatch.setattr(trial, "_child", trials.child)

    def command(*arguments: str | Path) -> Answer:
        with watching(tmp_path) as noted, promptly():
            answer = call(*arguments)
        assert noted == []
        said = notes.read_text() if notes.exists() else ""
        notes.unlink(missing_ok=True)
        assert said == ""
        assert not canary.exists()
        return answer

    return command


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliveries and jobs, which have processes of their own, happen here, where they are watched."""

    def deliver_all(folders: Sequence[Path], experiment: ExperimentConfig | None = None) -> list[dict[str, Any]]:
        return [courier._attempt(Path(folder), experiment) for folder in folders]

    monkeypatch.setattr(courier, "deliver_all", deliver_all)
    monkeypatch.setattr("ohlcv_factory.studies.executor.protocol.open_executor", lambda *_, **__: InlineExecutor())


@pytest.fixture
def copied(stand: Stand, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a run that may be changed, in an experiments folder of its own."""

    def copy(model: str) -> Path:
        runs = tmp_path / "experiments" / "runs"
        return Path(shutil.copytree(stand.runs[model], runs / stand.runs[model].name))

    return copy


@pytest.fixture
def copied_study(studies: Stand, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a study, of an ensemble or of the evaluated run, beside the ledger that it was written with."""

    def copy(kind: str) -> Path:
        study = studies.runs[kind]
        if kind == "sweep":
            return Path(shutil.copytree(study, tmp_path / "sweep"))
        target = tmp_path / "experiments" / study.parent.name / study.name
        for beside in ("ledger.sqlite", "counter"):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(study.parent.parent / beside, tmp_path / "experiments" / beside)
        return Path(shutil.copytree(study, target))

    return copy


@pytest.fixture
def copied_dataset(built: Path, tmp_path: Path) -> Path:
    """A copy of the dataset that may be changed."""
    return Path(shutil.copytree(built / "dataset", tmp_path / "dataset"))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 3,000 bars: large enough for stop rows and calibrate rows."""
    folder = tmp_path_factory.mktemp("faults")
    succeed("data", "build", write_bars(folder / "SYNTH.csv", 3000), "--out", folder / "dataset", *DATASET)
    return folder / "dataset"
