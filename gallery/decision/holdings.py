"""What people said, applied to the identities that have the legs it mentions, older legs included. No I/O."""

from collections.abc import Collection, Mapping

from gallery.decision.table import Table
from gallery.store.said import leg_of
from gallery.words.said import NOTHING_SAID, Said

NOBODYS: frozenset[str] = frozenset()


class Holdings:
    """What people said, the identities of mentioned legs, and their legs; copied in constant time."""

    def __init__(self, said: Said = NOTHING_SAID) -> None:
        self.said = said
        self._holders: Table[str, int] = Table()
        self._held: Table[int, frozenset[str]] = Table()

    def copy(self) -> "Holdings":
        """Return holdings that can be changed independently."""
        new = Holdings(self.said)
        new._holders, new._held = self._holders.copy(), self._held.copy()
        return new

    def saying(self, said: Said, owners: Mapping[str, int]) -> "Holdings":
        """Return the holdings after people said something else; `owners` are the identities of some tracklets."""
        new = Holdings(said)
        for leg in said.mentioned:
            if (number := self.holder(leg)) is not None:
                new.give(leg, number)
        for tracklet_id, number in owners.items():
            new.put(tracklet_id, number)
        return new

    def holder(self, leg: str) -> int | None:
        """Return the identity of a mentioned leg; None without one."""
        found: int | None = self._holders.get(leg)
        return found

    def held(self, number: int) -> frozenset[str]:
        """Return the mentioned legs of an identity."""
        found: frozenset[str] = self._held.get(number, NOBODYS)
        return found

    def forbidden(self, tracklet_id: str) -> set[int | None]:
        """Return the identities that a tracklet does not show, as people said."""
        if not self.said.sides:
            return set()
        return {self.holder(leg) for leg in self.said.opponents(leg_of(tracklet_id))} - {None}

    def owner(self, tracklet_id: str) -> int | None:
        """Return the identity that a tracklet shows, as people said; None if they did not."""
        if not self.said.groups:
            return None
        legs = sorted(self.said.same(leg_of(tracklet_id)))
        return next((number for leg in legs if (number := self.holder(leg)) is not None), None)

    def is_pinned(self, tracklet_id: str) -> bool:
        """Return whether a tracklet is with others since people said so."""
        leg = leg_of(tracklet_id)
        return any(self.holder(other) is not None for other in self.said.same(leg) - {leg})

    def are_apart(self, one: int, other: int, leaving: Collection[str]) -> bool:
        """Return whether people said that two identities are different, not counting some of their legs."""
        theirs = self.held(other).difference(leaving)
        return any(theirs.intersection(self.said.opponents(leg)) for leg in self.held(one).difference(leaving))

    def put(self, tracklet_id: str, number: int | None) -> None:
        """Give the leg of a tracklet to an identity, or to nobody; does nothing if no word mentions it."""
        if not self.said.mentioned or (leg := leg_of(tracklet_id)) not in self.said.mentioned:
            return
        self.give(leg, number)

    def give(self, leg: str, number: int | None) -> None:
        """Give a mentioned leg to an identity, or to nobody."""
        before = self.holder(leg)
        if before is not None:
            self._set(before, self.held(before) - {leg})
            del self._holders[leg]
        if number is not None:
            self._holders[leg] = number
            self._set(number, self.held(number) | {leg})

    def merge(self, gone: int, survivor: int) -> None:
        """Give the legs of one identity to another."""
        legs = self.held(gone)
        self.drop(gone)
        for leg in legs:
            self._holders[leg] = survivor
        self._set(survivor, self.held(survivor) | legs)

    def drop(self, number: int) -> None:
        """Forget an identity."""
        for leg in self.held(number):
            del self._holders[leg]
        self._set(number, NOBODYS)

    def _set(self, number: int, legs: frozenset[str]) -> None:
        if legs:
            self._held[number] = legs
        elif number in self._held:
            del self._held[number]


def holdings_of(said: Said, holders: Mapping[str, int]) -> Holdings:
    """Return the holdings of what people said; `holders` are the identities of mentioned tracklets."""
    holdings = Holdings(said)
    for tracklet_id, number in holders.items():
        holdings.put(tracklet_id, number)
    return holdings
