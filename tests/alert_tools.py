"""People who walk through zones: rows and stores for tests of alerts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gallery.alerts.site_watch import Heard, Place, SiteWatch
from gallery.store.alerting_memory import MemoryAlertStore
from gallery.store.memory import MemoryStore
from gallery.store.store import Identity, StoredProgress, StoredTracklet, TrackQuery, Write
from gallery.zones.alert import Alert
from gallery.zones.rule import Rule
from gallery.zones.zone import Zone
from tests.gallery_tools import START, S, axis, progress
from wire.bus import TopicPartition
from wire.messages import IdentityEvent, Tracklet
from wire.tracklet_id import TrackletId

WIDTH, HEIGHT = 200, 100
LEFT_HALF = Zone(
    zone_id="left",
    name="Left half",
    camera_id="a",
    kind="area",
    points=((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),
)
MIDDLE = Zone(zone_id="middle", name="Middle", camera_id="a", kind="line", points=((0.5, 0.0), (0.5, 1.0)))
Step = tuple[float, float, float]  # seconds since `START`, where the feet are in fractions of the picture


def walk(name: str, steps: Sequence[Step], owner: int | None = 1, *, revision: int = 0) -> StoredTracklet:
    """Return the row of somebody who is seen at each step."""
    feet = np.array([(x * WIDTH, y * HEIGHT) for _, x, y in steps])
    tracklet = Tracklet(
        tracklet_id=name,
        camera_id=TrackletId.parse(name).camera_id,
        site_id="site",
        revision=revision,
        closed=False,
        times_ns=np.array([START + round(second * S) for second, _, _ in steps], np.int64),
        frames=np.arange(1, len(steps) + 1),
        boxes=np.stack([feet[:, 0] - 5, feet[:, 1] - 40, feet[:, 0] + 5, feet[:, 1]], axis=1).astype(np.float32),
        scores=np.full(len(steps), 0.9, np.float32),
        embedding=axis(0).astype(np.float16),
        model_id="m",
        quality=0.8,
        frames_used=1,
        crop=b"jpeg",
        width=WIDTH,
        height=HEIGHT,
    )
    return StoredTracklet(tracklet, owner, 0.9, None)


def standing(name: str, begin_s: float, end_s: float, x: float = 0.25, owner: int = 1, **kept: Any) -> StoredTracklet:
    """Return the row of somebody who stands, seen twice a second."""
    return walk(name, [(float(t), x, 0.9) for t in np.arange(begin_s, end_s + 0.01, 0.5)], owner, **kept)


def rule(when: Any = "enters", **fields: Any) -> Rule:
    return Rule(rule_id=fields.pop("rule_id", "r"), name="Rule", when=when, **fields)


class WatchedSite:
    """A site whose gallery has decided what a test says, and the watch over it."""

    def __init__(self, *rules: Rule, zones: Sequence[Zone] = (LEFT_HALF, MIDDLE)) -> None:
        self.now_s = 0.0
        self.store = MemoryStore("site")
        self.alerts = self.store.alerting = MemoryAlertStore("site", clock=self.clock)
        self._offset = 0
        for zone in zones:
            self.alerts.save_zone(zone)
        for one in rules:
            self.alerts.save_rule(one)
        self.restart()

    def clock(self) -> int:
        return START + round(self.now_s * S)

    def restart(self) -> None:
        """Start the watch again from what is stored."""
        self.watch = SiteWatch(self.store, self.alerts, self.clock)

    def decide(self, *rows: StoredTracklet, **person: Any) -> list[Alert]:
        """Store rows as the gallery does, and return the alerts raised for its events."""
        return self.watch.hear([self.stored(row, **person) for row in rows])

    def stored(self, row: StoredTracklet, **person: Any) -> Heard:
        """Store a row, and return the event about it."""
        number = row.identity_id or 0
        version = self.store.learnt().version
        before = self.store.identity(number)
        own = self.store.find(TrackQuery(identity_id=number, limit=10_000))
        spans = [(r.tracklet.first_ns, r.tracklet.last_ns) for r in [*own, row]]
        known = before or Identity(number, 0, 0, (), 0)
        fields: dict[str, Any] = {
            "first_ns": min(first for first, _ in spans),
            "last_ns": max(last for _, last in spans),
            "tracklets": len(own) + 1,
        }
        identity = replace(known, **{**fields, **person})
        self.store.write(Write(version, self.clock(), 100, tracklets=[row], identities=[identity]))
        self.now_s = max(self.now_s, (row.tracklet.last_ns - START) / S)
        return self.event("updated", number, row)

    def event(self, kind: Any, number: int, row: StoredTracklet | None = None, previous: Sequence[int] = ()) -> Heard:
        """Return an event of the gallery."""
        self._offset += 1
        event = IdentityEvent(
            event_id=f"event-{self._offset}",
            kind=kind,
            site_id="site",
            identity_id=number,
            previous_ids=tuple(previous),
            tracklet_id="" if row is None else row.tracklet.tracklet_id,
            camera_id="" if row is None else row.tracklet.camera_id,
            probability=0.9,
            reason="",
            time_ns=self.clock() if row is None else row.tracklet.last_ns,
        )
        return Heard(event, Place(TopicPartition("identities", 0), self._offset))

    def merge(self, gone: int, into: int) -> list[Alert]:
        """Let the gallery find that two people are one, and return the alerts raised for it."""
        version = self.store.learnt().version
        kept, lost = self.store.identity(into), self.store.identity(gone)
        assert kept is not None
        assert lost is not None
        whole = replace(
            kept,
            first_ns=min(kept.first_ns, lost.first_ns),
            last_ns=max(kept.last_ns, lost.last_ns),
            previous_ids=tuple(sorted({*kept.previous_ids, *lost.previous_ids, gone})),
        )
        self.store.write(Write(version, self.clock(), 100, identities=[whole], merged={gone: into}))
        return self.watch.hear([self.event("merged", into, previous=(gone,))])

    def reach(self, camera: str, second: float, *, ended: bool = False) -> list[Alert]:
        """Let a camera be analysed up to a time, and return the alerts that need nothing else."""
        self.now_s = max(self.now_s, second)
        report = progress(camera, second, ended=ended)
        self.store.save_progress([StoredProgress(report, 0, self.clock())])
        return self.watch.look_again()
