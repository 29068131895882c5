"""Small inline SVG charts whose text keeps its size at any width.

Positions are percentages of the plot; only lines live in a stretched inner coordinate system of 1000 x 1000, with
strokes that do not stretch. Colours are classes of the style sheet (`s0` to `s7`, `plain`), so they follow light and
dark. Every chart has a text alternative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ohlcv_factory.reports.page import text
from ohlcv_factory.reports.words import number

GRID = 1000
MOST_POINTS = 600
SERIES_COLOURS = 8
LEAST_WIDTH = 1e-9


@dataclass(frozen=True)
class Line:
    """A curve: x ascending and y, `(n,)` each; `kind` is the class of its stroke."""

    name: str
    x: np.ndarray
    y: np.ndarray
    kind: str


@dataclass(frozen=True)
class Span:
    """A value with its interval, for `interval_chart`; both may be undefined."""

    name: str
    value: float | None
    ends: Sequence[float] | None
    kind: str


@dataclass(frozen=True)
class Axis:
    """Linear scale from low to high with ticks in between."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where a value lies, 0 to 1."""
        return (value - self.low) / (self.high - self.low)


def series_kind(position: int) -> str:
    """The style class of the n-th series; after eight, colours come again."""
    return f"s{position % SERIES_COLOURS}"


def line_chart(lines: Sequence[Line], label: str, form: Callable[[float], str], x_words: tuple[str, str]) -> str:
    """Curves over one common x range, 0 always in view; `x_words` name its two ends."""
    axis = nice_axis(min(0.0, *(line.y.min() for line in lines)), max(0.0, *(line.y.max() for line in lines)))
    first, last = min(line.x[0] for line in lines), max(line.x[-1] for line in lines)
    paths = "".join(_path(line, float(first), float(last), axis) for line in lines)
    ends = f'<text x="0" y="100%" dy="18">{text(x_words[0])}</text>'
    ends += f'<text x="100%" y="100%" dy="18" class="end">{text(x_words[1])}</text>'
    inner = f'<svg viewBox="0 0 {GRID} {GRID}" preserveAspectRatio="none" width="100%" height="100%">{paths}</svg>'
    return _svg("plot lines", label, _horizontal_grid(axis, form) + ends + inner)


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Names beside the stroke of each series: (name, kind)."""
    items = "".join(
        f'<li><svg class="key" aria-hidden="true"><line class="{kind}" x1="0" x2="100%" y1="50%" y2="50%"/></svg>'
        f"{text(name)}</li>"
        for name, kind in entries
    )
    return f'<ul class="legend">{items}</ul>\n'


def interval_chart(spans: Sequence[Span], label: str, form: Callable[[float], str] = number) -> str:
    """One row per span: its interval as a bar, its value as a dot, and a line at 0."""
    known = [0.0, *(end for span in spans for end in span.ends or ()), *(s.value for s in spans if s.value is not None)]
    axis = nice_axis(min(known), max(known), most_ticks=4)
    step = 100 / len(spans)
    grid = "".join(
        f'<line class="{"zero" if tick == 0 else "grid"}" x1="{_at(axis, tick)}" x2="{_at(axis, tick)}" y1="0" '
        f'y2="100%"/><text x="{_at(axis, tick)}" y="100%" dy="18" class="middle">{text(form(tick))}</text>'
        for tick in axis.ticks
    )
    rows = "".join(_span(span, axis, (position + 0.5) * step) for position, span in enumerate(spans))
    names = "".join(f"<li>{text(span.name)}</li>" for span in spans)
    picture = _svg("plot spans", label, grid + rows)
    return f'<div class="forest" style="--rows:{len(spans)}"><ol>{names}</ol>{picture}</div>\n'


def reliability_chart(bins: Sequence[tuple[float, float, int]], axis: Axis, label: str, kind: str) -> str:
    """Share correct over confidence: (confidence, accuracy, rows) per bin, a dot's area in proportion to its rows."""
    most = max((rows for _, _, rows in bins), default=1)
    ticks = "".join(
        f'<text x="{_at(axis, tick)}" y="100%" dy="18" class="middle">{_per_cent(tick)}</text>' for tick in axis.ticks
    )
    diagonal = '<line class="diagonal" x1="0" y1="100%" x2="100%" y2="0"/>'
    dots = "".join(
        f'<circle class="{kind}" cx="{_at(axis, confidence)}" cy="{_from_top(axis, accuracy)}" '
        f'r="{2 + 8 * math.sqrt(rows / most):.1f}"/>'
        for confidence, accuracy, rows in bins
    )
    return _svg("plot square", label, _horizontal_grid(axis, _per_cent) + ticks + diagonal + dots)


