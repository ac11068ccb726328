"""Cameras as users write them, on the command line and in the configuration."""

from pathlib import Path

import pytest

from deploy.cameras import chosen_cameras, configured_cameras, parse_cameras
from deploy.errors import UsageError
from wire.errors import SettingsError


def test_the_url_is_everything_behind_the_first_equals_sign() -> None:
    cameras = parse_cameras(["door=http://host/stream?user=1&x=2"], "site")
    assert cameras["door"].url == "http://host/stream?user=1&x=2"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["door.mp4"], "--camera door.mp4: expected NAME=URL", id="no name"),
        pytest.param(["=door.mp4"], "expected NAME=URL", id="empty name"),
        pytest.param(["door="], "expected NAME=URL", id="empty url"),
        pytest.param(["a door=x.mp4"], "camera_id must be 1-64 letters", id="a name with a space"),
        pytest.param(["door=a.mp4", "door=b.mp4"], "two cameras have this name", id="the same name twice"),
    ],
)
def test_an_invalid_camera_argument_is_named(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_cameras(words, "site")


def test_the_password_of_a_wrong_camera_is_not_shown() -> None:
    with pytest.raises(UsageError) as error:
        parse_cameras(["a door=rtsp://ann:secret@host/stream"], "site")
    assert "secret" not in str(error.value)


def test_the_configuration_holds_urls_or_all_fields(tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    config.write_text(
        "site: mall\ncameras:\n  door: door.mp4\n  usb: 0\n  hall: {url: 'rtsp://h/s', analysed_fps: 5}\n"
        "  yard: /videos/yard.mp4\n  gate: file://gate.mp4\n  web: https://h/door.mp4\n"
    )
    cameras = configured_cameras(config)
    assert {name: (spec.site_id, spec.url) for name, spec in cameras.items()} == {
        "door": ("mall", str(tmp_path / "door.mp4")),
        "usb": ("mall", "0"),
        "hall": ("mall", "rtsp://h/s"),
        "yard": ("mall", "/videos/yard.mp4"),
        "gate": ("mall", str(tmp_path / "gate.mp4")),
        "web": ("mall", "https://h/door.mp4"),
    }
    assert cameras["hall"].analysed_fps == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "cameras: {door: {uri: x}}",
            r"cameras\.door\.uri: unknown key; did you mean url\? known names: ",
            id="unknown key",
        ),
        pytest.param(
            "cameras: {door: }", r"cameras\.door\.url: must be text, got nothing; put it in quotes", id="none"
        ),
        pytest.param("cameras: {door: on}", r"cameras\.door\.url: must be text, got a bool; put", id="a truth value"),
        pytest.param("cameras: {door: 1.5}", r"cameras\.door\.url: must be text, got a float; put", id="a fraction"),
        pytest.param("cameras: {door: {url: [a]}}", r"cameras\.door\.url: must be text, got a list", id="a list"),
        pytest.param("cameras: {door: 0123}", r"cameras\.door\.url = '0123': a device index has", id="an octal index"),
        pytest.param("cameras: {door: {url: x, analysed_fps: 1:30}}", r"door: .*analysed_fps", id="minutes"),
        pytest.param("cameras: {1: a, '1': b}", "duplicate key '1'", id="one name, written twice"),
        pytest.param("cameras: {door: {url: x, analysed_fps: 0}}", r"cameras\.door: .*analysed_fps", id="out of range"),
        pytest.param("cameras: {door: {url: x, analysed_fps: .nan}}", r"door: .*analysed_fps.*nan", id="no number"),
        pytest.param("cameras: {door: {url: x, clock_offset_ms: .inf}}", r"clock_offset_ms .*inf", id="infinite"),
        pytest.param("cameras: {door: {url: x, clock_offset_ms: -1.0e+300}}", r"clock_offset_ms .*e\+300", id="huge"),
        pytest.param(
            "cameras: {door: {url: x, analysed_fps: true}}", r"cameras\.door: .*bool", id="truth for a number"
        ),
        pytest.param("cameras: {door: {url: x, start_ns: 1" + "0" * 40 + "}}", r"cameras\.door: .*", id="a huge time"),
        pytest.param(
            "cameras: {door: {url: x, start_ns: -1}}", r"door: start_ns must be .*got -1", id="a time before 1970"
        ),
        pytest.param("cameras: {door: {url: x, tags: {a: " + "b" * 257 + "}}}", r"at most 256", id="an endless tag"),
        pytest.param('cameras: {"a/../b": x}', "camera_id must be 1-64 letters", id="a path for a name"),
        pytest.param("cameras: {" + "x" * 65 + ": y}", "1-64 letters", id="an endless name"),
        pytest.param("cameras: {door: x, door: y}", "duplicate key 'door'", id="a camera twice"),
        pytest.param("cameras: {door: {url: x, mode: fast}}", r"cameras\.door: .*mode", id="wrong choice"),
        pytest.param("cameras: [door]", "section cameras must be a mapping .*, got list", id="a list"),
        pytest.param("site: 3", "site = 3: must be text", id="a site that is a number"),
    ],
)
def test_a_wrong_camera_in_the_configuration_is_named(tmp_path: Path, text: str, message: str) -> None:
    config = tmp_path / "site.yaml"
    config.write_text(text)
    with pytest.raises(SettingsError, match=message):
        configured_cameras(config)


@pytest.mark.parametrize(
    ("field", "mode"),
    [
        pytest.param("door.mp4", "complete", id="a file"),
        pytest.param("{url: frames}", "complete", id="a folder"),
        pytest.param("{url: door.mp4, mode: latency}", "latency", id="a file with a mode"),
        pytest.param("{url: door.mp4, realtime: true}", "latency", id="a file that plays a live camera"),
        pytest.param("rtsp://host/stream", "latency", id="a camera"),
        pytest.param("{url: 'rtsp://host/stream', mode: complete}", "complete", id="a camera with a mode"),
        pytest.param("0", "latency", id="a device"),
    ],
)
def test_the_mode_of_a_camera_follows_from_its_source_unless_it_is_given(field: str, mode: str, tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    config.write_text(f"cameras: {{door: {field}}}")

    (camera,) = chosen_cameras([], config)

    assert camera.mode_in_use == mode


def test_a_file_of_the_command_line_is_read_completely() -> None:
    (camera,) = chosen_cameras(["door=door.mp4"], None)
    assert camera.mode_in_use == "complete"


def test_a_relative_url_is_resolved_against_the_folder_of_its_configuration(tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    config.write_text("cameras: {a: 'file:front%20door.mp4', b: '2024-01-01T12:00:00.mp4', c: '~/c.mp4'}")

    urls = {name: spec.url for name, spec in configured_cameras(config).items()}

    assert urls["a"] == str(tmp_path / "front door.mp4")
    assert urls["b"] == str(tmp_path / "2024-01-01T12:00:00.mp4")
    assert urls["c"] == str(Path.home() / "c.mp4")
