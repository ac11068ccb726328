"""Messages between services. Times are ns since the Unix epoch; boxes are xyxy pixels of the source frame."""

from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from wire.areas import Detail, Polygon, check_areas
from wire.camera_spec import MAX_FPS
from wire.camera_spec import CameraSpec as CameraSpec  # noqa: PLC0414 - a message like the others
from wire.camera_tests import CameraTest as CameraTest  # noqa: PLC0414
from wire.camera_tests import CameraTested as CameraTested  # noqa: PLC0414
from wire.message import UNSENDABLE, Count, Message, Mode, Signed, check_name, check_priority
from wire.orientation import ORIENTATIONS, UPRIGHT
from wire.privacy import Privacy
from wire.queries import LookalikeQuery as LookalikeQuery  # noqa: PLC0414
from wire.queries import PictureQuery as PictureQuery  # noqa: PLC0414
from wire.queries import QueryAnswer as QueryAnswer  # noqa: PLC0414
from wire.tracklet import ObservedTracklet as ObservedTracklet  # noqa: PLC0414
from wire.tracklet import Tracklet as Tracklet  # noqa: PLC0414
from wire.weights_choice import WeightsChoice as WeightsChoice  # noqa: PLC0414

Codec = Literal["h264", "hevc", "mjpeg"]
EventKind = Literal["created", "matched", "updated", "merged", "split", "expired", "erased"]
WordKind = Literal["name", "tag", "hide", "merge", "split", "move", "confirm", "different", "erase", "undo"]

MAX_CHUNK_NS = 500_000_000  # half a second: the latency of filling a chunk
MAX_CHUNK_BYTES = 900_000  # fits Kafka's default limit of 1 MiB, headers and batch overhead included
MAX_PERSON_TAGS = 16
MAX_SAID = 100  # characters of a person's name, and of an author's


class CameraHealth(Message, frozen=True, kw_only=True, eq=False, tag="camera-health"):
    """The state in which ingest has a camera, sent whenever it changes.

    Attributes:
        state: `connecting`, `live`, `stalled`, `backing off`, `stopped`, `ended` or `failed`.
        cause: Why, and the remedy where one is known; empty if all is well.
        reconnects: Connections that were lost or refused so far.
        time_ns: When it changed.
        site_privacy: What may become of pictures of cameras that do not say it themselves (`ingest.privacy`); None from
            an ingest of before this existed.
    """

    camera_id: str
    state: str
    cause: str
    reconnects: Count
    time_ns: Signed
    site_privacy: Privacy | None = None


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
        round_ns: Of a live camera: the round in which it was analysed, which is the same for all that were analysed
            together, later than any round of that worker before, and about the capture time of the newest picture.
            0 of recordings.
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
    round_ns: Signed = 0

    @property
    def moment_ns(self) -> int:
        """The time that counts for windows: what was found before this report belongs to it."""
        return self.round_ns or self.time_ns


class SeenPeople(Message, frozen=True, kw_only=True, eq=False, tag="seen"):
    """Every tracked box of one chunk's analysed frames, for live views; nothing durable depends on it.

    Attributes:
        width, height: Size of the upright pictures in pixels.
        until_ns: Capture time up to which the camera was analysed.
        tracklet_ids: The tracklets seen, each once.
        times_ns: `(n,)` int64 capture time of each box, in increasing order.
        which: `(n,)` int64 index of its tracklet.
        boxes: `(n, 4)` float32, xyxy px.
        scores: Confidence of each in [0, 1]; empty in messages that were sent before this existed.
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
    scores: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.times_ns)
        if len(self.scores) not in {0, n} or not all(0 <= score <= 1 for score in self.scores):
            raise ValueError(f"camera {self.camera_id}: scores must be none, or one in [0, 1] for each of {n} boxes")
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
        probability: That tracklet and identity are the same person, or the identities of a merge are, in [0, 1].
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
        whole: The stream ended by itself, not because its camera was changed, removed or failed.
        blob: Trackers and open tracklets, in the worker's encoding.
    """

    camera_id: str
    site_id: str
    stream_id: str
    next_offset: Count
    ended: bool = False
    blob: bytes = b""
    whole: bool = False

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
        tracklets: `split`: tracklets that show somebody else; `move`: the one to move; `confirm`: the right one.
        to: `move`: the identity it shows; None for a person of its own; `confirm`: the identity it is in.
        name: `name`: the new name; empty removes it.
        tags: `tag`: all tags of the identity from now on, sorted.
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
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name("site_id", self.site_id)
        if not self.word_id:
            raise ValueError("word_id must not be empty")
        for text in (self.name, self.author, *self.tags):
            if len(text) > MAX_SAID or UNSENDABLE.search(text):
                raise ValueError(f"names must be at most {MAX_SAID} characters, without control characters")
        if len(self.tags) > MAX_PERSON_TAGS:
            raise ValueError(f"a person has at most {MAX_PERSON_TAGS} tags, got {len(self.tags)}")


class DeadLetter(Message, frozen=True, kw_only=True, eq=False, tag="dead-letter"):
    """A record that can never succeed, kept with the reason and the first MiB of its value.

    A record of `cameras` or `camera-tests` is kept without its value, which may hold a password, and one of a topic of
    `wire.bus.PICTURES` without what people can be recognised by; the topic itself still has it.
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
    | CameraTest
    | CameraTested
    | WeightsChoice
)
