"""What all words of a site together say about legs of tracks: which are one person, and which are different. Pure.

Words name identities, whose numbers change as the machine learns; what they mean is kept as constraints on the
tracklets that the identities had. Ids of tracklets are the same whenever the same recordings are read, so a constraint
survives regrouping, restarts, reprocessing and new weights. All parts of a leg are one person, so legs are constrained.

A later word about single tracklets is narrower than an earlier one about identities: a sighting that is split off is no
longer meant by the merge of the identity it was in.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from gallery.store.said import StoredWord, leg_of

Side = int  # sides 2k and 2k + 1 are what the k-th word holds apart


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """Constraints on legs; immutable.

    Attributes:
        words: Those that hold, oldest first.
        groups: Group of each leg that is the same person as others.
        sides: Sides of each leg, and of those it is the same person as.
        legs: Legs of each side; those of the opposite side, `side ^ 1`, are other people.
    """

    words: tuple[StoredWord, ...] = ()
    groups: Mapping[str, int] = field(default_factory=dict)
    sides: Mapping[str, frozenset[Side]] = field(default_factory=dict)
    legs: Mapping[Side, frozenset[str]] = field(default_factory=dict)
    members: Mapping[int, frozenset[str]] = field(default_factory=dict)
    mentioned: frozenset[str] = frozenset()

    def same(self, leg: str) -> frozenset[str]:
        """Return the legs of the same person, this one included."""
        group = self.groups.get(leg)
        return frozenset((leg,)) if group is None else self.members[group]

    def are_same(self, one: str, other: str) -> bool:
        """Return whether two legs were said to be one person."""
        group = self.groups.get(one)
        return one == other or (group is not None and group == self.groups.get(other))

    def are_apart(self, one: str, other: str) -> bool:
        """Return whether two legs were said to be different people."""
        others = self.sides.get(other, frozenset())
        return any(side ^ 1 in others for side in self.sides.get(one, ()))

    def opponents(self, leg: str) -> Iterator[str]:
        """Yield the legs of people other than this one."""
        return chain.from_iterable(self.legs[side ^ 1] for side in self.sides.get(leg, ()))


NOTHING_SAID = Said()


def said_of(words: Iterable[StoredWord]) -> Said:
    """Return what words say together; those that were refused or undone say nothing."""
    holding = tuple(said for said in words if said.holds)
    building = _Building()
    for number, said in enumerate(holding):
        building.add(number, said)
    return building.finish(holding)


def contradicted(words: Sequence[StoredWord], new: StoredWord) -> StoredWord | None:
    """Return the word, among those that hold, that a new one contradicts; None if it contradicts none."""
    together = said_of([*words, new])
    for number, said in enumerate(together.words):
        one, other = together.legs.get(2 * number), together.legs.get(2 * number + 1)
        if one is None or other is None or not one & other:
            continue
        return said if said is not new else _joining(together, one & other)
    return None


def unmet(said: Said, holder: Callable[[str], int | None]) -> StoredWord | None:
    """Return the latest word that identities do not obey, as `holder` returns that of a leg; None if they obey all."""
    for legs in said.members.values():
        if len({holder(leg) for leg in legs} - {None}) > 1:
            return next((one for one in reversed(said.words) if legs & set(map(leg_of, _of_one(one)))), None)
    for number, word in reversed(list(enumerate(said.words))):
        mine, theirs = ({holder(leg) for leg in said.legs.get(2 * number + side, ())} for side in (0, 1))
        if mine & theirs - {None}:
            return word
    return None


def _joining(together: Said, legs: frozenset[str]) -> StoredWord | None:
    """Return the latest word before the last one that says that some of these legs are one person."""
    earlier = reversed(together.words[:-1])
    return next((said for said in earlier if legs & set(map(leg_of, _of_one(said)))), None)


def _of_one(said: StoredWord) -> list[str]:
    """Return the tracklets that a word says are one person; none if it says so of none."""
    match said.word.kind:
        case "merge":
            return [key for side in said.sides for key in side]
        case "move" | "confirm" if len(said.sides) > 1:
            return [*said.chosen, *said.sides[1]]
    return []


def _apart_in(said: StoredWord) -> tuple[Sequence[str], Sequence[str]] | None:
    """Return the tracklets that a word says are of two people; None if it does not say so."""
    match said.word.kind:
        case "split" | "move":
            return said.chosen, said.sides[0]
        case "different":
            return said.sides[0], said.sides[1]
    return None


class _Building:
    """The constraints while words are added, oldest first."""

    def __init__(self) -> None:
        self._group: dict[str, int] = {}
        self._members: dict[int, set[str]] = {}
        self._moved: set[str] = set()  # legs that are in their group since a word chose them
        self._sides: dict[str, set[Side]] = defaultdict(set)  # of legs of an identity that a word is about
        self._own: dict[str, set[Side]] = defaultdict(set)  # of legs that a word chose
        self._mentioned: set[str] = set()

    def add(self, number: int, said: StoredWord) -> None:
        """Add the word of this number, from 0."""
        self._mentioned.update(map(leg_of, said.mentioned()))
        chosen = set(map(leg_of, said.chosen))
        for leg in chosen:
            self._release(leg)
        united = set(map(leg_of, _of_one(said)))
        self._unite(united)
        self._moved |= chosen & united
        for side, keys in enumerate(_apart_in(said) or ()):
            for leg in set(map(leg_of, keys)):
                sides = self._own if leg in chosen else self._sides
                sides[leg].add(2 * number + side)

    def _release(self, leg: str) -> None:
        """Take a leg out of what was said about the identities it was in, without choosing it."""
        self._sides.pop(leg, None)
        if leg in self._group and leg not in self._moved:
            self._members[self._group.pop(leg)].discard(leg)

    def _unite(self, legs: set[str]) -> None:
        if not legs:
            return
        groups = {self._group[leg] for leg in legs if leg in self._group}
        joined = legs.union(*(self._members.pop(group) for group in groups))
        group = min(groups, default=max(self._members, default=-1) + 1)
        self._members[group] = joined
        self._group |= dict.fromkeys(joined, group)

    def finish(self, words: tuple[StoredWord, ...]) -> Said:
        """Return the constraints."""
        members = {group: frozenset(legs) for group, legs in self._members.items() if len(legs) > 1}
        groups = {leg: group for group, legs in members.items() for leg in legs}
        known = {*self._sides, *self._own}
        sides = {leg: frozenset(self._sides.get(leg, ())) | self._own.get(leg, set()) for leg in known}
        for legs in members.values():
            shared = frozenset[Side]().union(*(sides.get(leg, ()) for leg in legs))
            if shared:
                sides |= dict.fromkeys(legs, shared)
        of_side: dict[Side, set[str]] = defaultdict(set)
        for leg, own in sides.items():
            for side in own:
                of_side[side].add(leg)
                of_side.setdefault(side ^ 1, set())  # all legs of a side may have been released
        legs_of_side = {side: frozenset(legs) for side, legs in of_side.items()}
        return Said(words, groups, sides, legs_of_side, members, frozenset(self._mentioned))
