"""Progress is seen on a terminal and nowhere else, and never changes what is counted."""

from __future__ import annotations

import io
import sys

import pytest

from ohlcv_factory.runtime.progress import PER_CENT, SilentMeter, meter, track


class Terminal(io.StringIO):
    """Standard error of a person."""

    def isatty(self) -> bool:
        return True


def test_elsewhere_than_on_a_terminal_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with meter(3, "fit") as bar:
        assert isinstance(bar, SilentMeter)
        bar.update(2)
        bar.set_postfix_str("1 of 3")
    assert list(track(range(3), "fit")) == [0, 1, 2]
    assert stream.getvalue() == ""


def test_on_a_terminal_the_label_and_the_count_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(track(iter("abc"), "reading")) == ["a", "b", "c"]
    assert "reading" in stream.getvalue()
    assert "0/3" in stream.getvalue()


def test_a_bar_counts_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with meter(2, "fit") as bar:
        bar.update(2)
        assert bar.n == 2  # type: ignore[attr-defined]


def test_work_that_breaks_off_breaks_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(ValueError, match="bad bar"), meter(2, "fit"):
        raise ValueError("bad bar")


def test_a_bar_in_per_cent_shows_words_and_counts_no_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with meter(100, "gru", shape=PER_CENT) as bar:
        bar.update(50)
        bar.set_postfix_str("4 of 8, val loss 0.8512")
    assert "gru:  50%|" in stream.getvalue()
    assert "to go, 4 of 8, val loss 0.8512" in stream.getvalue()
    assert "50/100" not in stream.getvalue() and "it/s" not in stream.getvalue()
