"""Read a training configuration: a YAML file of groups, then `group.key=value` overrides."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from training.config.renamed import RENAMED
from training.config.run import TrainConfig
from wire.wording import shown
from wire.yaml_text import YamlError, parse_yaml, read_yaml

_Values = dict[str, dict[str, object]]  # by group, then by key

_ADAPTER = TypeAdapter(TrainConfig)
_KEYS = {group.name: tuple(key.name for key in fields(group.type)) for group in fields(TrainConfig)}  # type: ignore[arg-type]
_ALL = tuple(f"{group}.{key}" for group, keys in _KEYS.items() for key in keys)


class ConfigError(Exception):
    """Raised when a training configuration is invalid; the message names the key, the value and what is allowed."""


def load_config(path: Path | None, overrides: Sequence[str] = ()) -> TrainConfig:
    """Return the defaults, overridden by a YAML file, then by `group.key=value` texts.

    Raises:
        ConfigError: The file cannot be read, or a key or value is invalid.
    """
    given: list[tuple[str, object]] = []
    if path is not None:
        given += [(str(key), value) for key, value in _read(path).items()]
    return _validated({}, [*given, *(_parsed(override) for override in overrides)])


def changed(config: TrainConfig, changes: Mapping[str, object]) -> TrainConfig:
    """Return a configuration with some values changed, by `group.key`.

    Raises:
        ConfigError: A key or value is invalid.
    """
    return _validated(asdict(config), list(changes.items()))


def _read(path: Path) -> Mapping[object, object]:
    try:
        loaded = read_yaml(path)
    except YamlError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if not isinstance(loaded, Mapping):
        raise ConfigError(f"{path} must contain groups of settings, like `schedule: {{steps: 1000}}`")
    return loaded


def _parsed(override: str) -> tuple[str, object]:
    key, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"{override!r} must be group.key=value, like optimiser.learning_rate=1e-4")
    try:
        return key, parse_yaml(text)
    except YamlError as error:
        raise ConfigError(f"{key} is {text!r}, which cannot be read: {error}") from error


def _validated(values: _Values, given: Iterable[tuple[str, object]]) -> TrainConfig:
    """Return the configuration: `values` by group and key, overridden by those `given` by `group.key` or group."""
    single = [one for key, value in given for one in _ungrouped(key, value)]
    if wrong := [_unknown_key(key, value) for key, value in single if key not in _ALL]:
        raise ConfigError("; ".join(wrong))
    for key, value in single:
        group, _, name = key.partition(".")
        values.setdefault(group, {})[name] = value
    try:
        return _ADAPTER.validate_python(values)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise ConfigError("; ".join(dict.fromkeys(_explain(detail) for detail in found))) from error


def _ungrouped(key: str, value: object) -> list[tuple[str, object]]:
    if key in _KEYS and isinstance(value, Mapping):
        return [(f"{key}.{name}", one) for name, one in value.items()]
    return [(key, value)]


def _unknown_key(key: str, value: object) -> str:
    """Return an error message for an unknown key that suggests what to use instead."""
    name = key.rpartition(".")[2]
    if moved := RENAMED.get(key) or RENAMED.get(name):
        return f"`{key}` is now `{moved}`"
    if key in _KEYS:
        return f"{key} is {shown(value)}, but it is a group: give {', '.join(f'{key}.{name}' for name in _KEYS[key])}"
    if near := difflib.get_close_matches(key, _ALL, n=3, cutoff=0.7):
        return f"unknown key {key!r}; did you mean {' or '.join(near)}?"
    group = key.partition(".")[0]
    known = [f"{group}.{name}" for name in _KEYS[group]] if group in _KEYS else [f"{name}.…" for name in _KEYS]
    return f"unknown key {key!r}; known keys: {', '.join(known)}"


def _explain(detail: ErrorDetails) -> str:
    """Return an error message; rules across keys name them already, for a single value its key is added."""
    text = detail["msg"].removeprefix("Value error, ")
    if len(detail["loc"]) < 2:
        return text
    value: Any = list(detail["input"]) if isinstance(detail["input"], tuple) else detail["input"]
    for pydantic, plain in (
        ("Input should be ", "must be "),
        ("greater than or equal to", "at least"),
        ("less than or equal to", "at most"),
    ):
        text = text.replace(pydantic, plain)
    return f"{'.'.join(map(str, detail['loc'][:2]))} is {shown(value)}, {text}"
