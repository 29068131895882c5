"""Options that several verbs share, each declared once."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import typer

from ohlcv_factory.errors import UsageError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, errors too.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show rows, memory and estimated time; do nothing.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML recipe.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Override one key: --set model.max_depth=4")]
Threads = Annotated[int | None, typer.Option("--threads", help="Threads of every native library.")]
Plugins = Annotated[
    list[str] | None,
    typer.Option("--plugin", help="Python file with features or models of your own; it is code, and it is run."),
]
FeatureSets = Annotated[
    Path | None, typer.Option("--feature-sets", help="YAML file of feature sets of your own: name, include, exclude.")
]
Dataset = Annotated[Path | None, typer.Option("--dataset", help="Dataset folder.")]
OneSymbol = Annotated[
    str | None, typer.Option("--symbol", help="One symbol of the dataset; default: one model on all of them.")
]
Horizon = Annotated[int | None, typer.Option("--horizon", help="Label horizon in bars.")]
FeatureSet = Annotated[str | None, typer.Option("--feature-set", help="Named feature set.")]
FeatureSelection = Annotated[
    str | None, typer.Option("--feature-selection", help="none, correlation or importance; learnt from the fit rows.")
]
WeightingKind = Annotated[str | None, typer.Option("--weighting", help="both, quality, uniqueness or none.")]
Experiment = Annotated[str | None, typer.Option("--experiment", help="A name to find it by.")]
OutputDir = Annotated[
    Path | None, typer.Option("--output-dir", help="Folder that the folder of the run or study is made in.")
]
Seed = Annotated[int | None, typer.Option("--seed", help="Every random draw follows from it.")]

Track = Annotated[
    str | None,
    typer.Option("--track", help="Show it in mlflow, tensorboard or wandb too; none: not, whatever the recipe says."),
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri", help="Where: sqlite:///FILE or http://HOST:PORT of MLflow, folder of TensorBoard, …"
    ),
]
RunName = Annotated[str | None, typer.Option("--run-name", help="Its name there; default: that of its folder.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="Tag there: --tag desk=fx; repeat it for more.")]
Scheme = Annotated[str | None, typer.Option("--scheme", help="kfold, walk_forward or combinatorial.")]
Folds = Annotated[
    int | None,
    typer.Option("--folds", help="Tested blocks; default 5, in combinatorial 6 groups, of a search by family."),
]
FoldEmbargo = Annotated[
    str | None,
    typer.Option("--embargo", help="Calendar days beside a tested block, or auto; default: the dataset's."),
]

SpreadPenalty = Annotated[
    float | None,
    typer.Option("--spread-penalty", "--lambda", help="Standard deviations over the folds that count against a mean."),
]
Trials = Annotated[
    int | None,
    typer.Option("--trials", help="Trials in all; default: by the model's family, of barriers 40 for each search."),
]
PrunerName = Annotated[
    str | None, typer.Option("--pruner", help="median (end what falls behind the median trial) or none.")
]
Storage = Annotated[
    str | None,
    typer.Option("--storage", help="URL of a database for the trials; default: SQLite in the study folder."),
]
StudyOut = Annotated[
    Path | None, typer.Option("--out", help="Study folder: new, or one that was begun with the same settings.")
]

Executor = Annotated[str | None, typer.Option("--executor", help="local or ray.")]
Workers = Annotated[
    int | None, typer.Option("--workers", help="Jobs at once; default: as many as cores and memory allow.")
]
Address = Annotated[
    str | None, typer.Option("--address", help="HOST:PORT of the head of a Ray cluster; default: one is started.")
]

BarSize = Annotated[str | None, typer.Option("--bar-size", help="Resample to this size, for example 5min.")]
Embargo = Annotated[str | None, typer.Option("--embargo", help="Calendar days before each border, or auto.")]
Instruments = Annotated[str | None, typer.Option("--instruments", help="Your own instrument table (YAML).")]


@dataclass(frozen=True)
class Flag:
    """An option that several verbs share, and the key of their recipes that it sets."""

    option: Any
    key: str
    value: Callable[[Any], Any] = lambda given: given
    """What the key is given, of what was typed."""


READING: dict[str, Any] = {
    "dialect": Annotated[
        str | None, typer.Option("--dialect", help="Who wrote the files; see `data dialects`. Default: their content.")
    ],
    "symbol": Annotated[
        str | None, typer.Option("--symbol", help="Symbol of the files; default: a column, or each file's name.")
    ],
    "contracts": Annotated[
        list[str] | None, typer.Option("--contract", help="Contract to read; repeat it for more of them.")
    ],
    "tz": Annotated[str | None, typer.Option("--tz", help="Time zone of times that carry none, for example UTC.")],
    "date_format": Annotated[str | None, typer.Option("--date-format", help="strftime pattern of the times.")],
    "time_unit": Annotated[str | None, typer.Option("--time-unit", help="Unit of numeric times: s, ms, us or ns.")],
    "delimiter": Annotated[str | None, typer.Option("--delimiter", help="Field separator of a text file.")],
    "decimal": Annotated[str | None, typer.Option("--decimal", help="Decimal sign of a text file.")],
    "thousands": Annotated[str | None, typer.Option("--thousands", help="Thousands separator of a text file.")],
    "encoding": Annotated[str | None, typer.Option("--encoding", help="Encoding of a text file.")],
    "columns": Annotated[
        list[str] | None, typer.Option("--map", help="Column by its name in the file: --map volume=vol")
    ],
    "stamp": Annotated[str | None, typer.Option("--stamp", help="What the time means: open or close of the bar.")],
    "source_size": Annotated[
        str | None, typer.Option("--source-size", help="Size of the file's bars, for example 1min.")
    ],
    "sort": Annotated[bool | None, typer.Option("--sort/--no-sort", help="Sort rows that are not in time order.")],
    "on_duplicate": Annotated[
        str | None, typer.Option("--on-duplicate", help="Equal rows of one time: error or last.")
    ],
    "ambiguous": Annotated[
        str | None, typer.Option("--ambiguous", help="Hour that occurs twice: error, earliest, latest.")
    ],
    "max_jump": Annotated[float | None, typer.Option("--max-jump", help="List bars whose close jumps by this factor.")],
    "price_scale": Annotated[float | None, typer.Option("--price-scale", help="Factor on prices, for example 1e-9.")],
    "volume_scale": Annotated[float | None, typer.Option("--volume-scale", help="Factor on volume.")],
    "cleaning": Annotated[
        list[str] | None, typer.Option("--clean", help="Rule of repair, for example drop_bad_rows; repeat it for more.")
    ],
}
"""How bar files are to be read: one flag for each field of `bars.load.ReadOptions`; its bar_size is `--source-size`."""

Command = TypeVar("Command", bound=Callable[..., Any])


def with_reading(command: Command) -> Command:
    """Give a command the flags of READING; it gets them as one dict `reading` of dotted recipe keys."""
    return _taking(command, "reading", READING, _reading_keys)


def with_flags(
    *groups: Mapping[str, Flag], without: Sequence[str] = (), into: str = "keys"
) -> Callable[[Command], Command]:
    """Give a command the flags of some groups; its parameter `into` gets them as one dict of dotted recipe keys.

    Where `threads` is among them, they are set before the command begins: it may be the first to import a native library.
    """
    flags = {name: flag for group in groups for name, flag in group.items() if name not in without}

    def keys(given: dict[str, Any]) -> dict[str, Any]:
        from ohlcv_factory.runtime.threads import set_threads

        if "threads" in flags:
            set_threads(given["threads"])
        return {flag.key: flag.value(given[name]) for name, flag in flags.items()}

    def decorate(command: Command) -> Command:
        return _taking(command, into, {name: flag.option for name, flag in flags.items()}, keys)

    return decorate


def _taking(
    command: Command, name: str, flags: Mapping[str, Any], made: Callable[[dict[str, Any]], dict[str, Any]]
) -> Command:
    """The command with further flags, of which it gets what `made` makes, as its parameter `name`."""
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for own_name, parameter in signature.parameters.items() if own_name != name]
    more = [
        inspect.Parameter(flag, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for flag, annotation in flags.items()
    ]

    @functools.wraps(command)
    def wrapped(**given: Any) -> Any:
        found = made({flag: given.pop(flag) for flag in flags})
        return command(**given, **{name: found})

    wrapped.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own), *more]
    )
    return cast("Command", wrapped)


def _reading_keys(given: dict[str, Any]) -> dict[str, Any]:
    """`{"read.tz": "UTC", "read.columns.volume": "vol"}` from the flags that were given."""
    columns = given.pop("columns") or []
    given["bar_size"] = given.pop("source_size")
    for name in ("contracts", "cleaning"):  # a flag that may be repeated is an empty list where it is not given
        given[name] = given[name] or None
    keys = {f"read.{name}": value for name, value in given.items() if value is not None}
    for pair in columns:
        name, separator, source = pair.partition("=")
        if not separator:
            raise UsageError(
                f"--map takes column=name, got {pair!r}.", where="--map", help="for example: --map volume=vol"
            )
        keys[f"read.columns.{name}"] = source
    return keys


def reading_values(reading: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `ReadOptions` that the flags of READING gave: `{"tz": "UTC", "columns": {"volume": "vol"}}`."""
    from ohlcv_factory.config import Layers

    return dict(Layers.merge([], (), reading).values.get("read", {}))


