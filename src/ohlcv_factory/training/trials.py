"""What a fit leaves in the trial ledger, and what the ledger makes of its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.evaluation.trials import Trials, session_ratio
from ohlcv_factory.storage.digests import value_digest
from ohlcv_factory.storage.ledger import Kind, Ledger
from ohlcv_factory.training.scoring import Scores
from ohlcv_factory.training.settings import TrainerConfig

OUT_OF_FOLD = "oof"
"""Part under which the ledger keeps the ratio of a path through the train part."""


def trial_of(
    run_id: str, config: TrainerConfig, settings: Mapping[str, Any], container: TimeSeriesDataContainer
) -> dict[str, Any]:
    """What the ledger keeps of a fit; `settings` are all of them (`artifacts.repeatable_config`), told by their digest."""
    return {
        "run_id": run_id,
        "model": config.model_name,
        "horizon": config.horizon,
        "config_digest": value_digest(dict(settings)),
        "data_digest": container.fingerprint,
    }


def kinds_of(config: TrainerConfig) -> tuple[Kind, ...]:
    """The entries of one fit: itself, and the choice of a threshold or a conformal level where it makes one."""
    return ("fit",) if config.decision == "argmax" else ("fit", "threshold")


def enter_trial(ledger: Ledger, config: TrainerConfig, trial: Mapping[str, Any]) -> None:
    """Enter a fit before it begins; one that is done again after a cut was entered before.

    `trial` is that of `trial_of`. Raises what `Ledger.record` does.
    """
    for kind in kinds_of(config):
        if not ledger.knows(kind, trial["run_id"]):
            ledger.record(kind, **trial)


def weighed(scores: Sequence[Scores], ledger: Ledger, trial: Mapping[str, Any], part: str) -> list[Scores]:
    """Scores of an entered trial on a part, judged by all trials on the same data, its own ratio among the known ones.

    Several scores are those of several paths through the same rows: the mean of their ratios is the trial's.
    """
    ratios = [ratio for each in scores if (ratio := session_ratio(each.block["trading"])) is not None]
    if ratios:
        sessions = scores[0].block["trading"]["sessions"]
        ledger.record_sharpe(**trial, part=part, ratio=fmean(ratios), sessions=sessions)
    trials = known_trials(ledger, trial["data_digest"], part)
    return [each.judged(trials) for each in scores]


def known_trials(ledger: Ledger, data_digest: str, part: str) -> Trials:
    """What a ledger says of one dataset, for a score on a part.

    The test part chose nothing, so what was tried elsewhere does not count there: its trials are the configurations that
    were looked at on it.
    """
    count = ledger.looked_at(data_digest) if part == "test" else ledger.trials(data_digest)
    return Trials.of(count, ledger.sharpes(data_digest, part))
