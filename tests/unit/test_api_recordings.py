"""Recordings over HTTP: clips to the picture, bounded, and with the reason where there is none."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import msgspec
import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from gallery.api.app import create_app
from gallery.api.others import OtherSettings
from gallery.config import ApiSettings
from gallery.recording.config import RecordingSettings
from gallery.recording.folder import RecordingFolder
from gallery.recording.handler import RecordingHandler
from gallery.recording.metrics import RecordingMetrics
from gallery.recording.recorder import Recorder
from gallery.store.memory import MemoryStore
from tests.worker_tools import START_NS, Video, number_of, numbered_image, packets
from wire.bus import FRAMES, Record
from wire.cameras import ListedCamera
from wire.memory import MemoryBus
from wire.messages import CameraSpec, FrameChunk
from wire.orientation import ORIENTATIONS, UPRIGHT, display_matrices, of_matrix
from wire.service import Received

SECOND = 10**9


class Listed:
    """A list of cameras that is set."""

    def __init__(self, **record: bool | None) -> None:
        specs = [
            CameraSpec(camera_id=name, site_id="site", url="rtsp://door", record=own) for name, own in record.items()
        ]
        self._cameras = {spec.camera_id: ListedCamera(spec, 0) for spec in specs}

    def cameras(self) -> dict[str, ListedCamera]:
        return self._cameras

    def catch_up(self) -> dict[str, ListedCamera]:
        return self._cameras


def record(settings: RecordingSettings, store: MemoryStore, cameras: Listed, *videos: tuple[str, Video]) -> None:
    """Record videos of cameras."""
    handle(settings, store, cameras, [chunk for camera, video in videos for chunk in video.chunks(camera=camera)])


def handle(settings: RecordingSettings, store: MemoryStore, cameras: Listed, chunks: Sequence[FrameChunk]) -> None:
    with RecordingFolder(settings.folder, settings.bounds()) as folder:
        recorder = Recorder(folder, RecordingMetrics(CollectorRegistry()), 0, clock=lambda: START_NS)
        handler = RecordingHandler(settings, recorder, cameras, lambda _: store, replayed=True)
        batch = [Received(Record(FRAMES.name, 0, n, one.camera_id, b"", 0), one) for n, one in enumerate(chunks)]
        assert not list(handler.handle(batch))


@pytest.fixture(scope="module")
def video() -> Video:
    """Twelve seconds: picture n is captured n tenths after the start."""
    return packets([numbered_image(number % 64) for number in range(120)])


@pytest.fixture
def settings(tmp_path: Path) -> RecordingSettings:
    return RecordingSettings(cameras="all", folder=tmp_path, min_free_gb=0)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("site")


@pytest.fixture
def client(store: MemoryStore, settings: RecordingSettings) -> Iterator[TestClient]:
    with TestClient(create_app(store, MemoryBus(), ApiSettings(), others=OtherSettings(settings))) as client:
        yield client


def seconds(number: int) -> str:
    return f"{(START_NS + number * SECOND // 10) / 1e9:.3f}"


def test_a_clip_has_the_pictures_of_its_time_and_says_when_it_begins(
    client: TestClient, settings: RecordingSettings, store: MemoryStore, video: Video
) -> None:
    record(settings, store, Listed(door=None), ("door", video))
    listed = client.get("/v1/cameras/door/recordings", params={"from": seconds(33), "to": seconds(58)}).json()
    answer = client.get("/" + listed["clips"][0]["url"])
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["climbtrack-since"] == "1970-01-01T00:16:43.000Z"
    with av.open(io.BytesIO(answer.content)) as file:
        shown = [number_of(frame.to_ndarray(format="bgr24")) for frame in file.decode(video=0)]
    assert shown[: 59 - 30] == list(range(30, 59))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_clip_states_how_its_pictures_are_rotated_upright(
    client: TestClient, settings: RecordingSettings, store: MemoryStore, video: Video, orientation: int
) -> None:
    chunks = [msgspec.structs.replace(chunk, orientation=orientation) for chunk in video.chunks()]
    handle(settings, store, Listed(door=None), chunks)
    answer = client.get("/v1/cameras/door/clip", params={"from": seconds(33), "to": seconds(58)})
    with av.open(io.BytesIO(answer.content)) as file:
        matrices = display_matrices(next(file.decode(video=0)))
    assert [of_matrix(matrix) for matrix in matrices] == ([] if orientation == UPRIGHT else [orientation])


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"from": "50", "to": "40"}, 422, "not be later"),
        ({"from": "0", "to": "9e8"}, 422, "five minutes"),
        ({"from": "40", "to": "50"}, 404, "nothing of this time is kept"),
        ({"from": "40"}, 422, "to"),
    ],
)
def test_a_clip_that_there_cannot_be_is_refused_with_the_reason(
    client: TestClient, query: dict[str, str], status: int, words: str
) -> None:
    answer = client.get("/v1/cameras/door/clip", params=query)
    assert answer.status_code == status
    assert words in answer.text


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "%00", "..", "a%2fb"])
def test_a_camera_whose_name_is_a_path_opens_no_file(client: TestClient, name: str) -> None:
    assert client.get(f"/v1/cameras/{name}/clip", params={"from": "1", "to": "2"}).status_code in {404, 422}


def test_what_is_not_recorded_says_why(client: TestClient, settings: RecordingSettings, store: MemoryStore) -> None:
    jpeg = packets([numbered_image(number) for number in range(4)], codec="mjpeg")
    record(settings, store, Listed(hall=None), ("hall", jpeg))
    answer = client.get("/v1/cameras/hall/clip", params={"from": seconds(0), "to": seconds(4)})
    assert answer.status_code == 404
    assert "motion JPEG" in answer.json()["detail"]
    assert "motion JPEG" in store.recordings.states()["hall"]


@pytest.mark.parametrize(
    ("cameras", "own", "kept"),
    [
        ("none", True, False),
        ("chosen", None, False),
        ("chosen", True, True),
        ("all", None, True),
        ("all", False, False),
    ],
)
def test_a_camera_is_recorded_as_the_site_and_the_camera_say(
    tmp_path: Path, store: MemoryStore, video: Video, cameras: str, own: bool | None, kept: bool
) -> None:
    settings = RecordingSettings.model_validate({"cameras": cameras, "folder": tmp_path, "min_free_gb": 0})
    record(settings, store, Listed(door=own), ("door", video))
    assert bool(list(tmp_path.rglob("*.mp4"))) == kept


def test_a_camera_that_may_show_no_pictures_is_never_recorded(
    settings: RecordingSettings, store: MemoryStore, video: Video
) -> None:
    chunks = [msgspec.structs.replace(chunk, privacy="blurred") for chunk in video.chunks()]
    handle(settings, store, Listed(door=True), chunks)
    assert not list(settings.folder.rglob("*.mp4"))
    assert "privacy" in store.recordings.states()["door"]
