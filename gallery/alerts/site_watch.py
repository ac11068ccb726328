"""Watches one site: what its rules find about the people of new decisions is raised once, and queued for its outputs.

Nothing but what was raised is kept: rows, names and merges are read from the gallery's store with every decision. So a
decision that arrives twice or late, or after a restart, finds the same, and what was found before is known by its mark.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from gallery.alerts.found import Found, Person, crowds, found_about
from gallery.alerts.marks import Ledger, keys_of
from gallery.alerts.presence import JOIN_NS, NS, last_before
from gallery.alerts.settled import settled_ns
from gallery.alerts.wording import reason_of
from gallery.store.alerting import AlertStore
from gallery.store.store import Store, StoredProgress, StoredTracklet, TrackQuery
from gallery.zones.alert import Alert, alert_id_of, deliveries_of
from gallery.zones.rule import Rule
from gallery.zones.zone import Zone
from wire.bus import TopicPartition
from wire.messages import IdentityEvent

LOOK_BACK_NS = 300 * NS  # before a decision; longer for rules about long stays
MAX_ROWS = 2_000
EARLIER_ROWS = 8  # the rows that end last before a time; the others of a person end earlier
MAX_OPEN = 10_000  # people of whom it is not known yet whether they have left


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record is on the bus."""

    source: TopicPartition
    offset: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A decision, and where it is on the bus."""

    event: IdentityEvent
    place: Place


@dataclass(frozen=True, slots=True)
class _Open:
    """Somebody who may have left, since when, and the record from which a restart would know."""

    last_ns: int
    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class _Rules:
    """The rules of a site at one time, and what they need."""

    rules: Sequence[Rule]
    zones: Sequence[Zone]
    progress: dict[str, StoredProgress] = field(default_factory=dict)

    @property
    def look_back_ns(self) -> int:
        """Return how far before a decision rows matter."""
        return LOOK_BACK_NS + max((round(r.seconds * NS) for r in self.rules if r.when == "stays"), default=0)


class SiteWatch:
    """The rules of one site."""

    def __init__(self, store: Store, alerts: AlertStore, clock: Callable[[], int] = time.time_ns) -> None:
        self._store = store
        self._alerts = alerts
        self._clock = clock
        self._open: dict[int, _Open] = {}

    def hear(self, batch: Sequence[Heard]) -> list[Alert]:
        """Return the alerts that were raised for a batch of decisions, which are stored by then.

        Raises:
            StoreUnavailable: The same batch can be given again.
        """
        for heard in batch:
            if heard.event.kind == "erased":
                self._alerts.forget([heard.event.identity_id, *heard.event.previous_ids])
        latest = {heard.event.identity_id: heard for heard in batch if heard.event.kind not in {"erased", "expired"}}
        rules = self._rules()
        if not rules.rules:
            self._open.clear()
            return []
        raised = []
        for number, heard in latest.items():
            raised += self._look_at(rules, number, heard.event.time_ns, heard.place)
        since_ns = min((heard.event.time_ns for heard in latest.values()), default=0) - rules.look_back_ns
        cameras = {heard.event.camera_id for heard in latest.values()}
        for rule in rules.rules:
            if rule.when == "count" and any(rule.concerns(camera, rules.zones) for camera in cameras):
                raised += self._count(rules, rule, since_ns)
        return raised

    def look_again(self) -> list[Alert]:
        """Return the alerts about people who have left by now."""
        if not self._open:
            return []
        rules, raised = self._rules(), []
        leaving = [rule for rule in rules.rules if rule.when == "leaves"]
        until = max((settled_ns(r, rules.zones, rules.progress, self._clock()) for r in leaving), default=2**62)
        for number, left in list(self._open.items()):
            if left.last_ns + JOIN_NS <= until:
                raised += self._look_at(rules, number, left.last_ns, left.place)
        return raised

    def needed_from(self) -> list[Place]:
        """Return the records from which a restart would know who may have left."""
        return [left.place for left in self._open.values()]

    def leave(self, partitions: Collection[TopicPartition]) -> None:
        """Forget the people whose records are in partitions that another process reads from now on."""
        self._open = {number: left for number, left in self._open.items() if left.place.source not in partitions}

    def _rules(self) -> _Rules:
        rules = [rule for rule in self._alerts.rules() if rule.enabled]
        if not rules:
            return _Rules((), ())
        progress = self._store.progress() if any(rule.when == "leaves" for rule in rules) else {}
        return _Rules(rules, self._alerts.zones(), progress)

    def _look_at(self, rules: _Rules, number: int, time_ns: int, place: Place) -> list[Alert]:
        """Return what the rules find about one person, and remember if it may become more by itself."""
        self._open.pop(number, None)
        identity = self._store.identity(number)
        if identity is None:
            return []
        query = TrackQuery(identity_id=identity.number, from_ns=time_ns - rules.look_back_ns, limit=MAX_ROWS)
        rows = self._store.find(query)
        person = Person(identity, rows, lambda before_ns: self._last_seen(identity.number, rows, before_ns))
        raised, undecided = [], False
        for rule in rules.rules:
            if rule.when == "count":
                continue
            gone_ns = 0
            if rule.when == "leaves":
                gone_ns = settled_ns(rule, rules.zones, rules.progress, self._clock())
                undecided |= bool(rows) and rows[0].tracklet.last_ns + JOIN_NS > gone_ns
            raised += self._raise(rules, rule, person.numbers, found_about(rule, rules.zones, person, gone_ns))
        if undecided:
            self._open[identity.number] = _Open(rows[0].tracklet.last_ns, place)
            while len(self._open) > MAX_OPEN:
                del self._open[next(iter(self._open))]
        return raised

    def _last_seen(self, number: int, rows: Sequence[StoredTracklet], before_ns: int) -> int | None:
        query = TrackQuery(identity_id=number, to_ns=before_ns - 1, limit=EARLIER_ROWS)
        return last_before([*rows, *self._store.find(query)], before_ns)

    def _count(self, rules: _Rules, rule: Rule, since_ns: int) -> list[Alert]:
        seen_by = {z.camera_id for z in rules.zones if z.zone_id in rule.zones} | set(rule.cameras)
        cameras: list[str | None] = [*sorted(seen_by)] if seen_by else [None]
        rows: dict[int, list[StoredTracklet]] = {}
        for camera in cameras:
            for row in self._store.find(TrackQuery(camera_id=camera, from_ns=since_ns, limit=MAX_ROWS)):
                if row.identity_id is not None:
                    rows.setdefault(row.identity_id, []).append(row)
        shown = {number: own for number, own in rows.items() if not self._is_hidden(number)}
        return self._raise(rules, rule, (0,), crowds(rule, rules.zones, shown))

    def _is_hidden(self, number: int) -> bool:
        identity = self._store.identity(number)
        return identity is not None and identity.hidden

    def _raise(self, rules: _Rules, rule: Rule, numbers: Sequence[int], found: Sequence[Found]) -> list[Alert]:
        """Keep what was not raised before, all of it or nothing; return it.

        What became so before the rule was made is marked as raised: it is known then as long as it goes on, although it
        began before the rows that are looked at.
        """
        if not found:
            return []
        ledger = Ledger(rule, numbers, self._alerts.marks(keys_of(rule, numbers, found)))
        news = [one for one in found if ledger.is_news(one)]
        told = [one for one in news if rule.existed(one.moment.sight.camera_id, one.moment.time_ns)]
        alerts = [self._alert(rules, rule, numbers[0], one) for one in told]
        if alerts or ledger.changed:
            self._alerts.record(alerts, ledger.changed, deliveries_of(rule, alerts))
        return alerts

    def _alert(self, rules: _Rules, rule: Rule, number: int, found: Found) -> Alert:
        sight = found.moment.sight
        return Alert(
            alert_id=alert_id_of(self._store.site_id, rule.rule_id, rule.when, number, found.moment.time_ns, *sight),
            rule_id=rule.rule_id,
            rule_name=rule.name,
            when=rule.when,
            site_id=self._store.site_id,
            time_ns=found.moment.time_ns,
            raised_ns=self._clock(),
            identity_id=number,
            camera_id=sight.camera_id,
            tracklet_id=sight.tracklet_id,
            place=sight.place,
            reason=reason_of(rule, found, rules.zones),
            count=rule.people + 1 if rule.when == "count" else 0,
            silent=rule.quiet is not None and rule.quiet.cover(found.moment.time_ns),
        )
