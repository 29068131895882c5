"""`features list` and `features describe`: the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, table

if TYPE_CHECKING:
    from ohlcv_factory.features.feature import Feature

HIDDEN = ("column", "windowed", "history_seconds")
"""How a feature is computed, which is nobody's business here."""

application = typer.Typer(help="The feature catalogue.", no_args_is_help=True)


@application.command("list")
def list_features(
    category: Annotated[str | None, typer.Option("--category", help="Only this category.")] = None,
    feature_set: Annotated[str | None, typer.Option("--set-name", help="Only the columns of this feature set.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """List features with category, look-back in bars, unit and formula."""
    from ohlcv_factory.errors import unknown_name
    from ohlcv_factory.features.catalogue import catalogue
    from ohlcv_factory.features.sets import resolve

    features = catalogue()
    if category:
        offered = {feature.category for feature in features}
        if category not in offered:
            raise unknown_name("category", category, offered)
        features = tuple(feature for feature in features if feature.category == category)
    if feature_set:
        names = resolve(feature_set, tuple(feature.name for feature in catalogue()))
        features = tuple(feature for feature in features if feature.name in names)
    rows: list[dict[str, Any]] = [feature_facts(feature) for feature in features]
    header = ("name", "category", "lookback_text", "unit", "formula")
    emit(rows, table(header, [[row[column] for column in header] for row in rows]), as_json)


@application.command("describe")
def describe(name: str, as_json: options.AsJson = False) -> None:
    """Everything the catalogue says of one feature."""
    from ohlcv_factory.errors import unknown_name
    from ohlcv_factory.features.catalogue import catalogue

    table_of = {feature.name: feature for feature in catalogue()}
    if name not in table_of:
        raise unknown_name("feature", name, table_of, see="ohlcv-factory features list")
    values = feature_facts(table_of[name])
    emit(values, "\n".join(f"{key}: {value}" for key, value in values.items()), as_json)


def feature_facts(feature: Feature) -> dict[str, Any]:
    """What the catalogue declares of a feature, without its function, and the built-in sets that hold it."""
    facts: dict[str, Any] = {
        name: getattr(feature, name) for name in feature.__dataclass_fields__ if name not in HIDDEN
    }
    return facts | {"lookback_text": feature.lookback_text, "sets": holding_sets(feature.name)}


def holding_sets(name: str) -> list[str]:
    """The built-in feature sets with that column."""
    from ohlcv_factory.features.sets import SETS, select

    return [chosen.name for chosen in SETS.values() if name in select(chosen)]
