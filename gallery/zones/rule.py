"""Rules: of whom people want to be told, doing what, where and when."""

from collections.abc import Collection
from typing import Literal

import msgspec

from gallery.zones.hours import Hours
from gallery.zones.zone import Kind, Zone, check_title
from wire.message import check_name

When = Literal["enters", "leaves", "stays", "crosses", "returns", "count"]
Who = Literal["anyone", "new", "named", "unnamed"]
Direction = Literal["forward", "backward", "both"]

MAX_RULES = 200  # of a site
MAX_LISTED = 100  # zones, cameras, people or outputs of a rule
MAX_STAY_S = 4 * 3600.0  # boxes of this time are read again with each decision about somebody
MAX_ABSENCE_S = 366 * 86_400.0


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule. Its place is all of its zones and cameras together, or the whole site without any.

    Attributes:
        when: `enters`: somebody is seen in the place who was not there before; `leaves`: was there, and is not any
            more; `stays`: for `seconds`; `crosses`: a line in `direction`; `returns`: to the place, seen nowhere in the
            site for `seconds`; `count`: more than `people` are there at once.
        who: `new`: first seen within the hour before, told once a person; `named`: by a person.
        identities: Only these people, by number; all without any.
        active: When the rule applies; always without.
        quiet: When its alerts are kept, but not sent.
        outputs: Names of where its alerts are sent.
        since: For each camera, the capture time up to which it was analysed when the rule was made, ns since the Unix
            epoch: what became so before is not told. Capture times, since recordings may be of any time.
    """

    rule_id: str
    name: str
    when: When
    who: Who = "anyone"
    identities: tuple[int, ...] = ()
    zones: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    seconds: float = 0.0
    people: int = 0
    direction: Direction = "both"
    active: Hours | None = None
    quiet: Hours | None = None
    outputs: tuple[str, ...] = ()
    enabled: bool = True
    since: dict[str, int] = {}

    def __post_init__(self) -> None:
        check_name("rule_id", self.rule_id)
        check_title("name", self.name)
        for field, names in (("zones", self.zones), ("cameras", self.cameras), ("outputs", self.outputs)):
            if len(names) > MAX_LISTED:
                raise ValueError(f"{field}: at most {MAX_LISTED}, got {len(names)}")
            for name in names:
                check_name(field, name)
        if len(self.identities) > MAX_LISTED or any(number < 1 for number in self.identities):
            raise ValueError(f"identities: at most {MAX_LISTED} numbers of people, from 1")
        if fault := _fault(self):
            raise ValueError(fault)

    @property
    def shape(self) -> Kind:
        """Return the kind of its zones."""
        return "line" if self.when == "crosses" else "area"

    def existed(self, camera_id: str, time_ns: int) -> bool:
        """Tell whether the rule was there already when a camera saw something."""
        return time_ns >= self.since.get(camera_id, 0)

    def asks_as(self, other: "Rule") -> bool:
        """Tell whether another rule is about the same; how it is named, and where and when it is sent, may differ."""
        unasked = {"name": self.name, "quiet": self.quiet, "outputs": self.outputs, "since": self.since}
        return msgspec.structs.replace(other, **unasked) == self

    def concerns(self, camera_id: str, zones: Collection[Zone]) -> bool:
        """Tell whether a camera sees part of the rule's place."""
        if not self.zones and not self.cameras:
            return True
        return camera_id in self.cameras or any(z.camera_id == camera_id and z.zone_id in self.zones for z in zones)


def _fault(rule: Rule) -> str:
    """Return what in a rule does not fit together; nothing if it does."""
    timed = {"stays": MAX_STAY_S, "returns": MAX_ABSENCE_S}.get(rule.when)
    if timed is not None and not 1 <= rule.seconds <= timed:
        return f"seconds: {rule.when} needs from 1 to {timed:.0f} seconds, got {rule.seconds:g}"
    if timed is None and rule.seconds:
        return f"seconds: {rule.when} has no duration; leave it out"
    if rule.when == "count" and not 0 <= rule.people <= 10_000:
        return f"people: must be from 0 to 10000, got {rule.people}"
    if rule.when == "count" and (rule.who != "anyone" or rule.identities):
        return "who: a count is of anyone; leave out who and identities"
    if rule.when == "crosses" and (not rule.zones or rule.cameras):
        return "zones: crosses needs a line; list lines in zones, and no cameras"
    return ""


def check_new_rule(rule: Rule, zones: Collection[Zone], cameras: Collection[str], outputs: Collection[str]) -> None:
    """Raise ValueError if a rule mentions what a site does not have, or a shape of the wrong kind."""
    known = {zone.zone_id: zone for zone in zones}
    for field, names, found in (
        ("zones", rule.zones, known),
        ("cameras", rule.cameras, cameras),
        ("outputs", rule.outputs, outputs),
    ):
        if missing := [name for name in names if name not in found]:
            raise ValueError(f"{field}: there is no {missing[0]!r}; known are {', '.join(sorted(found)) or 'none'}")
    for name in rule.zones:
        if known[name].kind != rule.shape:
            needed = {"line": "a line", "area": "an area"}[rule.shape]
            raise ValueError(f"zones: {rule.when} needs {needed}, and {known[name].name!r} is none")


def check_kind(made: Zone, zones: Collection[Zone], rules: Collection[Rule]) -> None:
    """Raise ValueError if a zone would change its kind although a rule is about it."""
    changed = any(zone.zone_id == made.zone_id and zone.kind != made.kind for zone in zones)
    users = [rule.name for rule in rules if made.zone_id in rule.zones]
    if changed and users:
        raise ValueError(f"kind: the rule {users[0]!r} is about this zone; change or delete the rule first")
