"""The files of one finished run that a page reads, with the name and colour that it has on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohlcv_factory.reports.charts import series_kind
from ohlcv_factory.storage.formats import read_json, read_settings
from ohlcv_factory.studies.finished_runs import FinishedRun, Group, comparable_groups, ranked, run_names
from ohlcv_factory.training.explanation import PartExplanation, read_explanation

Groups = dict[Group, "tuple[ReportedRun, ...]"]
"""Runs by symbols and horizon, best first by net Sharpe ratio."""


@dataclass(frozen=True)
class ReportedRun:
    """One run on a page."""

    name: str
    """The model's; with the run's short id where a group has the model twice."""
    kind: str
    """Style class of its curves; the same model has the same one in every group."""
    path: Path
    manifest: dict[str, Any]
    evaluation: dict[str, Any]
    config: dict[str, Any]
    """`training_config.yaml`."""
    features: dict[str, Any]
    """`feature_config.yaml`."""
    training: dict[str, Any]
    """`training_metrics.json`."""
    importance: list[dict[str, Any]]
    """Features, most important first; empty where the model has no importance."""
    said: PartExplanation | None = None
    """What the model says about its own answers, where it can."""

    @property
    def verdict(self) -> dict[str, str]:
        """Code and words."""
        return self.evaluation["verdict"]  # type: ignore[no-any-return]


def read_groups(runs: Sequence[FinishedRun]) -> Groups:
    """The runs' files, by symbols and horizon, ranked. Raises DataError (65) for other rows within one group."""
    groups = {group: ranked(members) for group, members in comparable_groups(runs).items()}
    names = {
        run.path: name for members in groups.values() for run, name in zip(members, run_names(members), strict=True)
    }
    kinds = {name: series_kind(position) for position, name in enumerate(sorted(set(names.values())))}
    return {
        group: tuple(_read(run, names[run.path], kinds[names[run.path]]) for run in members)
        for group, members in groups.items()
    }


def group_words(groups: Groups) -> dict[Group, str]:
    """Each group in words: `horizon 20`; where the page has several sets of symbols, `BTCUSDT, horizon 20`."""
    several = len({group.symbols for group in groups}) > 1
    return {group: group.words if several else f"horizon {group.horizon}" for group in groups}


def _read(run: FinishedRun, name: str, kind: str) -> ReportedRun:
    importance = run.path / "metrics" / "feature_importance.json"
    return ReportedRun(
        name,
        kind,
        run.path,
        run.manifest,
        run.evaluation,
        config=read_settings(run.path / "config" / "training_config.yaml"),
        features=read_settings(run.path / "config" / "feature_config.yaml"),
        training=read_json(run.path / "metrics" / "training_metrics.json"),
        importance=read_json(importance) if importance.is_file() else [],
        said=read_explanation(run.path),
    )
