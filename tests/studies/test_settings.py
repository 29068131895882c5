from __future__ import annotations

import pytest

from ohlcv_factory.errors import UsageError
from ohlcv_factory.splits.combinatorial import CombinatorialPurgedCV
from ohlcv_factory.splits.purged_kfold import PurgedKFold
from ohlcv_factory.splits.splitter import Splitter
from ohlcv_factory.splits.walk_forward import WalkForward
from ohlcv_factory.studies.settings import CrossValidationConfig


def facts(splitter):
    own = {name: value for name, value in vars(splitter).items() if name not in ("spans", "embargo_bars")}
    return type(splitter), own


@pytest.mark.parametrize(
    ("settings", "splitter"),
    [
        ({}, PurgedKFold(5, embargo_days="auto")),
        (
            {"folds": 3, "embargo_days": 2.0, "purge_windows": True},
            PurgedKFold(3, embargo_days=2.0, purge_windows=True),
        ),
        ({"scheme": "walk_forward"}, WalkForward(5, 0.5, "expanding", embargo_days="auto")),
        (
            {"scheme": "walk_forward", "folds": 2, "train_share": 0.25, "past": "rolling"},
            WalkForward(2, 0.25, "rolling", embargo_days="auto"),
        ),
        ({"scheme": "combinatorial"}, CombinatorialPurgedCV(6, 2, embargo_days="auto")),
        ({"scheme": "combinatorial", "folds": 5, "test_groups": 3}, CombinatorialPurgedCV(5, 3, embargo_days="auto")),
    ],
)
def test_settings_make_a_splitter_with_the_datasets_embargo_where_they_name_none(settings, splitter):
    assert facts(CrossValidationConfig(**settings).splitter("auto")) == facts(splitter)


@pytest.mark.parametrize(
    "splitter",
    [
        PurgedKFold(4, embargo_days=1.0, purge_windows=True),
        WalkForward(3, 0.25, "rolling", embargo_days=0.0),
        CombinatorialPurgedCV(5, 3, embargo_days="auto"),
    ],
)
def test_a_splitter_becomes_settings_and_back(splitter):
    settings = CrossValidationConfig.of(splitter, keep_models=True)
    assert settings.keep_models
    again = CrossValidationConfig.parse(settings.plain())
    assert facts(again.splitter(9.0)) == facts(splitter)


def test_a_splitter_of_ones_own_cannot_be_written_down():
    class Own(Splitter):
        tested = ((0,),)

        def block_borders(self, spans):
            raise NotImplementedError

    with pytest.raises(UsageError, match="Own cannot be written down in a recipe"):
        CrossValidationConfig.of(Own())


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"test_groups": 2}, "test_groups: only combinatorial has it, scheme is kfold"),
        ({"scheme": "combinatorial", "past": "rolling"}, "past: only walk_forward has it, scheme is combinatorial"),
        ({"train_share": 0.5}, "train_share: only walk_forward has it, scheme is kfold"),
        ({"folds": 1}, "n_splits must be at least 2, got 1"),
        ({"scheme": "combinatorial", "folds": 3, "test_groups": 3}, "got 3 of 3 groups"),
        ({"scheme": "walk_forward", "purge_windows": True}, "windows of earlier rows never reach a later block"),
        ({"embargo_days": -1.0}, "embargo_days must be 'auto' or at least 0, got -1.0"),
        ({"scheme": "purged"}, "scheme: input should be 'kfold', 'walk_forward' or 'combinatorial', got 'purged'"),
        ({"fold": 3}, "fold: unknown key; did you mean 'folds'"),
    ],
)
def test_what_could_change_nothing_or_cannot_be_is_refused_by_name(settings, rule):
    with pytest.raises(UsageError, match=rule):
        CrossValidationConfig.parse(settings)
