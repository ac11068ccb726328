"""The configuration file: one YAML mapping of sections, parsed strictly so that nothing is silently misread."""

import re
from pathlib import Path
from typing import Any

import yaml

from wire.errors import SettingsError
from wire.message import check_name
from wire.wording import known_names, shown

SECTIONS = (
    *("site", "cameras", "kafka", "redis", "ingest", "worker", "gallery", "alerts", "recording", "api"),
    *("log", "tracing"),
)
DEFAULT_SITE = "site"
MAX_BYTES = 4_000_000  # ten thousand cameras with all their fields take 3 MB

_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"
_QUOTED = re.compile(r"'.'|'[^']*'")  # a sign of the syntax, or what may be a secret


def read_config(config: Path | None) -> dict[str, Any]:
    """Return the top-level sections of a YAML file; empty without a file.

    Raises:
        SettingsError: The file cannot be read, is not a YAML mapping, or has a duplicate key or an unknown section.
    """
    if config is None:
        return {}
    content = _content(config)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"config {config}: must be a mapping of sections, got a {type(content).__name__}")
    for name in content:
        if name not in SECTIONS:
            raise SettingsError(f"config {config}: unknown section {shown(name)}; {known_names(name, SECTIONS)}")
    return content


def section_of(config: Path | None, name: str) -> dict[str, Any]:
    """Return one section of a YAML file; empty if it is missing or empty.

    Raises:
        SettingsError: As `read_config`, or the section is not a mapping.
    """
    values = read_config(config).get(name)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(
            f"config {config}: section {name} must be a mapping (KEY: VALUE), got {type(values).__name__}"
        )
    return {str(key): value for key, value in values.items()}


def site_of(config: Path | None) -> str:
    """Return the site of a YAML file, or the default one.

    Raises:
        SettingsError: As `read_config`, or the value is not a valid site name.
    """
    site = read_config(config).get("site", DEFAULT_SITE)
    if not isinstance(site, str):
        raise SettingsError(f"config {config}: site = {shown(site)}: must be text; put it in quotes")
    try:
        check_name("site", site)
    except ValueError as error:
        raise SettingsError(f"config {config}: {error}") from None
    return site


def _content(config: Path) -> Any:
    try:
        with config.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"config {config}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"config {str(config)!r}: {error}") from None
    if len(data) > MAX_BYTES:
        raise SettingsError(f"config {config}: must not be larger than {MAX_BYTES} bytes")
    try:
        return yaml.load(data.decode("utf-8-sig"), _Loader)  # noqa: S506 - a SafeLoader
    except _DuplicateKeyError as error:
        raise SettingsError(f"config {config}: {error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"config {config}: not YAML: {_where(error)}") from None  # the cause shows the line
    except RecursionError:
        raise SettingsError(f"config {config}: lists or mappings are nested too deeply") from None


class _DuplicateKeyError(Exception):
    """Raised when a mapping has a duplicate key; YAML would silently keep the last."""


class _Loader(yaml.SafeLoader):
    """Loads plain values, and keys as the text that was written; rejects duplicate keys."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Return the value of a node."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError):  # 2026-13-45, 0x_, or thousands of digits
            problem = "invalid number or date"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """Return the mapping of a node."""
        first: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            name = (key.tag, key.value)
            line = key.start_mark.line + 1
            if name in first:
                raise _DuplicateKeyError(
                    f"line {line}: duplicate key {shown(key.value)}, first used in line {first[name]}; keep one"
                )
            first[name] = line
        self.flatten_mapping(node)
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.tag = _TEXT  # a camera may be called no, 007 or 1e3
        return super().construct_mapping(node, deep)


def _where(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    """Describe what is wrong and where, without quoting the text at that place: it may be a secret."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8; save the file as UTF-8"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "it contains characters that YAML does not allow"
    if "'\\t'" in (error.problem or ""):
        return f"line {error.problem_mark.line + 1}: indented with a tab; use spaces"
    problem = _QUOTED.sub(lambda found: found[0] if len(found[0]) == 3 else "'***'", error.problem or "cannot be read")
    mark = error.problem_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}; put passwords and URLs in quotes"
