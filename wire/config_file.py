"""The configuration file: one YAML mapping of sections, parsed strictly so that nothing is silently misread."""

from pathlib import Path
from typing import Any

from wire.errors import SettingsError
from wire.message import check_name
from wire.wording import known_names, shown
from wire.yaml_text import YamlError, read_yaml

SECTIONS = (
    *("site", "cameras", "kafka", "redis", "ingest", "worker", "gallery", "alerts", "recording", "api"),
    *("log", "tracing"),
)
DEFAULT_SITE = "site"


def read_config(config: Path | None) -> dict[str, Any]:
    """Return the top-level sections of a YAML file; empty without a file.

    Raises:
        SettingsError: The file cannot be read, is not a YAML mapping, or has a duplicate key or an unknown section.
    """
    if config is None:
        return {}
    try:
        content = read_yaml(config)
    except YamlError as error:
        raise SettingsError(f"config {config}: {error}") from error
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