def tag_pairs(tags: list[str] | None) -> dict[str, str] | None:
    """`{"desk": "fx"}` of `["desk=fx"]`; None where nothing was typed. Raises UsageError (2) for another form."""
    pairs = [tag.partition("=") for tag in tags or ()]
    for name, separator, value in pairs:
        if not name or not separator:
            raise UsageError(
                f"--tag takes name=value, got {name + separator + value!r}.", where="--tag", help="--tag desk=fx"
            )
    return {name: value for name, _, value in pairs} or None


def required_dataset(dataset: Path | None, verb: str) -> Path:
    """The dataset folder that a flag or a recipe names. Raises UsageError (2) where none does."""
    if dataset is None:
        raise UsageError(
            f"{verb} needs a dataset.", where="--dataset", help="ohlcv-factory data build BARS.csv --out DIR"
        )
    return dataset


def integers(text: str | None, option: str) -> list[int] | None:
    """`5,10` as numbers. Raises UsageError (2)."""
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(
            f"{option} takes whole numbers, got {text!r}.", where=option, help=f"for example: {option} 5,10"
        ) from None


def words(text: str | None) -> list[str] | None:
    """`a,b` as names."""
    return None if text is None else [part.strip() for part in text.split(",")]


def embargo_days(text: str | None) -> float | str | None:
    """`auto` or a number of days. Raises UsageError (2)."""
    if text is None or text == "auto":
        return text
    with suppress(ValueError):
        if math.isfinite(days := float(text)):
            return days
    raise UsageError(f"--embargo takes days or auto, got {text!r}.", where="--embargo", help="for example: --embargo 5")


