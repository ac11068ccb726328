"""The reference of what a site keeps about alerts: dictionaries."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from gallery.store.alerting import (
    LEASE_S,
    MARKS_S,
    MAX_AGE_S,
    MAX_ALERTS,
    MAX_DEAD,
    MAX_VISITED,
    MAX_WAITING,
    AlertPage,
    AlertQuery,
)
from gallery.store.store import microseconds
from gallery.zones.alert import Alert, Delivery, Interval
from gallery.zones.output import Output
from gallery.zones.rule import Rule
from gallery.zones.zone import Zone

FULL = f"more than {MAX_WAITING} alerts were waiting to be sent"


class MemoryAlertStore:
    """Keeps a site's alerts for as long as the process lives; see `gallery.store.alerting.AlertStore`."""

    def __init__(self, site_id: str, clock: Callable[[], int] = time.time_ns) -> None:
        self._site_id = site_id
        self._clock = clock
        self._lock = threading.Lock()
        self._zones: dict[str, Zone] = {}
        self._rules: dict[str, Rule] = {}
        self._outputs: dict[str, Output] = {}
        self._marks: dict[str, tuple[int, tuple[Interval, ...]]] = {}  # with when it was written
        self._alerts: dict[str, Alert] = {}
        self._deliveries: dict[str, Delivery] = {}

    @property
    def site_id(self) -> str:
        """Return the site."""
        return self._site_id

    def zones(self) -> list[Zone]:
        """Return all zones."""
        with self._lock:
            return [self._zones[key] for key in sorted(self._zones)]

    def save_zone(self, zone: Zone) -> None:
        """Add or replace a zone."""
        with self._lock:
            self._zones[zone.zone_id] = zone

    def delete_zone(self, zone_id: str) -> bool:
        """Delete a zone."""
        with self._lock:
            return self._zones.pop(zone_id, None) is not None

    def rules(self) -> list[Rule]:
        """Return all rules."""
        with self._lock:
            return [self._rules[key] for key in sorted(self._rules)]

    def save_rule(self, rule: Rule) -> None:
        """Add or replace a rule."""
        with self._lock:
            self._rules[rule.rule_id] = rule

    def delete_rule(self, rule_id: str) -> bool:
        """Delete a rule."""
        with self._lock:
            return self._rules.pop(rule_id, None) is not None

    def outputs(self) -> list[Output]:
        """Return all outputs."""
        with self._lock:
            return [self._outputs[key] for key in sorted(self._outputs)]

    def save_output(self, output: Output) -> None:
        """Add or replace an output."""
        with self._lock:
            self._outputs[output.output_id] = output

    def delete_output(self, output_id: str) -> bool:
        """Delete an output, and what was to be sent to it."""
        with self._lock:
            self._deliveries = {k: d for k, d in self._deliveries.items() if d.output_id != output_id}
            return self._outputs.pop(output_id, None) is not None

    def marks(self, keys: Sequence[str]) -> dict[str, tuple[Interval, ...]]:
        """Return the marks under some keys."""
        since_ns = self._clock() - MARKS_S * 10**9
        with self._lock:
            return {key: self._marks[key][1] for key in keys if key in self._marks and self._marks[key][0] > since_ns}

    def record(
        self, alerts: Sequence[Alert], marks: Mapping[str, tuple[Interval, ...]], deliveries: Sequence[Delivery]
    ) -> None:
        """Keep alerts, marks and deliveries."""
        now_ns = self._clock()
        with self._lock:
            self._marks |= {key: (now_ns, mark) for key, mark in marks.items()}
            self._alerts |= {alert.alert_id: alert for alert in alerts}
            for old in self._in_order()[MAX_ALERTS:]:
                del self._alerts[old.alert_id]
            self._alerts = {k: a for k, a in self._alerts.items() if a.raised_ns > now_ns - MAX_AGE_S * 10**9}
            self._deliveries |= {delivery.delivery_id: delivery for delivery in deliveries}
            for delivery in self._in_state("waiting")[:-MAX_WAITING]:
                self._deliveries[delivery.delivery_id] = replace(delivery, state="dead", error=FULL)
            self._bound_dead()

    def alerts(self, query: AlertQuery) -> AlertPage:
        """Return a page of alerts."""
        with self._lock:
            ordered = self._in_order()
        return page_of((alert for alert in ordered if query.after is None or place_of(alert) < query.after), query)

    def forget(self, numbers: Sequence[int]) -> int:
        """Delete what is kept about people."""
        with self._lock:
            gone = [alert for alert in self._alerts.values() if alert.identity_id in numbers]
            for alert in gone:
                del self._alerts[alert.alert_id]
            self._deliveries = {k: d for k, d in self._deliveries.items() if d.alert.identity_id not in numbers}
            for key in marks_about(gone, numbers):
                self._marks.pop(key, None)
            return len(gone)

    def take_due(self, now_ns: int, limit: int) -> list[Delivery]:
        """Return deliveries that are due, and postpone them."""
        with self._lock:
            due = [delivery for delivery in self._in_state("waiting") if delivery.due_ns <= now_ns][:limit]
            for delivery in due:
                self._deliveries[delivery.delivery_id] = replace(delivery, due_ns=now_ns + round(LEASE_S * 1e9))
            return due

    def settle(self, delivery: Delivery) -> None:
        """Store how a delivery went."""
        with self._lock:
            if delivery.delivery_id not in self._deliveries:
                return
            if delivery.state == "sent":
                del self._deliveries[delivery.delivery_id]
            else:
                self._deliveries[delivery.delivery_id] = delivery
            self._bound_dead()

    def deliveries(self) -> list[Delivery]:
        """Return the deliveries that wait or were given up."""
        with self._lock:
            return [*self._in_state("waiting"), *self._in_state("dead")]

    def _in_order(self) -> list[Alert]:
        return sorted(self._alerts.values(), key=place_of, reverse=True)

    def _in_state(self, state: str) -> list[Delivery]:
        found = [delivery for delivery in self._deliveries.values() if delivery.state == state]
        return sorted(found, key=lambda delivery: (microseconds(delivery.due_ns), delivery.delivery_id))

    def _bound_dead(self) -> None:
        for delivery in self._in_state("dead")[:-MAX_DEAD]:
            del self._deliveries[delivery.delivery_id]


