"""The timeline: a row for every person, a lane for every camera; what was true beneath, the number shown on top."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeVar

from gallery.score.clock import Clock
from gallery.score.page.look import chip, hue, percent
from gallery.score.presence import Shown, Visit
from gallery.score.site import ScoreTable

Seen = TypeVar("Seen", bound=Visit)

MAX_PEOPLE = 200
MAX_BARS = 200  # in a lane; the longest are shown
_TICKS = 4
_LABEL_PERCENT = 2.2  # width from which a bar has room for its number


@dataclass(frozen=True, slots=True)
class _Axis:
    """Time axis of the page."""

    clock: Clock
    first: float
    last: float

    def place(self, visit: Visit) -> str:
        """Return the style that puts a bar at its time."""
        whole = max(self.last - self.first, 1e-9)
        start, width = 100 * (visit.first - self.first) / whole, 100 * (visit.last - visit.first) / whole
        return f"--from:{start:.2f}%;--wide:{width:.2f}%"

    def share(self, visit: Visit) -> float:
        """Return the width of a bar in percent."""
        return 100 * (visit.last - visit.first) / max(self.last - self.first, 1e-9)

    def ticks(self) -> Iterable[str]:
        """Yield the labels of the axis, evenly spaced."""
        for tick in range(_TICKS + 1):
            time = self.first + (self.last - self.first) * tick / _TICKS
            yield _minutes(time) if self.clock.in_seconds else f"frame {time:.0f}"


def timeline(table: ScoreTable) -> str:
    """Return the section, with the people first who have most boxes under other numbers than their own."""
    if not table.visits:
        return ""
    times = [time for visit in table.visits for time in (visit.first, visit.last)]
    axis = _Axis(table.clock, min(times), max(times))
    visits, shown = _by_person(table.visits), _by_person(table.shown)
    wrong = {person: sum(s.boxes for s in shown[person] if table.people.get(person) != s.number) for person in visits}
    order = sorted(visits, key=lambda person: (-wrong[person], person))
    rows = [_row(table, axis, person, visits[person], shown[person]) for person in order[:MAX_PEOPLE]]
    rest = len(order) - len(rows)
    ticks = "".join(f"<span>{tick}</span>" for tick in axis.ticks())
    return (
        '<section class="timeline"><h2>Truth and result</h2><p class="legend"><span><i class="there"></i>there, not '
        'found</span><span><i class="own"></i>shown under their number</span><span><i class="other"></i>shown under '
        f'another</span></p><div class="axis"><p>{ticks}</p></div>\n{chr(10).join(rows)}\n'
        + (f"<p>{rest} more people are not shown.</p>" if rest else "")
        + "</section>"
    )


def _by_person(spans: Sequence[Seen]) -> defaultdict[int, list[Seen]]:
    found: defaultdict[int, list[Seen]] = defaultdict(list)
    for span in spans:
        found[span.person].append(span)
    return found


def _row(table: ScoreTable, axis: _Axis, person: int, visits: Sequence[Visit], shown: Sequence[Shown]) -> str:
    own = table.people.get(person)
    boxes = sum(visit.boxes for visit in visits)
    right = sum(span.boxes for span in shown if span.number == own)
    found = f"{chip(own)} for {percent(right, boxes)}%" if own is not None else "no number"
    others = sum(span.boxes for span in shown) - right
    more = f"<br>other numbers {percent(others, boxes)}%" if others else ""
    lanes = "".join(
        _lane(camera, axis, own, [v for v in visits if v.camera == camera], [s for s in shown if s.camera == camera])
        for camera in table.cameras
        if any(visit.camera == camera for visit in visits)
    )
    return (
        f'<article id="person-{person}"><div class="who"><h3>Person {person}</h3><p>{found}{more}</p></div>'
        f'<div class="lanes">{lanes}</div></article>'
    )


def _lane(camera: str, axis: _Axis, own: int | None, visits: Sequence[Visit], shown: Sequence[Shown]) -> str:
    there = "".join(f'<u style="{axis.place(visit)}" title="{_title("there", visit, axis)}"></u>' for visit in visits)
    longest = sorted(shown, key=lambda span: -span.boxes)[:MAX_BARS]  # short ones lie on top
    bars = "".join(
        f'<i class="{"own" if span.number == own else "other"}" style="{hue(span.number)};{axis.place(span)}" '
        f'title="{_title(f"number {span.number}", span, axis)}">'
        f"{span.number if axis.share(span) > _LABEL_PERCENT else ''}</i>"
        for span in longest
    )
    name = escape(camera, quote=True)
    return f'<span class="camera" title="{name}">{name}</span><div class="lane">{there}{bars}</div>'


def _title(what: str, visit: Visit, axis: _Axis) -> str:
    text = f"{what}, {visit.camera} {axis.clock.span(visit.first, visit.last)}, {visit.boxes} boxes"
    return escape(text, quote=True)


def _minutes(time_s: float) -> str:
    """Format seconds as on a clock; tenths where they are few.

    >>> _minutes(6.65), _minutes(754.0), _minutes(3754.0)
    ('6.7 s', '12:34', '1:02:34')
    """
    if time_s < 120:
        return f"{time_s:.1f} s"
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
