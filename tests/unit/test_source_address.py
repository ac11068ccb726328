"""What the URL of a camera means: names of files are names, whatever they look like."""

import os
from pathlib import Path

import pytest

from ingest.errors import SourceError
from ingest.sources.address import has_end, kind_of, path_of
from tests.video_tools import see, write_numbered

NAMES = [
    "2024-01-01T12:00:00.mp4",
    "http:front.mp4",
    "rtsp:front.mp4",
    "concat:a|b.mp4",
    "a b#c?d%e.mp4",
    "100%25.mp4",
    "cam%03d.mp4",
    "file:a.mp4",
    "-i.mp4",
    "[1].mp4",
    "Überwachung.mp4",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_read_whatever_it_is_called(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_numbered(tmp_path / "plain.mp4", range(1, 6)).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)

    assert see(name).shown == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_read_by_the_url_that_python_gives_it(name: str, tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "plain.mp4", range(1, 6)).rename(tmp_path / name)

    assert see(path.as_uri()).shown == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("/a/b.mp4", "/a/b.mp4", id="path"),
        pytest.param("b.mp4", "b.mp4", id="relative path"),
        pytest.param("file:///a/b%20c%23.mp4", "/a/b c#.mp4", id="escapes"),
        pytest.param("file:/a/b.mp4", "/a/b.mp4", id="one slash"),
        pytest.param("file://localhost/a/b.mp4", "/a/b.mp4", id="this host"),
        pytest.param("FILE:///a/b.mp4", "/a/b.mp4", id="capitals"),
        pytest.param("file:b.mp4", "b.mp4", id="relative URL"),
        pytest.param("file://b.mp4", "b.mp4", id="relative URL with slashes"),
        pytest.param("file:///a/100%.mp4", "/a/100%.mp4", id="a percent sign that begins no escape"),
        pytest.param("/a/b%20c.mp4", "/a/b%20c.mp4", id="a path has no escapes"),
    ],
)
def test_the_path_of_a_local_url(url: str, expected: str) -> None:
    assert path_of(url) == Path(expected)


def test_a_path_begins_at_home_with_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")

    assert path_of("~/a.mp4") == path_of("file:~/a.mp4") == Path("/home/me/a.mp4")


def test_a_percent_sign_in_a_name_is_no_escape_where_only_that_file_exists(tmp_path: Path) -> None:
    (tmp_path / "a%20b.mp4").touch()

    assert path_of(f"file://{tmp_path}/a%20b.mp4") == tmp_path / "a%20b.mp4"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        pytest.param("rtsp://host/x", "network", id="camera"),
        pytest.param("HTTPS://host/x", "network", id="capitals"),
        pytest.param("0", "device", id="device"),
        pytest.param("/dev/video0", "device", id="device node"),
        pytest.param("/dev/v4l/by-id/usb-Logitech_C920-video-index0", "device", id="device node by its serial number"),
        pytest.param("udp://@:5000", "network", id="a port to listen at"),
        pytest.param("rtsp:front.mp4", "file", id="a name that begins like a protocol"),
        pytest.param(os.curdir, "folder", id="folder"),
    ],
)
def test_the_kind_of_a_source(url: str, kind: str) -> None:
    assert kind_of(url) == kind


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("rtsp://host/x", False, id="camera"),
        pytest.param("http://host/x", False, id="web"),
        pytest.param("0", False, id="device"),
        pytest.param("/dev/video0", False, id="device node"),
        pytest.param("/nothing.mp4", True, id="file"),
        pytest.param("ftp://host/x", True, id="what is not supported"),
    ],
)
def test_only_files_have_an_end(url: str, *, expected: bool) -> None:
    assert has_end(url) is expected


def test_an_unknown_scheme_names_what_is_known() -> None:
    with pytest.raises(SourceError, match="rtsp"):
        kind_of("ftp://user:secret@host/x")
