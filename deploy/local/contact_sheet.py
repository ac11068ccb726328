"""Render a report and crops as one self-contained HTML page with a picture of everyone.

Each row is a person: number, best crop on each camera in the order they were visited, and when each camera saw them, on
a time axis shared by all rows. The page has no scripts and no external resources, as its content security policy says.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import tzinfo
from html import escape
from pathlib import Path

from deploy.local.contact_sheet_style import COLOURS, STYLE
from deploy.local.people_table import Clock, clock_of, duration, headline
from deploy.local.report import Person, Report
from gallery.store.presence import Sighting
from gallery.store.store import Store

NAME = "people.html"
MAX_PEOPLE = 200  # per page: 8 MB at 10 kB per crop and three crops each
MAX_CAMERAS = 12  # pictures per person
PICTURES_PER_ROW = 5
MAX_BARS = 100  # sightings per person on the time axis

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
<main style="--wide:{wide}">
<header><h1>{title}</h1><p>{subtitle}</p><p class="legend">{legend}</p></header>
{body}
<footer>{footer}</footer>
</main>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Axis:
    """Time axis of the page, and the colours of its cameras."""

    clock: Clock
    first_ns: int
    last_ns: int
    colours: Mapping[str, str]

    def percent(self, time_ns: int) -> float:
        """Return the position of a time in percent of the axis."""
        return 100 * (time_ns - self.first_ns) / max(1, self.last_ns - self.first_ns)

    def span(self, first_ns: int, last_ns: int) -> str:
        """Format a time span for people."""
        first, last = self.clock.time(first_ns), self.clock.time(last_ns)
        return first if first == last else f"{first} \N{EN DASH} {last}"


def write_contact_sheet(store: Store, report: Report, folder: Path) -> Path:
    """Write `folder/people.html` atomically, and return its path.

    Raises:
        OSError: The file cannot be written.
    """
    path, partial = folder / NAME, folder / f".{NAME}.partial"
    try:
        partial.write_text(contact_sheet(report, best_crops(store, report)), encoding="utf-8")
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise
    return path


def best_crops(store: Store, report: Report) -> dict[str, bytes]:
    """Return the JPEGs shown on the page, by tracklet."""
    wanted = [
        person.best[camera]
        for person in report.by_cameras[:MAX_PEOPLE]
        for camera in _cameras(person)
        if camera in person.best
    ]
    found = {name: store.crop(name) for name in wanted}
    return {name: crop for name, crop in found.items() if crop}


def contact_sheet(report: Report, crops: Mapping[str, bytes], zone: tzinfo | None = None) -> str:
    """Return the page; `crops` are JPEGs by tracklet, and a person without any gets an empty frame."""
    shown = report.by_cameras[:MAX_PEOPLE]
    names = sorted({*report.cameras, *(camera for person in shown for camera in person.cameras)})
    axis = _Axis(
        clock=clock_of(report.people, zone),
        first_ns=min((person.first_ns for person in report.people), default=0),
        last_ns=max((person.last_ns for person in report.people), default=0),
        colours={name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)},
    )
    travellers = [person for person in shown if len(person.cameras) > 1]
    stayers = [person for person in shown if len(person.cameras) == 1]
    rest = len(report.people) - len(shown)
    kept = "This page shows pictures of people: protect it as you protect the videos."
    return PAGE.format(
        style=STYLE,
        wide=min(PICTURES_PER_ROW, max((len(person.cameras) for person in shown), default=1)),
        title="Who was seen",
        subtitle=escape(" ".join([headline(report), *_when(axis, report)])),
        legend="".join(f'<span style="--c:{axis.colours[name]}">{escape(name)}</span>' for name in names),
        body=_section("", travellers, crops, axis)
        + _section("Seen by one camera" if travellers else "", stayers, crops, axis),
        footer=(f"{rest} more people are not shown; <code>climbtrack identities ls</code> lists all. " if rest else "")
        + kept,
    )


def _when(axis: _Axis, report: Report) -> list[str]:
    if not report.people:
        return []
    day, zone = axis.clock.day(axis.first_ns), axis.clock.moment(axis.first_ns).tzname()
    return [f"{day + ', ' if not axis.clock.dated else ''}{axis.span(axis.first_ns, axis.last_ns)} ({zone})."]


def _section(title: str, people: Sequence[Person], crops: Mapping[str, bytes], axis: _Axis) -> str:
    if not people:
        return ""
    head = f"<h2>{escape(title)}</h2>" if title else ""
    ends = f"<span>{axis.clock.time(axis.first_ns)}</span><span>{axis.clock.time(axis.last_ns)}</span>"
    rows = "\n".join(_row(person, crops, axis) for person in people)
    return f'<section>{head}<div class="axis"><p>{ends}</p></div>\n{rows}\n</section>\n'


def _row(person: Person, crops: Mapping[str, bytes], axis: _Axis) -> str:
    cameras = _cameras(person)
    figures = "".join(_figure(person, camera, crops, axis) for camera in cameras)
    more = len(person.cameras) - len(cameras)
    figures += f'<p class="more">and {more} more cameras</p>' if more else ""
    known = f"<br>known since {Clock(axis.clock.zone, dated=True).time(person.known_since_ns)}"
    lanes = "".join(_lane([one for one in person.seen if one.camera_id == camera], axis) for camera in cameras)
    return (
        f'<article id="person-{person.number}"><div class="who"><h3>{person.number}</h3>'
        f"<p>{duration(person.visible_s)}{known if person.returning else ''}</p></div>"
        f'<div class="way">{figures}</div><div class="lanes">{lanes}</div></article>'
    )


def _figure(person: Person, camera: str, crops: Mapping[str, bytes], axis: _Axis) -> str:
    seen = [one for one in person.seen if one.camera_id == camera]
    when = axis.clock.time(seen[0].first_ns)
    crop = crops.get(person.best.get(camera, ""))
    alt = escape(f"Person {person.number} on {camera}, {when}", quote=True)
    picture = (
        f'<img src="data:image/jpeg;base64,{b64encode(crop).decode()}" alt="{alt}">'
        if crop
        else '<span class="none">no picture</span>'
    )
    name = escape(camera, quote=True)
    again = f" · {len(seen)} \N{MULTIPLICATION SIGN}" if len(seen) > 1 else ""
    return (
        f'<figure style="--c:{axis.colours[camera]}"><div class="frame">{picture}</div>'
        f'<figcaption><b title="{name}">{name}</b>{when}{again}</figcaption></figure>'
    )


def _lane(seen: Sequence[Sighting], axis: _Axis) -> str:
    bars = ""
    for one in seen[:MAX_BARS]:
        left, right = axis.percent(one.first_ns), axis.percent(one.last_ns)
        title = escape(f"{one.camera_id}, {axis.span(one.first_ns, one.last_ns)}", quote=True)
        bars += (
            f'<i style="--c:{axis.colours[one.camera_id]};--from:{left:.2f}%;width:{right - left:.2f}%" '
            f'title="{title}"></i>'
        )
    return f'<div class="lane">{bars}</div>'


def _cameras(person: Person) -> list[str]:
    """Return the cameras whose pictures are shown, in the order they were visited."""
    return list(dict.fromkeys(one.camera_id for one in person.seen))[:MAX_CAMERAS]
