from __future__ import annotations

import pytest

from ohlcv_factory.cli.demo import DEMO_READING, demo_bars, free_folder
from ohlcv_factory.errors import MissingExtraError


def test_a_second_demo_does_not_touch_the_first(tmp_path):
    assert free_folder(tmp_path / "demo").name == "demo"
    for name in ("demo", "demo-2"):
        (tmp_path / name).mkdir()
    assert free_folder(tmp_path / "demo").name == "demo-3"


def test_the_demo_bars_are_read_as_any_users_file():
    from ohlcv_factory.bars.load import ReadOptions, read_bars

    options = {key.removeprefix("read."): value for key, value in DEMO_READING.items()}
    bars = read_bars(demo_bars(), ReadOptions.parse(options)).bars
    assert (bars.symbol, len(bars), bars.bar_seconds) == ("EURUSD", 6225, 3600)


def test_without_the_extra_the_demo_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="the demo's bars are not installed") as caught:
        demo_bars()
    assert caught.value.exit_code == 69
