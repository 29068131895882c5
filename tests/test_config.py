"""YAML says what it seems to say, and every broken rule is named with its key, value, file and line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ohlcv_factory.config import (
    Document,
    IntegerKeys,
    Layers,
    PathSetting,
    Search,
    Settings,
    parse_yaml,
    read_yaml,
    scalar,
    setting,
    write_yaml,
)
from ohlcv_factory.errors import AccessError, InputMissingError, UsageError


class Tree(Settings):
    """Settings of a section."""

    max_depth: int = setting(6, "Levels of a tree.", ge=1, le=12, search=Search(3, 10), source="Chen 2016")
    eta: float = setting(0.3, "Learning rate.", gt=0, lt=1)


class Recipe(Settings):
    """Settings with a section, a table, a path, a choice and a tuple."""

    model: Tree = Tree()
    table: Annotated[dict[int, Tree], IntegerKeys] = setting({})
    out: PathSetting | None = None
    mode: Literal["min", "max"] = "min"
    horizons: tuple[int, ...] = (5, 20)
    shuffle: bool = False


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACTORY_TOKEN", raising=False)
    monkeypatch.delenv("FACTORY_DEBUG", raising=False)


def refusal(values: dict[str, Any], **place: Any) -> str:
    with pytest.raises(UsageError) as caught:
        Recipe.parse(values, **place)
    return caught.value.what


@pytest.mark.parametrize("text", ["NO", "no", "ON", "off", "Yes", "y", "12:30", "1_000", "2024-01-02", "5min", "0b1"])
def test_yaml_1_1_surprises_stay_text(text: str) -> None:
    assert scalar(text) == text
    assert parse_yaml(f"key: {text}").values == {"key": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-7", -7),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("-2.", -2.0),
        ("1E3", 1000.0),
        ("-.inf", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
    ],
)
def test_a_plain_scalar_is_read_by_the_core_schema(text: str, value: object) -> None:
    found = parse_yaml(f"key: {text}").values["key"]
    assert found == value
    assert type(found) is type(value)
    assert scalar(text) == value


def test_nan_is_a_number_to_yaml_and_refused_by_settings() -> None:
    values = parse_yaml("model: {eta: .nan}").values
    assert math.isnan(values["model"]["eta"])
    assert "model.eta: input should be a finite number, got nan" in refusal(values)


def test_digits_without_end_are_no_number() -> None:
    assert scalar("9" * 400) == int("9" * 400)
    assert scalar("9" * 5000) == math.inf


@pytest.mark.parametrize("text", ['"12"', "'true'", "|\n  12"])
def test_what_is_quoted_is_text(text: str) -> None:
    assert isinstance(parse_yaml(f"key: {text}").values["key"], str)


def test_a_mapping_comes_with_the_line_of_every_key() -> None:
    document = parse_yaml("model:\n  max_depth: 4\n\nhorizons: [5, 20]\ntable: {20: {eta: 0.5}}\n", where="r.yaml")
    assert document.values == {"model": {"max_depth": 4}, "horizons": [5, 20], "table": {20: {"eta": 0.5}}}
    assert document.lines == {
        "model": 1,
        "model.max_depth": 2,
        "horizons": 4,
        "table": 5,
        "table.20": 5,
        "table.20.eta": 5,
    }


def test_an_empty_file_holds_no_values() -> None:
    assert parse_yaml("# nothing\n").values == {}


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: 1\nb: 2\na: 3\n", "r.yaml", "key 'a' stands twice, in lines 1 and 3."),
        ("m:\n  a: 1\n  'a': 2\n", "r.yaml", "key 'a' stands twice, in lines 2 and 3."),
        ("a: &x 1\nb: *x\n", "r.yaml:2", "not valid YAML: aliases are not allowed"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", "r.yaml:2", "tag:yaml.org,2002:python/object/apply"),
        ("a: !!str 12\n", "r.yaml:1", "tag 'tag:yaml.org,2002:str' is not allowed"),
        ("a: !mine {}\n", "r.yaml:1", "tag '!mine' is not allowed"),
        ("a: 1\n\tb: 2\n", "r.yaml:2", "found character '\\t' that cannot start any token"),
        ("a: [1\n", "r.yaml:2", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "r.yaml:2", "but found another document"),
        ("? [a, b]\n: 1\n", "r.yaml:1", "a key must be one word."),
        ("- a\n", "r.yaml", "the file must hold keys and values."),
        ("12\n", "r.yaml", "the file must hold keys and values."),
        ("a: \x07\n", "r.yaml", "not valid YAML"),
        ("a: " + "[" * 2000, "r.yaml", "lists or keys are nested too deeply."),
    ],
)
def test_a_file_that_would_say_something_else_is_refused_with_its_line(text: str, where: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_yaml(text, where="r.yaml")
    assert what in caught.value.what
    assert caught.value.where == where
    assert caught.value.help


def test_a_merge_key_is_no_instruction() -> None:
    assert parse_yaml("<<: {a: 1}\n").values == {"<<": {"a": 1}}


def test_a_file_is_read_with_or_without_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(b"\xef\xbb\xbfmode: max\n")
    assert read_yaml(path) == Document({"mode": "max"}, {"mode": 1}, str(path))


def test_a_file_of_10_megabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(b"#" * 10_000_000)
    with pytest.raises(UsageError, match="larger than 1 MiB"):
        read_yaml(path)


def test_a_missing_file_and_a_folder_are_missing_input(tmp_path: Path) -> None:
    for path in (tmp_path / "r.yaml", tmp_path):
        with pytest.raises(InputMissingError) as caught:
            read_yaml(path)
        assert caught.value.where == str(path)


def test_a_file_in_another_encoding_is_refused_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(b"mode: m\xe4x\n")
    with pytest.raises(UsageError, match="is not UTF-8: byte 7"):
        read_yaml(path)


def test_a_closed_file_is_an_access_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("mode: max\n")

    def closed(self: Path, encoding: str) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", closed)
    with pytest.raises(AccessError, match="Permission denied"):
        read_yaml(path)


def test_settings_come_from_plain_values() -> None:
    recipe = Recipe.parse({"model": {"max_depth": 4}, "out": "runs/a", "horizons": [1, 2]})
    assert recipe.model == Tree(max_depth=4)
    assert recipe.out == Path("runs/a")
    assert recipe.horizons == (1, 2)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"modell": {}}, "modell: unknown key; did you mean 'model'?"),
        ({"model": {"max_dept": 3}}, "model.max_dept: unknown key; did you mean 'max_depth'?"),
        ({"zzz": 1}, "zzz: unknown key"),
        ({"model": {"max_depth": True}}, "model.max_depth: input should be a valid integer, got True"),
        ({"model": {"max_depth": 4.0}}, "model.max_depth: input should be a valid integer, got 4.0"),
        ({"model": {"max_depth": "4"}}, "model.max_depth: input should be a valid integer, got '4'"),
        ({"model": {"max_depth": 0}}, "model.max_depth: input should be greater than or equal to 1, got 0"),
        ({"model": {"max_depth": 13}}, "model.max_depth: input should be less than or equal to 12, got 13"),
        ({"model": {"eta": 0.0}}, "model.eta: input should be greater than 0, got 0.0"),
        ({"model": {"eta": 1.0}}, "model.eta: input should be less than 1, got 1.0"),
        ({"model": {"eta": math.inf}}, "model.eta: input should be a finite number, got inf"),
        ({"shuffle": 1}, "shuffle: input should be a valid boolean, got 1"),
        ({"mode": "MIN"}, "mode: input should be 'min' or 'max', got 'MIN'"),
        ({"horizons": 5}, "horizons: input should be a valid tuple, got 5"),
        ({"out": 7}, "out: "),
        ({None: 1}, "None: keys should be strings"),
    ],
)
def test_a_broken_rule_is_named_with_key_and_value(values: dict[str, Any], what: str) -> None:
    assert refusal(values).startswith(what)


def test_every_broken_rule_is_named_at_once_with_file_and_line() -> None:
    document = parse_yaml("model:\n  max_depth: 0\nmodell: 3\n", where="r.yaml")
    assert refusal(document.values, where="r.yaml", lines=document.lines) == (
        "model.max_depth: input should be greater than or equal to 1, got 0 (r.yaml:2); "
        "modell: unknown key; did you mean 'model'? (r.yaml:3)"
    )


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Recipe().mode = "max"  # type: ignore[misc]


@pytest.mark.parametrize("key", [20, "20"])
def test_a_table_keyed_by_numbers_takes_them_as_text_too(key: int | str) -> None:
    assert Recipe.parse({"table": {key: {"max_depth": 2}}}).table == {20: Tree(max_depth=2)}


@pytest.mark.parametrize("key", ["2.5", "-20", "x", 2.0])
def test_a_table_keyed_by_numbers_refuses_other_keys(key: object) -> None:
    assert "input should be a valid integer" in refusal({"table": {key: {}}})


def test_plain_values_go_through_json_and_back() -> None:
    recipe = Recipe.parse({"table": {20: {"max_depth": 2}}, "out": "runs/a"})
    plain = recipe.plain()
    assert list(plain) == ["model", "table", "out", "mode", "horizons", "shuffle"]
    assert Recipe.parse(json.loads(json.dumps(plain))) == recipe


def test_a_field_carries_its_search_range_and_source() -> None:
    notes = Tree.model_fields["max_depth"].json_schema_extra
    assert notes == {"source": "Chen 2016", "search": {"low": 3, "high": 10, "log": False, "choices": None}}
    assert Tree.model_fields["max_depth"].description == "Levels of a tree."


def test_later_layers_win_and_each_key_knows_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTORY_MODEL__MAX_DEPTH", "3")
    monkeypatch.setenv("FACTORY_SHUFFLE", "true")
    for name in ("DEBUG", "TOKEN", "CHECKPOINTS", "CACHE"):  # not settings of a recipe
        monkeypatch.setenv(f"FACTORY_{name}", "other")
    recipe = parse_yaml("mode: max\nmodel: {max_depth: 1, eta: 0.1}\n", where="recipe.yaml")
    user = parse_yaml("model: {max_depth: 2, eta: 0.2}\n", where="user.yaml")
    layers = Layers.merge([recipe, user], ["model.eta=1e-3", "horizons=[1, 2]"], {"out": "a", "model.eta": None})
    assert layers.values == {
        "mode": "max",
        "model": {"max_depth": 3, "eta": 0.001},
        "shuffle": True,
        "horizons": [1, 2],
        "out": "a",
    }
    assert layers.sources == {
        "mode": "recipe.yaml",
        "model": "--set",
        "model.max_depth": "environment",
        "model.eta": "--set",
        "shuffle": "environment",
        "horizons": "--set",
        "out": "flag",
    }
    assert layers.where == "recipe.yaml + user.yaml"


def test_merging_leaves_the_documents_as_they_were() -> None:
    recipe, user = parse_yaml("model: {eta: 0.1}"), parse_yaml("model: {eta: 0.2}")
    Layers.merge([recipe, user], ["model.eta=0.3", "model.max_depth=2"])
    assert recipe.values == {"model": {"eta": 0.1}}
    assert user.values == {"model": {"eta": 0.2}}


def test_a_dotted_key_means_the_number_that_the_file_holds() -> None:
    layers = Layers.merge([parse_yaml("table: {20: {max_depth: 2, eta: 0.5}}")], ["table.20.eta=0.1"])
    assert layers.values == {"table": {20: {"max_depth": 2, "eta": 0.1}}}
    assert Recipe.parse(layers.values).table == {20: Tree(max_depth=2, eta=0.1)}


def test_the_file_is_not_blamed_for_what_a_flag_said() -> None:
    layers = Layers.merge([parse_yaml("model:\n  eta: 0.1\n  max_depth: 0\n", where="r.yaml")], ["model.eta=7"])
    assert refusal(layers.values, where=layers.where, lines=layers.lines) == (
        "model.max_depth: input should be greater than or equal to 1, got 0 (r.yaml:3); "
        "model.eta: input should be less than 1, got 7"
    )


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("model.eta", "--set takes key=value, got 'model.eta'."),
        ("=3", "--set takes key=value, got '=3'."),
        ("mode.eta=3", "mode.eta: 'mode' is a value, not a section."),
        ("horizons=[1, *a]", "aliases are not allowed"),
    ],
)
def test_an_override_that_cannot_be_meant_is_refused(override: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        Layers.merge([parse_yaml("mode: max")], [override])
    assert what in caught.value.what
    assert caught.value.where.startswith("--set")


def test_an_override_keeps_what_follows_the_first_equals_sign() -> None:
    assert Layers.merge([], ["a=b=c", " x = NO "]).values == {"a": "b=c", "x": "NO"}


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=12)
    | st.sampled_from(
        ["1e3", "1e-3", "NO", "12:30", "0o17", "0x1f", ".inf", "~", "", "null", "2024-01-02", "a: b", "-"]
    )
)
plain = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), plain, max_size=4))
def test_what_is_written_is_read_back_unchanged(values: dict[str, Any]) -> None:
    assert repr(parse_yaml(write_yaml(values)).values) == repr(values)


def test_a_value_that_stands_twice_is_written_twice() -> None:
    shared = [1, 2]
    assert write_yaml({"a": shared, "b": shared}) == "a: [1, 2]\nb: [1, 2]\n"


def test_text_that_looks_like_a_number_is_quoted() -> None:
    assert write_yaml({"a": "1e-3", "b": 1e-3, "c": "NO"}) == "a: '1e-3'\nb: 0.001\nc: 'NO'\n"
