"""What a manifest says of a model, which versions are read, and which libraries may read it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from resealed import reseal

from ohlcv_factory.errors import DataError, FactoryWarning, MissingExtraError, UsageError, VerificationError
from ohlcv_factory.storage.manifests import manifest_digest
from ohlcv_factory.training import run_manifest
from ohlcv_factory.training.bundle import ModelBundle
from ohlcv_factory.training.run_manifest import read_run_manifest, refuse_other_digest, refuse_other_packages


@pytest.fixture
def run(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished.path, tmp_path / finished.run_id))


def test_a_manifest_says_what_the_model_reads_and_answers(finished) -> None:
    manifest = json.loads((finished.path / "manifest.json").read_text())
    assert (manifest["format"], manifest["classes"]) == (2, ["short", "neutral", "long"])
    assert manifest["features"]["names"] == list(ModelBundle.from_run(finished.path).pipeline.columns)
    assert manifest["dtypes"] == {"features": "float32", "probabilities": "float64"}
    assert (manifest["lookback"], manifest["native_suffix"], manifest["trusted_types"]) == (None, ".txt", [])
    assert manifest["readers"] == {"lightgbm": manifest["packages"]["lightgbm"]}
    assert manifest["reference"] == {"file": "checkpoints/reference.npz", "rows": 8, "tolerance": 1e-6}


def test_equal_manifests_have_equal_bytes(finished) -> None:
    text = (finished.path / "manifest.json").read_text()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"


def test_a_manifest_of_the_first_format_gets_what_it_does_not_know_as_none(run) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    first = {name: manifest[name] for name in ("kind", "model", "files")}
    (run / "manifest.json").write_text(json.dumps({**first, "format": 1}))
    found = read_run_manifest(run)
    assert [found[name] for name in ("reference", "readers", "features", "code", "threads")] == [None] * 5


@pytest.mark.parametrize("version", [0, 3, "2", True, None])
def test_another_format_is_refused(version, run) -> None:
    reseal(run, format=version)
    with pytest.raises(DataError, match="this version reads 1, 2"):
        read_run_manifest(run)


def test_the_digest_that_was_told_is_the_one_that_counts(run) -> None:
    digest = manifest_digest(run)
    refuse_other_digest(run, digest.upper())
    with pytest.raises(VerificationError, match=f"has the SHA-256 {digest}, {'0' * 64} is expected"):
        refuse_other_digest(run, "0" * 64)
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        refuse_other_digest(run, digest[:12])


@pytest.mark.parametrize(("made", "outcome"), [("4.7.3", None), ("4.6.0", "warned"), ("3.9.9", "refused")])
def test_another_major_version_is_refused_and_another_minor_one_warned_of(made, outcome, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(run_manifest, "package_versions", lambda names: {"lightgbm": "4.7.0"})
    manifest = {"readers": {"lightgbm": made}}
    if outcome == "refused":
        with pytest.raises(
            MissingExtraError, match=r"made with lightgbm 3\.9\.9, 4\.7\.0 is installed: another major"
        ) as caught:
            refuse_other_packages(tmp_path, manifest)
        assert caught.value.exit_code == 69
    elif outcome == "warned":
        with pytest.warns(FactoryWarning, match=r"made with lightgbm 4\.6\.0, 4\.7\.0 is installed"):
            refuse_other_packages(tmp_path, manifest)
    else:
        refuse_other_packages(tmp_path, manifest)


def test_other_columns_than_the_manifest_says_are_refused(run, monkeypatch) -> None:
    monkeypatch.setattr("ohlcv_factory.storage.trial.is_known", lambda digest: True)
    reseal(run, features={"names": ["a"], "digest": "0" * 64})
    with pytest.raises(DataError, match=r"config/feature_config.yaml names other columns than the manifest"):
        ModelBundle.from_run(run)
