"""Format people and their routes through the cameras as text that fits a terminal. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from deploy.local.report import Person, Report
from gallery.store.presence import Sighting

MAX_TRAVELLERS = 20  # people on several cameras in the table
MAX_STAYERS = 10  # people on one camera in the table
ARROW = " -> "


@dataclass(frozen=True, slots=True)
class Stop:
    """One presence on a camera, or several in a row on the same camera."""

    camera_id: str
    first_ns: int
    times: int


@dataclass(frozen=True, slots=True)
class Clock:
    """Formatter of capture times.

    Attributes:
        zone: Time zone; None is that of this machine.
        dated: Whether times include the day.
    """

    zone: tzinfo | None = None
    dated: bool = False

    def time(self, time_ns: int) -> str:
        """Format a time of day, with the day if `dated`."""
        return self.moment(time_ns).strftime("%m-%d %H:%M" if self.dated else "%H:%M:%S")

    def day(self, time_ns: int) -> str:
        """Format a day, with its year."""
        return self.moment(time_ns).strftime("%Y-%m-%d")

    def moment(self, time_ns: int) -> datetime:
        """Return a time in the zone of this clock."""
        return datetime.fromtimestamp(time_ns / 1e9, UTC).astimezone(self.zone)


def clock_of(people: Iterable[Person], zone: tzinfo | None = None) -> Clock:
    """Return a clock that includes the day if people were seen on more than one."""
    plain = Clock(zone)
    days = {plain.day(time_ns) for person in people for time_ns in (person.first_ns, person.last_ns)}
    return Clock(zone, dated=len(days) > 1)


def duration(seconds: float) -> str:
    """Format a time span for people.

    >>> [duration(seconds) for seconds in (0.4, 31.2, 80, 7500)]
    ['1 s', '31 s', '1 min 20 s', '2 h 5 min']
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 // 60 else "")


def headline(report: Report) -> str:
    """Return one sentence: how many people were seen, and how many of them by several cameras."""
    count = len(report.people)
    shared = sum(len(person.cameras) > 1 for person in report.people)
    if not count:
        return "Nobody was seen."
    if count == 1:
        seen = len(report.people[0].cameras)
        return f"1 person, seen by {'one camera' if seen == 1 else f'{seen} cameras'}."
    if len(report.cameras) == 1:
        return f"{count} people, seen by one camera."
    share = {0: "none", count: "all"}.get(shared, str(shared))
    return f"{count} people; {share} of them {'was' if shared < 2 else 'were'} seen by more than one camera."


def stops(seen: Sequence[Sighting]) -> tuple[Stop, ...]:
    """Return the cameras a person visited, in order."""
    found: list[Stop] = []
    for sighting in seen:
        if found and found[-1].camera_id == sighting.camera_id:
            last = found.pop()
            found.append(Stop(last.camera_id, last.first_ns, last.times + 1))
        else:
            found.append(Stop(sighting.camera_id, sighting.first_ns, 1))
    return tuple(found)


def route(person: Person, clock: Clock, width: int) -> str:
    """Format a route in at most `width` characters, leaving out stops in the middle if it is too long."""
    where = stops(person.seen)
    text = ARROW.join(_stop(stop, clock) for stop in where)
    names = [f"{stop.camera_id} {clock.time(stop.first_ns)}" for stop in where]
    kept = len(names)
    while len(text) > width and kept > 0:
        left_out = len(names) - 1 - kept
        between = [f"({left_out} more)"] if left_out > 0 else []
        text = ARROW.join([*names[:kept], *between, *names[max(kept, len(names) - 1) :]])
        kept -= 1
    return text if len(text) <= width else f"{text[: max(0, width - 3)]}..."


def people_lines(report: Report, width: int, list_command: str, zone: tzinfo | None = None) -> list[str]:
    """Format the table of people, those on several cameras first; `list_command` is the command that lists everyone."""
    travellers = [person for person in report.by_cameras if len(person.cameras) > 1]
    stayers = [person for person in report.by_cameras if len(person.cameras) == 1]
    shown = [*travellers[:MAX_TRAVELLERS], *stayers[:MAX_STAYERS]]
    if not shown:
        return []
    clock = clock_of(report.people, zone)
    known = Clock(zone, dated=True) if any(person.returning for person in shown) else None
    local = clock.moment(shown[0].first_ns).tzname()
    head = [
        "id",
        "seen for",
        *(["known since"] if known else []),
        f"{'route through the cameras' if travellers else 'where'} ({local})",
    ]
    cells = [head, *(_cells(person, known) for person in shown)]
    widths = [max(len(row[column]) for row in cells) for column in range(2 + bool(known))]
    left = ["  ".join(f"{cell:>{wide}}" for cell, wide in zip(row, widths, strict=False)) for row in cells]
    room = width - len(left[0]) - 2
    lines = [f"{left[0]}  {head[-1]}"]
    for cell, person in zip(left[1:], shown, strict=True):
        if stayers and person is stayers[0] and travellers:
            lines += ["", "Seen by one camera"]
        lines.append(f"{cell}  {route(person, clock, room)}")
    if rest := len(report.people) - len(shown):
        lines += ["", f"and {rest} more: {list_command}"]
    return lines


def _cells(person: Person, known: Clock | None) -> list[str]:
    since = known.time(person.known_since_ns) if known and person.returning else ""
    return [str(person.number), duration(person.visible_s), since]


def _stop(stop: Stop, clock: Clock) -> str:
    return f"{stop.camera_id} {clock.time(stop.first_ns)}" + (f" ({stop.times} times)" if stop.times > 1 else "")