def refuse_inside(out: Path, *inputs: str | Path) -> None:
    """Raise OutputError (73) for an output that would lie in a folder of the input, which the next command would read."""
    from ohlcv_factory.errors import OutputError

    for folder in (Path(each) for each in inputs if Path(each).is_dir()):
        if out.resolve().is_relative_to(folder.resolve()) and out.resolve() != folder.resolve():
            raise OutputError(
                f"{out} lies inside the input {folder}.", where=str(out), help="choose a folder outside of the input"
            )


BUILD: Mapping[str, Flag] = {
    "bar_size": Flag(BarSize, "bar_size"),
    "embargo": Flag(Embargo, "embargo_days", embargo_days),
    "instruments": Flag(Instruments, "instruments"),
    "plugins": Flag(Plugins, "plugins", lambda given: given or None),
}
"""Of every verb that builds a dataset."""
RUNS: Mapping[str, Flag] = {
    "dataset": Flag(Dataset, "dataset"),
    "plugins": Flag(Plugins, "plugins", lambda given: given or None),
    "experiment": Flag(Experiment, "experiment_name"),
}
"""Of every verb that leaves runs or studies of a dataset."""
FIT: Mapping[str, Flag] = {
    **RUNS,
    "symbol": Flag(OneSymbol, "symbol"),
    "horizon": Flag(Horizon, "horizon"),
    "feature_set": Flag(FeatureSet, "feature_set"),
    "feature_selection": Flag(FeatureSelection, "feature_selection"),
    "weighting": Flag(WeightingKind, "weighting"),
    "output_dir": Flag(OutputDir, "output_dir"),
    "seed": Flag(Seed, "random_seed"),
    "threads": Flag(Threads, "threads"),
}
"""Of every verb that fits one model, or one ensemble, on a dataset."""
FOLDS: Mapping[str, Flag] = {
    "scheme": Flag(Scheme, "cv.scheme"),
    "folds": Flag(Folds, "cv.folds"),
    "embargo": Flag(FoldEmbargo, "cv.embargo_days", embargo_days),
}
"""Of every verb that divides the train part."""
SEARCH: Mapping[str, Flag] = {
    "spread_penalty": Flag(SpreadPenalty, "tune.spread_penalty"),
    "trials": Flag(Trials, "tune.trials"),
    "pruner": Flag(PrunerName, "tune.pruner"),
    "storage": Flag(Storage, "tune.storage"),
    "out": Flag(StudyOut, "out"),
}
"""Of every search."""
EXECUTOR: Mapping[str, Flag] = {
    "executor": Flag(Executor, "executor"),
    "workers": Flag(Workers, "workers"),
    "address": Flag(Address, "address"),
}
"""Of every verb whose jobs an executor can do."""
TRACKING: Mapping[str, Flag] = {
    "track": Flag(Track, "experiment.backend"),
    "tracking_uri": Flag(TrackingUri, "experiment.tracking_uri"),
    "run_name": Flag(RunName, "experiment.run_name"),
    "tags": Flag(Tags, "experiment.tags", tag_pairs),
}
"""Of every verb whose runs a tracker can show; where there are several, without `run_name`."""
