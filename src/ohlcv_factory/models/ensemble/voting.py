"""Voting: the members' calibrated probabilities, averaged or counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from ohlcv_factory.config import setting
from ohlcv_factory.dataset.samples import InputSpec, Samples
from ohlcv_factory.errors import UsageError
from ohlcv_factory.models._ensemble.meta_features import votes
from ohlcv_factory.models._ensemble.model import CALIBRATED_PREDICTIONS, EnsembleModel
from ohlcv_factory.models._ensemble.table import (
    member_probabilities,
    members_of,
    refuse_other_columns,
    refuse_other_than_probabilities,
)
from ohlcv_factory.models.base import EpochSink, FitReport, ModelConfig
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.storage.formats import read_json, write_json

MOST_STEPS = 2000
SETTLED = 1e-7
"""The fit ends when a step moves no weight by more."""
LEAST = 1e-12


class VotingConfig(ModelConfig):
    """Settings of voting."""

    voting: Literal["soft", "hard", "weighted", "fitted"] = setting(
        "soft",
        "soft (mean probability) | hard (votes) | weighted (by `weights`) | fitted (weights of least log-loss).",
    )
    weights: dict[str, float] = setting({}, "weight of each member, for weighted; shares of their sum count")

    @model_validator(mode="after")
    def _weights_where_they_act(self) -> Self:
        if bool(self.weights) != (self.voting == "weighted"):
            raise ValueError(f"weights belong to voting: weighted, got voting: {self.voting} and {self.weights}")
        if any(weight < 0 for weight in self.weights.values()) or (self.weights and not sum(self.weights.values())):
            raise ValueError(f"weights must be at least 0 and not all 0, got {self.weights}")
        return self


@ModelRegistry.register()
class Voting(EnsembleModel):
    """Mean, weighted mean or majority of the members; only the fitted weights learn from the rows."""

    input_spec: ClassVar[InputSpec] = CALIBRATED_PREDICTIONS
    Config = VotingConfig
    native_suffix = ".json"
    seeded = False

    @property
    def trains(self) -> bool:
        """Only the fitted weights do."""
        return bool(self.config.voting == "fitted")

    def refuse_members(self, names: Sequence[str], *, choosing: bool) -> None:
        """Given weights name every member once, and leave nothing to choose."""
        if self.config.voting != "weighted":
            return
        self._refuse_other_names(names)
        if choosing:
            raise UsageError(
                "weights are given for all members, and choose: greedy leaves some of them out.",
                where="choose",
                help="choose: all, or another voting than weighted",
            )

    def _fit(self, train: Samples, val: Samples | None, sink: EpochSink) -> FitReport:
        self.members = members_of(self.feature_names)
        refuse_other_columns(self.feature_names, self.members, (), self.name)
        probabilities = member_probabilities(train.X, self.feature_names, self.members)
        refuse_other_than_probabilities(probabilities, self.members)
        self.weights = np.full(len(self.members), 1 / len(self.members))
        if self.config.voting == "weighted":
            self.weights = self._given_weights()
        if self.config.voting != "fitted":
            return FitReport()
        self.weights, steps = simplex_weights(self._of_classes(probabilities), train.y, train.weight)
        return FitReport(epochs_trained=steps)

    def _given_weights(self) -> np.ndarray:
        self._refuse_other_names(self.members)
        values = np.array([self.config.weights[member] for member in self.members])
        return np.asarray(values / values.sum())

    def _refuse_other_names(self, names: Sequence[str]) -> None:
        given = self.config.weights
        if set(given) != set(names):
            raise UsageError(
                f"weights are given for {sorted(given)}, the members are {sorted(names)}.",
                where="weights",
                help="one weight per member",
            )

    def _of_classes(self, probabilities: np.ndarray) -> np.ndarray:
        """Those of the classes of the fit, each member's summing to 1: `(n, members, k)`."""
        known = probabilities[:, :, list(self.classes)]
        return np.asarray(known / np.maximum(known.sum(axis=2, keepdims=True), LEAST))

    def _predict_proba(self, X: np.ndarray) -> np.ndarray:
        known = self._of_classes(member_probabilities(X, self.feature_names, self.members))
        mean = np.einsum("nmk,m->nk", known, self.weights)
        if self.config.voting != "hard":
            return np.asarray(mean / np.maximum(mean.sum(axis=1, keepdims=True), LEAST))
        # One more voter divides its vote by the mean: it settles ties, and no class is called impossible.
        counted = votes(known) + mean
        return np.asarray(counted / counted.sum(axis=1, keepdims=True))

    def _save(self, path: Path) -> None:
        write_json(path, {"weights": dict(zip(self.members, self.weights.tolist(), strict=True))})

    def _load(self, path: Path) -> None:
        stored = read_json(path)["weights"]
        self.members, self.weights = tuple(stored), np.array(list(stored.values()))


def simplex_weights(probabilities: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, int]:
    """Weights `(members,)` of least weighted log-loss of the mixture, at least 0 and summing to 1, and the steps taken.

    probabilities `(n, members, k)`, truth `(n,)`, weight `(n,)`. Expectation and maximisation for mixture shares
    (Dempster et al. 1977): the loss is convex in the weights and falls with every step, so the start does not matter.
    """
    likelihood = np.maximum(probabilities[np.arange(len(truth)), :, truth], LEAST)
    shares, row_share = np.full(likelihood.shape[1], 1 / likelihood.shape[1]), weight / weight.sum()
    steps, moved = 0, 1.0
    while moved > SETTLED and steps < MOST_STEPS:
        joint = likelihood * shares
        after = row_share @ (joint / joint.sum(axis=1, keepdims=True))
        steps, moved, shares = steps + 1, float(np.abs(after - shares).max()), after
    return shares / shares.sum(), steps
