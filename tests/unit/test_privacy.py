"""What of a camera's pictures leaves the worker in each mode of privacy, and that nobody can be recognised in it."""

from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import get_args

import av
import cv2
import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from deploy.cameras import configured_cameras
from deploy.video.annotate import write_videos
from gallery.live.view import CameraView, Piece, Sent
from gallery.store.memory import MemoryStore
from ingest.config import IngestSettings
from reid_worker import crops
from reid_worker.crops import Cutout
from reid_worker.handler import HandlerOptions, WorkerHandler
from reid_worker.keep import CropKeeper, KeepOptions
from reid_worker.model import Embedder, load_embedder
from reid_worker.networks import Networks
from reid_worker.pipeline import Pipeline
from reid_worker.stream import StreamOptions
from reid_worker.tracklet import TrackletOptions
from tests.worker_tools import (
    COLOURS,
    FakeEmbedder,
    ScriptedDetector,
    Video,
    numbered_image,
    packets,
    reporting,
)
from training.synthetic.people import PeopleGenerator
from wire import codec
from wire.bus import Record
from wire.errors import SettingsError
from wire.memory import MemoryBus
from wire.messages import CameraSpec, Tracklet, WorkerState
from wire.privacy import Privacy
from wire.service import Outgoing, Received

FRAMES = 40
JPEG = b"\xff\xd8\xff"
MODES: tuple[Privacy, ...] = get_args(Privacy)
PRIVATE: tuple[Privacy, ...] = ("blurred", "embeddings")
WALKER = {n: [(10.0 + 4 * n, 18.0, 30.0 + 4 * n, 62.0, 0.9)] for n in range(1, FRAMES + 1)}


@pytest.fixture(scope="module")
def video() -> Video:
    return packets([numbered_image(n) for n in range(1, FRAMES + 1)])


def sent_by_a_worker(video: Video, privacy: Privacy, kept: Path | None = None) -> list[Outgoing]:
    """Return all that a worker sends of a camera: tracklets, boxes, progress, and a state every second."""
    load, metrics, report = reporting(CollectorRegistry())
    keeper = CropKeeper(KeepOptions(kept, 10**9, 10**18), metrics) if kept else None
    detector, embedder = ScriptedDetector(WALKER), FakeEmbedder(COLOURS)
    pipeline = Pipeline(detector, Networks(embedder), load, metrics, threads=1, embed_batch=2, keeper=keeper)
    options = HandlerOptions(StreamOptions(tracklet=TrackletOptions(min_picks=1)), state_interval_ns=1_000_000_000)
    handler = WorkerHandler(pipeline, MemoryBus(), options, report)
    chunks = [replace(chunk, privacy=privacy) for chunk in video.chunks()]
    received = [Received(Record("frames", 0, i, "door", b"", 0), chunk) for i, chunk in enumerate(chunks)]
    return [item for item in handler.handle(received) if isinstance(item, Outgoing)]


def tracklets_of(sent: Sequence[Outgoing]) -> list[Tracklet]:
    return [item.message for item in sent if isinstance(item.message, Tracklet)]


def shades(jpeg: bytes, blocks: tuple[int, int]) -> NDArray[np.float64]:
    """Return the mean of each block of a JPEG; fails if a block has any detail."""
    picture = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.float64)
    rows, columns = blocks
    height, width = picture.shape[0] // rows, picture.shape[1] // columns
    parts = picture.reshape(rows, height, columns, width, 3)
    assert np.ptp(parts, axis=(1, 3, 4)).max() <= 4, "no detail and no colour within a block"
    return np.asarray(parts.mean(axis=(1, 3, 4)))


def test_no_message_of_a_worker_holds_a_picture_where_embeddings_is_asked_for(video: Video) -> None:
    sent = sent_by_a_worker(video, "embeddings")

    assert any(isinstance(item.message, WorkerState) and item.message.blob for item in sent)
    assert len(tracklets_of(sent)) > 1
    assert not [item.topic for item in sent if JPEG in codec.encode(item.message)]


def test_blurred_messages_hold_eight_grey_blocks_of_a_person_and_states_hold_no_picture(video: Video) -> None:
    sent = sent_by_a_worker(video, "blurred")

    states = [item.message for item in sent if isinstance(item.message, WorkerState)]
    assert not any(JPEG in codec.encode(state) for state in states)
    for tracklet in tracklets_of(sent):
        assert set(np.round(shades(tracklet.crop, (4, 2)) / 64).ravel()) <= {1, 3}


@pytest.mark.parametrize("privacy", PRIVATE)
def test_embeddings_are_of_the_sharp_pixels_in_every_mode(privacy: Privacy, video: Video) -> None:
    full, private = (tracklets_of(sent_by_a_worker(video, mode)) for mode in ("full", privacy))

    assert float(full[-1].embedding @ private[0].embedding) > 0.999
    assert {one.camera_id for one in private} == {one.camera_id for one in full}
    times = {int(time_ns) for one in private for time_ns in one.times_ns}
    assert times == {int(time_ns) for one in full for time_ns in one.times_ns}, "nothing is lost where tracklets end"


