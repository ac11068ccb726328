"""What others send is refused where it is read, with the camera and the cause, before a stage can stumble over it."""

from typing import Any

import msgspec
import numpy as np
import pytest

from wire import codec
from wire.errors import DecodeError
from wire.messages import FrameChunk, Packet, Tracklet, WorkerState

CHUNK = FrameChunk(
    camera_id="door",
    site_id="mall",
    stream_id="s1",
    seq=0,
    codec="h264",
    width=64,
    height=48,
    extradata=b"",
    packets=(Packet(0, 10, keyframe=True, data=b"x"),),
    first_index=0,
)
TRACKLET = Tracklet(
    tracklet_id="door/s1/0.0/0",
    camera_id="door",
    site_id="mall",
    revision=0,
    closed=True,
    times_ns=np.array([10, 20], np.int64),
    frames=np.array([1, 2], np.int64),
    boxes=np.zeros((2, 4), np.float32),
    scores=np.ones(2, np.float32),
    embedding=np.array([0.6, 0.8], np.float16),
    model_id="m",
    quality=0.5,
    frames_used=2,
    crop=b"",
)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        pytest.param("camera_id", "a/b", "camera_id must be", id="a camera with a slash"),
        pytest.param("site_id", "", "site_id must be", id="no site"),
        pytest.param("stream_id", "", "stream_id must not be empty", id="no stream"),
        pytest.param("analysed_fps", 0.0, r"analysed_fps must be in \(0, 240\], got 0.0", id="no frame a second"),
        pytest.param("analysed_fps", float("nan"), "analysed_fps must be", id="a rate that is no number"),
        pytest.param("analysed_fps", 1e300, "analysed_fps must be", id="far too many frames a second"),
        pytest.param("packets", (), "at least one packet unless it ends", id="nothing in it"),
        pytest.param("width", 0, "frame size must be positive", id="no width"),
        pytest.param("orientation", 9, "orientation must be 1 to 8, got 9", id="no orientation of EXIF"),
        pytest.param("seq", 2**63, "Expected `int` <=", id="a number beyond int64"),
        pytest.param("first_index", 2**63, "Expected `int` <=", id="an index beyond int64"),
        pytest.param("packets", (Packet(2**63, 0, True, b"x"),), "Expected `int` <=", id="a time beyond int64"),
    ],
)
def test_a_chunk_that_no_camera_sends_is_refused(field: str, value: Any, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        codec.decode(_changed(CHUNK, field, value))


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        pytest.param("tracklet_id", "door/7", "must be camera/stream/track.leg/part", id="another kind of name"),
        pytest.param("tracklet_id", "gate/s1/0.0/0", "belongs to another camera than 'door'", id="another camera"),
        pytest.param("quality", float("nan"), r"quality must be in \[0, 1\], got nan", id="quality is no number"),
        pytest.param("quality", 1.5, "quality must be", id="quality beyond 1"),
        pytest.param("boxes", np.full((2, 4), np.inf, np.float32), "must be finite", id="an endless box"),
        pytest.param("scores", np.full(2, np.nan, np.float32), "must be finite", id="scores are no numbers"),
        pytest.param("times_ns", np.array([20, 20], np.int64), "strictly increasing", id="two boxes at one time"),
        pytest.param("embedding", np.array([np.nan, 0], np.float16), "L2-normalised", id="embedding is no number"),
        pytest.param("boxes", np.zeros((1, 4), np.float32), r"boxes must be \(2, 4\)", id="a box is missing"),
    ],
)
def test_a_tracklet_that_no_worker_sends_is_refused(field: str, value: Any, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        codec.decode(_changed(TRACKLET, field, value))


def test_the_state_of_a_stream_that_ended_has_nothing_to_go_on_with() -> None:
    with pytest.raises(ValueError, match="must have no blob"):
        WorkerState(camera_id="door", site_id="mall", stream_id="s1", next_offset=1, ended=True, blob=b"tracks")


def _changed(message: FrameChunk | Tracklet, field: str, value: Any) -> bytes:
    """Return the bytes of a message with another value in a field, as a careless writer would send it."""
    whole = msgspec.msgpack.decode(codec.encode(message)[1:])
    plain = msgspec.msgpack.decode(msgspec.msgpack.encode(value, enc_hook=_array))
    return codec.encode(message)[:1] + msgspec.msgpack.encode(whole | {field: plain})


def _array(value: np.ndarray[Any, Any]) -> Any:
    return value.dtype.str, value.shape, value.tobytes()
