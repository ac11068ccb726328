"""Messages between services. Times are ns since the Unix epoch; boxes are xyxy pixels of the source frame."""

from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from wire.areas import Detail, Polygon, check_areas
from wire.camera_spec import MAX_FPS
from wire.camera_spec import CameraSpec as CameraSpec  # noqa: PLC0414 - a message like the others
from wire.message import UNSENDABLE, Count, Message, Mode, Signed, check_name, check_priority
from wire.orientation import ORIENTATIONS, UPRIGHT
from wire.privacy import Privacy
from wire.queries import LookalikeQuery as LookalikeQuery  # noqa: PLC0414
from wire.queries import PictureQuery as PictureQuery  # noqa: PLC0414
from wire.queries import QueryAnswer as QueryAnswer  # noqa: PLC0414
from wire.similarity import SimilarityPrior
from wire.tracklet_id import TrackletId

Codec = Literal["h264", "hevc", "mjpeg"]
EventKind = Literal["created", "matched", "updated", "merged", "split", "expired", "erased"]
WordKind = Literal["name", "hide", "merge", "split", "move", "different", "erase", "undo"]

MAX_CHUNK_NS = 500_000_000  # half a second: the latency of filling a chunk
MAX_CHUNK_BYTES = 900_000  # fits Kafka's default limit of 1 MiB, headers and batch overhead included
MAX_SAID = 100  # characters of a person's name, and of an author's


class CameraHealth(Message, frozen=True, kw_only=True, eq=False, tag="camera-health"):
    """The state in which ingest has a camera, sent whenever it changes.

    Attributes:
        state: `connecting`, `live`, `stalled`, `backing off`, `stopped`, `ended` or `failed`.
        cause: Why, and the remedy where one is known; empty if all is well.
        reconnects: Connections that were lost or refused so far.
        time_ns: When it changed.
    """

    camera_id: str
    state: str
    cause: str
    reconnects: Count
    time_ns: Signed


class Packet(msgspec.Struct, frozen=True, array_like=True, eq=False):
    """One compressed frame, in decoding order.

    Attributes:
        pts_ns: Presentation time since the start of the stream, ns; orders the decoded frames.
        time_ns: Capture time.
        keyframe: Decoding can start here.
        data: The compressed bytes, as received.
        shown: False for a picture that is decoded only as a reference for others: one that an edit list cuts away.
    """

    pts_ns: Signed
    time_ns: Signed
    keyframe: bool
    data: bytes
    shown: bool = True


class FrameChunk(Message, frozen=True, kw_only=True, eq=False, tag="frames"):
    """At most half a second and 900 kB of consecutive compressed frames of one camera.

    Attributes:
        stream_id: New for every connection; `seq` counts its chunks from 0.
        width, height: Size of the coded pictures in pixels, before rotation.
        extradata: Decoder configuration of the container (may be empty).
        packets: In decoding order; a keyframe is always the first of its chunk.
        first_index: Index in the source of the first packet, in decoding order; includes dropped packets, but not
            packets that are not shown.
        dropped_before: Frames lost between the previous chunk and this one.
        ended: The stream has ended and no chunk follows; `packets` may then be empty.
        reason: Why it ended, unless a file simply came to its end.
        orientation: How decoded pictures are rotated to be upright; see `wire.orientation`.
        analysed_fps, mode, priority, detail, regions, ignore: As in the camera's `CameraSpec`, so that the worker needs
            nothing else.
        privacy: What may become of the pictures; goes with them, so that whoever has them knows it.
        traceparent: Starts a trace; see `wire.trace`.
    """

    camera_id: str
    site_id: str
    stream_id: str
    seq: Count
    codec: Codec
    width: int
    height: int
    extradata: bytes
    packets: tuple[Packet, ...]
    first_index: Count
    dropped_before: Count = 0
    ended: bool = False
    reason: str = ""
    orientation: int = UPRIGHT
    analysed_fps: float = 10.0
    mode: Mode = "latency"
    priority: float = 1.0
    detail: Detail = "fast"
    regions: tuple[Polygon, ...] = ()
    ignore: tuple[Polygon, ...] = ()
    privacy: Privacy = "full"
    traceparent: str = ""

    def __post_init__(self) -> None:
        check_name("camera_id", self.camera_id)
        check_name("site_id", self.site_id)
        check_priority(self.camera_id, self.priority)
        check_areas(self.camera_id, self.regions, self.ignore)
        if not self.stream_id:
            raise ValueError(f"camera {self.camera_id}: stream_id must not be empty")
        if not 0 < self.analysed_fps <= MAX_FPS:
            raise ValueError(
                f"camera {self.camera_id}: analysed_fps must be in (0, {MAX_FPS}], got {self.analysed_fps}"
            )
        if not self.packets and not self.ended:
            raise ValueError(f"camera {self.camera_id}: a chunk needs at least one packet unless it ends the stream")
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"camera {self.camera_id}: frame size must be positive, got {self.width}x{self.height}")
        if self.seq < 0 or self.first_index < 0 or self.dropped_before < 0:
            raise ValueError(f"camera {self.camera_id}: seq, first_index and dropped_before must not be negative")
        if self.orientation not in ORIENTATIONS:
            raise ValueError(f"camera {self.camera_id}: orientation must be 1 to 8, got {self.orientation}")

    @property
    def starts_with_keyframe(self) -> bool:
        """Tell whether a fresh decoder can start at this chunk."""
        return bool(self.packets) and self.packets[0].keyframe