def place_of(alert: Alert) -> tuple[int, str]:
    """Return the place of an alert in the order in which they are listed."""
    return microseconds(alert.raised_ns), alert.alert_id


def page_of(candidates: Iterable[Alert], query: AlertQuery) -> AlertPage:
    """Return a page of candidates, which are in order and behind the page before."""
    found: list[Alert] = []
    for visited, alert in enumerate(candidates, 1):
        if is_wanted(alert, query):
            found.append(alert)
        if len(found) == query.limit or visited == MAX_VISITED:
            return AlertPage(found, place_of(alert))
    return AlertPage(found, None)


def is_wanted(alert: Alert, query: AlertQuery) -> bool:
    """Tell whether an alert meets every condition of a query."""
    return (
        query.rule_id in {None, alert.rule_id}
        and (query.identities is None or alert.identity_id in query.identities)
        and query.camera_id in {None, alert.camera_id}
        and (query.from_ns is None or alert.time_ns >= query.from_ns)
        and (query.to_ns is None or alert.time_ns <= query.to_ns)
    )


def marks_about(alerts: Iterable[Alert], numbers: Sequence[int]) -> set[str]:
    """Return the keys of the marks of people, given all alerts about them; see `gallery.alerts.marks`."""
    found: set[str] = set()
    for alert in alerts:
        of_rule = f"{alert.rule_id}/{alert.when}"
        found |= {f"{of_rule}/person/{number}" for number in numbers} | {f"{of_rule}/tracklet/{alert.tracklet_id}"}
    return found
