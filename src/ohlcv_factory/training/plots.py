"""The three pictures of a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ohlcv_factory.labels.classes import CLASS_NAMES
from ohlcv_factory.models.base import TrainingMetrics
from ohlcv_factory.storage import atomic

if TYPE_CHECKING:
    import polars as pl

DOTS_PER_INCH = 100
MOST_IMPORTANT = 25


def plot_training_curves(path: Path, metrics: TrainingMetrics) -> None:
    """Loss per round or epoch; for models fitted in one call, the losses on the fit and stop rows."""
    figure, axes = blank_figure(7, 4)
    curves = {name: values for name, values in metrics.history.items() if name.endswith("loss") and values}
    for name, values in curves.items():
        axes.plot(np.arange(1, len(values) + 1), values, label=name)
    if curves:
        axes.set(xlabel="round", ylabel="log-loss")
        if metrics.best_epoch:
            axes.axvline(metrics.best_epoch, color="grey", linestyle=":", label=f"best: {metrics.best_epoch}")
        axes.legend()
    else:
        axes.bar(["fit rows", "stop rows"], np.nan_to_num([metrics.train_loss, metrics.val_loss]))
        axes.set(ylabel="log-loss", title="fitted in one call, no rounds")
    save_figure(figure, path)


def plot_confusion_matrix(path: Path, matrix: Sequence[Sequence[int]]) -> None:
    """Counts, rows truth and columns prediction."""
    figure, axes = blank_figure(4.5, 4)
    counts = np.asarray(matrix)
    axes.imshow(counts, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        shade = "white" if count > counts.max() / 2 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=shade)
    axes.set(xlabel="predicted", ylabel="truth", xticks=range(3), yticks=range(3))
    axes.set_xticklabels(CLASS_NAMES)
    axes.set_yticklabels(CLASS_NAMES)
    save_figure(figure, path)


def plot_feature_importance(path: Path, frame: pl.DataFrame) -> None:
    """The 25 most important features, longest bar first."""
    top = frame.head(MOST_IMPORTANT).reverse()
    figure, axes = blank_figure(7, 0.25 * len(top) + 1)
    axes.barh(top["feature"].to_list(), top["importance"].to_numpy())
    axes.set(xlabel="share of importance")
    save_figure(figure, path)


def blank_figure(width: float, height: float, rows: int = 1) -> tuple[Any, Any]:
    """A figure in inches without any window system, and its axes: one, or an array of them above each other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="tight")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, sharex=True)


def save_figure(figure: Any, path: Path) -> None:
    """Write a PNG that holds no date and no version, so that the same figure has the same bytes."""
    no_date: Mapping[str, None] = {"Software": None}
    atomic.write_with(
        path, lambda temporary: figure.savefig(temporary, dpi=DOTS_PER_INCH, format="png", metadata=no_date)
    )
