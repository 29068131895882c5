from __future__ import annotations

import pytest

from ohlcv_factory.models._torch.schedule import Schedule, plateaus


def test_the_rate_rises_then_falls_along_a_cosine():
    schedule = Schedule("cosine", epochs=11, warmup_epochs=1, plateau_patience=5)
    shares = [schedule.share(epoch, []) for epoch in range(1, 12)]
    assert shares[0] == 0.5
    assert shares[1] == 1.0
    assert shares[6] == pytest.approx(0.01 + 0.99 / 2)
    assert shares == sorted(shares[:2]) + sorted(shares[2:], reverse=True)
    assert 0.01 < shares[-1] < 0.05


def test_without_a_schedule_the_rate_stays():
    schedule = Schedule("none", epochs=10, warmup_epochs=0, plateau_patience=5)
    assert [schedule.share(epoch, []) for epoch in (1, 5, 10)] == [1.0, 1.0, 1.0]


def test_each_plateau_halves_the_rate():
    schedule = Schedule("plateau", epochs=50, warmup_epochs=0, plateau_patience=1)
    assert schedule.share(3, [1.0, 0.9]) == 1.0
    assert schedule.share(5, [1.0, 0.9, 0.9, 0.95]) == 0.5
    assert schedule.share(7, [1.0, 0.9, 0.9, 0.95, 0.9, 0.9]) == 0.25


def test_a_new_lowest_loss_ends_the_waiting():
    assert plateaus([1.0, 1.0, 0.5, 0.5, 0.4], patience=1) == 0
    assert plateaus([1.0, 1.0, 1.0], patience=1) == 1
