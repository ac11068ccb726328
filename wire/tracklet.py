"""Tracklets: one person followed by one camera without a gap, with what networks make of the pictures."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from wire.message import Count, Message
from wire.similarity import SimilarityPrior
from wire.tracklet_id import TrackletId


class Look(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A tracklet as other weights than the serving ones see it.

    Attributes:
        embedding: `(d,)` float16, L2-normalised.
        model_id: Digest of weights and preprocessing.
        prior: The similarity prior of that model; None if its weights carry none.
    """

    embedding: NDArray[np.float16]
    model_id: str
    prior: SimilarityPrior | None = None

    def __post_init__(self) -> None:
        check_unit(f"embedding under {self.model_id}", self.embedding)


def check_unit(named: str, embedding: NDArray[np.float16]) -> None:
    """Raise ValueError unless an embedding is one vector of length 1."""
    norm = float(np.linalg.norm(embedding.astype(np.float32)))
    if embedding.ndim != 1 or not 0.98 <= norm <= 1.02:
        raise ValueError(f"{named} must be one L2-normalised vector, norm is {norm}")


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
        crop: The best crop as JPEG, as far as the camera's privacy allows; empty if it allows none.
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
        shadow: The same tracklet under weights that are being introduced, or were replaced (`worker.shadow_weights`).
    """

    embedding: NDArray[np.float16]
    model_id: str
    prior: SimilarityPrior | None = None
    shadow: Look | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_unit(f"tracklet {self.tracklet_id}: embedding", self.embedding)
        if self.shadow is not None and self.shadow.model_id == self.model_id:
            raise ValueError(f"tracklet {self.tracklet_id}: shadow must be of other weights than {self.model_id}")
