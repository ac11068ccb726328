"""Make a snapshot consistent that contradicts itself. Pure.

Only a gallery writes a site, all of a window or nothing, so this is not its doing: somebody changed keys in Redis, or
restored some of them.
"""

from collections.abc import Callable
from dataclasses import replace

from gallery.store.store import Identity, Snapshot


def repaired(snapshot: Snapshot) -> tuple[Snapshot, list[str]]:
    """Return a snapshot without contradictions, and a sentence about each kind that was found."""
    found: list[str] = []
    steps: tuple[Callable[[Snapshot], tuple[Snapshot, str]], ...] = (
        _without_stray_prototypes,
        _with_one_person_for_each_number,
        _with_a_number_that_is_free,
    )
    for step in steps:
        snapshot, said = step(snapshot)
        found += [said] if said else []
    return snapshot, found


def _without_stray_prototypes(snapshot: Snapshot) -> tuple[Snapshot, str]:
    known = {identity.number for identity in snapshot.identities}
    stray = sorted(set(snapshot.prototypes) - known)
    if not stray:
        return snapshot, ""
    kept = {number: owned for number, owned in snapshot.prototypes.items() if number in known}
    return replace(snapshot, prototypes=kept), f"prototypes of {_some(stray)}, who do not exist, are ignored"


def _with_one_person_for_each_number(snapshot: Snapshot) -> tuple[Snapshot, str]:
    """Let a number mean the person who has it, else the lowest number of those that it was merged into."""
    taken = {identity.number for identity in snapshot.identities}
    twice: list[int] = []
    people: list[Identity] = []
    for identity in sorted(snapshot.identities, key=lambda one: one.number):
        twice += (old for old in identity.previous_ids if old in taken)
        previous = tuple(old for old in identity.previous_ids if old not in taken)
        taken.update(previous)
        people.append(identity if previous == identity.previous_ids else replace(identity, previous_ids=previous))
    said = f"{_some(sorted(twice))} exist, or were merged, more than once; the first meaning holds" if twice else ""
    return (replace(snapshot, identities=people) if twice else snapshot), said


def _with_a_number_that_is_free(snapshot: Snapshot) -> tuple[Snapshot, str]:
    highest = max((number for one in snapshot.identities for number in (one.number, *one.previous_ids)), default=0)
    highest = max(highest, *snapshot.faded, *(row.identity_id or 0 for row in snapshot.tracklets), 0)
    if highest < snapshot.next_identity:
        return snapshot, ""
    said = f"the next number would be {snapshot.next_identity}, but {highest} exists; numbers go on from {highest + 1}"
    return replace(snapshot, next_identity=highest + 1), said


def _some(numbers: list[int]) -> str:
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return ", ".join(map(str, numbers[:5])) + more
