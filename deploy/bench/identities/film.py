"""The tracks of a timetable as tracklets, in the windows in which a gallery decides them. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deploy.bench.identities.floor import Floor
from deploy.bench.identities.looks import CROPS, EARLY, Looks
from deploy.bench.identities.timetable import DAY_S, Seen, Timetable
from wire.messages import Tracklet

S = 1_000_000_000
OPENED_NS = 1_700_000_000 * S
FPS = 5
REPORTED_S = 1.0  # a track is reported at this age, and when it has ended
CLOSED_S = 1.0  # a tracker waits this long before it says that a track has ended


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The tracklets of one second, which ends at `end_ns`."""

    end_ns: int
    tracklets: tuple[Tracklet, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """What the cameras of a site send.

    Attributes:
        windows: In order of time.
        people: The person of each tracklet, by id, from 1.
        last: The last revision of each tracklet, by id.
    """

    windows: tuple[Window, ...]
    people: Mapping[str, int]
    last: Mapping[str, Tracklet]


def film_of(site: Timetable, looks: Looks, seed: int) -> Film:
    """Return what the cameras of a site send; `seed` draws where people are in the picture."""
    rng, floor = np.random.default_rng([seed, 47]), Floor(site.cameras, seed)
    due: dict[int, list[Tracklet]] = defaultdict(list)
    people: dict[str, int] = {}
    last: dict[str, Tracklet] = {}
    for number, seen in enumerate(site.seen):
        quality = float(rng.uniform(0.4, 0.95))
        first, ended = (_tracklet(number, seen, looks, floor, quality, closed=closed) for closed in (False, True))
        due[int(seen.first_s + REPORTED_S)].append(first)
        due[int(seen.last_s + CLOSED_S)].append(ended)
        people[ended.tracklet_id] = seen.person + 1
        last[ended.tracklet_id] = ended
    windows = tuple(Window(OPENED_NS + (second + 1) * S, tuple(due[second])) for second in sorted(due))
    return Film(windows, people, last)


def days_of(film: Film) -> tuple[Film, ...]:
    """Return what the cameras sent on each day on which they saw anybody."""
    days = {key: _day_of(tracklet.first_ns) for key, tracklet in film.last.items()}
    return tuple(
        Film(
            tuple(window for window in film.windows if _day_of(window.end_ns) == day),
            {key: person for key, person in film.people.items() if days[key] == day},
            {key: tracklet for key, tracklet in film.last.items() if days[key] == day},
        )
        for day in sorted(set(days.values()))
    )


def _day_of(time_ns: int) -> int:
    return (time_ns - OPENED_NS) // (int(DAY_S) * S)


def _tracklet(number: int, seen: Seen, looks: Looks, floor: Floor, quality: float, *, closed: bool) -> Tracklet:
    first, last = round(seen.first_s * FPS), round((seen.last_s if closed else seen.first_s + REPORTED_S) * FPS)
    frames = np.arange(first, last + 1)
    camera = f"camera-{seen.camera}"
    return Tracklet(
        tracklet_id=f"{camera}/bench/{number}.0/0",
        camera_id=camera,
        site_id="bench",
        revision=int(closed),
        closed=closed,
        times_ns=OPENED_NS + frames * (S // FPS),
        frames=frames + 1,
        boxes=floor.boxes(seen.person, seen.camera, frames / FPS).astype(np.float32),
        scores=np.full(len(frames), 0.9, np.float32),
        quality=quality,
        frames_used=CROPS if closed else EARLY,
        crop=b"",
        embedding=(looks.late if closed else looks.early)[number],
        model_id=looks.model_id,
        prior=looks.prior,
    )