class ObservedTracklet(Message, frozen=True, kw_only=True, eq=False):
    """One person tracked by one camera without a gap: everything so far, before embedding.

    Attributes:
        tracklet_id: A `TrackletId` as text, the same whenever the same frames are processed again.
        revision: Increases with every emission of the same tracklet, from 0.
        closed: No later revision follows.
        times_ns: `(n,)` int64, strictly increasing capture times of every analysed frame the person is tracked in.
        frames: `(n,)` int64, 1-based number of those frames in the source, in presentation order.
        boxes: `(n, 4)` float32, xyxy px.
        scores: `(n,)` float32 detector confidence in [0, 1].
        quality: Quality of the frames used for the embedding, in [0, 1].
        frames_used: Number of frames used for the embedding.
        crop: The best crop as JPEG.
        width, height: Size of the upright pictures in px; 0 in tracklets that were sent before these existed.
        traceparent: Continues the trace of the chunk that made this revision due; see `wire.trace`.
    """

    tracklet_id: str
    camera_id: str
    site_id: str
    revision: int
    closed: bool
    times_ns: NDArray[np.int64]
    frames: NDArray[np.int64]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    quality: float
    frames_used: int
    crop: bytes
    width: Count = 0
    height: Count = 0
    traceparent: str = ""

    def __post_init__(self) -> None:
        if TrackletId.parse(self.tracklet_id).camera_id != self.camera_id:
            raise ValueError(f"tracklet {self.tracklet_id}: belongs to another camera than {self.camera_id!r}")
        n = len(self.times_ns)
        if n == 0:
            raise ValueError(f"tracklet {self.tracklet_id}: needs at least one box")
        if self.boxes.shape != (n, 4):
            raise ValueError(f"tracklet {self.tracklet_id}: boxes must be ({n}, 4), got {self.boxes.shape}")
        if self.frames.shape != (n,) or self.scores.shape != (n,) or self.times_ns.shape != (n,):
            raise ValueError(f"tracklet {self.tracklet_id}: times_ns, frames and scores must all be ({n},)")
        if np.any(np.diff(self.times_ns) <= 0):
            raise ValueError(f"tracklet {self.tracklet_id}: times_ns must be strictly increasing")
        if not (np.isfinite(self.boxes).all() and np.isfinite(self.scores).all()):
            raise ValueError(f"tracklet {self.tracklet_id}: boxes and scores must be finite")
        if not 0 <= self.quality <= 1:
            raise ValueError(f"tracklet {self.tracklet_id}: quality must be in [0, 1], got {self.quality}")

    @property
    def first_ns(self) -> int:
        """Return the capture time of the first box."""
        return int(self.times_ns[0])

    @property
    def last_ns(self) -> int:
        """Return the capture time of the last box so far."""
        return int(self.times_ns[-1])


class Tracklet(ObservedTracklet, frozen=True, kw_only=True, eq=False, tag="tracklet"):
    """A tracklet with its embedding; it replaces earlier revisions.

    Attributes:
        embedding: `(d,)` float16, L2-normalised.
        model_id: Digest of weights and preprocessing; embeddings of different models are never compared.
        prior: The similarity prior of that model; None if its weights carry none.
    """

    embedding: NDArray[np.float16]
    model_id: str
    prior: SimilarityPrior | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        norm = float(np.linalg.norm(self.embedding.astype(np.float32)))
        if self.embedding.ndim != 1 or not 0.98 <= norm <= 1.02:
            raise ValueError(f"tracklet {self.tracklet_id}: embedding must be one L2-normalised vector, norm is {norm}")


class CameraProgress(Message, frozen=True, kw_only=True, eq=False, tag="progress"):
    """How far a camera has been analysed; the gallery waits for this before it decides a window of all cameras.

    Attributes:
        time_ns: Everything captured up to here has been tracked and sent before this message.
        frames, analysed, dropped, tracklets: Totals since the start of the stream.
        ended: The stream has ended and all its tracklets are closed.
        reason: Why it ended, unless a file simply came to its end.
        analysed_fps: Frames analysed per second in the last five seconds.
        wanted_fps: How many that should be: the camera's own rate, at most its `analysed_fps`.
        degraded: Why it is less; empty if it is not.
    """

    camera_id: str
    site_id: str
    stream_id: str
    time_ns: Signed
    frames: Count
    analysed: Count
    dropped: Count
    tracklets: Count
    mode: Mode = "latency"
    ended: bool = False
    reason: str = ""
    analysed_fps: float = 0.0
    wanted_fps: float = 0.0
    degraded: str = ""


