"""Open-set identification: are people recognised when they come back, and strangers taken for strangers?

Every visit of a person to a camera is a search among everyone seen before on any camera (open-set
identification in ISO/IEC 19795-1 and in NISTIR 8271, P. Grother et al., "Face Recognition Vendor Test, Part 2"):

FPIR  of the first visits of people, the share that was given a number which somebody else already had;
FNIR  of all later visits, the share that was not given a number of the person: a new number, or somebody else's.

A visit's number is the one that most of its matched boxes have; visits without any were missed by the detector, which
is not a matter of identification, so they are counted apart. A number belongs to the person whose visit had it first.

Tracks hold decisions, not how probable they were (the confidence in column 7 is the detector's), so this is the one
point at which the results operate, and not a curve of FNIR over FPIR.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from gallery.score.presence import Shown, Visit


@dataclass(frozen=True, slots=True)
class Identification:
    """Counts of visits, and the two rates.

    Attributes:
        first: First visits of a person that were found.
        false_positives: Those of them that were given somebody else's number.
        later: Later visits that were found.
        false_negatives: Those of them that were not given a number of the person.
        not_found: Visits without any matched box.
    """

    first: int
    false_positives: int
    later: int
    false_negatives: int
    not_found: int

    @property
    def fpir(self) -> float | None:
        """Return the false-positive identification rate; None without first visits."""
        return self.false_positives / self.first if self.first else None

    @property
    def fnir(self) -> float | None:
        """Return the false-negative identification rate; None if nobody came back."""
        return self.false_negatives / self.later if self.later else None


def identification(visits: Sequence[Visit], shown: Sequence[Shown]) -> Identification:
    """Return how people were identified, visit by visit in order of time.

    Args:
        visits: Visits in the truth, in order.
        shown: Numbers that people were shown under.
    """
    numbers = _numbers(visits, shown)
    owners: dict[int, int] = {}
    known: set[int] = set()
    counts: Counter[str] = Counter()
    for visit, number in zip(visits, numbers, strict=True):
        if number is None:
            counts["not found"] += 1
            continue
        owner = owners.get(number)
        owners.setdefault(number, visit.person)
        if visit.person in known:
            counts["later"] += 1
            counts["wrong later"] += owner != visit.person
        else:
            counts["first"] += 1
            counts["wrong first"] += owner is not None
        known.add(visit.person)
    return Identification(
        counts["first"], counts["wrong first"], counts["later"], counts["wrong later"], counts["not found"]
    )


def _numbers(visits: Sequence[Visit], shown: Sequence[Shown]) -> list[int | None]:
    """Return the number that most matched boxes of each visit have; None without any."""
    of: dict[tuple[str, int], list[Shown]] = defaultdict(list)
    for span in shown:
        of[span.camera, span.person].append(span)
    return [_number(visit, of[visit.camera, visit.person]) for visit in visits]


def _number(visit: Visit, spans: Sequence[Shown]) -> int | None:
    boxes: Counter[int] = Counter()
    for span in spans:
        if visit.first <= span.first <= visit.last:
            boxes[span.number] += span.boxes
    return max(boxes, key=lambda number: (boxes[number], -number)) if boxes else None