def share_bar(shares: Sequence[tuple[str, float]], label: str) -> str:
    """Shares that sum to 1 as one stacked bar: (kind, share)."""
    starts = np.concatenate([[0.0], np.cumsum([share for _, share in shares])])
    pieces = "".join(
        f'<rect class="{kind}" x="{100 * start:.2f}%" width="{100 * share:.2f}%" height="100%"/>'
        for (kind, share), start in zip(shares, starts, strict=False)
    )
    return _svg("share", label, pieces)


def bar(share: float, kind: str = "s0") -> str:
    """A horizontal bar that fills `share` of its cell; decoration beside a number."""
    width = 100 * min(1.0, max(0.0, share))
    return f'<svg class="bar" aria-hidden="true"><rect class="{kind}" width="{width:.1f}%" height="100%"/></svg>'


def nice_axis(low: float, high: float, most_ticks: int = 6) -> Axis:
    """Round ends and ticks around a range; a range without width, but for rounding, gets one."""
    low, high = (low, high) if high - low > LEAST_WIDTH else (low - 0.5, high + 0.5)
    raw = (high - low) / max(1, most_ticks - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(position * step, 12) + 0.0 for position in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most MOST_POINTS of a curve: the lowest and the highest of each of half as many stretches, in order."""
    if len(y) <= MOST_POINTS:
        return x, y
    borders = np.linspace(0, len(y), MOST_POINTS // 2 + 1).astype(np.int64)
    stretches = [slice(start, stop) for start, stop in pairwise(borders)]
    kept = [stretch.start + find(y[stretch]) for stretch in stretches for find in (np.argmin, np.argmax)]
    rows = np.unique(kept)
    return x[rows], y[rows]


def _path(line: Line, first: float, last: float, axis: Axis) -> str:
    x, y = thinned(line.x, line.y)
    across = np.rint((x - first) / ((last - first) or 1.0) * GRID).astype(int).tolist()
    down = np.rint((1 - axis.share(y)) * GRID).astype(int).tolist()  # type: ignore[arg-type]
    points = "L".join(f"{column} {row}" for column, row in zip(across, down, strict=True))
    return f'<path class="{line.kind}" d="M{points}"><title>{text(line.name)}</title></path>'


def _horizontal_grid(axis: Axis, form: Callable[[float], str]) -> str:
    return "".join(
        f'<line class="{"zero" if tick == 0 else "grid"}" x1="0" x2="100%" y1="{_from_top(axis, tick)}" '
        f'y2="{_from_top(axis, tick)}"/>'
        f'<text x="-8" y="{_from_top(axis, tick)}" dy="4" class="end">{text(form(tick))}</text>'
        for tick in axis.ticks
    )


def _span(span: Span, axis: Axis, y: float) -> str:
    shapes = ""
    if span.ends is not None:
        ends = f'x1="{_at(axis, span.ends[0])}" x2="{_at(axis, span.ends[1])}"'
        shapes += f'<line class="whisker {span.kind}" {ends} y1="{y:.2f}%" y2="{y:.2f}%"/>'
    if span.value is not None:
        shapes += f'<circle class="{span.kind}" cx="{_at(axis, span.value)}" cy="{y:.2f}%" r="4.5"/>'
    return shapes or f'<text x="{_at(axis, 0.0)}" dx="6" y="{y:.2f}%" dy="4">undefined</text>'


def _per_cent(share: float) -> str:
    return number(100 * share, 0)


def _at(axis: Axis, value: float) -> str:
    return f"{100 * axis.share(value):.2f}%"


def _from_top(axis: Axis, value: float) -> str:
    return f"{100 * (1 - axis.share(value)):.2f}%"


def _svg(kind: str, label: str, inner: str) -> str:
    return f'<svg class="{kind}" role="img" aria-label="{text(label)}">{inner}</svg>\n'
