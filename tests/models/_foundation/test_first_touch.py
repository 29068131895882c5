from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numba
import numpy as np
import pytest
from first_touch_oracles import (
    DECILES,
    Walks,
    at_expiry,
    crude,
    divergence,
    random_walks,
    touched_at_any_time,
    touched_on_closes,
)
from scipy.special import ndtri
from sklearn.isotonic import isotonic_regression

from ohlcv_factory.bars.instruments import BarrierRule
from ohlcv_factory.bars.schema import Bars
from ohlcv_factory.dataset.samples import RowMarket
from ohlcv_factory.errors import DataError, UsageError
from ohlcv_factory.labels.triple_barrier import triple_barrier
from ohlcv_factory.models._foundation.first_touch import (
    _pool,
    barrier_returns,
    first_touch_probabilities,
    terminal_probabilities,
    touch_shares,
)

BOUND = 0.005
WATCHES = ("closes", "high_low")
CHRONOS_2 = np.array([0.01, *np.arange(1, 20) / 20, 0.99])


def mapped(walks: Walks, forecast: np.ndarray | None = None, **options) -> np.ndarray:
    options = {"seed": 1, "levels": DECILES} | options
    forecast = walks.forecast(options["levels"]) if forecast is None else forecast
    levels = options.pop("levels")
    return first_touch_probabilities(forecast, levels, walks.up, walks.down, walks.steps, **options)


def one_row(bars, up=0.01, down=-0.01, **options) -> list[float]:
    """Probabilities of one row whose forecast gives each bar three quantiles, at expiry of the last bar."""
    forecast = np.array(bars, dtype=float)[None]
    rule = (np.array([up]), np.array([down]), np.array([len(bars)]))
    return first_touch_probabilities(forecast, np.array([0.1, 0.5, 0.9]), *rule, seed=1, **options)[0].tolist()


def certain(*returns: float) -> list[list[float]]:
    """A forecast that knows the return of each bar."""
    return [[value] * 3 for value in returns]


def skewed(n: int, seed: int = 3) -> tuple[Walks, np.ndarray]:
    """Walks with a forecast that is theirs no more: fat on one side, every bar by another amount."""
    walks = random_walks(n, seed)
    forecast = walks.forecast()
    bend = np.random.default_rng(seed).uniform(0.5, 2.0, (n, forecast.shape[1], 1))
    return walks, forecast * np.where(forecast > 0, bend, 1.0)


def check_a_perfect_forecaster(n: int, seed: int) -> None:
    walks = random_walks(n, seed)
    forecast = walks.forecast()
    for watch, exact in zip(WATCHES, (touched_on_closes(walks), touched_at_any_time(walks)), strict=True):
        ours = divergence(exact, mapped(walks, forecast, watch=watch))
        prior = np.broadcast_to(exact.mean(axis=0), exact.shape)
        rivals = [divergence(exact, said) for said in (crude(forecast, walks.steps), at_expiry(walks), prior)]
        print(f"{watch}: ours {ours:.5f}; crude, at expiry, prior", np.round(rivals, 4))
        assert ours <= BOUND / 4  # measured: 0.0004 to 0.0007 by seed
        assert ours < min(rivals) / 50


def test_a_perfect_forecaster_gets_the_exact_probabilities():
    check_a_perfect_forecaster(2000, seed=1)


@pytest.mark.slow
def test_a_perfect_forecaster_gets_the_exact_probabilities_in_50_000_cases():
    check_a_perfect_forecaster(50_000, seed=2)


def test_the_oracles_know_the_normal_distribution_ruin_and_each_other():
    one_bar = Walks(*np.array([[0.1], [1.0], [1.5], [-0.5]]), np.array([1]))
    assert touched_on_closes(one_bar)[0] == pytest.approx([0.27425, 0.64499, 0.08076], abs=1e-5)  # N(-0.6), N(-1.4)
    ruin = Walks(*np.array([[0.0], [1.0], [2.0], [-1.0]]), np.array([100]))
    assert touched_at_any_time(ruin)[0] == pytest.approx([2 / 3, 0.0, 1 / 3], abs=1e-6)
    watched = Walks(*np.array([[0.1], [1.0], [3.0], [-2.0]]), np.array([20]))
    often = Walks(*np.array([[0.025], [1.0], [12 - 0.5826], [0.5826 - 8]]), np.array([320]))  # 16 looks at each bar
    assert touched_on_closes(often)[0] == pytest.approx(touched_at_any_time(watched)[0], abs=2e-3)


