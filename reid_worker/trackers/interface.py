"""What all trackers have in common: their options, what they are shown, what they answer, and their saved state."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from reid_worker.detectors.detection import Detections
from wire.similarity import SimilarityPrior

TrackerName = Literal["appearance", "bytetrack", "botsort", "ocsort", "mcbyte"]
Glance = Callable[[Sequence[NDArray[np.uint8]]], NDArray[np.float32]]  # n RGB crops to `(n, d)` rows of length 1


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """How detections become tracks.

    Attributes:
        name: Which tracker.
        start_score: Lowest score of a detection that starts a track.
        high_score: Detections with at least this score are matched first; weaker ones only continue tracks.
        match_iou: Lowest IoU of a detection with the predicted box of its track.
        lost_s: How long a track stays open after its person disappears.
    """

    name: TrackerName = "appearance"
    start_score: float = 0.5
    high_score: float = 0.5
    match_iou: float = 0.1
    lost_s: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Describer:
    """Describes crops of people.

    Attributes:
        prior: What cosines between its rows mean.
    """

    glance: Glance
    prior: SimilarityPrior

    def likeness(self, cosine: float) -> float:
        """Return a cosine on the scale where 0 is the mean of different people and 1 that of one person."""
        return (cosine - self.prior.different_mean) / (self.prior.same_mean - self.prior.different_mean)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The picture in which people were found.

    Attributes:
        image: `(h, w, 3)` uint8 BGR.
        describer: None if nothing describes people; then only boxes are compared.
    """

    image: NDArray[np.uint8]
    describer: Describer | None = None


class TrackState(msgspec.Struct, frozen=True, array_like=True):
    """One track: its id and counters, and the state of its Kalman filter (float64 bytes).

    Attributes:
        box: Its latest box, xyxy px; a state without one is of ByteTrack, whose filter begins with the box.
        extra: What only one of the trackers has, by name.
    """

    track_id: int
    age: int
    missed_frames: int
    missed_s: float
    hits: int
    mean: bytes
    covariance: bytes
    box: tuple[float, ...] = ()
    extra: dict[str, bytes] = {}


class TrackerState(msgspec.Struct, frozen=True, array_like=True):
    """The state of a tracker.

    Attributes:
        frames: Updates so far.
    """

    next_id: int
    last_s: float | None
    tracks: tuple[TrackState, ...]
    name: TrackerName = "bytetrack"
    frames: int = 0


class Tracker(Protocol):
    """Tracks the people of one stream. Ids count from 0 and are only valid within the stream.

    Equal calls give equal answers, and a tracker restored from `save` answers as the saved one would have.
    """

    def update(self, found: Detections, time_s: float, view: View | None = None) -> NDArray[np.int64]:
        """Advance to a later frame; return the track id of each detection, -1 for none (yet).

        Args:
            found: The people in the frame.
            time_s: Its time; the frames may be any distance apart.
            view: Its picture, for trackers that compare looks.
        """

    def alive(self) -> set[int]:
        """Return the ids of all tracks that are visible or were at most `lost_s` ago."""

    def remembered(self) -> set[int]:
        """Return the ids of all tracks that may still get detections: those alive, and those that may come back."""

    def forget_pictures(self) -> None:
        """Forget crops that a `save` would hold; what was learnt from others stays."""

    def save(self) -> TrackerState:
        """Return everything that the next update depends on."""
