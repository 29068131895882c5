"""Manifests of runs, folds and members by version: what they say of the model, and whether these libraries can read it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ohlcv_factory.errors import (
    DataError,
    FactoryWarning,
    InputMissingError,
    MissingExtraError,
    UsageError,
    VerificationError,
)
from ohlcv_factory.labels.classes import CLASS_NAMES
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.runtime.packages import package_versions
from ohlcv_factory.storage.digests import value_digest
from ohlcv_factory.storage.manifests import MANIFEST, check_files, manifest_digest, read_manifest, refuse_format
from ohlcv_factory.training.pipeline import FittedPipeline
from ohlcv_factory.training.reference import reference_facts

RUN_SCHEMA_VERSION = 2
READ_VERSIONS = (1, 2)
"""1: no roles of files, no facts about the model, no reference rows; the first of them also without code and training range."""
RUNS = ("run",)
BUNDLES = (*RUNS, "fold", "member", "final_model")
"""Kinds of folder that hold a model and what feeds it; a run alone has a recipe and the scores of a part, too."""
KIND_WORDS = {
    "fold": "a fold of a study",
    "member": "a member of an ensemble",
    "final_model": "the final model of a cross-validation",
    "cv": "a cross-validation",
    "tune": "a search of settings",
    "barriers": "a search of barriers",
}
CODERS = {
    ".skops": ("scikit-learn", "skops"),
    ".ubj": ("xgboost-cpu", "xgboost"),
    ".txt": ("lightgbm",),
    ".cbm": ("catboost",),
    ".safetensors": ("torch",),
}
"""Distributions that read a format, and decide what is computed from it."""


def model_facts(pipeline: FittedPipeline) -> dict[str, Any]:
    """What a manifest says of the model: enough to know, before it is parsed, whether it can be used."""
    model = pipeline.model
    names = list(pipeline.columns)
    return {
        "classes": list(CLASS_NAMES),
        "features": {"names": names, "digest": value_digest({"names": names})},
        "dtypes": {"features": "float32", "probabilities": "float64"},
        "lookback": pipeline.lookback,
        "native_suffix": model.native_suffix,
        "trusted_types": list(trusted_types(model)),
        "readers": package_versions(CODERS.get(model.native_suffix, ())),
        "reference": dict(reference_facts(model.family)),
    }


def trusted_types(model: BaseModel) -> tuple[str, ...]:
    """The types that a model's file may hold beyond those of its format's own list: those of the class, never of a file."""
    return tuple(getattr(model, "trusted_types", ()))


def read_run_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a finished run, whatever version wrote it; its files are not looked at.

    Raises InputMissingError (66) for anything else, DataError (65) for a damaged one or a newer version.
    """
    if not (folder / MANIFEST).is_file():
        raise InputMissingError(
            f"{folder} is not a finished run but an incomplete bundle: it holds no {MANIFEST}.",
            where=str(folder),
            help="ohlcv-factory train … makes one",
        )
    manifest = read_manifest(folder)
    refuse_format(folder, manifest, READ_VERSIONS)
    return upgraded(manifest)


def require_kind(folder: Path, manifest: Mapping[str, Any], kinds: Sequence[str] = RUNS) -> None:
    """Raise InputMissingError (66) where a folder is of another kind than a command can use: a run, or any bundle."""
    kind = manifest.get("kind")
    if kind in kinds:
        return
    wanted = "a run" if tuple(kinds) == RUNS else "a bundle"
    raise InputMissingError(
        f"{folder} is {KIND_WORDS.get(str(kind), f'of kind {str(kind)[:40]!r}')}, not {wanted}.",
        where=str(folder),
        help="name the folder of a run; ohlcv-factory runs list shows them",
    )


def upgraded(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest as the newest version has it; what an older one does not know is None."""
    unknown = ("code", "threads", "peak_memory_mb", "machine", "packages", "device", "experiment_name")
    model = ("classes", "features", "lookback", "trusted_types", "readers", "reference")
    return {**dict.fromkeys((*unknown, *model)), **manifest}


def verify_files(folder: Path, manifest: Mapping[str, Any]) -> int:
    """Compare a run, a fold or a member with its manifest, see `manifests.check_files`; how many files were compared."""
    return check_files(folder, manifest, READ_VERSIONS)


def refuse_other_digest(folder: Path, expected: str) -> None:
    """Raise VerificationError (76) where a manifest is not the one whose SHA-256 was told, UsageError (2) for no digest."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", expected):
        raise UsageError(
            f"a digest has 64 hexadecimal digits, got {expected!r}.",
            where="--expect-digest",
            help="ohlcv-factory verify RUN prints it",
        )
    found = manifest_digest(folder)
    if found != expected.lower():
        raise VerificationError(
            f"{MANIFEST} has the SHA-256 {found}, {expected.lower()} is expected.",
            where=str(folder / MANIFEST),
            help="this is not the run or bundle that was pinned: do not use it",
        )


def refuse_other_model(folder: Path, manifest: Mapping[str, Any], pipeline: FittedPipeline, columns_in: Path) -> None:
    """Raise where the loaded model is not what its manifest says: DataError (65), of its types VerificationError (76).

    `columns_in` is the file of the folder that names its columns.
    """
    where = str(folder / MANIFEST)
    if manifest["classes"] not in (None, list(CLASS_NAMES)):
        raise DataError(
            f"the model's classes are {manifest['classes']}, not {list(CLASS_NAMES)}.", where=where, help="use another"
        )
    names = list(pipeline.columns)
    if manifest["features"] is not None and manifest["features"].get("digest") != value_digest({"names": names}):
        where = str(folder / columns_in)
        raise DataError(f"{columns_in} names other columns than the manifest.", where=where, help="restore the folder")
    strange = set(manifest["trusted_types"] or ()) - set(trusted_types(pipeline.model))
    if strange:
        raise VerificationError(
            f"the manifest trusts types that a {pipeline.model.name!r} never has: {', '.join(sorted(map(str, strange)))}.",
            where=where,
            help="the folder was not written by this project: do not use it",
        )


def refuse_other_packages(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Raise MissingExtraError (69) where a library that reads the model is of another major version; warn of a minor one."""
    for name, made in (manifest["readers"] or {}).items():
        installed = package_versions((name,)).get(name)
        if installed is None:  # loading says so itself, or finds the same library under its other name
            continue
        if _parts(made)[:1] != _parts(installed)[:1]:
            raise MissingExtraError(
                f"{folder.name} was made with {name} {made}, {installed} is installed: another major version.",
                where=str(folder / MANIFEST),
                help=f"pip install '{name}=={'.'.join(_parts(made)[:2])}.*'",
            )
        if _parts(made)[:2] != _parts(installed)[:2]:
            warnings.warn(
                f"{folder.name} was made with {name} {made}, {installed} is installed.", FactoryWarning, stacklevel=3
            )


def _parts(version: str) -> list[str]:
    return str(version).split("+")[0].split(".")