def ramped(walks: Walks) -> tuple[np.ndarray, np.ndarray]:
    """Volatility that triples to expiry, with the same variance over all bars: `(n, 60)` of each bar, and so far."""
    bars = np.arange(1, 61)
    rising = 1 + 2 * np.minimum(bars / walks.steps[:, None], 1)
    alive = bars <= walks.steps[:, None]
    rising *= np.sqrt(walks.steps / (rising**2 * alive).sum(axis=1))[:, None] * walks.sigma[:, None]
    return rising, np.sqrt((rising**2).cumsum(axis=1))


def test_the_mapping_runs_on_the_clock_of_the_forecast_volatility():
    walks = replace(random_walks(2000, seed=5), drift=np.zeros(2000))
    forecast = ramped(walks)[1][:, :, None] * ndtri(DECILES)
    # Without drift a continuous walk meets its barriers by its variance, whenever that comes.
    assert divergence(touched_at_any_time(walks), mapped(walks, forecast, watch="high_low")) <= BOUND / 2


def test_rising_volatility_on_closes_is_that_of_simulated_walks():
    walks = Walks(*np.array([[0.0], [1.0], [5.0], [-4.0]]), np.array([30]))
    sigma, so_far = ramped(walks)
    paths = (np.random.default_rng(0).standard_normal((40_000, 30)) * sigma[0, :30]).cumsum(axis=1)
    above, below = paths >= 5.0, paths <= -4.0
    first = np.where((above | below).any(axis=1), (above | below).argmax(axis=1), -1)
    met = np.where(first < 0, 1, np.where(above[np.arange(40_000), first], 2, 0))
    shares = np.bincount(met, minlength=3) / 40_000
    said = mapped(walks, so_far[:, :, None] * ndtri(DECILES), paths=40_000)
    assert said[0] == pytest.approx(shares, abs=0.01)  # Brownian paths by bar, not by variance: neutral 0.11 too often


def test_more_paths_come_nearer():
    walks = random_walks(1000, seed=1)
    exact = touched_on_closes(walks)
    few, many = (np.mean([divergence(exact, mapped(walks, paths=paths, seed=seed)) for seed in range(5)]) for paths in (200, 4000))  # fmt: skip
    assert many < few / 5


def test_21_quantiles_say_the_same_as_nine_of_a_gaussian():
    walks = random_walks(200, seed=2)
    assert mapped(walks, levels=CHRONOS_2) == pytest.approx(mapped(walks), abs=1e-3)


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        ((0.005, 0.01), [0, 0, 1]),
        ((-0.005, -0.02), [1, 0, 0]),
        ((0.009, -0.009), [0, 1, 0]),
        ((0.02, -0.02), [0, 0, 1]),
        ((-0.01, 0.02), [1, 0, 0]),
    ],
)
@pytest.mark.parametrize("watch", WATCHES)
def test_a_certain_forecast_has_a_certain_label(returns, expected, watch):
    assert one_row(certain(*returns), watch=watch) == expected


def test_bars_after_expiry_do_not_count():
    forecast = np.array([certain(0.005, 0.02), certain(0.005, np.nan)])
    rule = (np.full(2, 0.01), np.full(2, -0.01), np.array([1, 1]))
    found = first_touch_probabilities(forecast, np.array([0.1, 0.5, 0.9]), *rule, seed=1)
    assert found.tolist() == [[0, 1, 0], [0, 1, 0]]


def test_each_row_has_its_own_expiry():
    walks, forecast = skewed(40)
    for bars in (5, 33):
        same = replace(walks, steps=np.full(40, bars))
        own = np.where(np.arange(40) % 2, walks.steps, bars)
        both = mapped(replace(walks, steps=own), forecast)
        assert both[::2].tobytes() == mapped(same, forecast)[::2].tobytes()
        assert both[1::2].tobytes() == mapped(walks, forecast)[1::2].tobytes()


