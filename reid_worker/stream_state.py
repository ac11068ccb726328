"""The state of a stream that survives a restart, and its encoding."""

import msgspec

from reid_worker.attention import DetailState
from reid_worker.crops import Cutout
from reid_worker.decode import DecoderState, StreamDecoder
from reid_worker.decode_device import DecoderOpener
from reid_worker.errors import StateError
from reid_worker.rate import RateMeter
from reid_worker.trackers.interface import TrackerState
from reid_worker.tracklet import OpenTracklet
from wire.areas import Detail, Polygon
from wire.message import Mode
from wire.messages import Codec, FrameChunk
from wire.orientation import UPRIGHT
from wire.privacy import Privacy


class Counts(msgspec.Struct, array_like=True):
    """Totals since the start of the stream.

    Attributes:
        saved_pts: Presentation time of the last saved state.
        earlier: Frames of the source that belong to earlier streams.
        newest_ns: Capture time of the last analysed frame.
        static: Tracks that were no person: see `reid_worker.tracklet`.
    """

    analysed: int = 0
    skipped: int = 0
    sent: int = 0
    saved_pts: int = 0
    earlier: int = 0
    newest_ns: int = -(2**62)
    rate: RateMeter = msgspec.field(default_factory=RateMeter)
    static: int = 0


class StreamInfo(msgspec.Struct, frozen=True):
    """The constant properties of a stream; as in `FrameChunk`."""

    camera_id: str
    site_id: str
    stream_id: str
    codec: Codec
    extradata: bytes
    analysed_fps: float
    mode: Mode
    orientation: int = UPRIGHT
    detail: Detail = "fast"
    regions: tuple[Polygon, ...] = ()
    ignore: tuple[Polygon, ...] = ()
    privacy: Privacy = "full"

    @classmethod
    def of(cls, chunk: FrameChunk) -> "StreamInfo":
        """Return the properties of a chunk's stream."""
        return cls(
            chunk.camera_id,
            chunk.site_id,
            chunk.stream_id,
            chunk.codec,
            chunk.extradata,
            chunk.analysed_fps,
            chunk.mode,
            chunk.orientation,
            chunk.detail,
            chunk.regions,
            chunk.ignore,
            chunk.privacy,
        )

    def decoder(self, state: DecoderState, opener: DecoderOpener | None = None) -> StreamDecoder:
        """Return a decoder positioned before the next packet of the stream; on the CPU without an opener."""
        return StreamDecoder(self.codec, self.extradata, self.analysed_fps, state, self.orientation, opener)


class StreamState(msgspec.Struct, frozen=True):
    """Everything that the stream's further tracklets depend on, before a keyframe."""

    info: StreamInfo
    decoder: DecoderState
    tracker: TrackerState
    tracklets: dict[int, OpenTracklet]
    counts: Counts
    detail: DetailState = msgspec.field(default_factory=DetailState)


def _settled(cutout: object) -> bytes:
    assert isinstance(cutout, Cutout)
    return cutout.settled()


def _restored(kind: type, jpeg: object) -> Cutout:
    assert kind is Cutout
    if not isinstance(jpeg, bytes):
        raise TypeError("a crop is not bytes")
    return Cutout.restored(jpeg)


_encoder = msgspec.msgpack.Encoder(enc_hook=_settled)
_decoder = msgspec.msgpack.Decoder(StreamState, dec_hook=_restored)


def encoded(state: StreamState) -> bytes:
    """Encode a state; its crops are from now on what is restored from it."""
    return _encoder.encode(state)


def decoded(blob: bytes) -> StreamState:
    """Decode a state.

    Raises:
        StateError: The bytes are not a valid state.
    """
    try:
        return _decoder.decode(blob)
    except msgspec.MsgspecError as error:
        raise StateError(f"saved worker state cannot be read: {error}") from error
