"""Runs, studies and addenda as every command opens them: compared with their manifest, and tried where they are foreign."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from ohlcv_factory.models._sound_trees import lightgbm_trees, refuse_unsound, xgboost_trees
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.packages import import_extra
from ohlcv_factory.runtime.plugin_files import load_plugins, loaded_files
from ohlcv_factory.storage.checkpoints import whole_checkpoints
from ohlcv_factory.storage.manifests import check_files, listed_files, read_manifest, refuse_strange
from ohlcv_factory.storage.trial import LIBRARIES, Trial, try_folder, try_foreign
from ohlcv_factory.training.run_manifest import BUNDLES, read_run_manifest, require_kind, verify_files

LOADER = f"{__name__}:models_in"
"""What the child process loads models with."""
CHECKPOINT_LOADER = f"{__name__}:checkpoints_in"
BEST_MODEL_FACTS = "checkpoints/best_model.meta.json"


def open_run(folder: Path, *, always_try: bool = False) -> dict[str, Any]:
    """The manifest of a finished run, fold or member whose files are those that were written, and can be parsed.

    What is foreign, or all with `always_try`, is parsed in a child process first. Raises InputMissingError (66) for anything
    else, VerificationError (76) for a file that is not what was written, DataError (65) for what may not be there or cannot be
    parsed, and what loading the model raises.
    """
    require_kind(folder, read_run_manifest(folder), BUNDLES)
    return open_models(folder, always_try=always_try)


def open_models(folder: Path, *, always_try: bool = False) -> dict[str, Any]:
    """The same for any folder whose manifest names a model: a cross-validation with models in it, too."""
    manifest = read_run_manifest(folder)
    verify_files(folder, manifest)
    trial = Trial(loader=LOADER if _can_be_loaded(manifest) else None, plugins=loaded_files())
    if always_try:
        try_folder(folder, trial)
    else:
        try_foreign(folder, trial)
    return manifest


def open_written(folder: Path, formats: Sequence[int] = ()) -> dict[str, Any]:
    """The same for a study of one of some formats, or for an addendum."""
    manifest = read_manifest(folder)
    check_files(folder, manifest, formats)
    try_foreign(folder, Trial())
    return manifest


def refuse_harmful_checkpoints(folder: Path) -> None:
    """Raise DataError (65) where an unfinished run holds what may not be there, or a checkpoint that kills its parser.

    An unfinished run has no manifest that could be known, so that its checkpoints are always parsed in a child first; those
    that are not what was written are none: the fit goes on from the one before.
    """
    refuse_strange(folder)
    if any(path.suffix in CHECKPOINT_PARSERS for path in _checkpoint_models(folder)):
        try_folder(folder, Trial(None, loader=CHECKPOINT_LOADER))


def checkpoints_in(folder: Path, plugins: Sequence[str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The model of every checkpoint of an unfinished run, and the library that parses it."""
    for path in _checkpoint_models(folder):
        if parse := CHECKPOINT_PARSERS.get(path.suffix):
            yield path.relative_to(folder).as_posix(), partial(parse, path)


def _checkpoint_models(folder: Path) -> list[Path]:
    whole = whole_checkpoints(folder / "checkpoints")
    return [path for checkpoint in whole for path in sorted(checkpoint.glob("model.*"))]


def models_in(folder: Path, plugins: Sequence[str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Every model below a folder: the file to be named where it is the culprit, and what loads and tests it.

    Those of members come before that of their ensemble, which loads them once more.
    """
    load_plugins(plugins)
    names = [each.path for each in listed_files(read_manifest(folder))]
    found = sorted((name for name in names if name.endswith(BEST_MODEL_FACTS)), key=lambda name: -name.count("/"))
    for facts in found:
        stem = facts.removesuffix("meta.json")
        own = [name for name in names if name.startswith(stem) and name != facts]
        native = next((name for name in own if PurePosixPath(name).suffix in LIBRARIES), own[0] if own else facts)
        yield native, partial(_load_sound, folder / facts.removesuffix(BEST_MODEL_FACTS), str(folder / native))


def _load_sound(folder: Path, native: str) -> None:
    from ohlcv_factory.training.bundle import parsed_bundle

    parsed_bundle(folder).pipeline.model.check_sound(native)


def _can_be_loaded(manifest: dict[str, Any]) -> bool:
    """Whether a child can know the model: not one that a notebook or a script declared."""
    name = manifest.get("model")
    origin = ModelRegistry.origin(name) if isinstance(name, str) else None
    return origin is None or origin.is_file


def _parse_xgboost(path: Path) -> None:
    booster = import_extra("xgboost", "boosting").Booster(model_file=path)
    refuse_unsound(xgboost_trees(booster), booster.num_features(), str(path))


def _parse_lightgbm(path: Path) -> None:
    booster = import_extra("lightgbm", "boosting").Booster(model_str=path.read_text(encoding="utf-8"))
    refuse_unsound(lightgbm_trees(booster), booster.num_feature(), str(path))


CHECKPOINT_PARSERS: dict[str, Callable[[Path], None]] = {".ubj": _parse_xgboost, ".txt": _parse_lightgbm}
"""Of the formats whose parsers damaged bytes can kill; that of safetensors raises."""