@pytest.mark.parametrize("watch", WATCHES)
def test_the_mirrored_forecast_swaps_short_and_long_exactly(watch):
    walks, forecast = skewed(200)
    mirrored = replace(walks, up=-walks.down, down=-walks.up)
    swapped = mapped(mirrored, -forecast[:, :, ::-1], watch=watch)
    assert swapped[:, ::-1].tobytes() == mapped(walks, forecast, watch=watch).tobytes()


def test_the_bytes_of_a_row_depend_on_no_other_row_and_no_later_bar():
    walks, forecast = skewed(30)
    walks = replace(walks, steps=np.minimum(walks.steps, 40))
    together = mapped(walks, forecast)
    alone = np.concatenate([mapped(walks.take([row]), forecast[[row]]) for row in range(30)])
    assert alone.tobytes() == together.tobytes()
    assert mapped(walks, forecast[:, :40]).tobytes() == together.tobytes()


def test_bytes_are_the_same_with_any_number_of_threads():
    walks, forecast = skewed(64)
    whole = mapped(walks, forecast)
    parts = [slice(first, first + 8) for first in range(0, 64, 8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda rows: mapped(walks.take(rows), forecast[rows]), parts))
    assert np.concatenate(found).tobytes() == whole.tobytes()
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert mapped(walks, forecast).tobytes() == whole.tobytes()
    finally:
        numba.set_num_threads(threads)


def test_crossing_quantiles_are_sorted():
    walks, forecast = skewed(50)
    crossed = np.random.default_rng(0).permuted(forecast, axis=2)
    assert mapped(walks, crossed).tobytes() == mapped(walks, forecast).tobytes()


def test_the_seed_decides_the_paths():
    walks, forecast = skewed(50)
    first = mapped(walks, forecast, seed=1)
    assert mapped(walks, forecast, seed=1).tobytes() == first.tobytes()
    other = mapped(walks, forecast, seed=2)
    assert (other != first).any()
    assert other == pytest.approx(first, abs=0.05)


def test_probabilities_are_positive_and_sum_to_one_for_forecasts_that_make_no_sense():
    rng = np.random.default_rng(0)
    forecast = rng.standard_normal((100, 20, 9)) * np.exp(rng.normal(-7, 3, (100, 1, 1)))
    rule = (rng.uniform(1e-4, 0.1, 100), -rng.uniform(1e-4, 0.1, 100), rng.integers(1, 21, 100))
    for watch in WATCHES:
        found = first_touch_probabilities(forecast, DECILES, *rule, seed=1, watch=watch)
        assert (found >= 0).all()
        assert found.sum(axis=1) == pytest.approx(np.ones(100), abs=1e-12)


def test_barriers_within_the_reach_of_one_bar_share_it_at_their_middle():
    even = one_row([[-1.0, 0.0, 1.0]], up=0.1, down=-0.1, watch="high_low")
    assert even == pytest.approx([0.5, 0.0, 0.5], abs=0.001)
    nearer = one_row([[-1.0, 0.0, 1.0]], up=0.1, down=-0.5, watch="high_low")
    assert nearer[2] == pytest.approx(0.601, abs=0.02)  # the middle is -0.2, -0.256 deviations: N(0.256)


def test_a_class_that_no_path_met_keeps_half_a_path_unless_the_forecast_excludes_it():
    far = one_row([[-0.001, 0.0, 0.001]], up=1.0, down=-1.0)
    assert far == pytest.approx([0.5 / 2001.5, 2000.5 / 2001.5, 0.5 / 2001.5])
    bounded = one_row([[-0.001, 0.0, 0.0]], up=1.0, down=-1.0)
    assert bounded == pytest.approx([0.5 / 2001, 2000.5 / 2001, 0.0])