def test_crops_are_kept_of_cameras_only_whose_pictures_may_leave_the_worker(video: Video, tmp_path: Path) -> None:
    for mode in MODES:
        sent_by_a_worker(video, mode, tmp_path / mode)

    assert [mode for mode in MODES if list((tmp_path / mode).rglob("*.jpg"))] == ["full"]


@pytest.fixture(scope="module")
def network() -> Embedder:
    return load_embedder(None, device="cpu", precision="fp32", compiled=False, threads=1)


def test_a_blurred_crop_does_not_find_its_person_by_the_shipped_network(network: Embedder) -> None:
    generator, number, cameras = PeopleGenerator(), 16, (9301, 9302, 9303)
    people = {camera: [generator.tracklet(1_005_000 + i, camera, 1, 1)[0] for i in range(number)] for camera in cameras}
    known = {camera: network.embed([[crop] for crop in shown]) for camera, shown in people.items()}

    def ranks(queries: dict[int, NDArray[np.float32]]) -> list[int]:
        """Return how many others of another camera are more like each query than its own person."""
        pairs = [(queries[one] @ known[other].T) for one in cameras for other in cameras if one != other]
        return [int((row > row[i]).sum()) for table in pairs for i, row in enumerate(table)]

    sharp = ranks(known)
    blurred = ranks({camera: network.embed([[blur(crop)] for crop in shown]) for camera, shown in people.items()})

    assert np.mean([rank == 0 for rank in sharp]) > 0.7
    assert np.mean([rank == 0 for rank in blurred]) < 2.5 / number, "one in sixteen by chance"
    assert np.mean(blurred) > 0.4 * (number - 1), "by chance, half of the others are as alike"


def blur(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what leaves the worker of a crop."""
    return crops.from_jpeg(crops.leaving(Cutout.of(np.ascontiguousarray(rgb[..., ::-1])), "blurred"))


def live(video: Video, privacy: Privacy) -> list[Sent]:
    view = CameraView()
    return [sent for chunk in video.chunks() for sent in view.take(replace(chunk, privacy=privacy))]


@pytest.mark.parametrize("privacy", PRIVATE)
@pytest.mark.parametrize("codec_name", ["h264", "mjpeg"])
def test_a_live_view_gets_boxes_only_and_is_told_so(codec_name: str, privacy: Privacy) -> None:
    film = packets([numbered_image(n) for n in range(12)], codec=codec_name)

    sent = live(film, privacy)

    assert [one for one in sent if isinstance(one, Piece)] == []
    assert sent[0]["kind"] == "hidden"  # type: ignore[index]


@pytest.mark.parametrize("privacy", PRIVATE)
def test_an_annotated_video_shows_no_more_than_the_camera_may(privacy: Privacy, tmp_path: Path) -> None:
    source = tmp_path / "door.avi"
    write_noise(source)
    spec = CameraSpec(camera_id="door", site_id="site", url=str(source), start_ns=0)

    said: list[str] = []
    settings = IngestSettings(privacy=privacy)
    written = write_videos(MemoryStore("site"), [spec], tmp_path / "out", 0, settings, Event(), said.append)

    with av.open(str(written["door"])) as file:
        frame = next(file.decode(video=0)).to_ndarray(format="gray").astype(int)
    corner = frame[-12:, -12:]  # far from what is written on the picture
    assert np.ptp(corner) <= 12, "the noise of the recording is gone"


def write_noise(path: Path) -> None:
    path.parent.joinpath("out").mkdir()
    pictures = np.random.default_rng(3).integers(0, 256, (5, 240, 320, 3), np.uint8)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
        for picture in pictures:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())


def test_the_privacy_of_a_camera_wins_over_that_of_the_site_and_bad_values_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    config.write_text("ingest: {privacy: blurred}\ncameras:\n  lab: {url: lab.mp4, privacy: full}\n  hall: hall.mp4\n")

    cameras = configured_cameras(config)
    assert (cameras["lab"].privacy, cameras["hall"].privacy) == ("full", None)
    assert IngestSettings.load(config).privacy == "blurred"

    config.write_text("ingest: {privacy: none}\n")
    with pytest.raises(SettingsError, match=r"ingest.privacy = 'none': should be 'full', 'blurred' or 'embeddings'"):
        IngestSettings.load(config)
    config.write_text("cameras: {lab: {url: lab.mp4, privacy: sharp}}\n")
    with pytest.raises(SettingsError, match=r"cameras.lab: Invalid enum value 'sharp' - at `\$.privacy`"):
        configured_cameras(config)
