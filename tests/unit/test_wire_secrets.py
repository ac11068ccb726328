"""Secrets and logins in settings: read exactly, asked for completely, and shown nowhere."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr, ValidationError

from deploy.cli.api_client import ApiClient
from deploy.cli.main import main
from deploy.errors import DeployError, UsageError
from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.errors import StoreRefused
from gallery.store.memory import MemoryStore
from gallery.store.server import connect
from wire.errors import SettingsError
from wire.logs import MaskingFormatter
from wire.mask import hide, mask_url, scrub, secrets_of
from wire.memory import MemoryBus
from wire.settings import KafkaSettings, RedisSettings
from wire.url import read_url

SECRET = "hunter2"
READERS = {  # what ends with 2 where a section is wrong, before it reaches for a server
    "redis": ("gallery", "alerts", "api"),
    "kafka": ("ingest",),
    "api": ("run", "api"),
    "worker": ("run",),
    "cameras": ("run", "ingest"),
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "site.yaml"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://ann:hunter2@cam:554/live", "rtsp://***@cam:554/live"),
        ("rtsp://ann:hun/te#r?2[@10.0.0.7/live?channel=1", "rtsp://***@10.0.0.7/live?channel=1"),
        ("rtsp://ann:hun@ter/2@10.0.0.7/live", "rtsp://***@10.0.0.7/live"),
        ("rtsp://ann:hun@ter/2@cam/live", "rtsp://***"),
        ("rtsp://ann:4711/2@cam/live", "rtsp://***"),
        ("rtsp://[fe80::1]:554/live", "rtsp://[fe80::1]:554/live"),
        ("rtsp://[bad/live", "rtsp://***"),
        ("http://cam/snap?user=ann&pwd=hunter2&x=1", "http://cam/snap?user=ann&pwd=***"),
        ("http://cam/video?loginuse=ann&loginpas=hunter2", "http://cam/video?loginuse=ann&loginpas=***"),
        ("rtsp://10.0.0.7:554/user=ann_password=hunter2_channel=1.sdp", "rtsp://10.0.0.7:554/user=ann_password=***"),
        ("http://cam/ann:hunter2/live", "http://cam/***"),
        ("https://cam/live.m3u8?auth=hunter2#a", "https://cam/live.m3u8?auth=***"),
        ("redis://:hunter2@redis:6379/0", "redis://***@redis:6379/0"),
        ("unix://ann:hunter2@/run/redis.sock", "unix://***@/run/redis.sock"),
        ("unix:///run/a@b/redis.sock", "unix:///run/a@b/redis.sock"),
        ("ann:hunter2@10.0.0.7/live", "***@10.0.0.7/live"),
        ("door.mp4", "door.mp4"),
        ("rec/12:30:00.mp4", "rec/12:30:00.mp4"),
        ("door@2x.mp4", "door@2x.mp4"),
        ("0", "0"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert mask_url(url) == shown


LISTEN = "expected udp://@:PORT, or udp://@GROUP:PORT for a multicast group"


def test_texts_of_others_are_scrubbed_and_examples_stay() -> None:
    assert scrub("cannot open 'rtsp://a:hunter2@h/x': refused") == "cannot open 'rtsp://***@h/x': refused"
    assert scrub("rtsp://a:hun ter2@h/x and http://b/y?token=hunter2") == "rtsp://***@h/x and http://b/y?token=***"
    for text in (
        "expected http://HOST:PORT",
        "see http://127.0.0.1:8080/docs.",
        "rtsp://[USER:PASSWORD@]HOST/PATH",
        LISTEN,
    ):
        assert scrub(text) == text


def test_whatever_way_a_library_repeats_a_url_it_is_hidden() -> None:
    url = "rtsp://ann:hun ter/2@10.0.0.7/x"
    said = f"{url} {read_url(url).quoted()} 'hun ter/2' hun%20ter/2"
    assert "ter" not in hide(said, secrets_of(url))


def test_the_log_shows_no_password_even_of_a_traceback() -> None:
    error = RuntimeError("rtsp://ann:hunter2@cam/x")
    record = logging.LogRecord("a", logging.ERROR, "a.py", 1, "failed: %s", (error,), (type(error), error, None))
    line = MaskingFormatter("%(message)s").format(record)
    assert SECRET not in line
    assert line.count("rtsp://***@cam/x") == 2


@pytest.mark.parametrize("content", ["hun ter2 \n", " hunter2é\r\n", "\ufeffhunter2#[@:/%\n\n"])
def test_a_secret_file_is_read_to_the_letter_but_for_its_line_ends(tmp_path: Path, content: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(content.encode())
    settings = RedisSettings.load(password_file=file)
    assert settings.password is not None
    assert settings.password.get_secret_value() == content.removeprefix("\ufeff").rstrip("\r\n")


@pytest.mark.parametrize(("content", "said"), [(b"\n", "is empty"), (b"\xff\xfe", "must be UTF-8 text")])
def test_a_secret_file_without_a_secret_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=rf"redis: password_file = '.*password': {said}"):
        RedisSettings.load(password_file=file)


@pytest.mark.parametrize(
    "text",
    [
        'redis: {password: "hunter2}',
        "redis: {password: *hunter2}",
        "redis: {password: !hunter2 x}",
        "redis: {password: @hunter2}",
        "redis:\n  password: hunter2: x",
        "redis: {password: [hunter2]}",
        "redis: {password: {hunter2: 1}}",
        "redis: {url: {hunter2: 1}}",
        "redis: {url: 'redis://ann:hunter2@h:99999'}",
        "redis: {pasword: hunter2}",
        "redis: {pwd: hunter2}",
        "api: {tokn: hunter2}",
        "redis: hunter2",
        "kafka: {servers: 'ann:hunter2@h:1'}",
        "kafka: {sasl_password: hunter2}",
        "api: {token: [hunter2]}",
        "worker: {mirror: 'ftp://ann:hunter2@h/x'}",
        "cameras: {door: 'rtsp://ann:hunter2@[h/x'}",
        "cameras: ['rtsp://ann:hunter2@h/x']",
        "cameras: {'rtsp://ann:hunter2@h/x': 1}",
    ],
)
def test_a_wrong_file_is_exit_2_and_shows_no_secret(
    config: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    config.write_text(text)
    for command in READERS[text.partition(":")[0]]:
        assert main([command, "--config", str(config)]) == 2
    assert SECRET not in capsys.readouterr().err


def test_a_password_that_yaml_takes_for_a_number_says_what_to_do(config: Path) -> None:
    config.write_text("redis: {password: 4710}")
    with pytest.raises(SettingsError, match=r"redis\.password = '\*\*\*': should be a valid string; put it in quotes"):
        RedisSettings.load(config)


def test_a_password_of_digits_that_begins_with_zero_is_kept_as_it_is_written(config: Path) -> None:
    config.write_text("redis: {password: 0471}")
    assert RedisSettings.load(config).password == SecretStr("0471")


def test_secrets_in_the_environment_stay_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIMBTRACK_REDIS_PASSWORD", SECRET)
    monkeypatch.setenv("CLIMBTRACK_REDIS_URL", "redis://ann:hun/ter[2@10.0.0.7/0")
    settings = RedisSettings.load()
    assert SECRET not in repr(settings) + str(settings)
    assert "ter" not in repr(settings)
    monkeypatch.setenv("CLIMBTRACK_REDIS_DB_PASSWORD", SECRET)
    with pytest.raises(SettingsError) as caught:
        RedisSettings.load()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: RedisSettings(url="redis://ann:hunter2@h:x"), id="redis"),
        pytest.param(lambda: KafkaSettings(servers="ann:hunter2@h:1"), id="kafka"),
        pytest.param(lambda: RedisSettings.model_validate({"url": ["hunter2"]}), id="a wrong type"),
    ],
)
def test_an_error_of_pydantic_shows_no_input(make: Callable[[], object]) -> None:
    with pytest.raises(ValidationError) as caught:
        make()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "http://h"}, "expected redis://HOST:PORT/DB"),
        ({"url": "redis://h/people"}, "expected a database number after the host"),
        ({"url": "unix://run/redis.sock"}, "expected redis://HOST:PORT/DB"),
        ({"url": "redis://h:70000"}, "with a port of 1 to 65535"),
        ({"ssl_ca_file": __file__}, "ssl_ca_file needs a url that begins with rediss://"),
        ({"ssl_check_hostname": False}, "ssl_check_hostname needs a url that begins with rediss://"),
        ({"url": "rediss://h", "ssl_key_file": __file__}, "ssl_key_file needs ssl_certificate_file"),
    ],
)
def test_redis_settings_that_do_not_fit_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        RedisSettings.load(**settings)


def test_an_unknown_option_in_the_url_of_redis_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match=r"redis\.url = 'redis://\*\*\*@h/0\?colour=red': an option after the \?"):
        connect(RedisSettings(url="redis://ann:hunter2@h/0?colour=red"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"servers": "kafka://h:1"}, "expected host:port"),
        ({"servers": "h:0"}, "expected host:port"),
        ({"servers": "h:1,,g:2"}, "expected host:port"),
        ({"sasl_username": "ann"}, "sasl_username needs security_protocol SASL_SSL"),
        ({"ssl_ca_file": __file__}, "ssl_ca_file needs security_protocol SSL or SASL_SSL"),
        ({"security_protocol": "SASL_SSL"}, "security_protocol = 'SASL_SSL' needs sasl_mechanism"),
        ({"security_protocol": "SSL", "ssl_key_file": __file__}, "ssl_key_file needs ssl_certificate_file"),
    ],
)
def test_kafka_settings_that_do_not_fit_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        KafkaSettings.load(**settings)


@pytest.mark.parametrize("servers", ["h", "h:1", "h:1, g:2", "[::1]:9092", "10.0.0.7:9092"])
def test_kafka_servers_are_hosts_with_or_without_ports(servers: str) -> None:
    assert KafkaSettings(servers=servers).servers == servers


MALFORMED = [
    "rtsp://[cam/x",
    "rtsp://ann:hunter2@cam:99999/x",
    "rtsp://ann:hun@ter/2@cam/x",
    "http://ann:hunter2",
    "rtmp://ann:hunter2@cam/x",
    "rtsp:///x",
]


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_url_is_exit_2_on_the_command_line_and_in_yaml(
    config: Path, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    config.write_text(f"cameras: {{door: '{url}'}}")
    commands = (["run", "--camera", f"door={url}"], ["run", "--config", str(config)], ["cameras", "add", f"door={url}"])
    for command in (*commands, ["ingest", "--config", str(config)]):
        assert main(command) == 2
    said = capsys.readouterr().err
    assert "hun" not in said
    assert said.count("malformed URL: expected ") + said.count("is not supported; use ") == 4


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_url_is_422_at_the_api(url: str) -> None:
    with TestClient(create_app(MemoryStore("site"), MemoryBus(), ApiSettings())) as client:
        answer = client.post("/v1/cameras", json={"camera_id": "door", "url": url})
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("url: ")
        assert "hun" not in answer.text
        assert client.get("/v1/cameras").json()["cameras"] == []


def test_a_store_that_refuses_us_is_503_and_not_the_end_of_the_api() -> None:
    class Locked(MemoryStore):
        def ping(self) -> None:
            raise StoreRefused("Redis at r:1 refuses this user or password (WRONGPASS); correct redis.username")

        def progress(self) -> Any:
            self.ping()

    with TestClient(create_app(Locked("site"), MemoryBus(), ApiSettings())) as client:
        for path in ("/readyz", "/v1/cameras"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "(WRONGPASS); correct redis.username" in answer.text
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "url", ["ftp://ann:hunter2@127.0.0.1:1", "ann:hunter2@127.0.0.1:1", "http://ann:hunter2@[::", "http://ann:hunter2"]
)
def test_an_address_of_the_api_that_is_none_shows_no_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        ApiClient(url)
    assert SECRET not in str(caught.value)


def test_an_api_that_is_away_is_named_without_its_password(free_port: Callable[[], int]) -> None:
    port = free_port()
    with ApiClient(f"http://ann:hun/ter2@127.0.0.1:{port}") as client, pytest.raises(DeployError) as caught:
        client.get("/v1/cameras")
    assert str(caught.value).startswith(
        f"no API: nothing listens at http://***@127.0.0.1:{port}; start `climbtrack run`"
    )


def test_a_token_that_no_header_takes_is_a_wrong_use() -> None:
    with pytest.raises(UsageError, match="printable ASCII"):
        ApiClient("http://127.0.0.1:1", "hünter2")