def test_a_row_without_a_rule_is_neutral():
    forecast = np.array([certain(1.0), certain(1.0)])
    nothing = np.array([np.nan, np.nan])
    rule = (nothing, nothing, np.array([0, 99]))
    assert first_touch_probabilities(forecast, np.array([0.1, 0.5, 0.9]), *rule, seed=1).tolist() == [[0, 1, 0]] * 2
    bars = forecast.transpose(0, 2, 1)
    assert touch_shares(bars, bars, bars, bars, *rule).tolist() == [[0, 1, 0]] * 2


def test_a_variance_that_falls_is_pooled():
    rng = np.random.default_rng(0)
    for length in (1, 2, 60):
        values = rng.exponential(size=length)
        expected = isotonic_regression(values)
        _pool(values)
        assert values == pytest.approx(expected, rel=1e-12)


BROKEN = {
    "not finite": ({"forecast": (1, 3, 4, np.nan)}, "forecast of row 1, bar 4 is nan."),
    "infinite": ({"forecast": (2, 0, 0, -np.inf)}, "forecast of row 2, bar 1 is -inf."),
    "up": ({"up": (1, 0.0)}, "row 1 has 0 and -0.01"),
    "down": ({"down": (2, 0.02)}, "row 2 has 0.01 and 0.02"),
    "one barrier": ({"down": (0, np.nan)}, "row 0 has 0.01 and nan"),
    "endless": ({"up": (0, np.inf)}, "row 0 has inf and -0.01"),
    "too long": ({"steps": (2, 6)}, "1 to the 5 that were forecast; row 2 has 6"),
    "no bar": ({"steps": (0, 0)}, "row 0 has 0"),
}


@pytest.mark.parametrize(("change", "words"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_mapped_is_refused_by_row(change, words):
    given = {"up": np.full(3, 0.01), "down": np.full(3, -0.01), "steps": np.full(3, 5)}
    forecast = np.broadcast_to(ndtri(DECILES), (3, 5, 9)).copy()
    for name, (*place, value) in change.items():
        (forecast if name == "forecast" else given[name])[tuple(place)] = value
    with pytest.raises(DataError, match=words):
        first_touch_probabilities(forecast, DECILES, **given, seed=1)


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ((0.1, 0.5), "2 levels for 3 quantiles"),
        ((0.9, 0.5, 0.1), "levels must rise between 0 and 1"),
        ((0.0, 0.5, 0.9), "levels must rise between 0 and 1"),
        ((0.5,), "at least two"),
    ],
)
def test_levels_that_do_not_fit_are_refused(levels, words):
    with pytest.raises(DataError, match=words):
        terminal_probabilities(np.zeros((1, 3)), np.array(levels), np.array([0.1]))


@pytest.mark.parametrize(
    ("options", "words"),
    [({"paths": 2001}, "even number from 2, got 2001"), ({"paths": 0}, "got 0"), ({"watch": "ticks"}, "got 'ticks'")],
)
def test_settings_that_do_not_exist_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        one_row(certain(0.0), **options)


def test_forecasts_of_another_shape_are_refused():
    one = np.ones(1)
    with pytest.raises(DataError, match=r"shape \(rows, bars, levels\), got \(1, 9\)"):
        first_touch_probabilities(np.zeros((1, 9)), DECILES, one, -one, one, seed=1)
    with pytest.raises(DataError, match=r"shape \(rows, levels\), got \(1, 5, 9\)"):
        terminal_probabilities(np.zeros((1, 5, 9)), DECILES, one)
    with pytest.raises(DataError, match=r"up, down and steps must have shape \(2,\), got \(1,\), \(1,\), \(1,\)"):
        first_touch_probabilities(np.zeros((2, 5, 9)), DECILES, one, -one, one, seed=1)
    with pytest.raises(DataError, match=r"2 forecasts with thresholds of shape \(1,\)"):
        terminal_probabilities(np.zeros((2, 9)), DECILES, one)


def test_no_rows_are_no_probabilities():
    none = np.empty(0)
    assert first_touch_probabilities(np.empty((0, 5, 9)), DECILES, none, none, none, seed=1).shape == (0, 3)
    assert terminal_probabilities(np.empty((0, 9)), DECILES, none).shape == (0, 3)


