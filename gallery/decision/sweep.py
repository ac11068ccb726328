"""How far a site has looked for people of today among those who have faded. Pure.

Nobody is compared with all who have faded at once, however many there are: each window compares a page of them, in the
order of their numbers, with the people who are new since the pass before. So the cost of a window is bounded, and a
pass takes as many windows as there are pages.
"""

import msgspec

PAGE = 256  # people who have faded that a window is compared with
PASS = 512  # pages after which a pass should be over, as people of today are compared while they are recent
MOST = 2_048  # people in a page: some 15 MB that are read and compared
SOUGHT = 512  # new people who are looked for in one pass


class Sweep(msgspec.Struct, frozen=True):
    """One pass over those who have faded.

    Attributes:
        first, end: The numbers of the new people who are looked for: from `first` to before `end`.
        after: The number of the last one who has faded that they were compared with.
    """

    first: int = 0
    end: int = 0
    after: int = 0

    def begun(self, next_identity: int) -> "Sweep":
        """Return the pass to go on with: if nobody is looked for in this one, that of all who are new since."""
        return self if self.first < self.end else Sweep(self.end, _bounded(self.end, next_identity), self.after)

    def moved(self, last: int | None, next_identity: int) -> "Sweep":
        """Return the pass after a page whose last number was `last`, or None if it reached the end."""
        if last is not None:
            return Sweep(self.first, self.end, last)
        return Sweep(self.end, _bounded(self.end, next_identity), 0)


NOT_BEGUN = Sweep()


def page_of(faded: int) -> int:
    """Return how many of those who have faded a window is compared with."""
    return max(PAGE, min(MOST, faded // PASS))


def _bounded(first: int, next_identity: int) -> int:
    return min(next_identity, first + SOUGHT)
