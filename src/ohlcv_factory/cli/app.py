"""`ohlcv-factory`: the verbs, and the one place where errors become text and exit codes."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import click
import typer

from ohlcv_factory import __version__
from ohlcv_factory.cli import (
    audit,
    compare,
    config,
    cv,
    data,
    demo,
    doctor,
    ensemble,
    evaluate,
    export,
    features,
    ledger,
    models,
    new_model,
    predict,
    recommend,
    report,
    reproduce,
    resume,
    run,
    runs,
    sweep,
    sync,
    train,
    tune,
    tune_barriers,
)
from ohlcv_factory.cli.console import say, say_nothing_more
from ohlcv_factory.errors import FactoryError, FactoryWarning, ResourceError, StorageError
from ohlcv_factory.runtime.interruption import (
    Interruption,
    exit_code,
    interruptible,
    received,
    second_signal_ends_at_once,
)
from ohlcv_factory.runtime.memory import is_exhausted

DEBUG_VARIABLE = "FACTORY_DEBUG"
EXIT_INTERRUPTED = 130
EXIT_INTERNAL = 70

application = typer.Typer(
    name="ohlcv-factory",
    help="Honest short / neutral / long models from price bars.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@application.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Honest short / neutral / long models from price bars."""


application.command("demo")(demo.demo)
application.command("run")(run.run)
application.add_typer(data.application, name="data")
application.add_typer(features.application, name="features")
application.add_typer(models.application, name="models")
application.command("new-model")(new_model.new_model)
application.add_typer(config.application, name="config")
application.command("recommend")(recommend.recommend)
application.command("train")(train.train)
application.command("cv")(cv.cv)
application.command("ensemble")(ensemble.ensemble)
application.command("tune")(tune.tune)
application.command("tune-barriers")(tune_barriers.tune_barriers)
application.command("resume")(resume.resume)
application.command("evaluate")(evaluate.evaluate)
application.command("predict")(predict.predict)
application.command("sweep")(sweep.sweep)
application.command("compare")(compare.compare)
application.add_typer(runs.application, name="runs")
application.command("reproduce")(reproduce.reproduce)
application.command("sync")(sync.sync)
application.command("export")(export.export)
application.command("verify")(runs.verify)
application.add_typer(ledger.application, name="ledger")
application.add_typer(audit.application, name="audit")
application.command("report")(report.report)
application.command("doctor")(doctor.doctor)


def main() -> None:
    """Entry point of the console script."""
    with second_signal_ends_at_once():
        code = invoke(sys.argv[1:])
    sys.exit(code)


def invoke(arguments: list[str]) -> int:
    """Run one command line and return its exit code; errors are printed as text, or as JSON with `--json`."""
    debug = "--debug" in arguments or bool(os.environ.get(DEBUG_VARIABLE))
    arguments = [argument for argument in arguments if argument != "--debug"]
    as_json = "--json" in arguments
    try:
        with warnings_in_words(), interruptible():
            code = _run(arguments)
            _flush()
            return code
    except BrokenPipeError:  # whoever read our output has heard enough
        say_nothing_more()
        return 0
    except (Exception, KeyboardInterrupt) as error:
        text, values = _told(error)
        with suppress(OSError):  # the terminal may be gone
            _show(text, values, as_json)
            _flush()
        if debug:
            traceback.print_exc()
        return int(values["exit_code"])


@contextmanager
def warnings_in_words() -> Iterator[None]:
    """Print our own warnings as one line on standard error each; others stay as Python shows them."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def in_words(message: Any, category: type[Warning], *rest: Any) -> None:
            if issubclass(category, FactoryWarning):
                say(f"warning: {message}")
            else:
                show(message, category, *rest)

        warnings.simplefilter("always", FactoryWarning)
        warnings.showwarning = cast(Any, in_words)
        yield


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(application)
    result = command.main(arguments, prog_name="ohlcv-factory", standalone_mode=False, obj=arguments)
    if result == EXIT_INTERRUPTED:  # what typer makes of any signal, without a word
        raise Interruption(received() or signal.SIGINT)
    return result if isinstance(result, int) else 0


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed before we began
            stream.flush()


def _told(error: BaseException) -> tuple[str, dict[str, Any]]:
    """An error as text and as JSON values."""
    if isinstance(error, FactoryError):
        return str(error), error.as_dict()
    if isinstance(error, click.ClickException):
        text = error.format_message()
        return f"error[E-usage]: {text}\n  help: ohlcv-factory --help", _plain("E-usage", text, error.exit_code)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        code = exit_code(received() or signal.SIGINT)
        return "interrupted", _plain("E-interrupted", "interrupted", code)
    if isinstance(error, OSError):
        told = f"{error.strerror or error}"
        where = str(error.filename or "")
        return _told(StorageError(f"{where}: {told}." if where else f"{told}.", where=where, help="check the disk"))
    if is_exhausted(error):
        return _told(ResourceError("memory ran out.", help="give fewer bars or features, or a smaller batch_size"))
    text = f"{type(error).__name__}: {error}"
    help_line = "this is a defect of ohlcv-factory; run again with --debug for the traceback"
    return f"error[E-internal]: {text}\n  help: {help_line}", _plain("E-internal", text, EXIT_INTERNAL)


def _plain(code: str, what: str, exit_code: int) -> dict[str, Any]:
    return {"error": code, "what": what, "where": "", "help": "ohlcv-factory --help", "exit_code": exit_code}


def _show(text: str, values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(values))
    else:
        print(text, file=sys.stderr)