def test_a_fixed_horizon_reads_the_distribution_at_its_end():
    gaussian = np.log(1.01) * ndtri(DECILES)[None]  # one deviation is the log return of + 1 %
    assert terminal_probabilities(gaussian, DECILES, np.array([0.01]))[0] == pytest.approx(
        [0.156236, 0.685109, 0.158655], abs=1e-6  # - 1 % is 1.01005 deviations down
    )  # fmt: skip


def test_a_threshold_at_a_quantile_has_its_probability():
    quantiles = np.log1p(np.array([[-0.3, -0.2, -0.1, 0.0, 0.05, 0.08, 0.1, 0.15, 0.2]]))
    found = terminal_probabilities(quantiles, DECILES, np.array([0.2]))[0]
    assert found == pytest.approx([0.2, 0.7, 0.1], abs=1e-12)
    assert terminal_probabilities(quantiles[:, ::-1], DECILES, np.array([0.1]))[0] == pytest.approx([0.3, 0.4, 0.3])


def test_tails_go_on_with_the_slope_of_the_outermost_quantiles_and_are_flat_where_these_are_tied():
    levels = np.array([0.1, 0.5, 0.8, 0.9])
    step = ndtri(0.9) - ndtri(0.8)
    quantiles = np.log1p(np.array([[-0.5, 0.0, 0.1, 0.2], [-0.5, 0.0, 0.2, 0.2]]))
    slope = (quantiles[0, 3] - quantiles[0, 2]) / step
    beyond = np.expm1(quantiles[0, 3] + slope * (ndtri(0.95) - ndtri(0.9)))
    long = terminal_probabilities(quantiles, levels, np.full(2, beyond))[:, 2]
    assert long == pytest.approx([0.05, 0.0], abs=1e-12)
    assert terminal_probabilities(quantiles[1:], levels, np.array([0.2]))[0, 2] == pytest.approx(0.2)  # the tie counts


def test_a_price_cannot_fall_by_all_of_itself_and_a_row_without_a_threshold_is_neutral():
    quantiles = np.broadcast_to(ndtri(DECILES), (4, 9))
    found = terminal_probabilities(quantiles, DECILES, np.array([1.0, 1.5, 0.0, np.nan]))
    assert found[:2, 0].tolist() == [0, 0]
    assert found[0, 2] == pytest.approx(0.244, abs=1e-3)  # ln 2 = 0.693 deviations
    assert found[2:].tolist() == [[0, 1, 0], [0, 1, 0]]


def bar_paths(*paths):
    """One row of sampled paths; each bar is (open, high, low, close)."""
    return [np.array(paths, dtype=float)[None, :, :, column] for column in range(4)]


QUIET = (0.0, 0.5, -0.5, 0.0)


@pytest.mark.parametrize(
    ("path", "side"),
    [
        ([QUIET, (0, 1.0, -0.5, 0)], 2),
        ([QUIET, (0, 0.5, -1.0, 0)], 0),
        ([QUIET, QUIET], 1),
        ([(0, 2, -2, 0), (0, 2, 0, 2)], 0),  # both in one bar: stopped first
        ([(1.5, 2, -2, 0), QUIET], 2),  # opened above both
        ([(-1.5, 2, -2, 0), QUIET], 0),
        ([(1.5, 0.5, -0.5, 0), QUIET], 2),  # a high below its own open
        ([(0, 0.5, -0.5, -1.5), QUIET], 0),  # a low above its own close
    ],
)
def test_a_sampled_path_ends_as_the_labeller_ends_it(path, side):
    rule = (np.array([1.0]), np.array([-1.0]), np.array([2]))
    expected = [0, 0, 0]
    expected[side] = 1
    assert touch_shares(*bar_paths(path), *rule)[0].tolist() == expected


def test_sampled_paths_are_counted_up_to_each_rows_expiry():
    up, down = [(0, 2, 0, 0)], [(0, 0, -2, 0)]
    rows = bar_paths([*up, QUIET], [QUIET, *up], [QUIET, *down], [QUIET, QUIET])
    twice = [np.repeat(each, 2, axis=0) for each in rows]
    rule = (np.ones(2), -np.ones(2), np.array([1, 2]))
    assert touch_shares(*twice, *rule).tolist() == [[0, 0.75, 0.25], [0.25, 0.25, 0.5]]


