"""What an alert is about, in a few words that follow the person's name or number."""

from collections.abc import Sequence

from gallery.alerts.found import Found
from gallery.zones.rule import Rule
from gallery.zones.zone import Zone


def reason_of(rule: Rule, found: Found, zones: Sequence[Zone]) -> str:
    """Return what happened.

    >>> length(5400)
    '1 h 30 min'
    """
    place = found.moment.sight.place
    return {
        "enters": f"entered {place}",
        "leaves": f"left {place}",
        "stays": f"has been in {place} for {length(rule.seconds)}",
        "crosses": f"crossed {place}",
        "returns": f"came back to {place} after more than {length(rule.seconds)}",
        "count": f"more than {rule.people} {'person' if rule.people == 1 else 'people'} in {_whole(rule, zones)}",
    }[rule.when]


def _whole(rule: Rule, zones: Sequence[Zone]) -> str:
    """Return the names of a rule's places."""
    names = [*(zone.name for zone in zones if zone.zone_id in rule.zones), *rule.cameras]
    return ", ".join(names) or "the site"


def length(seconds: float) -> str:
    """Return a duration in at most two units."""
    left = round(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts) or "0 s"
