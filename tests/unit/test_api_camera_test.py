"""An address is tested and added over the API, beside an ingest that opens it; what may be opened is bounded."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from deploy.local.settings import EmbeddedSettings
from gallery.api.app import create_app
from gallery.api.camera_address import check_address
from gallery.config import ApiSettings
from gallery.store.memory import MemoryStore
from tests.ingest_tools import IngestWorker, Recipe, make_video
from wire import codec
from wire.bounds import Bounds
from wire.bus import CAMERAS
from wire.memory import MemoryBus
from wire.messages import CameraSpec

EVERY_FILE = ApiSettings(camera_folders=("/",))


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    bus = MemoryBus()
    bus.ensure_topics()
    with IngestWorker(bus), TestClient(create_app(MemoryStore("site"), bus, EVERY_FILE)) as client:
        yield client


@pytest.mark.parametrize(
    ("name", "recipe", "codec"),
    [
        ("hall.mp4", Recipe(frames=20), "h264"),
        ("short.mp4", Recipe(frames=3, options={"bf": "2", "g": "10"}), "h264"),
        ("reordered.mp4", Recipe(frames=40, options={"bf": "3", "g": "40"}), "h264"),
        ("pictures.avi", Recipe("mjpeg", frames=20), "mjpeg"),
    ],
)
def test_a_picture_is_shown_before_anything_is_added(
    client: TestClient, tmp_path: Path, name: str, recipe: Recipe, codec: str
) -> None:
    answer = client.post("/v1/cameras/test", json={"url": str(make_video(tmp_path / name, recipe))}).json()

    assert answer["problem"] is None
    assert (answer["codec"], answer["width"], answer["height"]) == (codec, 64, 48)
    assert answer["fps"] == pytest.approx(10.0)
    assert Image.open(io.BytesIO(base64.b64decode(answer["picture"]))).size == (64, 48)
    assert client.get("/v1/cameras").json()["cameras"] == []


@pytest.mark.parametrize(
    ("url", "cause", "remedy"),
    [
        ("rtsp://anna:secret@127.0.0.1:1/door", "cannot be reached", "check the address and the port"),
        ("/nowhere/hall.mp4", "does not exist", "check the path"),
        (__file__, "not a video", "play it in another program"),
    ],
)
def test_what_shows_nothing_is_told_with_cause_and_remedy(
    client: TestClient, url: str, cause: str, remedy: str
) -> None:
    answer = client.post("/v1/cameras/test", json={"url": url})

    assert answer.status_code == 200
    assert answer.json()["picture"] is None
    assert cause in answer.json()["problem"]
    assert remedy in answer.json()["problem"]
    assert "secret" not in answer.text


ONLY = ApiSettings.model_validate(
    {"camera_schemes": "rtsp,file", "camera_hosts": "10.0.0.0/24, Door.local", "camera_folders": "/srv/videos"}
)


@pytest.fixture(scope="module")
def bounded() -> Iterator[TestClient]:
    bus = MemoryBus()
    bus.ensure_topics()
    with TestClient(create_app(MemoryStore("site"), bus, ONLY)) as client:
        yield client
    bus.close()


@pytest.mark.parametrize(
    "url", ["rtsp://me:x@10.0.0.7/1", "rtsp://door.LOCAL/1", "rtsp://door.local./1", "/srv/videos/a.mp4"]
)
def test_what_the_settings_list_may_be_opened(url: str) -> None:
    check_address(url, ONLY)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.7/a.mjpg",
        "0",
        "/dev/video0",
        "rtsp://10.0.1.7/1",
        "rtsp://[::1]/1",
        "rtsp://167772161/1",
        "rtsp://me:x@10.0.0.7@elsewhere/1",
        "rtsp://door.local.example/1",
        "/etc/passwd",
        "hall.mp4",
        "/srv/videos2/a.mp4",
        "/srv/videos/../../etc/passwd",
        "file:///srv/videos/%2e%2e/%2e%2e/etc/passwd",
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "file:/etc/passwd",
        "~/a.mp4",
    ],
)
def test_what_the_settings_do_not_list_is_neither_opened_nor_added(bounded: TestClient, url: str) -> None:
    for path, body in (("/v1/cameras/test", {}), ("/v1/cameras", {"camera_id": "door"})):
        answer = bounded.post(path, json={"url": url, **body})
        assert answer.status_code == 422
        assert "api.camera_" in answer.json()["detail"]  # which setting would allow it
    assert bounded.get("/v1/cameras").json()["cameras"] == []


def test_the_bounds_of_what_is_added_travel_with_it_and_stay_when_it_is_paused() -> None:
    bus = MemoryBus()
    bus.ensure_topics()
    cameras = bus.follow(CAMERAS.name)
    with TestClient(create_app(MemoryStore("site"), bus, ONLY)) as client:
        client.post("/v1/cameras", json={"url": "rtsp://10.0.0.7/1", "camera_id": "door"})
        client.post("/v1/cameras/door/pause")
    spec = codec.decode(cameras.poll(1.0)[-1].value or b"")
    bus.close()

    assert isinstance(spec, CameraSpec)
    assert not spec.enabled
    assert spec.bounds == Bounds(("10.0.0.0/24", "Door.local"), ("/srv/videos",))


def test_a_client_states_no_bounds_of_its_own(bounded: TestClient) -> None:
    answer = bounded.post("/v1/cameras", json={"url": "rtsp://10.0.0.7/1", "camera_id": "door", "bounds": [[], []]})

    assert answer.status_code == 422


@pytest.mark.parametrize("url", ["/etc/passwd", "hall.mp4", "file:///srv/videos/a.mp4"])
def test_no_file_is_opened_where_no_folder_is_named(url: str) -> None:
    with pytest.raises(ValueError, match=r"no file may be added here; name its folder in api\.camera_folders"):
        check_address(url, ApiSettings())
    check_address(url, EVERY_FILE)


def test_the_folder_of_the_configuration_is_meant_where_no_other_is_named(tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    config.write_text("site: mall\n")
    assert ApiSettings.load(config).camera_folders == (str(tmp_path),)

    config.write_text("api: {camera_folders: /srv/videos}\n")
    assert ApiSettings.load(config).camera_folders == ("/srv/videos",)


def test_a_run_without_a_configuration_means_the_folder_in_which_it_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert EmbeddedSettings.load(None).api.camera_folders == (str(tmp_path),)
    assert ApiSettings.load().camera_folders == ()  # `climbtrack api` starts wherever its supervisor does


def test_neither_the_root_nor_a_home_is_meant_by_standing_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in (tmp_path, Path("/")):
        monkeypatch.chdir(folder)
        assert EmbeddedSettings.load(None).api.camera_folders == ()


def test_a_link_that_leads_out_of_a_folder_is_followed_before_it_is_judged(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "etc").symlink_to("/etc")
    only = ApiSettings.model_validate({"camera_folders": str(videos)})

    check_address(str(videos / "hall.mp4"), only)
    with pytest.raises(ValueError, match="only files in"):
        check_address(str(videos / "etc" / "passwd"), only)


def test_without_an_ingest_it_is_said_who_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gallery.asking.WAIT_S", 0.2)
    bus = MemoryBus()
    bus.ensure_topics()
    with TestClient(create_app(MemoryStore("site"), bus, ApiSettings())) as client:
        answer = client.post("/v1/cameras/test", json={"url": "rtsp://10.0.0.7/1"})
    bus.close()

    assert answer.status_code == 504
    assert "an ingest running" in answer.json()["detail"]
