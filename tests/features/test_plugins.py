from __future__ import annotations

import hashlib
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from own_features import OWN_FEATURE, own_features

from ohlcv_factory import feature
from ohlcv_factory.errors import UnknownNameError, UsageError, VerificationError
from ohlcv_factory.features import plugins
from ohlcv_factory.features.catalogue import builtin_features, catalogue, category_of, compute, find
from ohlcv_factory.features.plugins import BrokenPluginWarning, PluginRecord, records, require
from ohlcv_factory.features.sets import SetRules, resolve
from ohlcv_factory.runtime import plugin_files
from ohlcv_factory.runtime.plugin_files import load_plugins
from ohlcv_factory.testing.features import check_feature

DIGEST = hashlib.sha256(OWN_FEATURE.encode()).hexdigest()


@pytest.fixture(autouse=True)
def apart():
    """Every test starts without features of one's own, and leaves none."""
    with own_features():
        yield


@pytest.fixture
def own_file(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN_FEATURE)
    return path


@pytest.fixture
def install(tmp_path, monkeypatch):
    """`install("name", "module", text)` puts a distribution with one entry point on the path as pip would."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(name, module, text):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{plugins.ENTRY_POINT_GROUP}]\n{module} = {module}\n")
        if text is not None:
            (tmp_path / f"{module}.py").write_text(text)
        plugins._load_installed.cache_clear()

    loaded = set(sys.modules)
    yield put
    plugins._load_installed.cache_clear()
    for module in set(sys.modules) - loaded:
        if module in ("ohlcv_gaps", "ohlcv_broken", "ohlcv_works"):
            del sys.modules[module]


def names():
    return [own.name for own in catalogue()]


def test_a_declared_column_is_one_of_the_catalogue_behind_the_built_in_ones(plain):
    @feature("up", formula="1 where close > open, else 0", unit="flag")
    def up(inputs):
        return (inputs.close > inputs.open).astype(np.float64)

    bars, calendar = plain
    assert names() == [*(own.name for own in builtin_features()), "up"]
    assert (find("up").category, category_of("up"), find("up").unit) == ("user", "user", "flag")
    check_feature(find("up"), bars, calendar)
    assert np.array_equal(compute(bars, calendar, ["up"])[:, 0], bars.close > bars.open)


def test_a_family_is_declared_member_by_member(plain, own_file):
    load_plugins([own_file])
    assert names()[-2:] == ["gap_1", "gap_5"]
    assert (find("gap_5").lookback, find("gap_5").formula) == (5, "log(open / close[5])")
    for name in ("gap_1", "gap_5"):
        check_feature(find(name), *plain)


def test_columns_of_ones_own_come_by_own_sets_only(own_file):
    with pytest.raises(UsageError, match="rule 'gap_\\*' matches no feature"):
        resolve("mine", names(), {"mine": SetRules(include=("gap_*",))})
    load_plugins([own_file])
    mine = {"mine": SetRules(include=("set:ohlcv_returns", "category:user"), exclude=("gap_1",))}
    assert resolve("mine", names(), mine)[-2:] == ("log_volume_change", "gap_5")
    assert "gap_1" not in resolve("boosting_optimal", names())


def test_a_plugin_file_is_recorded_by_path_digest_and_columns(own_file):
    load_plugins([own_file])
    assert records(["return_1", "gap_5", "rsi_14"]) == (PluginRecord(str(own_file), DIGEST, ("gap_5",)),)
    assert PluginRecord.from_plain(records(["gap_5"])[0].plain()) == records(["gap_5"])[0]
    assert records(["return_1"]) == ()


def test_a_recorded_plugin_must_be_named_again(own_file):
    record = PluginRecord("own.py", DIGEST, ("gap_1",))
    with pytest.raises(UsageError, match=r"gap_1: a column of own\.py, which was not named") as caught:
        require([record])
    assert "if you trust it, add --plugin own.py" in caught.value.help
    load_plugins([own_file])
    require([record])


def test_a_plugin_that_has_changed_is_refused_with_both_digests(own_file):
    load_plugins([own_file])
    with pytest.raises(VerificationError, match=rf"sha256 {DIGEST[:12]}, recorded 0{{12}}") as caught:
        require([PluginRecord("own.py", "0" * 64, ("gap_1",))])
    assert caught.value.exit_code == 76


def test_a_name_that_is_built_in_is_refused_naming_both(own_file):
    own_file.write_text(OWN_FEATURE.replace('"gap_{}"', '"return_{}"'))
    with pytest.raises(
        UsageError, match=r"'return_1' is declared twice: by ohlcv_factory\.features .*returns.* and by .*own\.py"
    ):
        load_plugins([own_file])


def test_a_name_that_another_file_took_is_refused_naming_both(own_file, tmp_path):
    other = tmp_path / "other.py"
    other.write_text(OWN_FEATURE)
    load_plugins([own_file])
    with pytest.raises(UsageError, match=r"'gap_1' is declared twice: by .*own\.py and by .*other\.py"):
        load_plugins([other])
    assert find("gap_1").name == "gap_1"


def test_a_notebooks_cell_may_declare_its_feature_again():
    for factor in (1.0, 2.0):

        @feature("scaled", formula="factor x close", scale_free=False)
        def scaled(inputs, factor=factor):
            return factor * inputs.close

    assert names().count("scaled") == 1
    (record,) = records(["scaled"])
    assert record.place == __name__
    assert record.sha256 == hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def test_a_function_without_a_file_is_known_by_its_own_text(monkeypatch):
    texts = iter(["one", "two", "two"])
    monkeypatch.setattr(plugin_files.inspect, "getsource", lambda column: next(texts))
    digests = []
    for _ in range(3):
        cell = eval("lambda inputs: inputs.close", {"__name__": "__main__x"})
        feature("cell", formula="close")(cell)
        digests.append(records(["cell"])[0].sha256)
    assert digests[0] != digests[1] == digests[2]


def test_an_installed_plugin_is_in_the_catalogue(install):
    install("gaps", "ohlcv_gaps", OWN_FEATURE)
    assert names()[-2:] == ["gap_1", "gap_5"]
    assert records(["gap_1"]) == (PluginRecord("ohlcv_gaps", DIGEST, ("gap_1",)),)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "ModuleNotFoundError"),
        (OWN_FEATURE + "1 / 0\n", "ZeroDivisionError"),
        (OWN_FEATURE.replace('"gap_{}"', '"return_{}"'), "'return_1' is declared twice: by .* and by ohlcv_broken"),
    ],
)
def test_a_broken_installed_plugin_is_reported_once_and_the_rest_load(install, text, complaint):
    install("broken", "ohlcv_broken", text)
    install("works", "ohlcv_works", OWN_FEATURE.replace('"gap_{}"', '"hole_{}"'))
    with pytest.warns(BrokenPluginWarning, match=f"plugin 'ohlcv_broken' of broken is left out: .*{complaint}"):
        found = names()
    assert [name for name in found if name.startswith(("gap", "hole"))] == ["hole_1", "hole_5"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert names() == found


def test_an_unknown_column_is_still_refused(own_file):
    load_plugins([own_file])
    with pytest.raises(UnknownNameError, match="Did you mean 'gap_1'"):
        find("gap_11")


@pytest.mark.parametrize(
    ("word", "value"),
    [("lookback", 1), ("lookback_seconds", 0), ("unit", "log ratio"), ("needs_volume", False), ("role", "observed")],
)
def test_a_declaration_has_the_words_of_a_built_in_one(own_file, word, value):
    load_plugins([own_file])
    assert getattr(find("gap_1"), word) == getattr(find("log_return_1"), word) == value
