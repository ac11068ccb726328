"""The thresholds of decisions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """Thresholds of decisions; log odds unless named otherwise.

    Attributes:
        match: From here on a tracklet is an identity's.
        merge: From here on two identities are one.
        move: A tracklet moves when another identity is so much likelier than the rest of its own.
        split: Below it a tracklet does not belong to the rest of its identity.
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
