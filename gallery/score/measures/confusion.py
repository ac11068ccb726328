"""Who was taken for whom: numbers that show several people, and people who have several numbers."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gallery.score.presence import Shown


@dataclass(frozen=True, slots=True)
class Part:
    """What one person and one number have in common.

    Attributes:
        id: The person that a number shows, or a number that a person has.
        boxes: How many boxes.
        spans: Where and when, the longest first.
    """

    id: int
    boxes: int
    spans: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """A number that shows several people (a false merge), or a person with several numbers (a split).

    Attributes:
        id: The number, or the person.
        parts: The people, or the numbers; those with most boxes first.
    """

    id: int
    parts: tuple[Part, ...]

    @property
    def wrong(self) -> int:
        """Return the number of boxes of all parts but the largest."""
        return sum(part.boxes for part in self.parts[1:])


def merges(shown: Iterable[Shown]) -> tuple[Confusion, ...]:
    """Return the numbers that show more than one person, those with the most wrong boxes first."""
    return _confusions((span.number, span.person, span) for span in shown)


def splits(shown: Iterable[Shown]) -> tuple[Confusion, ...]:
    """Return the people who have more than one number, those with the most wrong boxes first."""
    return _confusions((span.person, span.number, span) for span in shown)


def _confusions(spans: Iterable[tuple[int, int, Shown]]) -> tuple[Confusion, ...]:
    found: dict[int, dict[int, list[Shown]]] = defaultdict(lambda: defaultdict(list))
    for whole, part, span in spans:
        found[whole][part].append(span)
    confusions = [Confusion(whole, _parts(parts)) for whole, parts in found.items() if len(parts) > 1]
    return tuple(sorted(confusions, key=lambda one: (-one.wrong, one.id)))


def _parts(parts: dict[int, list[Shown]]) -> tuple[Part, ...]:
    made = [Part(name, sum(span.boxes for span in spans), _longest_first(spans)) for name, spans in parts.items()]
    return tuple(sorted(made, key=lambda part: (-part.boxes, part.id)))


def _longest_first(spans: Sequence[Shown]) -> tuple[Shown, ...]:
    return tuple(sorted(spans, key=lambda span: -span.boxes))
