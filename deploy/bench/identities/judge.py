"""How good the identities of tracklets are: scores of the whole site, and how many decisions were wrong. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from deploy.bench.identities.film import Film
from gallery.score.mot import Boxes
from gallery.score.site import score_site
from wire.messages import EventKind, IdentityEvent, Tracklet

Kind = Literal["match", "move", "merge"]

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
    """Return how good the numbers of a film's tracklets are; None is nobody."""
    owned = {key: number for key, number in numbers.items() if number is not None and key in film.people}
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


@dataclass(frozen=True, slots=True)
class Verdict:
    """One match, move or merge of a gallery.

    Attributes:
        kind: What it did.
        stated: The probability that it was right, as stated with it.
        right: Both sides of it show one person.
    """

    kind: Kind
    stated: float
    right: bool


@dataclass(slots=True)
class Judge:
    """Follows the events of a gallery, and judges the decisions of each window by what the window left.

    A window may merge two identities and give some of their tracklets to others, in any order; only where they are when
    it ends was ever to be seen.

    Attributes:
        numbers: The identity of each tracklet so far.
        verdicts: On matches, moves and merges. The two sides are a tracklet and the rest of its identity, or what is
            left of two identities; a side is the person whom most of its tracklets show, or one of them.
    """

    people: Mapping[str, int]
    numbers: dict[str, int | None] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    def follow(self, events: Iterable[IdentityEvent]) -> None:
        """Take over the events of a window."""
        before = dict(self.numbers)
        given: dict[str, IdentityEvent] = {}
        merged = [event for event in events if self._take_over(event, given) == "merged"]
        for event in given.values():
            if event.kind != "created" and BY_LOOKS in event.reason:
                self._judge_assigned(event)
        for event in merged:
            self._judge_merged(event, before)

    def _take_over(self, event: IdentityEvent, given: dict[str, IdentityEvent]) -> EventKind:
        if event.kind == "merged":
            for key, number in self.numbers.items():
                if number == event.previous_ids[0]:
                    self.numbers[key] = event.identity_id
        elif event.kind in ("created", "matched", "split"):
            self.numbers[event.tracklet_id] = event.identity_id
            given[event.tracklet_id] = event
        return event.kind

    def _judge_assigned(self, event: IdentityEvent) -> None:
        key = event.tracklet_id
        number = self.numbers[key]
        rest = self._shown(other for other, owner in self.numbers.items() if owner == number and other != key)
        if rest:
            kind: Kind = "match" if event.kind == "matched" else "move"
            self.verdicts.append(Verdict(kind, event.probability, self.people[key] in rest))

    def _judge_merged(self, event: IdentityEvent, before: Mapping[str, int | None]) -> None:
        gone = event.previous_ids[0]
        left = [key for key, owner in self.numbers.items() if owner == event.identity_id and key in before]
        sides = [self._shown(key for key in left if (before[key] == gone) is side) for side in (True, False)]
        if all(sides):
            self.verdicts.append(Verdict("merge", event.probability, bool(sides[0] & sides[1])))

    def _shown(self, keys: Iterable[str]) -> set[int]:
        """Return whom most of some tracklets show: several people if as many show each, nobody without tracklets."""
        shown = Counter(self.people[key] for key in keys)
        return {person for person, count in shown.items() if count == max(shown.values())}


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
