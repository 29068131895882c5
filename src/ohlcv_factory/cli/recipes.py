"""What `--config FILE` may hold for each verb: the library's settings plus where things lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import model_validator

from ohlcv_factory.config import Document, Layers, PathSetting, Settings, read_yaml, setting
from ohlcv_factory.dataset.settings import DatasetConfig
from ohlcv_factory.errors import FactoryError
from ohlcv_factory.features.sets import read_sets
from ohlcv_factory.models.base import ModelConfig
from ohlcv_factory.models.registry import ModelRegistry
from ohlcv_factory.runtime.plugin_files import load_plugins
from ohlcv_factory.runtime.threads import set_threads
from ohlcv_factory.storage.formats import read_settings
from ohlcv_factory.studies.ensemble_settings import EnsembleConfig, by_name
from ohlcv_factory.studies.settings import CrossValidationConfig
from ohlcv_factory.studies.sweep import SweepConfig
from ohlcv_factory.studies.tuning_settings import BARRIER_MODEL, BarrierTuningConfig, TuningConfig
from ohlcv_factory.training.resumption import unfinished_attempt
from ohlcv_factory.training.settings import TrainerConfig, effective_hyper_parameters

Recipe = TypeVar("Recipe", bound=Settings)


class OnDataset(Settings):
    """The dataset that a verb fits models on, and what is run and taken for it."""

    dataset: PathSetting | None = setting(None, "Dataset folder, as `data build` made it.")
    symbol: str | None = setting(None, "One symbol of the dataset; none trains one model on all of them.")
    plugins: tuple[str, ...] = setting(
        (), "Python files with features of the dataset's or models of your own; they are run."
    )
    threads: int | None = setting(None, "Threads of every native library.", ge=1)


class BuildRecipe(DatasetConfig):
    """`data build`: a dataset's settings, its sources and its folder."""

    sources: tuple[str, ...] = setting((), "Bar files and folders of them; files of one symbol are joined.")
    out: PathSetting | None = setting(None, "Folder of the dataset; must be new or empty.")

    def dataset_config(self) -> DatasetConfig:
        """The settings without the paths."""
        return _settings_of(self, DatasetConfig)


class TrainRecipe(OnDataset, TrainerConfig):
    """`train`: a run's settings and the dataset it is trained on."""

    def trainer_config(self) -> TrainerConfig:
        """The settings without dataset, symbol, plugins and threads."""
        return _settings_of(self, TrainerConfig)


class CrossValidationRecipe(TrainRecipe):
    """`cv`: what `train` takes, how the train part is divided into folds, and what carries them out."""

    cv: CrossValidationConfig = CrossValidationConfig()
    executor: Literal["here", "local", "ray"] = setting(
        "here", "Fold by fold in this process, in processes of this machine, or on a Ray cluster."
    )
    address: str | None = setting(None, "HOST:PORT of the head of a Ray cluster; none starts one here.")
    workers: int | None = setting(None, "Folds at once; none: as many as cores and memory allow.", ge=1)

    @model_validator(mode="after")
    def _refuse_idle_keys(self) -> Self:
        """Keys of an executor are refused where there is none."""
        for name in ("address", "workers"):
            if self.executor == "here" and getattr(self, name) is not None:
                raise ValueError(f"{name}: folds are done in this process; give executor: local or ray")
        return self


class TuneRecipe(TrainRecipe):
    """`tune`: what `train` takes, what is searched and how, and the folds that decide."""

    tune: TuningConfig = TuningConfig()
    cv: CrossValidationConfig = CrossValidationConfig()
    out: PathSetting | None = setting(
        None, "Study folder: a new one, or one that was begun with the same settings; none: named by model and time."
    )


class BarrierRecipe(TrainRecipe):
    """`tune-barriers`: the model whose predictions are traded, what is searched and how, and the folds."""

    model_name: str = setting(BARRIER_MODEL, "The model whose predictions are traded.")
    tune: BarrierTuningConfig = BarrierTuningConfig()
    cv: CrossValidationConfig = CrossValidationConfig()
    out: PathSetting | None = setting(
        None, "Study folder: a new one, or one that was begun with the same settings; none: named by model and time."
    )

    @model_validator(mode="after")
    def _refuse_idle_keys(self) -> Self:
        """One study is of several horizons and symbols."""
        for name, key in (("horizon", "horizons"), ("symbol", "symbols")):
            if name in self.model_fields_set and getattr(self, name) is not None:
                raise ValueError(f"{name}: barriers are searched for several; give tune.{key}")
        return self


class EnsembleRecipe(OnDataset, EnsembleConfig):
    """`ensemble`: what it is made of and the dataset it is trained on."""

    def ensemble_config(self) -> EnsembleConfig:
        """The settings without dataset, symbol, plugins and threads."""
        return _settings_of(self, EnsembleConfig)


class SweepRecipe(SweepConfig):
    """`sweep`: which runs, on what, where they go, and what carries them out."""

    dataset: PathSetting | None = setting(None, "Dataset folder, as `data build` made it.")
    out: PathSetting = setting(Path("experiments") / "studies" / "sweep", "Folder of the study.")
    plugins: tuple[str, ...] = setting((), "Python files that declare features of the dataset's; they are run.")
    executor: Literal["local", "ray"] = setting("local", "Processes of this machine, or a Ray cluster.")
    address: str | None = setting(None, "HOST:PORT of the head of a Ray cluster; none starts one here.")
    workers: int | None = setting(None, "Jobs at once; none: as many as cores and memory allow.", ge=1)
    threads: int = setting(1, "Threads of each job; another number is another job.", ge=1)

    def sweep_config(self) -> SweepConfig:
        """The settings without where and how."""
        return _settings_of(self, SweepConfig)


