"""People who leave a site's memory, and those who are taken up again while a window is decided. No I/O."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed

from gallery.decision.rules import Rules
from gallery.decision.spaces import Spaces
from gallery.decision.sweep import Sweep
from gallery.decision.table import Table
from gallery.store.store import Faded, Identity, Prototype

AT_ONCE = 256  # people who fade in one window, so that no write blocks the server for long


@dataclass(frozen=True, slots=True, eq=False)
class Absent:
    """What a window is told about those who have faded.

    Attributes:
        needed: Those whom it is about: people said so, or earlier parts of its tracklets are theirs.
        page: Those with whom it is compared; None if nobody is looked for.
        is_last: Whether nobody comes after the page.
        longest: Those seen longest ago, as far as they may expire.
    """

    needed: Sequence[Faded] = ()
    page: Sequence[Faded] | None = None
    is_last: bool = True
    longest: Sequence[Identity] = ()


NOBODY_ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class Leaving:
    """Who leaves a site's memory: for good, or to the store."""

    expired: list[Identity]
    fading: list[Identity]


class Absence:
    """Those who have faded, while a window is decided.

    Attributes:
        faded: Their numbers, with those who were taken up for this window.
        fading: Those who fade in it.
        longest: As in `Absent`.
        taken: Numbers of those who were taken up.
    """

    def __init__(self, faded: Table[int, None], sweep: Sweep) -> None:
        self.faded = faded.copy()
        self.sweep = sweep
        self.fading: list[Faded] = []
        self.longest: Sequence[Identity] = ()
        self.taken: set[int] = set()

    def away(self) -> int:
        """Return how many have faded and were not taken up."""
        return len(self.faded) - len(self.taken)

    def settled(self, kept: set[int], known: Container[int]) -> list[int]:
        """Take those out who came back, or are somebody else now; return the others who were taken up, who go again."""
        going = sorted(number for number in self.taken if number in known and number not in kept)
        for number in self.taken.difference(going):
            del self.faded[number]
        return going

    def fade(self, identity: Identity, prototypes: tuple[Prototype, ...], next_identity: int) -> None:
        """Let somebody fade; whoever is new from now on may be one of those who have."""
        if not self.faded:
            self.sweep = Sweep(next_identity, next_identity)
        self.fading.append(Faded(changed(identity, faded=True), prototypes))
        self.faded[identity.number] = None


def leaving(oldest: Iterable[Identity], known: int, absence: Absence, now_ns: int, rules: Rules) -> Leaving:
    """Return who leaves a memory of so many `known` people, those seen longest ago first.

    Whoever has faded expires before those who have not.
    """
    before_ns = now_ns - rules.retention_ns
    fades_ns = now_ns - rules.fade_ns if rules.fade_ns else before_ns
    most = rules.max_identities or known + len(absence.faded)
    found = Leaving([], [])
    for place, identity in enumerate(absence.longest):
        if place >= known + len(absence.faded) - most and identity.last_ns >= before_ns:
            break
        if identity.number in absence.faded:  # and not somebody who just came back
            found.expired.append(identity)
    for place, identity in enumerate(oldest):
        if place < known - most or identity.last_ns < before_ns:
            found.expired.append(identity)
        elif identity.last_ns < fades_ns and len(found.fading) < AT_ONCE:
            found.fading.append(identity)
        else:
            break
    found.expired.sort(key=lambda identity: identity.number)
    return found


def recalled(faded: Faded, spaces: Spaces) -> tuple[Identity, tuple[Prototype, ...]]:
    """Return somebody who has faded as a draft keeps people, without weights that were forgotten meanwhile."""
    kept = tuple(one for one in faded.prototypes if one.model_id not in spaces.forgotten)
    return changed(faded.identity, faded=False), kept or faded.prototypes
