"""Why a tracklet was given to an identity, as it is stored. Pure."""

from dataclasses import dataclass
from typing import Literal

MAX_CANDIDATES = 5  # the most similar people

Excluded = Literal["", "seen_at_once", "seen_elsewhere", "said", "unlikely", "other_fits_better"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person whom a tracklet was compared with.

    Attributes:
        probability: Of being the same person, with all other people seen recently as alternatives.
        excluded: Why the tracklet was not given to them; empty for the one that it was given to.
        track: The tracklet that excluded them: seen in the same camera, or in one that sees another place, at once.
    """

    number: int
    probability: float
    excluded: Excluded = ""
    track: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """A decision about a tracklet.

    Attributes:
        number: The identity that it was given to; 0 while it is pending.
        reason: One sentence for a human.
        decided_ns: Event time of the decision.
        least: Probability that a match needed.
        candidates: The most similar people, at most `MAX_CANDIDATES`, the most likely first.
        most: Probability that the clearest match would have had, since strangers may look alike.
    """

    number: int
    reason: str
    decided_ns: int
    least: float
    candidates: tuple[Candidate, ...] = ()
    most: float = 1.0
