"""`models list` and `models info`: what can be trained here."""

from __future__ import annotations

import typer

from ohlcv_factory.cli import options
from ohlcv_factory.cli.console import emit, table

application = typer.Typer(help="The models that can be trained.", no_args_is_help=True)


@application.command("list")
def list_models(plugins: options.Plugins = None, as_json: options.AsJson = False) -> None:
    """List models by family, with the extra that each needs and whether it is installed."""
    from ohlcv_factory.models.registry import ModelRegistry
    from ohlcv_factory.runtime.plugin_files import load_plugins

    load_plugins(plugins or ())
    entries = ModelRegistry.entries().values()
    header = ("name", "family", "extra", "installed", "description")
    rows = [[entry.name, entry.family, entry.extra or "-", entry.installed, entry.description] for entry in entries]
    emit([dict(zip(header, row, strict=True)) for row in rows], table(header, rows), as_json)


@application.command("info")
def info(name: str, plugins: options.Plugins = None, as_json: options.AsJson = False) -> None:
    """Family, input and default configuration of one model, and where a model of your own comes from."""
    from ohlcv_factory.config import write_yaml
    from ohlcv_factory.models.registry import ModelRegistry
    from ohlcv_factory.runtime.plugin_files import load_plugins
    from ohlcv_factory.storage.formats import jsonable

    load_plugins(plugins or ())
    values = jsonable(ModelRegistry.get_model_info(name))
    emit(values, write_yaml(values).rstrip(), as_json)
