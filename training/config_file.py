"""Read a training configuration: a YAML file of overrides, then `key=value` texts."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml

from training.config import TrainConfig
from training.config_checks import ConfigError

_TYPES: dict[str, Any] = {field.name: field.type for field in fields(TrainConfig)}


def load_config(path: Path | None, overrides: Sequence[str] = ()) -> TrainConfig:
    """Return the defaults, overridden by a YAML file, then by `key=value` texts.

    Raises:
        ConfigError: The file cannot be read, or a key or value is not known.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            loaded = yaml.safe_load(path.read_text())
        except (OSError, yaml.YAMLError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
        if not isinstance(loaded, dict):
            raise ConfigError(f"{path} must hold `key: value` lines")
        values |= {str(key): _parse(str(key), value) for key, value in loaded.items()}
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise ConfigError(f"{override!r} is no key=value")
        try:
            values[key] = _parse(key, yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise ConfigError(f"{key} is {text!r}, which cannot be read: {error}") from error
    return replace(TrainConfig(), **values)


def _parse(key: str, value: object) -> object:
    """Return `value` in the type of the field `key`; whole numbers may stand for floats, 1e-3 may come as text."""
    if key not in _TYPES:
        raise ConfigError(f"unknown key {key!r}; known are {', '.join(_TYPES)}")
    wanted = _TYPES[key]
    if wanted is str and value is None:
        return ""
    if wanted in (Path, Path | None) and isinstance(value, str):
        return Path(value)
    if get_origin(wanted) is tuple and isinstance(value, list):
        return tuple(_number_or_text(key, one, get_args(wanted)[0]) for one in value)
    return _number_or_text(key, value, wanted)


def _number_or_text(key: str, value: object, wanted: Any) -> object:
    if wanted is float and isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    if type(value) is wanted:
        return value
    raise ConfigError(f"{key} is {value!r}, must be {getattr(wanted, '__name__', wanted)}")
