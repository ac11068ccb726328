"""Every number of every section has its bounds, and a value beyond them is named, whichever way it comes."""

import json
from pathlib import Path
from typing import Any

import pytest

from gallery.config import ApiSettings, GallerySettings
from ingest.config import IngestSettings
from reid_worker.config import WorkerSettings
from wire.errors import SettingsError
from wire.settings import KafkaSettings, RedisSettings, Settings

CLASSES: tuple[type[Settings], ...] = (
    KafkaSettings,
    RedisSettings,
    IngestSettings,
    WorkerSettings,
    GallerySettings,
    ApiSettings,
)
NUMBERS = [
    pytest.param(one, key, id=f"{one.section}.{key}")
    for one in CLASSES
    for key, field in one.model_fields.items()
    if field.annotation in {int, float}
]


@pytest.mark.parametrize(("settings", "key"), NUMBERS)
def test_what_is_no_number_or_out_of_range_is_refused_by_its_key(
    settings: type[Settings], key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "site.yaml"
    for value in (".nan", ".inf", "-.inf", "1.0e+300", "-1.0e+300", "1" + "0" * 40, "true", "~", "[]", "0x"):
        config.write_text(f"{settings.section}: {{{key}: {value}}}")
        with pytest.raises(SettingsError, match=rf"^{settings.section}\.{key} = "):
            settings.load(config)
    for value in ("nan", "inf", "1e300", "-1e300", "1" + "0" * 40, "true", "", " ", "٣x"):
        monkeypatch.setenv(f"{settings.env_prefix()}{key.upper()}", value)
        with pytest.raises(SettingsError, match=rf"^{settings.section}\.{key} = "):
            settings.load()


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("https://wall.example.org", ("https://wall.example.org",)),
        ("https://a.example, http://[::1]:8443", ("https://a.example", "http://[::1]:8443")),
        ("*", ("*",)),
        ("", ()),
    ],
)
def test_origins_are_a_list_or_stand_with_commas_between(
    text: str, origins: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "site.yaml"
    config.write_text(f"api: {{cors_origins: {json.dumps(list(origins))}}}")
    assert ApiSettings.load(config).cors_origins == origins

    monkeypatch.setenv("CLIMBTRACK_API_CORS_ORIGINS", text)
    assert ApiSettings.load().cors_origins == origins


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"cors_origins": "wall.example.org"}, "https://wall", id="an origin without a scheme"),
        pytest.param({"cors_origins": "https://a.example/page"}, "without a path", id="an origin with a path"),
        pytest.param({"cors_origins": "https://a.example/"}, "without a path", id="an origin with a slash"),
        pytest.param({"cors_origins": 3}, "api.cors_origins = 3", id="a number for origins"),
        pytest.param({"root_path": "climb"}, "a path prefix like /climbtrack", id="a prefix without a slash"),
        pytest.param({"root_path": "/a/../b"}, "a path prefix", id="a prefix that climbs"),
        pytest.param({"root_path": "/v1"}, "other than /v1", id="a prefix that hides the routes"),
        pytest.param({"root_path": "/a b"}, "a path prefix", id="a prefix with a space"),
        pytest.param({"root_path": "/" + "a" * 300}, "256", id="an endless prefix"),
        pytest.param({"host": "a\0b"}, "control characters", id="a host with a null byte"),
        pytest.param({"host": ""}, "must not be empty", id="an empty host, as of a variable that is not set"),
        pytest.param({"port": 65536}, "65535", id="a port beyond all"),
        pytest.param({"port": -1}, "api.port = -1", id="a port below all"),
    ],
)
def test_wrong_settings_of_the_api_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        ApiSettings.load(**values)


def test_a_prefix_may_end_with_a_slash() -> None:
    assert ApiSettings.load(root_path="/climb/track/").root_path == "/climb/track"
