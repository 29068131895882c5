"""From raw bars to probabilities: clean pipelines pass, one that knows later bars or other rows is told with bar and size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from forecasters import forecasters

from ohlcv_factory.audit.power import reading_all
from ohlcv_factory.audit.predict_path import PATH_ROWS, answers, differing, predict_path
from ohlcv_factory.audit.subject import bundle_of
from ohlcv_factory.bars.sessions import session_calendar
from ohlcv_factory.errors import DataError
from ohlcv_factory.features import catalogue
from ohlcv_factory.testing.models import small_settings
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.fitting import fit_pipeline
from ohlcv_factory.training.settings import TrainerConfig

__all__ = ["forecasters"]


def fitted(container, model, **settings):
    config = TrainerConfig(model_name=model, horizon=5, model=settings)
    spec = config.create_model().input_spec
    fit = fit_pipeline(config if spec.padded else reading_all(config, container), container)
    return bundle_of(fit, container)


@pytest.fixture(scope="module")
def bundle(container):
    return fitted(container, "logistic")


@pytest.fixture(scope="module")
def raw(container):
    return container.markets[0].bars


def test_an_honest_pipeline_passes(bundle, raw):
    assert list(predict_path(bundle, raw)) == []


@pytest.mark.parametrize("model", ["lightgbm", pytest.param("dlinear", marks=pytest.mark.slow)])
def test_a_tree_and_a_network_pass(model, container, raw):
    pytest.importorskip({"lightgbm": "lightgbm", "dlinear": "torch"}[model])
    settings = {"n_estimators": 20} if model == "lightgbm" else {**small_settings(model), "windows_per_epoch": 512}
    assert list(predict_path(fitted(container, model, **settings), raw)) == []


def test_a_forecaster_on_bars_and_label_rules_passes(forecasters, container, raw):
    assert list(predict_path(fitted(container, "momentum", lookback=300), raw)) == []


@dataclass(frozen=True)
class Leaky(ModelBundle):
    """A bundle that shifts its probabilities by what it should not know."""

    def answered(self, pipeline, source, **asked):
        found = super().answered(pipeline, source, **asked)
        close = source.bars.close
        shift = 0.01 * np.sign(close[-1] - close[source.rows])  # how the series ends
        return replace(found, raw=found.raw + shift[:, None])


@dataclass(frozen=True)
class CentredOnWhole(ModelBundle):
    """A bundle that centres each column over all bars that it was given."""

    def answered(self, pipeline, source, **asked):
        centred = (source.features - np.nanmean(source.features, axis=0)).astype(np.float32)
        return super().answered(pipeline, replace(source, features=centred), **asked)


@pytest.mark.parametrize("kind", [Leaky, CentredOnWhole])
def test_a_way_that_knows_the_end_of_the_series_is_caught(kind, bundle, raw):
    leaky = kind(**{name: getattr(bundle, name) for name in ModelBundle.__dataclass_fields__})
    found = list(predict_path(leaky, raw))
    words = " ".join(violation.complaint for violation in found)
    assert "bars alone give another value" in words
    assert "later bars change it" in words
    for violation in found:
        assert violation.feature.endswith(("P(short)", "P(neutral)", "P(long)"))
        assert violation.size > 0
        assert violation.bar >= bundle.first_eligible - len(raw)


def test_a_bundle_of_other_columns_than_live_is_caught_bar_by_bar(bundle, raw, monkeypatch):
    live = ModelBundle.live

    def late(self, bars):
        session = live(self, bars)
        session.bundle = replace(self, pipeline=replace(self.pipeline, columns=self.pipeline.columns[::-1]))
        return session

    monkeypatch.setattr(ModelBundle, "live", late)
    found = list(predict_path(bundle, raw))
    assert found
    assert all("bar by bar it is another value" in violation.complaint for violation in found)


def test_only_the_newest_bars_are_predicted(bundle, raw):
    asked = []

    @dataclass(frozen=True)
    class Counting(ModelBundle):
        def predict(self, bars):
            asked.append(len(bars))
            return super().predict(bars)

    counting = Counting(**{name: getattr(bundle, name) for name in ModelBundle.__dataclass_fields__})
    list(predict_path(counting, raw))
    assert max(asked) == bundle.first_eligible + PATH_ROWS < len(raw)


def test_too_few_bars_are_refused(bundle, raw):
    with pytest.raises(DataError, match="need more than"):
        list(predict_path(bundle, raw.head(bundle.first_eligible)))


def test_rows_are_compared_where_both_have_them(bundle, raw):
    short, long = (answers(bundle, raw.slice(start, 4000)) for start in (2000, 2000))
    moved = replace(long, raw=long.raw + np.where(long.index["row"] == 1200, 0.25, 0.0)[:, None])
    assert list(differing(short, long, raw, "t", "c")) == []
    found = list(differing(moved.take(slice(500, None)), short, raw, "t", "c"))
    assert {violation.feature for violation in found} == {"raw P(short)", "raw P(neutral)", "raw P(long)"}
    assert {(violation.bar, round(violation.size, 9)) for violation in found} == {(1200, 0.25)}


def test_the_bundle_of_a_fit_computes_its_columns_itself(bundle, raw):
    assert set(bundle.pipeline.columns) <= {feature.name for feature in catalogue.catalogue()}
    assert len(answers(bundle, raw)) == len(raw) - bundle.first_eligible
    assert bundle.instrument("SYNTH").sessions == session_calendar("always_open")
