"""How good the identities of tracklets are: scores of the whole site, and how many decisions were wrong. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from deploy.bench.identities.film import Film
from gallery.score.mot import Boxes
from gallery.score.site import score_site
from wire.messages import IdentityEvent, Tracklet

BY_LOOKS = "looks like this person"


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a site, as fractions.

    Attributes:
        idf1, hota: Over all cameras, with one number per person everywhere.
        precision, recall: Of the links between cameras.
        wrong: Share of the tracklets that ended in the identity of somebody else.
    """

    idf1: float
    hota: float
    precision: float
    recall: float
    wrong: float


def scores(film: Film, numbers: Mapping[str, int | None]) -> Scores:
    """Return how good the numbers of tracklets are; None is nobody."""
    owned = {key: number for key, number in numbers.items() if number is not None}
    found = score_site(_boxes(film, film.people), _boxes(film, owned))
    links = found.links
    wrong = sum(sum(shown.values()) - max(shown.values()) for shown in _shown(film.people, owned).values())
    return Scores(
        found.overall.identity.idf1,
        found.overall.hota.hota,
        links.precision or 0.0,
        links.recall or 0.0,
        wrong / max(1, len(owned)),
    )


@dataclass(slots=True)
class Judge:
    """Follows the events of a gallery, and counts decisions that joined two people.

    Attributes:
        numbers: The identity of each tracklet so far.
        decisions, wrong: Matches, moves and merges, and those after which the rest of the identity, or most of it,
            shows somebody else.
        matches, expected: Matches and moves among them, and how many of those should be wrong according to the
            probabilities stated with them.
    """

    people: Mapping[str, int]
    numbers: dict[str, int | None] = field(default_factory=dict)
    decisions: int = 0
    wrong: int = 0
    matches: int = 0
    expected: float = 0.0

    def follow(self, events: Iterable[IdentityEvent]) -> None:
        """Take over the events of a window."""
        for event in events:
            if event.kind == "merged":
                self._merged(event)
            elif event.kind in ("created", "matched", "split"):
                self._assigned(event)

    def _assigned(self, event: IdentityEvent) -> None:
        self.numbers[event.tracklet_id] = None
        rest = self._shown(event.identity_id)
        if event.kind != "created" and BY_LOOKS in event.reason and rest:
            self._count(rest, self.people[event.tracklet_id])
            self.matches += 1
            self.expected += 1 - event.probability
        self.numbers[event.tracklet_id] = event.identity_id

    def _merged(self, event: IdentityEvent) -> None:
        gone = event.previous_ids[0]
        sides = self._shown(event.identity_id), self._shown(gone)
        if all(sides):
            self._count(*sides)
        for key, number in self.numbers.items():
            if number == gone:
                self.numbers[key] = event.identity_id

    def _shown(self, number: int) -> int:
        """Return whom most tracklets of an identity show; 0 if it has none."""
        shown = Counter(self.people[key] for key, owner in self.numbers.items() if owner == number)
        return shown.most_common(1)[0][0] if shown else 0

    def _count(self, one: int, other: int) -> None:
        self.decisions += 1
        self.wrong += one != other


def _shown(people: Mapping[str, int], numbers: Mapping[str, int]) -> Mapping[int, Counter[int]]:
    shown: dict[int, Counter[int]] = defaultdict(Counter)
    for key, number in numbers.items():
        shown[number][people[key]] += 1
    return shown


def _boxes(film: Film, numbers: Mapping[str, int]) -> dict[str, Boxes]:
    """Return the boxes of every camera under these numbers; two boxes of one number in a frame count as one."""
    cameras: dict[str, list[tuple[Tracklet, int]]] = defaultdict(list)
    for key, number in numbers.items():
        cameras[film.last[key].camera_id].append((film.last[key], number))
    return {camera: _boxes_of(rows) for camera, rows in cameras.items()}


def _boxes_of(rows: Sequence[tuple[Tracklet, int]]) -> Boxes:
    frames = np.concatenate([tracklet.frames for tracklet, _ in rows]).astype(np.int64)
    ids = np.concatenate([np.full(len(tracklet.frames), number, np.int64) for tracklet, number in rows])
    corners = np.concatenate([tracklet.boxes for tracklet, _ in rows]).astype(np.float64)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    _, once = np.unique(np.stack([frames, ids], axis=1), axis=0, return_index=True)
    return Boxes(frames[once], ids[once], boxes[once], np.ones(len(once), np.bool_))
