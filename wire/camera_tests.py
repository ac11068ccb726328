"""Messages that test the address of a camera before it is added; part of `wire.messages`.

    api --CameraTest--> ingest --CameraTested--> api

Ingest opens the address once, as it would a camera's, and sends what the camera shows. Nothing durable depends on it:
who asks waits, and asks again if no answer comes.
"""

from msgspec import Struct

from wire.bounds import Bounds
from wire.message import Count, Message, Signed


class CameraTest(Message, frozen=True, kw_only=True, eq=False, tag="camera-test", omit_defaults=True):
    """An address to open once.

    Attributes:
        query_id: Unique; the answer bears it.
        asker: Key of the answer, by which who asked finds it.
        time_ns: When it was asked.
        url: As in `CameraSpec`. May hold a password.
        bounds: As in `CameraSpec`.
    """

    query_id: str
    asker: str
    time_ns: Signed
    url: str
    bounds: Bounds | None = None

    def __repr__(self) -> str:
        return f"CameraTest({self.query_id})"


class FirstPictures(Struct, frozen=True, array_like=True):
    """What a camera shows first: compressed frames in decoding order, from a keyframe.

    Attributes:
        codec: `h264`, `hevc` or `mjpeg`.
        width, height: Size of the coded pictures in pixels, before rotation.
        extradata: Decoder configuration of the container (may be empty).
        packets: About a second of frames; none where the site's privacy is not `full`.
        fps: Frames per second, 0 if there was only one frame.
        orientation: How decoded pictures are rotated to be upright; see `wire.orientation`.
    """

    codec: str
    width: Count
    height: Count
    extradata: bytes
    packets: tuple[bytes, ...]
    fps: float
    orientation: int


class CameraTested(Message, frozen=True, kw_only=True, eq=False, tag="camera-tested"):
    """What became of a test.

    Attributes:
        first: What the camera shows; None if it shows nothing.
        waited_ms: Milliseconds until the first keyframe.
        problem: Why nothing is shown, and what to do; empty if there is a picture.
    """

    query_id: str
    asker: str
    first: FirstPictures | None = None
    waited_ms: Count = 0
    problem: str = ""
