"""`features list`, `describe` and `sets`: the catalogue, the user's own columns, and the named choices of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, fact_lines, table

if TYPE_CHECKING:
    from ohlcv_factory.features.feature import Feature

HIDDEN = ("column", "windowed", "history_seconds")
"""How a feature is computed, which is nobody's business here."""

application = typer.Typer(help="The feature catalogue.", no_args_is_help=True)


@application.command("list")
def list_features(
    category: Annotated[str | None, typer.Option("--category", help="Only this category.")] = None,
    feature_set: Annotated[str | None, typer.Option("--set-name", help="Only the columns of this feature set.")] = None,
    feature_sets: options.FeatureSets = None,
    plugins: options.Plugins = None,
    as_json: options.AsJson = False,
) -> None:
    """List features with category, look-back in bars, unit and formula."""
    from ohlcv_factory.errors import unknown_name
    from ohlcv_factory.features.catalogue import catalogue
    from ohlcv_factory.features.sets import resolve, sets_of
    from ohlcv_factory.runtime.plugin_files import load_plugins

    load_plugins(plugins or ())
    features = catalogue()
    if category:
        offered = {feature.category for feature in features}
        if category not in offered:
            raise unknown_name("category", category, offered)
        features = tuple(feature for feature in features if feature.category == category)
    if feature_set:
        names = resolve(
            feature_set, tuple(feature.name for feature in catalogue()), sets_of(feature_sets) if feature_sets else {}
        )
        features = tuple(feature for feature in features if feature.name in names)
    rows: list[dict[str, Any]] = [feature_facts(feature) for feature in features]
    header = ("name", "category", "lookback_text", "unit", "formula")
    emit(rows, table(header, [[row[column] for column in header] for row in rows]), as_json)


@application.command("describe")
def describe(name: str, plugins: options.Plugins = None, as_json: options.AsJson = False) -> None:
    """Everything the catalogue says of one feature; of one's own also the file and its digest."""
    from ohlcv_factory.features.catalogue import find
    from ohlcv_factory.features.plugins import records
    from ohlcv_factory.runtime.plugin_files import load_plugins

    load_plugins(plugins or ())
    values = feature_facts(find(name))
    for record in records([name]):
        values |= {"declared_in": record.place, "sha256": record.sha256}
    emit(values, fact_lines(values), as_json)


@application.command("sets")
def sets(
    feature_sets: options.FeatureSets = None, plugins: options.Plugins = None, as_json: options.AsJson = False
) -> None:
    """List the feature sets with their number of columns; `features list --set-name SET` shows the columns."""
    from ohlcv_factory.features.sets import all_sets, select, sets_of
    from ohlcv_factory.runtime.plugin_files import load_plugins

    load_plugins(plugins or ())
    rows: list[dict[str, Any]] = [
        {
            "name": chosen.name,
            "aliases": list(chosen.aliases),
            "columns": list(select(chosen)),
            "version": chosen.version,
            "digest": chosen.digest,
            "purpose": chosen.purpose,
        }
        for chosen in all_sets(sets_of(feature_sets) if feature_sets else {}).values()
    ]
    cells = [
        [
            ", ".join([row["name"], *row["aliases"]]),
            len(row["columns"]),
            f"v{row['version']}" if row["version"] else row["digest"][:8],
            row["purpose"],
        ]
        for row in rows
    ]
    emit(rows, table(("set", "columns", "version", "purpose"), cells), as_json)


def feature_facts(feature: Feature) -> dict[str, Any]:
    """What the catalogue declares of a feature, without its function, and the built-in sets that hold it."""
    facts: dict[str, Any] = {
        name: getattr(feature, name) for name in feature.__dataclass_fields__ if name not in HIDDEN
    }
    return facts | {"lookback_text": feature.lookback_text, "sets": holding_sets(feature.name)}


def holding_sets(name: str) -> list[str]:
    """The built-in feature sets with that column."""
    from ohlcv_factory.features.sets import builtin_sets, select

    return [chosen.name for chosen in builtin_sets().values() if name in select(chosen)]
