"""What networks say about their own answers: weights of features, attention, and the parts of a window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ohlcv_factory.reports.charts import Line, legend, line_chart, series_kind
from ohlcv_factory.reports.model_cards import ranking
from ohlcv_factory.reports.page import cards, heading, paragraph, table, text
from ohlcv_factory.reports.reported_run import ReportedRun
from ohlcv_factory.reports.words import listing, moment, number, percent
from ohlcv_factory.training.explanation import PartExplanation

TOP_FEATURES = 10
HEAT_FEATURES = 14
DARKEST = 5
"""A cell of the map is darkest at so many times the even attention."""
WHOLE, REST = "window", "rest"
AHEAD = "_ahead"
TINY = 1e-12


@dataclass(frozen=True)
class Named:
    """One stored array with the labels of its axes."""

    values: np.ndarray
    axes: Mapping[str, Sequence[str | int]]
    kind: str
    """Style class of the run."""


def inside_models(group: Sequence[ReportedRun]) -> str:
    """The pictures of each run whose model explains itself."""
    drawn = ((run.name, _inside(run, run.said)) for run in group if run.said)
    return "".join(heading(name) + html for name, html in drawn if html)


def _inside(run: ReportedRun, said: PartExplanation) -> str:
    small, wide, unknown = [], "", []
    for name, item in said.facts["items"].items():
        named, axes = Named(said.arrays[name], item["axes"], run.kind), tuple(item["axes"])
        if axes in CARDS:
            title, draw = CARDS[axes]
            small.append((title, draw(named)))
        elif axes in FIGURES:
            wide += FIGURES[axes](named)
        elif item["kind"] == "weights":
            unknown.append(name)
    words = f"Not drawn: {listing(unknown)}; see metrics/explanation.npz." if unknown else ""
    drawn = (cards(small) if small else "") + wide + _decomposition(said)
    return drawn + (paragraph(words, "note") if words else "")


def _features_over_bars(named: Named) -> str:
    return _top(named.values.mean(axis=0), named.axes["feature"], named.kind)


def _known_features(named: Named) -> str:
    return _top(named.values, named.axes["known feature"], named.kind)


def _top(shares: np.ndarray, labels: Sequence[str | int], kind: str) -> str:
    """The largest shares as bars."""
    ranked = sorted(zip(map(str, labels), shares.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
    found = ranked[:TOP_FEATURES]
    return ranking(f"Top {len(found)} of {len(ranked)}", found, kind)


def _attention_over_bars(named: Named) -> str:
    """One line per head, and their mean."""
    heads, bars = named.axes["head"], np.array(named.axes["bar"], dtype=np.float64)
    lines = [Line(f"head {head}", bars, named.values[i], series_kind(i)) for i, head in enumerate(heads)]
    lines.append(Line("mean of heads", bars, named.values.mean(axis=0), "held"))
    chart = line_chart(lines, "attention over bars", percent, _bar_words(bars))
    return chart + legend([(line.name, line.kind) for line in lines])


def _bar_words(bars: np.ndarray) -> tuple[str, str]:
    """The ends of an axis of bars: 0 is the bar of the decision, 1 the step ahead."""
    return f"{number(bars[0], 0)} bars", "the step ahead" if bars[-1] > 0 else "the bar of the decision"


def _attention_over_features(named: Named) -> str:
    """A map of the features that get most attention, mean over the layers: who looks (rows) at whom (columns)."""
    shares, names = named.values.mean(axis=0), named.axes["feature"]
    chosen = np.sort(np.argsort(-shares.mean(axis=0), kind="stable")[:HEAT_FEATURES])
    part = shares[np.ix_(chosen, chosen)]
    head = "".join(f'<th scope="col">{column}</th>' for column in range(1, len(chosen) + 1))
    rows = "".join(
        f'<tr><th scope="row">{row} {text(names[feature])}</th>{_heat_cells(part[row - 1], DARKEST / len(names))}</tr>'
        for row, feature in enumerate(chosen.tolist(), start=1)
    )
    caption = (
        f"Attention among features, per cent, mean over layers and rows: each row looks at the columns. "
        f"The {len(chosen)} of {len(names)} features that get most; even attention would be {percent(1 / len(names))}."
    )
    return (
        f'<figure><figcaption>{text(caption)}</figcaption><div class="scroll" tabindex="0" role="group" '
        f'aria-label="attention among features"><table class="heat"><thead><tr><th scope="col">feature</th>{head}'
        f"</tr></thead><tbody>{rows}</tbody></table></div></figure>\n"
    )


def _heat_cells(shares: np.ndarray, most: float) -> str:
    """Shares in per cent, as dark as they are large: an even map is pale, whatever it holds."""
    return "".join(
        f'<td style="--share:{min(1.0, share / most):.2f}">{number(100 * share, 1)}</td>' for share in shares.tolist()
    )


def _decomposition(said: PartExplanation) -> str:
    """What the parts of a few windows of one feature say beyond their means, and how much they vary by feature."""
    items = said.facts["items"]
    parts = [name for name, item in items.items() if item["kind"] == "series" and not name.endswith(AHEAD)]
    if WHOLE not in parts or REST not in parts:
        return ""
    parts = [*(name for name in parts if name not in (REST, WHOLE)), REST, WHOLE]
    axes, spreads = items[WHOLE]["axes"], {name: said.arrays[f"{name}_spread"] for name in parts}
    feature = int(np.argmin(spreads[REST] / (spreads[WHOLE] + TINY)))
    kinds = {**{name: series_kind(i) for i, name in enumerate(parts)}, REST: "plain", WHOLE: "held"}
    moved = {name: (said.arrays[name] - said.arrays[f"{name}_mean"])[:, feature] for name in parts}
    bars = np.array(axes["bar"], dtype=np.float64)
    windows = [
        (_place(key), _window([Line(name, bars, moved[name][row], kinds[name]) for name in parts], bars))
        for row, key in enumerate(said.facts["shown"])
    ]
    words = (
        f"Windows of {axes['feature'][feature]}, the feature of which the blocks leave the smallest rest. Each part is "
        "shown less its mean over all rows, in standardised units; parts and rest add up to the window. The network "
        "learned classes, not forecasts: nothing makes a part follow the window."
    )
    drawn = legend([(name, kinds[name]) for name in parts]) + cards(windows)
    return paragraph(words) + drawn + _spread_table(axes["feature"], spreads)


def _window(lines: Sequence[Line], bars: np.ndarray) -> str:
    return line_chart(lines, "parts of a window", number, _bar_words(bars))


def _spread_table(features: Sequence[str | int], spreads: Mapping[str, np.ndarray]) -> str:
    left = spreads[REST] / (spreads[WHOLE] + TINY)
    order = np.argsort(left, kind="stable")[:TOP_FEATURES].tolist()
    rows = [(features[i], *(number(float(values[i]), 3) for values in spreads.values())) for i in order]
    caption = "How much each part varies, root mean square around its mean, in standardised units; smallest rest first."
    return table(("Feature", *spreads), rows, caption=caption)


def _place(key: Mapping[str, str]) -> str:
    return f"{key['symbol']}, {moment(key['time'])}"


Draw = Callable[[Named], str]
CARDS: dict[tuple[str, ...], tuple[str, Draw]] = {
    ("bar", "feature"): ("Weight of each feature, mean over bars", _features_over_bars),
    ("known feature",): ("Weight of what is known one step ahead", _known_features),
    ("head", "bar"): ("Attention over bars", _attention_over_bars),
}
FIGURES: dict[tuple[str, ...], Draw] = {("layer", "feature", "seen feature"): _attention_over_features}
