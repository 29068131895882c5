from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from markets import COLUMNS, bar_file
from own_features import own_features
from own_models import own_models
from quick_studies import quick_studies

from ohlcv_factory.bars.sessions import CALENDARS
from ohlcv_factory.bars.synthetic import random_walk
from ohlcv_factory.dataset.build import build_dataset
from ohlcv_factory.dataset.container import TimeSeriesDataContainer
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.dataset.store import write_dataset
from ohlcv_factory.features.sets import SetRules
from ohlcv_factory.runtime.plugin_files import load_plugins
from ohlcv_factory.studies.cross_validation import cross_validate
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.training.settings import TrainerConfig
from ohlcv_factory.training.trainer import Trainer

SUPPORT = Path(__file__).parent.parent / "support"


@pytest.fixture(scope="session")
def bars():
    """Chicago hours: closed from 22:00 to 23:00 UTC, 3 % of the other bars absent."""
    walk = random_walk(4000, 3)
    hours = walk.time_ns // 3_600_000_000_000 % 24
    present = np.random.default_rng(3).random(len(walk)) > 0.03
    return walk.take(np.flatnonzero((hours != 22) & present))


@pytest.fixture(scope="session")
def calendar():
    return CALENDARS["cme_equity"]


@pytest.fixture
def planted():
    """The features of tests/support/planted.py, in the catalogue for one test."""
    with own_features():
        load_plugins([SUPPORT / "planted.py"])
        yield SUPPORT / "planted.py"


@pytest.fixture(scope="session")
def container():
    """6,000 bars, horizon 5, three parts; the purge is the whole gap. Enough train rows for stop and calibrate rows."""
    barriers = {5: {"k_up": 1.0, "k_down": 1.0, "max_bars": 12}}
    values = {"horizons": [5], "features": [*COLUMNS], "embargo_days": 0.0, "barriers": barriers}
    built = build_dataset([bar_file(random_walk(6000, 7, beta=0.4))], DatasetConfig.parse(values))
    return TimeSeriesDataContainer.from_built(built, 5)


@pytest.fixture
def dishonest():
    """The models of tests/support/dishonest_models.py, registered for one test."""
    with own_models():
        load_plugins([SUPPORT / "dishonest_models.py"])
        yield SUPPORT / "dishonest_models.py"


@pytest.fixture(scope="session")
def dataset_folder(tmp_path_factory):
    """A dataset of two symbols on disk, with a test part."""
    folder = tmp_path_factory.mktemp("audited") / "dataset"
    config = DatasetConfig(horizons=(5,), features=COLUMNS, embargo_days="auto")
    walks = [bar_file(random_walk(5000, seed, beta=0.4, symbol=f"SYNTH{seed}")) for seed in (1, 2)]
    return write_dataset(build_dataset(walks, config), folder, {})


@pytest.fixture(scope="session")
def run_folder(dataset_folder):
    """A logistic run on it, with a selection and its own calibrator."""
    container = TimeSeriesDataContainer.from_dataset(dataset_folder, 5)
    return Trainer(logistic(dataset_folder.parent / "experiments" / "runs")).run(container).path


@pytest.fixture(scope="session")
def study_folder(dataset_folder):
    """A cross-validation on it that keeps its models."""
    container = TimeSeriesDataContainer.from_dataset(dataset_folder, 5)
    cv = CrossValidationConfig(folds=3, keep_models=True)
    with quick_studies():
        return cross_validate(logistic(dataset_folder.parent / "experiments" / "studies"), container, cv).path


def logistic(output_dir):
    sets = {"few": SetRules(include=COLUMNS)}
    return TrainerConfig(model_name="logistic", horizon=5, feature_set="few", feature_sets=sets, output_dir=output_dir)