def test_sampled_paths_have_the_labels_of_the_same_bars():
    rng = np.random.default_rng(0)
    labels, shares = [], []
    for _ in range(100):
        bars = grid_bars(rng, 8)
        rule = BarrierRule(k_up=1.5, k_down=1.0, max_bars=7)
        labels.append(triple_barrier(bars, np.full(8, 2.0), rule, "close").label[0])
        market = row_market(close=bars.close[0], atr=2.0, k_up=1.5, k_down=1.0)
        paths = [np.log(each[1:] / bars.close[0])[None, None] for each in (bars.open, bars.high, bars.low, bars.close)]
        shares.append(touch_shares(*paths, *barrier_returns(market), np.array([7]))[0])
    assert np.argmax(shares, axis=1).tolist() == labels
    assert set(labels) == {0, 1, 2}


def grid_bars(rng: np.random.Generator, n: int) -> Bars:
    """Bars on a grid of a quarter, so that touches are exact, gaps and double touches common."""
    close = 100 + rng.integers(-3, 4, n).cumsum() / 4
    open_ = close + rng.integers(-6, 7, n) / 4
    high = np.maximum(open_, close) + rng.integers(0, 4, n) / 4
    low = np.minimum(open_, close) - rng.integers(0, 4, n) / 4
    time_ns = np.arange(n, dtype=np.int64) * 60_000_000_000
    return Bars("X", time_ns, open_, high, low, close, np.ones(n), 60)


@pytest.mark.parametrize("column", range(4))
def test_sampled_bars_that_are_not_finite_are_refused_by_row(column):
    bars = [np.zeros((3, 2, 4)) for _ in range(4)]
    bars[column][1, 1, 2] = np.inf
    name = ("open", "high", "low", "close")[column]
    with pytest.raises(DataError, match=f"{name} of row 1, bar 3 is inf"):
        touch_shares(*bars, np.ones(3), -np.ones(3), np.full(3, 4))
    assert touch_shares(*bars, np.ones(3), -np.ones(3), np.full(3, 2)).tolist() == [[0, 1, 0]] * 3


def test_sampled_bars_of_different_shapes_are_refused():
    bars = [np.zeros((3, 2, 4))] * 3
    with pytest.raises(DataError, match=r"must share a shape .* got \(3, 2, 4\), .*, \(3, 2, 5\)"):
        touch_shares(*bars, np.zeros((3, 2, 5)), np.ones(3), -np.ones(3), np.full(3, 4))


def row_market(**values) -> RowMarket:
    """One row, or as many as the longest value has."""
    given = {"close": 100.0, "atr": 2.0, "k_up": 1.5, "k_down": 1.0, "threshold": np.nan, "max_bars": 20} | values
    return RowMarket(**dict(zip(given, np.broadcast_arrays(*map(np.atleast_1d, given.values())), strict=True)))


def test_barriers_are_multiples_of_atr_around_the_close():
    up, down = barrier_returns(row_market(close=np.array([100.0, 50.0])))
    assert up == pytest.approx([0.0295588, 0.0582689], abs=1e-7)  # ln 1.03, ln 1.06
    assert down == pytest.approx([-0.0202027, -0.0408220], abs=1e-7)  # ln 0.98, ln 0.96


def test_a_row_without_an_atr_has_no_barriers():
    market = row_market(close=np.array([100.0, 100.0, 0.0]), atr=np.array([np.nan, 0.0, 0.0]))
    for barrier in barrier_returns(market):
        assert np.isnan(barrier).all()


def test_rows_whose_barriers_have_no_return_are_refused():
    with pytest.raises(DataError, match=r"above a price of 0; row 1 has -1 \(close 1, ATR 2, k_down 1\)"):
        barrier_returns(row_market(close=np.array([100.0, 1.0])))
    with pytest.raises(DataError, match="row 0 has -7"):
        barrier_returns(row_market(close=-5.0))
    with pytest.raises(DataError, match="row 0 has no barriers"):
        barrier_returns(row_market(k_up=np.nan, k_down=np.nan, threshold=0.01))
