"""What commands say of a run: where it lies, and its scores, the model first, the baselines below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ohlcv_factory.cli.console import table
from ohlcv_factory.evaluation.score_table import SCORE_HEADER, SCORE_LEGEND, baseline_rows, score_row
from ohlcv_factory.labels.classes import CLASS_NAMES
from ohlcv_factory.storage.manifests import manifest_digest

if TYPE_CHECKING:
    from ohlcv_factory.studies.ensembling import EnsembleResult
    from ohlcv_factory.training.trainer import RunResult


def run_values(result: RunResult | EnsembleResult) -> dict[str, Any]:
    """Its name, its folder, and the digest that `verify` takes: what `--json` prints of a run first."""
    return {
        "run_id": result.run_id,
        "output_path": str(result.path),
        "manifest_sha256": manifest_digest(result.path),
    }


def run_head(result: RunResult | EnsembleResult) -> str:
    """The same as lines of text, and what the fit had to say."""
    notes = "".join(f"  note: {note}\n" for note in result.notes)
    return f"run: {result.path}\nmanifest: sha256 {manifest_digest(result.path)}\n{notes}"


def score_table(evaluation: dict[str, Any]) -> str:
    """Scores of a model and its baselines on the same rows, and the specification's thresholds below."""
    rows = [score_row(evaluation["model_name"], evaluation), *baseline_rows(evaluation)]
    verdicts = [
        f"{name} > {facts['threshold']}: {'reached' if facts['passed'] else 'not reached'}"
        for name, facts in evaluation["thresholds"].items()
    ]
    marks = "specification's thresholds: " + "; ".join(verdicts)
    text = f"{table(SCORE_HEADER, rows)}\n{SCORE_LEGEND}\n\n{marks}"
    return text + _absent_classes(evaluation["classification"]["classes_present"])


def _absent_classes(present: list[str]) -> str:
    """A warning where a class never occurs in the truth: averages over classes leave it out."""
    absent = [name for name in CLASS_NAMES if name not in present]
    if not absent:
        return ""
    return (
        f"\nwarning: no scored row is {' or '.join(absent)}: averages over classes take {', '.join(present) or 'none'}"
    )
