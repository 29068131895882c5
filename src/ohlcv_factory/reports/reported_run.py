"""The files of one finished run that a page reads, with the name and colour that it has on the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohlcv_factory.config import read_yaml
from ohlcv_factory.reports.charts import series_kind
from ohlcv_factory.storage.formats import read_json
from ohlcv_factory.studies.leaderboard import FinishedRun, comparable_groups, ranked
from ohlcv_factory.training.explanation import PartExplanation, read_explanation

Groups = dict[int, "tuple[ReportedRun, ...]"]
"""Runs by horizon, best first by net Sharpe ratio."""


@dataclass(frozen=True)
class ReportedRun:
    """One run on a page."""

    name: str
    """The model's; with the run's short id where a horizon has the model twice."""
    kind: str
    """Style class of its curves; the same model has the same one at every horizon."""
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
    """The runs' files, by horizon and ranked. Raises DataError (65) when runs were scored on different rows."""
    groups = {horizon: ranked(group) for horizon, group in comparable_groups(runs).items()}
    names = {run.path: name for group in groups.values() for run, name in zip(group, _names(group), strict=True)}
    kinds = {name: series_kind(position) for position, name in enumerate(sorted(set(names.values())))}
    return {
        horizon: tuple(_read(run, names[run.path], kinds[names[run.path]]) for run in group)
        for horizon, group in groups.items()
    }


def _names(group: Sequence[FinishedRun]) -> list[str]:
    seen = Counter(run.manifest["model"] for run in group)
    return [
        run.manifest["model"] + (f" {run.path.name.rsplit('_', 1)[-1]}" if seen[run.manifest["model"]] > 1 else "")
        for run in group
    ]


def _read(run: FinishedRun, name: str, kind: str) -> ReportedRun:
    importance = run.path / "metrics" / "feature_importance.json"
    return ReportedRun(
        name,
        kind,
        run.path,
        run.manifest,
        run.evaluation,
        config=read_yaml(run.path / "config" / "training_config.yaml").values,
        features=read_yaml(run.path / "config" / "feature_config.yaml").values,
        training=read_json(run.path / "metrics" / "training_metrics.json"),
        importance=read_json(importance) if importance.is_file() else [],
        said=read_explanation(run.path),
    )
