"""Decision thresholds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """Decision thresholds, in log odds unless stated otherwise.

    Attributes:
        match: A tracklet is assigned to an identity from this value on.
        merge: Two identities are merged from this value on.
        move: A tracklet moves when another identity exceeds the rest of its current one by this much.
        split: A tracklet at or below this value does not belong to the rest of its identity.
        min_quality, min_closing_quality, min_frames: As in `GallerySettings`.
        horizon_ns, retention_ns: As in `GallerySettings`.
    """

    match: float
    merge: float
    move: float = 3.0
    split: float = -4.0
    min_quality: float = 0.2
    min_closing_quality: float = 0.1
    min_frames: int = 3
    horizon_ns: int = 900_000_000_000
    retention_ns: int = 7 * 86_400_000_000_000
