"""The examples run, and the plugin example is found, created and keeps the contract as if it were installed."""

from __future__ import annotations

import re
import warnings

import pytest
from own_features import own_features

from ohlcv_factory.errors import MissingExtraError, UsageError
from ohlcv_factory.models.registry import BrokenPluginWarning, ModelRegistry
from ohlcv_factory.reports.run_report import write_run_report
from ohlcv_factory.runtime.plugin_files import load_plugins
from ohlcv_factory.studies.finished_runs import find_runs
from ohlcv_factory.testing.models import check_model

PLUGIN = "examples/third_party_model"
MODEL = """
from ohlcv_factory.models.base import BaseModel
from ohlcv_factory.models.registry import ModelRegistry

@ModelRegistry.register("svm", family="instance")
class Other(BaseModel):
    pass
"""


@pytest.fixture
def neighbours(pytestconfig, install_plugin):
    """The plugin example on the path, with the metadata that pip would write from its pyproject.toml."""
    import tomllib

    folder = pytestconfig.rootpath / PLUGIN
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    install_plugin(project["name"], project["entry-points"]["ohlcv_factory.models"], folder / "src")


def test_quickstart_finds_the_planted_signal(run_script, capsys) -> None:
    run_script("examples/quickstart.py")
    printed = capsys.readouterr().out
    assert "assumed symbol: SYNTH (from the name SYNTH.csv)" in printed
    loss = float(re.search(r"lightgbm: log-loss ([0-9.]+)", printed)[1])
    assert loss < 0.70  # the class shares alone give 0.71


def test_a_custom_model_keeps_the_contract_and_trains(run_script, capsys, tmp_path) -> None:
    run_script("examples/custom_model.py")
    assert capsys.readouterr().out.startswith("naive_bayes keeps the contract\n")
    (run,) = (tmp_path / "experiments" / "runs").iterdir()
    assert (run / "checkpoints" / "best_model.npz").is_file()


def test_a_custom_network_trains_and_the_report_shows_where_it_looked(run_script, tmp_path) -> None:
    pytest.importorskip("torch")
    run_script("examples/custom_network.py")
    (run,) = find_runs([tmp_path / "experiments" / "runs"])
    page = write_run_report([run], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Attention over bars" in page


@pytest.mark.slow
def test_a_custom_network_keeps_the_contract(pytestconfig, own_registry) -> None:
    pytest.importorskip("torch")
    load_plugins([pytestconfig.rootpath / "examples" / "custom_network.py"])
    check_model("bar_attention")


def test_features_of_ones_own_keep_the_contract(run_script, capsys) -> None:
    with own_features():
        run_script("examples/user_feature.py")
    assert capsys.readouterr().out.splitlines() == [
        f"{name} keeps the contract" for name in ("gap_1", "gap_5", "close_in_day_range")
    ]


def test_an_installed_plugin_is_listed_without_being_imported(neighbours) -> None:
    entry = ModelRegistry.entry("neighbours")
    assert (entry.distribution, entry.module) == ("ohlcv-neighbours", "ohlcv_neighbours.neighbours")
    assert "neighbours" not in ModelRegistry._classes


def test_an_installed_plugin_is_created_and_keeps_the_contract(neighbours) -> None:
    assert ModelRegistry.create("neighbours", {"neighbours": 7}).config.neighbours == 7
    check_model("neighbours")


def test_a_plugin_that_is_gone_warns_once_and_the_others_load(neighbours, install_plugin) -> None:
    install_plugin("other-lost", {"lost": "other_lost.model"})
    with pytest.warns(BrokenPluginWarning, match=r"plugin 'lost' of other-lost cannot be found: other_lost\.model"):
        names = set(ModelRegistry.entries())
    assert {"neighbours", "xgboost"} <= names
    assert "lost" not in names
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ModelRegistry.entries()


def test_a_plugin_with_a_name_that_is_taken_is_refused_naming_both_modules(
    tmp_path, install_plugin, monkeypatch
) -> None:
    (tmp_path / "other_svm.py").write_text(MODEL)
    install_plugin("other-svm", {"svm": "other_svm"})
    monkeypatch.setattr(ModelRegistry, "_classes", {})  # whichever test came before may have imported ours
    with pytest.raises(UsageError, match=r"ohlcv_factory\.models\.classical\.svm and by other_svm"):
        ModelRegistry.create("svm")


def test_a_plugin_that_breaks_on_import_is_refused_by_name_and_the_others_work(tmp_path, install_plugin) -> None:
    (tmp_path / "other_broken.py").write_text("raise RuntimeError('half installed')\n")
    install_plugin("other-broken", {"shaky": "other_broken"})
    with pytest.raises(
        MissingExtraError, match="plugin 'shaky' of other-broken cannot be imported: RuntimeError: half"
    ):
        ModelRegistry.create("shaky")
    assert ModelRegistry.create("logistic").name == "logistic"


def test_a_plugin_that_registers_nothing_is_refused_with_the_decorator(tmp_path, install_plugin) -> None:
    (tmp_path / "other_empty.py").write_text("")
    install_plugin("other-empty", {"shell": "other_empty"})
    with pytest.raises(UsageError, match="other_empty of other-empty registers no model 'shell'"):
        ModelRegistry.create("shell")


def test_two_plugins_with_one_name_warn_naming_both_modules(tmp_path, install_plugin) -> None:
    for name in ("one", "two"):
        (tmp_path / f"twin_{name}.py").write_text("")
        install_plugin(f"twin-{name}", {"twin": f"twin_{name}"}, tmp_path)
    with pytest.warns(BrokenPluginWarning, match="is left out: twin_(one|two) and twin_(one|two) both bring that name"):
        ModelRegistry.entries()
