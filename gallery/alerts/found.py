"""What a rule finds among the rows of people. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gallery.alerts.presence import JOIN_NS, NS, Moment, Visit, crossing_visits, visits
from gallery.store.store import Identity, StoredTracklet
from gallery.zones.alert import Interval
from gallery.zones.rule import Rule
from gallery.zones.zone import Zone

NEW_NS = 3600 * NS  # how long somebody is new
LastSeen = Callable[[int], int | None]  # when somebody was last seen before a time


@dataclass(frozen=True, slots=True)
class Found:
    """Something that a rule is about: from when to when it lasts, and the moment at which it became so."""

    span: Interval
    moment: Moment


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Somebody, the tracklets that are looked at, and when an earlier one ended."""

    identity: Identity
    rows: Sequence[StoredTracklet]
    last_seen: LastSeen

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return the person's number, and those of people who were merged into this one."""
        return (self.identity.number, *self.identity.previous_ids)


def is_meant(rule: Rule, person: Person, time_ns: int) -> bool:
    """Tell whether a rule is about a person at a time; who is hidden has to be listed in it."""
    identity = person.identity
    if rule.identities:
        return not set(rule.identities).isdisjoint(person.numbers)
    if identity.hidden:
        return False
    return {
        "anyone": True,
        "named": bool(identity.name),
        "unnamed": not identity.name,
        "new": identity.first_ns >= time_ns - NEW_NS,
    }[rule.who]


def found_about(rule: Rule, zones: Sequence[Zone], person: Person, gone_ns: int) -> list[Found]:
    """Return what a rule, other than one that counts, finds about a person, in order of time.

    Args:
        gone_ns: The time up to which everything seen in the rule's place is decided: `leaves` waits for it.
    """
    look = crossing_visits if rule.when == "crosses" else visits
    found = []
    for visit in look(person.rows, rule, zones):
        moment = _moment(rule, visit, person, gone_ns)
        if moment is not None and is_meant(rule, person, moment.time_ns):
            found.append(Found((visit.begin_ns, visit.end_ns), moment))
    return _active(rule, found)


def crowds(rule: Rule, zones: Sequence[Zone], rows: Mapping[int, Sequence[StoredTracklet]]) -> list[Found]:
    """Return when more people than a rule allows were in its place at once, in order of time.

    Args:
        rows: Tracklets by identity.
    """
    stays = [visit for own in rows.values() for visit in visits(own, rule, zones)]
    steps = [(visit.begin_ns, 0, visit.first()) for visit in stays]
    steps += [(visit.end_ns, 1, visit.last()) for visit in stays]
    found: list[Found] = []
    present, begun = 0, None
    for time_ns, is_end, moment in sorted(steps, key=lambda step: (step[0], step[1], step[2].sight)):
        present += -1 if is_end else 1
        if begun is None and present > rule.people:
            begun = moment
        elif begun is not None and present <= rule.people:
            found.append(Found((begun.time_ns, time_ns), begun))
            begun = None
    return _active(rule, _without_lulls(found))


def _moment(rule: Rule, visit: Visit, person: Person, gone_ns: int) -> Moment | None:
    """Return when a visit became what a rule is about; None if it has not."""
    length_ns = round(rule.seconds * NS)
    if rule.when == "stays":
        return visit.after(length_ns)
    if rule.when == "leaves":
        return visit.last() if visit.end_ns + JOIN_NS <= gone_ns else None
    if rule.when == "returns":
        before = person.last_seen(visit.begin_ns)
        return visit.first() if before is not None and visit.begin_ns - before >= length_ns else None
    return visit.first()


def _without_lulls(found: Iterable[Found]) -> list[Found]:
    joined: list[Found] = []
    for one in found:
        if joined and one.span[0] - joined[-1].span[1] <= JOIN_NS:
            joined[-1] = Found((joined[-1].span[0], one.span[1]), joined[-1].moment)
        else:
            joined.append(one)
    return joined


def _active(rule: Rule, found: Iterable[Found]) -> list[Found]:
    return [one for one in found if rule.active is None or rule.active.cover(one.moment.time_ns)]
