"""Read a queue of training runs: what they share, and what each of them changes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.config import ConfigError, TrainConfig, changed, load_config
from training.synthetic.settings import SETTINGS
from wire.wording import shown
from wire.yaml_text import YamlError, read_yaml

_KEYS = ("config", "output", "changes", "seeds", "settings", "runs")
_SET_BY_QUEUE = ("run.output", "run.resume", "run.seed")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class QueueError(Exception):
    """Raised when a queue cannot be run as it is; the message gives the cause and what to change."""


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """One run: a name, a seed, and its complete configuration. `label` names its folder."""

    name: str
    seed: int
    config: TrainConfig

    @property
    def label(self) -> str:
        """Name and seed, unique in a queue."""
        return f"{self.name}-seed{self.seed}"


@dataclass(frozen=True, slots=True)
class Queue:
    """Runs in the order in which they are done, all runs of a seed before the next seed.

    Attributes:
        output: Folder of the runs and their results.
        settings: Names of the settings that every run is judged on.
        runs: The first name is the baseline the others are compared with.
    """

    output: Path
    settings: tuple[str, ...]
    runs: tuple[QueuedRun, ...]


def load_queue(path: Path) -> Queue:
    """Return the queue in a YAML file, with every run's configuration already checked.

    Raises:
        QueueError: The file cannot be read, or a key or value in it is invalid.
    """
    given = _mapping(_parsed(path), str(path))
    if unknown := [str(key) for key in given if key not in _KEYS]:
        raise QueueError(f"{path}: unknown key {unknown[0]!r}; known keys: {', '.join(_KEYS)}")
    runs = _mapping(given.get("runs"), f"{path}: runs")
    if not runs:
        raise QueueError(f"{path}: runs is empty: name at least one run, like `runs: {{base: {{}}}}`")
    shared = _changes(given.get("changes"), f"{path}: changes")
    output = Path(_text(given.get("output", "runs/queue"), f"{path}: output"))
    base = _config(path, given.get("config"), shared)
    made = [
        _run(base, output, _name(path, name), seed, _changes(changes, f"{path}: runs.{name}"))
        for seed in _seeds(path, given.get("seeds", [0]))
        for name, changes in runs.items()
    ]
    return Queue(output, _settings(path, given.get("settings", ["other"])), tuple(made))


def _parsed(path: Path) -> object:
    try:
        return read_yaml(path)
    except YamlError as error:
        raise QueueError(f"{path} cannot be read: {error}") from error


def _config(queue: Path, given: object, shared: dict[str, object]) -> TrainConfig:
    """Return the shared configuration; a relative `config` is looked up beside the queue file."""
    try:
        if given is None:
            return changed(load_config(None), shared)
        return changed(load_config(queue.parent / _text(given, f"{queue}: config")), shared)
    except ConfigError as error:
        raise QueueError(f"{queue}: {error}") from error


def _run(base: TrainConfig, output: Path, name: str, seed: int, changes: dict[str, object]) -> QueuedRun:
    folder = {"run.output": output / f"{name}-seed{seed}", "run.seed": seed}
    try:
        return QueuedRun(name, seed, changed(base, changes | folder))
    except ConfigError as error:
        raise QueueError(f"runs.{name}: {error}") from error


def _mapping(value: object, what: str) -> Mapping[Any, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise QueueError(f"{what} is {shown(value)}, must be keys and values")
    return value


def _changes(value: object, what: str) -> dict[str, object]:
    found = {str(key): one for key, one in _mapping(value, what).items()}
    if fixed := [key for key in found if key in _SET_BY_QUEUE or key == "run"]:
        raise QueueError(f"{what}: {fixed[0]} is set by the queue: use output or seeds, and only single run.… keys")
    return found


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise QueueError(f"{what} is {shown(value)}, must be a path")
    return value


def _name(path: Path, name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise QueueError(f"{path}: run {shown(name)} must be letters, digits, '-', '_' and '.': it names a folder")
    return name


def _seeds(path: Path, value: object) -> list[int]:
    valid = isinstance(value, list) and value and all(type(seed) is int and 0 <= seed < 2**32 for seed in value)
    if not isinstance(value, list) or not valid or len(set(value)) < len(value):
        raise QueueError(f"{path}: seeds is {shown(value)}, must be different whole numbers from 0 on, like [0, 1]")
    return value


def _settings(path: Path, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or any(name not in list(SETTINGS) for name in value):
        raise QueueError(f"{path}: settings is {shown(value)}, must be a list of some of {', '.join(SETTINGS)}")
    return tuple(dict.fromkeys(value))
