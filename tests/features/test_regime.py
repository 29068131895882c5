from __future__ import annotations


def zigzag(sizes: list[float]) -> list[float]:
    return [100.0 + (size if place % 2 else 0.0) for place, size in enumerate(sizes)]


def test_volatility_is_calm_usual_or_wild_against_its_past(hand, column):
    assert column("volatility_regime", hand(zigzag([1.0] * 80 + [0.1] * 40)))[-1] == 0.0
    assert column("volatility_regime", hand(zigzag([1.0] * 120)))[-1] == 1.0
    assert column("volatility_regime", hand(zigzag([0.1] * 90 + [1.0] * 30)))[-1] == 2.0


def test_a_flat_market_is_usual(hand, column):
    assert column("volatility_regime", hand([100.0] * 120))[-1] == 1.0
    assert column("trend_regime", hand([100.1] * 120))[-1] == 0.0


def test_a_trend_has_the_side_of_its_averages(hand, column):
    rising = [100.0 + place for place in range(60)]
    assert column("trend_regime", hand(rising))[-1] == 1.0
    assert column("trend_regime", hand(rising[::-1]))[-1] == -1.0
    assert column("trend_regime", hand([*rising[:-1], 100.0]))[-1] == 0.0