class SeenPeople(Message, frozen=True, kw_only=True, eq=False, tag="seen"):
    """Every tracked box of one chunk's analysed frames, for live views; nothing durable depends on it.

    Attributes:
        width, height: Size of the upright pictures in pixels.
        until_ns: Capture time up to which the camera was analysed.
        tracklet_ids: The tracklets seen, each once.
        times_ns: `(n,)` int64 capture time of each box, in increasing order.
        which: `(n,)` int64 index of its tracklet.
        boxes: `(n, 4)` float32, xyxy px.
    """

    camera_id: str
    site_id: str
    stream_id: str
    width: int
    height: int
    until_ns: Signed
    tracklet_ids: tuple[str, ...]
    times_ns: NDArray[np.int64]
    which: NDArray[np.int64]
    boxes: NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.times_ns)
        if self.boxes.shape != (n, 4) or self.which.shape != (n,) or self.times_ns.shape != (n,):
            raise ValueError(f"camera {self.camera_id}: times_ns and which must be ({n},), boxes ({n}, 4)")
        if n and not (self.which.min() >= 0 and self.which.max() < len(self.tracklet_ids)):
            raise ValueError(f"camera {self.camera_id}: which must be indices of tracklet_ids")


class IdentityEvent(Message, frozen=True, kw_only=True, eq=False, tag="identity"):
    """Something happened to an identity.

    Attributes:
        event_id: The same whenever the same decision is published again.
        identity_id: Number of the identity in its site, from 1.
        previous_ids: Its former numbers, or numbers of identities merged into it.
        probability: That the tracklet and the identity are the same person, in [0, 1].
        reason: One sentence for a human.
        time_ns: Capture time of what the event describes.
        traceparent: In the same trace as the tracklet's; empty without a tracklet.
    """

    event_id: str
    kind: EventKind
    site_id: str
    identity_id: int
    previous_ids: tuple[int, ...]
    tracklet_id: str
    camera_id: str
    probability: float
    reason: str
    time_ns: Signed
    traceparent: str = ""


class WorkerState(Message, frozen=True, kw_only=True, eq=False, tag="worker-state"):
    """A checkpoint from which a worker can resume a camera as if it had never stopped.

    Attributes:
        next_offset: Offset in `frames` of the first chunk that this state does not include.
        ended: The stream has ended and all of its output was sent: there is nothing to resume, and no `blob`.
        blob: Trackers and open tracklets, in the worker's encoding.
    """

    camera_id: str
    site_id: str
    stream_id: str
    next_offset: Count
    ended: bool = False
    blob: bytes = b""

    def __post_init__(self) -> None:
        if self.ended and self.blob:
            raise ValueError(f"camera {self.camera_id}: the state of a stream that ended must have no blob")
        if not self.blob:  # the form of an ended stream before `ended` existed; such states are still stored
            msgspec.structs.force_setattr(self, "ended", True)  # noqa: FBT003 - positional only


class Word(Message, frozen=True, kw_only=True, eq=False, tag="word", omit_defaults=True):
    """What a person said about identities or tracklets of a site; it travels with the tracklets, in the site's order.

    Attributes:
        word_id: Unique; a word that arrives again has no effect.
        author: Who said it.
        time_ns: When it was said.
        identity_id: The identity it is about; 0 where it is about tracklets or another word.
        others: `merge`: identities that are the same person; `different`: identities that are other people.
        tracklets: `split`: tracklets that show somebody else; `move`: the one to move.
        to: `move`: the identity it shows; None for a person of its own.
        name: `name`: the new name; empty removes it.
        hidden: `hide`: False shows the identity again.
        picture_of: `merge`: the identity whose picture is kept; 0 is `identity_id`.
        undoes: `undo`: the `word_id` of the word to undo.
    """

    word_id: str
    kind: WordKind
    site_id: str
    author: str
    time_ns: Signed
    identity_id: Count = 0
    others: tuple[Count, ...] = ()
    tracklets: tuple[str, ...] = ()
    to: Count | None = None
    name: str = ""
    hidden: bool = True
    picture_of: Count = 0
    undoes: str = ""

    def __post_init__(self) -> None:
        check_name("site_id", self.site_id)
        if not self.word_id:
            raise ValueError("word_id must not be empty")
        for text in (self.name, self.author):
            if len(text) > MAX_SAID or UNSENDABLE.search(text):
                raise ValueError(f"names must be at most {MAX_SAID} characters, without control characters")


class DeadLetter(Message, frozen=True, kw_only=True, eq=False, tag="dead-letter"):
    """A record that can never succeed, kept with the reason and the first MiB of its value.

    A record of `cameras` is kept without its value, which may hold a password; the topic itself still has it.
    """

    topic: str
    partition: int
    offset: int
    key: str
    reason: str
    value: bytes


AnyMessage = (
    CameraSpec
    | CameraHealth
    | FrameChunk
    | Tracklet
    | CameraProgress
    | SeenPeople
    | IdentityEvent
    | WorkerState
    | DeadLetter
    | Word
    | PictureQuery
    | LookalikeQuery
    | QueryAnswer
)
