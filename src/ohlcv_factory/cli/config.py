"""`config show`: every setting of a training run with its value and where it comes from."""

from __future__ import annotations

from typing import Any

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, table

application = typer.Typer(help="Settings and where they come from.", no_args_is_help=True)


@application.callback()
def _root() -> None:
    """Settings and where they come from."""


@application.command("show")
def show(
    model: str,
    config: options.ConfigFile = None,
    overrides: options.Overrides = None,
    plugins: options.Plugins = None,
    as_json: options.AsJson = False,
) -> None:
    """Print every setting of `train` for one model: key, value, source of the value, meaning."""
    from ohlcv_factory.cli.recipes import TrainRecipe, read_train_recipe

    recipe, effective, layers = read_train_recipe(config, overrides, {"model_name": model, "plugins": plugins or None})
    rows = [
        *(_row(name, value, TrainRecipe, layers.sources) for name, value in recipe.plain().items() if name != "model"),
        *(_row(name, value, type(effective), layers.sources, "model.") for name, value in effective.plain().items()),
    ]
    for row, small in ((row, _small_values(effective).get(row["key"])) for row in rows):
        row["meaning"] += f" (preset small: {small})" if small is not None else ""
    header = ("key", "value", "source", "meaning")
    text = table(header, [[row[column] for column in header] for row in rows])
    emit(rows, text, as_json)


def _small_values(effective: Any) -> dict[str, Any]:
    """`model.<key>` of a network and the value that the small preset, which `auto` takes on a CPU, gives it."""
    if not hasattr(effective, "for_machine") or effective.preset == "spec":
        return {}
    small = effective.model_copy(update={"preset": "small"}).for_machine(False).plain()
    now = effective.plain()
    return {f"model.{name}": value for name, value in small.items() if name != "preset" and value != now[name]}


def _row(name: str, value: Any, settings: Any, sources: dict[str, str], prefix: str = "") -> dict[str, Any]:
    field = settings.model_fields[name]
    notes = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    default = f"default ({notes['source']})" if notes.get("source") else "default"
    key = prefix + name
    return {
        "key": key,
        "value": str(value) if isinstance(value, dict | list | float) else value,
        "source": sources.get(key, default),
        "meaning": field.description or "",
    }
