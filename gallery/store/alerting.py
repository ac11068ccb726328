"""What a site keeps about alerts: the contract of `alerting_memory`, the reference, and of `alerting_redis`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gallery.zones.alert import Alert, Delivery, Interval
from gallery.zones.output import Output
from gallery.zones.rule import Rule
from gallery.zones.zone import Zone

MAX_ALERTS = 10_000  # kept of a site, about 5 MB; the oldest are deleted
MAX_AGE_S = 30 * 86_400  # of an alert that is kept
MARKS_S = 7 * 86_400  # how long it is known that something was raised
MAX_WAITING = 10_000  # deliveries of a site; of more, the oldest are given up
MAX_DEAD = 1_000  # deliveries that were given up, and are kept to be seen
MAX_VISITED = 2_000  # alerts of one call; a page may therefore be short, and say where to continue
LEASE_S = 60.0  # how long a delivery belongs to the process that took it; an attempt takes less


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Conditions for alerts, newest first; None omits a condition.

    Attributes:
        identities: Numbers of one person: alerts keep the one of their time.
        after: The place of the last alert of the page before: microseconds when it was raised, and its id.
    """

    rule_id: str | None = None
    identities: tuple[int, ...] | None = None
    camera_id: str | None = None
    from_ns: int | None = None
    to_ns: int | None = None
    after: tuple[int, str] | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Alerts, and the `after` of the next page; None on the last."""

    alerts: list[Alert]
    next: tuple[int, str] | None


class AlertStore(Protocol):
    """Zones, rules, outputs and alerts of one site. Thread-safe; every method may raise `StoreUnavailable`."""

    @property
    def site_id(self) -> str:
        """Return the site."""

    def zones(self) -> list[Zone]:
        """Return all zones, by id."""

    def save_zone(self, zone: Zone) -> None:
        """Add a zone, or replace the one of its id."""

    def delete_zone(self, zone_id: str) -> bool:
        """Delete a zone; return whether there was one."""

    def rules(self) -> list[Rule]:
        """Return all rules, by id."""

    def save_rule(self, rule: Rule) -> None:
        """Add a rule, or replace the one of its id."""

    def delete_rule(self, rule_id: str) -> bool:
        """Delete a rule; return whether there was one. Its alerts are kept."""

    def outputs(self) -> list[Output]:
        """Return all outputs, by id."""

    def save_output(self, output: Output) -> None:
        """Add an output, or replace the one of its id."""

    def delete_output(self, output_id: str) -> bool:
        """Delete an output, and what was to be sent to it; return whether there was one."""

    def marks(self, keys: Sequence[str]) -> dict[str, tuple[Interval, ...]]:
        """Return what was raised under some keys in the last `MARKS_S`."""

    def record(
        self, alerts: Sequence[Alert], marks: Mapping[str, tuple[Interval, ...]], deliveries: Sequence[Delivery]
    ) -> None:
        """Keep alerts, marks and deliveries: all of them, or nothing. The oldest make room."""

    def alerts(self, query: AlertQuery) -> AlertPage:
        """Return a page of alerts, the last raised first."""

    def forget(self, numbers: Sequence[int]) -> int:
        """Delete the alerts, deliveries and marks of people; return how many alerts there were."""

    def take_due(self, now_ns: int, limit: int) -> list[Delivery]:
        """Return deliveries that are due, and keep others from taking them for `LEASE_S`."""

    def settle(self, delivery: Delivery) -> None:
        """Store how a delivery went, unless it was deleted meanwhile: it waits again, is dead, or is done and gone."""

    def deliveries(self) -> list[Delivery]:
        """Return the deliveries that wait, and those that were given up, oldest first."""
