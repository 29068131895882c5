from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ohlcv_factory.config import read_yaml
from ohlcv_factory.errors import InputMissingError, OutputError, UsageError, VerificationError
from ohlcv_factory.runtime.packages import is_installed
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.mlflow_model import export_mlflow_model, predict_frame

pd = pytest.importorskip("pandas", reason="the extra pandas is not installed")


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    return export_mlflow_model(finished.path, tmp_path_factory.mktemp("exported") / "model")


@pytest.fixture(scope="module")
def bars(market):
    """The market as a pandas frame, with times that carry their zone."""
    return pd.DataFrame(market.frame().to_dict(as_series=False))


def test_the_folder_is_a_model_of_code_with_the_bundle_of_the_run(exported, finished) -> None:
    found = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    own = {path.relative_to(finished.path).as_posix() for path in finished.path.rglob("*") if path.is_file()}
    bundle = {f"artifacts/bundle/{name}" for name in own - {"state.json"}}
    assert found == {"MLmodel", "ohlcv_model.py", "requirements.txt", *bundle}
    flavor = read_yaml(exported / "MLmodel").values["flavors"]["python_function"]
    assert (flavor["loader_module"], flavor["model_code_path"]) == ("mlflow.pyfunc.model", "ohlcv_model.py")


def test_no_file_of_it_is_a_pickle(exported) -> None:
    for path in (path for path in exported.rglob("*") if path.is_file()):
        assert path.suffix not in {".pkl", ".pickle", ".joblib", ".pt", ".bin"}
        assert not path.read_bytes().startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"))


def test_bars_in_probabilities_out_are_those_of_predict(exported, finished, bars, market) -> None:
    found = predict_frame(ModelBundle.from_run(exported / "artifacts" / "bundle"), bars)
    expected = ModelBundle.from_run(finished.path).predict(market).frame
    assert list(found.columns) == ["symbol", "time", "p_short", "p_neutral", "p_long", "decision"]
    for name in ("p_short", "p_neutral", "p_long"):
        assert found[name].tolist() == expected[name].to_list()
    assert found["decision"].tolist() == expected["decision"].to_list()
    assert found["time"].iloc[-1] == expected["time"][-1].strftime("%Y-%m-%dT%H:%M:%SZ")


def test_several_symbols_are_told_apart_by_their_column(finished, bars) -> None:
    bundle = ModelBundle.from_run(finished.path)
    two = pd.concat([bars.assign(symbol="B"), bars.assign(symbol="A")])
    found = predict_frame(bundle, two)
    assert found["symbol"].unique().tolist() == ["A", "B"]
    one, other = (found[found["symbol"] == symbol]["p_long"].tolist() for symbol in "AB")
    assert one == other


def test_a_frame_without_a_symbol_needs_a_run_of_one(finished, bars) -> None:
    bundle = ModelBundle.from_run(finished.path)
    several = bundle.__class__(**{**bundle.__dict__, "instruments": bundle.instruments * 2})
    with pytest.raises(UsageError, match="the run knows 2 symbols"):
        predict_frame(several, bars)


@pytest.mark.skipif(not is_installed("mlflow"), reason="the extra tracking is not installed")
def test_mlflow_itself_loads_it_with_pickles_forbidden(exported, bars, finished, market, tmp_path) -> None:
    (tmp_path / "bars.json").write_text(bars.to_json(orient="split", date_format="iso", date_unit="ns"))
    code = (
        "import sys, io, pandas, mlflow\n"
        "bars = pandas.read_json(io.StringIO(open(sys.argv[2]).read()), orient='split', precise_float=True)\n"
        "print(mlflow.pyfunc.load_model(sys.argv[1]).predict(bars).to_json(orient='records', double_precision=15))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(exported), str(tmp_path / "bars.json")],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    found = [row["p_long"] for row in json.loads(done.stdout)]
    expected = ModelBundle.from_run(finished.path).predict(market).frame["p_long"].to_list()
    assert found == pytest.approx(expected, abs=1e-14)


def test_a_changed_run_an_unfinished_one_and_a_full_folder_are_refused(finished, tmp_path, exported) -> None:
    with pytest.raises(OutputError):
        export_mlflow_model(finished.path, exported)
    with pytest.raises(InputMissingError):
        export_mlflow_model(tmp_path, tmp_path / "out")
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", finished.path, copy], check=True)
    (copy / "checkpoints" / "scaler.json").write_text("{}")
    with pytest.raises(VerificationError):
        export_mlflow_model(copy, tmp_path / "changed")
    assert not (tmp_path / "changed" / "MLmodel").exists()