FitRecipe = TypeVar("FitRecipe", bound=TrainRecipe)


@contextmanager
def placed(layers: Layers, *keys: str, data: Sequence[str] = ()) -> Iterator[None]:
    """Give an error a file: that of the key it names, or else of one of `keys`, with its line where a recipe has the say on it.

    An error that names a key which came from a flag gets the first of the files of `data` before it.
    """
    try:
        yield
    except FactoryError as error:
        line = next((layers.lines[key] for key in (*keys, error.where) if key in layers.lines), None)
        if line is not None:
            error.where = f"{layers.where}:{line}"
        elif data and error.where in BuildRecipe.model_fields:
            error.where = f"{data[0]}: {error.where}"
        raise


def read_recipe(
    kind: type[Recipe],
    file: Path | None,
    overrides: Sequence[str] | None,
    flags: Mapping[str, Any],
    sets_file: Path | None = None,
) -> tuple[Recipe, Layers]:
    """Merge YAML files, the environment, `--set` and flags into one recipe. Raises UsageError (2) with key and line."""
    documents = [*([read_yaml(file)] if file else []), *([read_sets(sets_file)] if sets_file else [])]
    layers = Layers.merge(documents, overrides or (), flags)
    return kind.parse(layers.values, where=layers.where, lines=layers.lines), layers


def read_train_recipe(
    file: Path | None, overrides: Sequence[str] | None, flags: Mapping[str, Any], sets_file: Path | None = None
) -> tuple[TrainRecipe, ModelConfig, Layers]:
    """A training recipe, as `read_fit_recipe` reads it."""
    return read_fit_recipe(TrainRecipe, file, overrides, flags, sets_file)


def read_fit_recipe(
    kind: type[FitRecipe],
    file: Path | None,
    overrides: Sequence[str] | None,
    flags: Mapping[str, Any],
    sets_file: Path | None = None,
) -> tuple[FitRecipe, ModelConfig, Layers]:
    """A recipe of one model with the hyper-parameters that it comes to, each key checked with its line in the file.

    Its plugin files are run: one of them may bring the model.
    Raises UsageError (2), or MissingExtraError (69) when the model's package is absent.
    """
    recipe, layers = read_recipe(kind, file, overrides, flags, sets_file)
    load_plugins(recipe.plugins)
    with placed(layers, "model_name"):
        model_class = ModelRegistry.model_class(recipe.model_name)
    values = effective_hyper_parameters(recipe, model_class)
    return recipe, model_class.Config.parse(values, where=layers.where, lines=layers.lines, section="model"), layers


def begun_recipe(
    kind: type[FitRecipe], folder: Path, file: Path, dataset: Path | None, plugins: Sequence[str] | None
) -> FitRecipe:
    """The recipe of a run or study that was cut off, from its own `file`; its threads are set.

    Plugins are those named now, never those of the file: they are code. Raises UsageError (2) for one that is finished,
    DataError (65) where the file is damaged.
    """
    unfinished_attempt(folder)
    read_settings(folder / file)
    recipe, _, _ = read_fit_recipe(kind, folder / file, None, {"dataset": dataset, "plugins": plugins or []})
    set_threads(recipe.threads)
    return recipe


def read_ensemble_recipe(
    file: Path | None,
    overrides: Sequence[str] | None,
    flags: Mapping[str, Any],
    members: Sequence[str] | None = None,
    sets_file: Path | None = None,
) -> EnsembleRecipe:
    """A recipe of an ensemble; `members` names its members in their order, with the settings that the recipe has of them.

    Its plugin files are run: one of them may bring a model. Raises UsageError (2).
    """
    named = [Document({"members": {name: {} for name in members}}, {}, "--members")] if members else []
    documents = [*([read_yaml(file)] if file else []), *([read_sets(sets_file)] if sets_file else [])]
    layers = Layers.merge([*named, *_members_by_name(documents)], overrides or (), flags)
    if members:
        layers.values["members"] = {name: layers.values["members"][name] for name in members}
    recipe = EnsembleRecipe.parse(layers.values, where=layers.where, lines=layers.lines)
    load_plugins(recipe.plugins)
    return recipe


def _members_by_name(documents: Sequence[Document]) -> list[Document]:
    """The documents with a plain list of members as a table, so that further keys of a member can join it."""
    return [
        Document({**each.values, "members": by_name(each.values["members"])}, each.lines, each.where)
        if isinstance(each.values.get("members"), list)
        else each
        for each in documents
    ]


def names_ensemble(file: Path | None, overrides: Sequence[str] | None, flags: Mapping[str, Any]) -> bool:
    """Whether a recipe's model is an ensemble, whose recipe has further keys; a name that is not known yet is none."""
    name = Layers.merge([read_yaml(file)] if file else [], overrides or (), flags).values.get("model_name")
    return name in ModelRegistry.entries() and ModelRegistry.model_class(str(name)).input_spec.is_ensemble


def _settings_of(recipe: Settings, kind: type[Recipe]) -> Recipe:
    """The settings of a recipe that are those of `kind`."""
    return kind(**{name: getattr(recipe, name) for name in kind.model_fields})
