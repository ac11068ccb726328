"""Alerts, where they are sent, and how far that got."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Literal

import msgspec

from gallery.zones.rule import Rule, When

Interval = tuple[int, int]  # ns since the Unix epoch
DeliveryState = Literal["waiting", "sent", "dead"]


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One alert.

    Attributes:
        alert_id: The same whenever the same thing is found again.
        rule_name: As it was called then.
        time_ns: Capture time of the moment that it is about; `raised_ns` is when it was raised.
        identity_id: Whom it is about, by the number of that time; 0 for a count.
        tracklet_id: What shows it.
        place: Names of the zone, or of the camera, where it happened.
        count: How many people, for `count`.
        test: Made by somebody who tried the rule.
        silent: Raised in quiet hours: kept, and not sent.
    """

    alert_id: str
    rule_id: str
    rule_name: str
    when: When
    site_id: str
    time_ns: int
    raised_ns: int
    identity_id: int = 0
    camera_id: str = ""
    tracklet_id: str = ""
    place: str = ""
    reason: str = ""
    count: int = 0
    test: bool = False
    silent: bool = False

    def sentence(self, number: int, name: str) -> str:
        """Return what happened as a sentence, about a person of this name, or by number without one; 0 is nobody."""
        said = f"{name or f'Person {number}'} {self.reason}" if number else self.reason
        return f"Test: {said}" if self.test else said[:1].upper() + said[1:]


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An alert on its way to one output.

    Attributes:
        due_ns: When it is tried next; wall clock.
        tries: How often it was tried.
        error: Why the last try failed.
    """

    output_id: str
    alert: Alert
    due_ns: int
    tries: int = 0
    state: DeliveryState = "waiting"
    error: str = ""

    @property
    def delivery_id(self) -> str:
        """Return the name under which the receiver can recognise a repetition."""
        return f"{self.output_id}/{self.alert.alert_id}"


def deliveries_of(rule: Rule, alerts: Iterable[Alert]) -> list[Delivery]:
    """Return what is to be sent to the outputs of a rule, at once."""
    loud = [alert for alert in alerts if not alert.silent]
    return [Delivery(output_id=o, alert=alert, due_ns=alert.raised_ns) for alert in loud for o in rule.outputs]


def alert_id_of(*names: object) -> str:
    """Return the id of an alert: the same for the same names."""
    return blake2b("\n".join(map(str, names)).encode(), digest_size=12, person=b"climbtrack-alert").hexdigest()
