"""A run as a model folder of MLflow, without pickle: the bundle, and a file of code that calls the installed package.

    MLmodel              what MLflow reads first
    ohlcv_model.py       the code ("models from code"): bars in, probabilities out
    artifacts/bundle/    the run's files, those of its manifest
    requirements.txt     this package in this version; the extra of the model's family is yours to add

`mlflow.pyfunc.load_model` and `mlflow models serve --env-manager local` load it where the package is installed.
"""

from __future__ import annotations

import platform
import shutil
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ohlcv_factory import __version__
from ohlcv_factory.config import write_yaml
from ohlcv_factory.errors import UsageError
from ohlcv_factory.runtime.clock import system_clock
from ohlcv_factory.runtime.packages import DISTRIBUTION, import_extra
from ohlcv_factory.storage import atomic
from ohlcv_factory.training.bundle import MANIFEST, ModelBundle
from ohlcv_factory.training.run_manifest import read_run_manifest, require_kind, verify_files

WRITTEN_FOR = "3.17.2"
"""The version of MLflow whose folders these are; later ones read them too."""
CODE, BUNDLE = "ohlcv_model.py", Path("artifacts") / "bundle"
COLUMNS = ("symbol", "time", "p_short", "p_neutral", "p_long", "decision")
CODE_TEXT = '''"""Bars in, probabilities out: the bundle beside this file, by the installed package ohlcv-model-factory."""

from mlflow.models import set_model

from ohlcv_factory.training.mlflow_model import bars_model

set_model(bars_model())
'''


def export_mlflow_model(run: Path, out: Path) -> Path:
    """Write a finished run as a model folder of MLflow to `out`, which must be new or empty; nothing of MLflow is needed.

    Raises InputMissingError (66), VerificationError (76) where a file of the run has changed, OutputError (73).
    """
    manifest = read_run_manifest(run)
    require_kind(run, manifest)
    atomic.create_folder(out, must_be_new=True)
    with atomic.whole_folder(out) as folder:
        copy_bundle(run, folder / BUNDLE)
        atomic.write_text(folder / CODE, CODE_TEXT)
        atomic.write_text(folder / "requirements.txt", f"{DISTRIBUTION}[tracking]=={__version__}\n")
        atomic.write_text(folder / "MLmodel", write_yaml(_description(manifest, system_clock())))
    return out


def copy_bundle(run: Path, target: Path) -> None:
    """The files that a finished run vouches for, and its manifest last. Raises VerificationError (76) for a changed one."""
    manifest = read_run_manifest(run)
    verify_files(run, manifest)
    with atomic.storage_errors(target):
        for name in (*(stored["path"] for stored in manifest["files"]), MANIFEST):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(run / name, target / name)


def bars_model() -> Any:
    """The model that `ohlcv_model.py` hands to MLflow. Raises MissingExtraError (69) where MLflow is absent."""
    pyfunc: Any = import_extra("mlflow", "tracking").pyfunc

    class BarsModel(pyfunc.PythonModel):  # type: ignore[misc]
        """Bars of one or several symbols in a pandas frame; a row per eligible bar comes back."""

        def load_context(self, context: Any) -> None:
            self.bundle = ModelBundle.from_run(context.artifacts["bundle"])

        # Without type hints: MLflow reads them as a schema.
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            return predict_frame(self.bundle, model_input)

    return BarsModel()


def predict_frame(bundle: ModelBundle, bars: Any) -> Any:
    """Predictions of all eligible bars of a pandas frame: symbol, time, p_short, p_neutral, p_long, decision.

    The frame is read as the file was that the run was trained on; a column `symbol` tells several symbols apart. Raises
    what `bars_from_frame` and `ModelBundle.predict` do.
    """
    import polars as pl

    from ohlcv_factory.bars.load import ReadOptions, bars_from_frame

    recorded = {**bundle.read_options.plain(), "bar_size": None}
    groups = bars.groupby("symbol", sort=True) if "symbol" in bars.columns else [(_only_symbol(bundle), bars)]
    frames = []
    for symbol, group in groups:
        own = group.drop(columns="symbol", errors="ignore")
        read = bars_from_frame(own, ReadOptions.parse({**recorded, "symbol": str(symbol)}, where="frame"))
        frames.append(bundle.predict(read.bars).frame.select(COLUMNS))
    found = pl.concat(frames).with_columns(pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return bars.__class__(found.to_dict(as_series=False))  # through lists, so that pyarrow is not needed


def _only_symbol(bundle: ModelBundle) -> str:
    symbols = [instrument.symbol for instrument in bundle.instruments]
    if len(symbols) != 1:
        raise UsageError(f"the run knows {len(symbols)} symbols.", where="symbol", help="give a column symbol")
    return symbols[0]


def _description(manifest: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The content of `MLmodel`."""
    flavor = {
        "artifacts": {"bundle": {"path": BUNDLE.as_posix(), "uri": manifest["run_id"]}},
        "env": {"virtualenv": "requirements.txt"},
        "loader_module": "mlflow.pyfunc.model",
        "model_code_path": CODE,
        "python_version": platform.python_version(),
        "streamable": False,
    }
    facts = {name: str(manifest[name]) for name in ("run_id", "model", "horizon", "data_fingerprint", "code")}
    return {
        "flavors": {"python_function": flavor},
        "metadata": {"ohlcv_factory": facts},
        "mlflow_version": WRITTEN_FOR,
        "model_uuid": uuid.uuid5(uuid.NAMESPACE_OID, manifest["run_id"]).hex,
        "utc_time_created": now.strftime("%Y-%m-%d %H:%M:%S.%f"),
    }
