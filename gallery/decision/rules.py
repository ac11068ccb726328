"""Decision thresholds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parts:
    """What decisions rest on; everything, except where a benchmark shows what a part is worth.

    Attributes:
        scale: What similarities mean is learnt from the site; else the prior of the weights is used.
        clustering: Recent tracklets are clustered again.
        exclusivity: People whom one camera saw at once are different.
        disjoint: So are those whom two cameras saw at once that see different places.
        transit: Cameras and times of a person's tracklets follow ways that were learnt.
        ground: Where a person is in one camera says where they are in another, as far as that was learnt.
        staying: Few people who stay before the cameras are counted by how their number in sight varies.
    """

    scale: bool = True
    clustering: bool = True
    exclusivity: bool = True
    disjoint: bool = True
    transit: bool = True
    ground: bool = True
    staying: bool = True


ALL_PARTS = Parts()


@dataclass(frozen=True, slots=True)
class Rules:
    """Decision thresholds, in log odds unless stated otherwise.

    Attributes:
        match: From this value on a tracklet is assigned to an identity, and clusters of tracklets are joined.
        normalise: Camera shifts are learnt and subtracted.
        min_quality, min_closing_quality, min_frames: As in `GallerySettings`.
        min_alone_ns: Time that a tracklet must last to create an identity without another that looks like it; times its
            quality, where it may be somebody whom its camera lost just before.
        horizon_ns, fade_ns, retention_ns, max_identities: As in `GallerySettings`.
        parts: What decisions rest on.
    """

    match: float
    min_quality: float = 0.2
    min_closing_quality: float = 0.1
    min_frames: int = 3
    min_alone_ns: int = 0
    normalise: bool = True
    horizon_ns: int = 900_000_000_000
    retention_ns: int = 7 * 86_400_000_000_000
    max_identities: int = 0
    fade_ns: int = 0
    parts: Parts = ALL_PARTS
