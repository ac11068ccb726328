"""YAML as people write it: what YAML 1.1 and its library would silently misread."""

from pathlib import Path

import pytest

from wire.yaml_text import YamlError, parse_yaml, read_yaml


@pytest.mark.parametrize(
    "text",
    ["0123", "-007", "0o17", "0b11", "1_000", "12:30", "1:30.5", "2024-01-01", "2024-13-45", "1e3", "=", "1.2.3"],
)
def test_what_is_no_decimal_number_is_the_text_that_was_written(text: str) -> None:
    assert parse_yaml(f"a: {text}") == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-12", -12),
        ("+3", 3),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("00.5", 0.5),
        (".5", 0.5),
        ("1.5e3", 1500.0),
        ("-2.0E-1", -0.2),
        ("-.inf", float("-inf")),
        ("on", True),
        ("No", False),
        ("true", True),
        ("~", None),
        ("", None),
        ("'12'", "12"),
    ],
)
def test_plain_values_have_their_type(text: str, value: object) -> None:
    read = parse_yaml(f"a: {text}")["a"]
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{a: 1, a: 2}", id="plain"),
        pytest.param("{a: 1, 'a': 2}", id="one in quotes"),
        pytest.param("{1: x, '1': y}", id="a number and its text"),
        pytest.param('{no: x, "no": y}', id="a truth value and its text"),
        pytest.param("{~: x, '~': y}", id="null and its text"),
        pytest.param("{b: {<<: {a: 1, a: 2}}}", id="in what is merged"),
    ],
)
def test_a_key_that_is_given_twice_is_refused_however_it_is_written(text: str) -> None:
    with pytest.raises(YamlError, match=r"^line 1: duplicate key '.*', first used in line 1; keep one$"):
        parse_yaml(text)


@pytest.mark.parametrize(
    ("merge", "merged"),
    [
        pytest.param("<<: *one", {"x": 1, "y": 1}, id="a mapping"),
        pytest.param("<<: [*one, *two]", {"x": 1, "y": 1, "z": 2}, id="the earlier of a list comes first"),
        pytest.param("<<: [*two, *one]", {"x": 1, "y": 2, "z": 2}, id="whichever that is"),
        pytest.param("<<: *two, <<: *one", {"x": 1, "y": 2, "z": 2}, id="two merges"),
        pytest.param("<<: *one, y: 3", {"x": 1, "y": 3}, id="a key of its own comes before all"),
        pytest.param("y: 3, <<: *one", {"x": 1, "y": 3}, id="wherever it is written"),
        pytest.param("<<: *three", {"x": 1, "y": 2, "z": 2}, id="what merges another"),
        pytest.param("y: 3, <<: *self", {"y": 3}, id="itself"),
    ],
)
def test_merged_mappings_count_in_their_order(merge: str, merged: dict[str, int]) -> None:
    text = "{one: &one {x: 1, y: 1}, two: &two {y: 2, z: 2}, three: &three {<<: [*two, *one]}, all: &self {%s}}"
    assert parse_yaml(text % merge)["all"] == merged


@pytest.mark.parametrize("merge", ["3", "[3]", "~"])
def test_only_mappings_can_be_merged(merge: str) -> None:
    with pytest.raises(YamlError, match="line 2, column 1: expected a mapping or a list of mappings to merge"):
        parse_yaml(f"a: 1\n<<: {merge}")


def test_a_path_that_no_system_has_is_refused() -> None:
    with pytest.raises(YamlError, match="null byte"):
        read_yaml(Path("a\0b"))
