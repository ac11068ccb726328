"""Bytes that were written with schema version 1 still mean what they meant."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from wire import codec
from wire.bounds import Bounds
from wire.camera_tests import FirstPictures
from wire.messages import (
    AnyMessage,
    CameraHealth,
    CameraProgress,
    CameraSpec,
    CameraTest,
    CameraTested,
    DeadLetter,
    FrameChunk,
    IdentityEvent,
    LookalikeQuery,
    Packet,
    PictureQuery,
    QueryAnswer,
    SeenPeople,
    Tracklet,
    WeightsChoice,
    Word,
    WorkerState,
)
from wire.queries import Lookalike
from wire.similarity import SimilarityPrior
from wire.tracklet import Look

STORED = Path(__file__).parent / "messages_v1.json"  # type of message -> hexadecimal; entries are added, never changed

MEANINGS: dict[str, AnyMessage] = {
    "PictureQuery": PictureQuery(
        query_id="q1", asker="api-1", site_id="home", time_ns=50, picture=b"\xff\xd8\xff", limit=3
    ),
    "LookalikeQuery": LookalikeQuery(
        query_id="q1",
        asker="api-1",
        site_id="home",
        time_ns=50,
        model_id="abc",
        embeddings=np.array([[0.6, 0.8], [1, 0]], np.float16),
        boxes=np.array([[0, 1, 2, 3], [4, 5, 6, 7.5]], np.float32),
        scores=np.array([0.5, 0.75], np.float32),
        camera_id="lobby",
        width=640,
        height=360,
        limit=3,
    ),
    "QueryAnswer": QueryAnswer(
        query_id="q1",
        asker="api-1",
        boxes=np.array([[0, 1, 2, 3]], np.float32),
        scores=np.array([0.5], np.float32),
        width=640,
        height=360,
        lookalikes=((Lookalike(3, 0.75, 0.9375, 0.125),),),
        known=4,
        problem="try again",
    ),
    "CameraTest": CameraTest(query_id="q1", asker="api-1", time_ns=50, url="rtsp://user:secret@camera/1"),
    "CameraTest, with bounds": CameraTest(
        query_id="q1",
        asker="api-1",
        time_ns=50,
        url="http://camera/1",
        bounds=Bounds(("camera", "10.0.0.0/24"), ("/srv/videos",)),
    ),
    "CameraTested": CameraTested(
        query_id="q1",
        asker="api-1",
        first=FirstPictures("h264", 640, 360, b"\x01", (b"\x00\x01", b"\x02"), 25.0, 6),
        waited_ms=300,
        problem="try again",
    ),
    "CameraSpec": CameraSpec(
        camera_id="lobby",
        site_id="home",
        url="rtsp://user:secret@camera:554/1",
        enabled=False,
        analysed_fps=12.5,
        mode="complete",
        clock_offset_ms=-40.0,
        start_ns=1_700_000_000_000_000_000,
        realtime=True,
        loop=True,
        tags={"floor": "2"},
    ),
    "CameraSpec, with areas": CameraSpec(
        camera_id="lobby",
        site_id="home",
        url="lobby.mp4",
        priority=2.0,
        detail="auto",
        regions=(((0.0, 0.5), (1.0, 0.5), (1.0, 1.0)),),
        ignore=(((0.0, 0.0), (0.25, 0.0), (0.25, 0.25)),),
    ),
    "CameraSpec, with bounds": CameraSpec(
        camera_id="lobby", site_id="home", url="http://camera/1", bounds=Bounds(("camera",))
    ),
    "FrameChunk": FrameChunk(
        camera_id="lobby",
        site_id="home",
        stream_id="s1",
        seq=3,
        codec="h264",
        width=1920,
        height=1080,
        extradata=b"\x01\x64",
        packets=(Packet(0, 10, keyframe=True, data=b"key"), Packet(40_000_000, 50, keyframe=False, data=b"delta")),
        first_index=75,
        dropped_before=2,
        ended=True,
        reason="cut off",
        analysed_fps=5.0,
        mode="complete",
        traceparent="00-1-2-01",
    ),
    "Tracklet": Tracklet(
        tracklet_id="lobby/s1/7/0",
        camera_id="lobby",
        site_id="home",
        revision=2,
        closed=True,
        times_ns=np.array([10, 50], np.int64),
        frames=np.array([1, 3], np.int64),
        boxes=np.array([[0, 1, 2, 3], [4, 5, 6, 7.5]], np.float32),
        scores=np.array([0.5, 0.75], np.float32),
        embedding=np.array([0.6, 0.8], np.float16),
        model_id="abc",
        quality=0.25,
        frames_used=2,
        crop=b"\xff\xd8jpeg",
        traceparent="00-1-2-01",
    ),
    "Tracklet, under two weights": Tracklet(
        tracklet_id="lobby/s1/7.0/0",
        camera_id="lobby",
        site_id="home",
        revision=2,
        closed=True,
        times_ns=np.array([10], np.int64),
        frames=np.array([1], np.int64),
        boxes=np.array([[0, 1, 2, 3]], np.float32),
        scores=np.array([0.5], np.float32),
        embedding=np.array([0.6, 0.8], np.float16),
        model_id="abc",
        shadow=Look(
            embedding=np.array([0, 1, 0], np.float16),
            model_id="def",
            prior=SimilarityPrior(same_mean=0.75, same_std=0.25, different_mean=0.125, different_std=0.5),
        ),
        quality=0.25,
        frames_used=2,
        crop=b"",
    ),
    "WeightsChoice": WeightsChoice(site_id="home", use="abc", time_ns=60),
    "WeightsChoice, to forget": WeightsChoice(site_id="home", forget="abc", time_ns=60),
    "CameraProgress": CameraProgress(
        camera_id="lobby",
        site_id="home",
        stream_id="s1",
        time_ns=60,
        frames=100,
        analysed=40,
        dropped=1,
        tracklets=3,
        mode="complete",
        ended=True,
        reason="cut off",
    ),
    "IdentityEvent": IdentityEvent(
        event_id="e1",
        kind="merged",
        site_id="home",
        identity_id=4,
        previous_ids=(2, 3),
        tracklet_id="lobby/s1/7/0",
        camera_id="lobby",
        probability=0.875,
        reason="the same coat",
        time_ns=50,
    ),
    "CameraHealth": CameraHealth(
        camera_id="lobby", state="backing off", cause="password refused: change it", reconnects=3, time_ns=60
    ),
    "SeenPeople": SeenPeople(
        camera_id="lobby",
        site_id="home",
        stream_id="s1",
        width=640,
        height=480,
        until_ns=70,
        tracklet_ids=("lobby/s1/7/0", "lobby/s1/8/0"),
        times_ns=np.array([40, 40, 50], np.int64),
        which=np.array([0, 1, 0], np.int64),
        boxes=np.array([[1, 2, 30, 40], [5, 6, 7, 8], [2, 2, 31, 40]], np.float32),
    ),
    "WorkerState": WorkerState(camera_id="lobby", site_id="home", stream_id="s1", next_offset=12, blob=b"\x00state"),
    "WorkerState, ended without a field that says so": WorkerState(
        camera_id="lobby", site_id="home", stream_id="s1", next_offset=12, ended=True
    ),
    "Word": Word(
        word_id="w1",
        kind="move",
        site_id="home",
        author="operator",
        time_ns=50,
        identity_id=4,
        others=(2, 3),
        tracklets=("lobby/s1/7.0/0",),
        to=5,
        name="Anna",
        hidden=False,
        picture_of=2,
        undoes="w0",
    ),
    "Word, of tags": Word(
        word_id="w2",
        kind="tag",
        site_id="home",
        author="operator",
        time_ns=50,
        identity_id=4,
        tags=("morning", "staff"),
    ),
    "DeadLetter": DeadLetter(topic="frames", partition=3, offset=99, key="lobby", reason="garbage", value=b"\xde\xad"),
}


@pytest.fixture(scope="module")
def stored() -> dict[str, str]:
    return msgspec.json.decode(STORED.read_bytes(), type=dict[str, str])


def test_every_message_is_stored(stored: dict[str, str]) -> None:
    assert {name.partition(",")[0] for name in stored} == {kind.__name__ for kind in AnyMessage.__args__}
    assert set(stored) == set(MEANINGS)


@pytest.mark.parametrize("kind", MEANINGS)
def test_stored_bytes_still_mean_the_same(kind: str, stored: dict[str, str]) -> None:
    message, meaning = codec.decode(bytes.fromhex(stored[kind])), MEANINGS[kind]

    assert type(message) is type(meaning)
    for field in msgspec.structs.fields(meaning):
        mine, theirs = getattr(message, field.name), getattr(meaning, field.name)
        if field.name == "packets":
            mine, theirs = ([msgspec.structs.astuple(packet) for packet in packets] for packets in (mine, theirs))
        if isinstance(theirs, Look):
            mine, theirs = msgspec.structs.asdict(mine), msgspec.structs.asdict(theirs)
        np.testing.assert_equal(mine, theirs, err_msg=field.name)


@pytest.mark.parametrize("kind", MEANINGS)
def test_fields_of_a_later_version_are_ignored_by_this_reader(kind: str, stored: dict[str, str]) -> None:
    data = bytes.fromhex(stored[kind])
    later = msgspec.msgpack.decode(data[1:]) | {"gait": [1, {"stride": b"\x00"}]}

    assert codec.encode(codec.decode(data[:1] + msgspec.msgpack.encode(later))) == codec.encode(codec.decode(data))
