"""YAML that people write, parsed strictly so that nothing is silently misread.

A key is the text that was written, and may be given once. Numbers are decimal (or 0x): YAML 1.1 would read 0123 as 83,
12:30 as 750 and 2024-01-01 as a date, which are text here, as in YAML 1.2.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from wire.wording import shown

MAX_BYTES = 4_000_000  # ten thousand cameras with all their fields take 3 MB

_Pair = tuple[yaml.Node, yaml.Node]
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"
_QUOTED = re.compile(r"'.'|'[^']*'")  # a sign of the syntax, or what may be a secret
_PLAIN_VALUES = (  # tag, form, and what it may begin with; anything else is text
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", list("yYnNtTfFoO")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)",
        list("-+0123456789."),
    ),
    ("merge", "<<", ["<"]),
)


class YamlError(Exception):
    """Raised when a text is not YAML as we read it; says where and what is wrong, without quoting secrets."""


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file; None if it is empty.

    Raises:
        YamlError: The file cannot be read, is not UTF-8, too large, not YAML, or has a duplicate key; the message does
            not name the file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise YamlError(error.strerror) from error
    except ValueError as error:  # a null byte in the path
        raise YamlError(str(error)) from None
    if len(data) > MAX_BYTES:
        raise YamlError(f"must not be larger than {MAX_BYTES} bytes")
    try:
        return parse_yaml(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise YamlError(f"not YAML: byte {error.start} is not UTF-8; save the file as UTF-8") from None


def parse_yaml(text: str) -> Any:
    """Return the content of a YAML text; None if it is empty.

    Raises:
        YamlError: It is not YAML, or has a duplicate key.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except _DuplicateKeyError as error:
        raise YamlError(str(error)) from None
    except yaml.YAMLError as error:
        raise YamlError(f"not YAML: {_where(error)}") from None  # the cause shows the line
    except RecursionError:
        raise YamlError("lists or mappings are nested too deeply") from None


class _Loader(yaml.SafeLoader):
    """Loads plain values, and keys as the text that was written; rejects duplicate keys."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - of the base class, filled below

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Return the value of a node."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError):  # thousands of digits
            raise yaml.constructor.ConstructorError(None, None, "invalid number", node.start_mark) from None

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Add what a mapping merges in (`<<`): its own keys come first, then those of earlier mappings, as in YAML 1.1.

        PyYAML 6.0.4 prefers the later ones.
        """
        merged = [(key, value) for key, value in node.value if key.tag == _MERGE]
        pairs: dict[object, _Pair] = {}
        for pair in node.value:
            if pair[0].tag != _MERGE:
                _refuse_duplicate(pair[0], pairs)
                pairs[_text_of(pair[0])] = pair
        node.value = list(pairs.values())  # before the merges, as one of them may be this mapping
        for source in (one for key, value in merged for one in _sources(key, value)):
            self.flatten_mapping(source)
            for key, value in source.value:
                pairs.setdefault(_text_of(key), (key, value))
        node.value = list(pairs.values())


for _tag, _form, _first in _PLAIN_VALUES:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_form})\\Z"), _first)


class _DuplicateKeyError(Exception):
    """Raised when a mapping has a duplicate key; YAML would silently keep the last."""


def _text_of(key: yaml.Node) -> object:
    """Return the text of a key, and have it read as text: a camera may be called no, 007 or 1e3."""
    if not isinstance(key, yaml.ScalarNode):
        return id(key)  # refused when it is constructed
    key.tag = _TEXT
    return key.value


def _refuse_duplicate(key: yaml.Node, earlier: dict[object, _Pair]) -> None:
    if (name := _text_of(key)) in earlier:
        line, first = key.start_mark.line + 1, earlier[name][0].start_mark.line + 1
        raise _DuplicateKeyError(f"line {line}: duplicate key {shown(name)}, first used in line {first}; keep one")


def _sources(key: yaml.Node, value: yaml.Node) -> list[yaml.MappingNode]:
    given = value.value if isinstance(value, yaml.SequenceNode) else [value]
    sources = [source for source in given if isinstance(source, yaml.MappingNode)]
    if len(sources) < len(given):
        problem = "expected a mapping or a list of mappings to merge"
        raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
    return sources


def _where(error: yaml.YAMLError) -> str:
    """Describe what is wrong and where, without quoting the text at that place: it may be a secret."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "it contains characters that YAML does not allow"
    if "'\\t'" in (error.problem or ""):
        return f"line {error.problem_mark.line + 1}: indented with a tab; use spaces"
    problem = _QUOTED.sub(lambda found: found[0] if len(found[0]) == 3 else "'***'", error.problem or "cannot be read")
    mark = error.problem_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}; put passwords and URLs in quotes"
