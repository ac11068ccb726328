"""What Home Assistant is told about a site, by its MQTT discovery. Pure.

Topics, after the first part that the settings name:

    status                        online, or offline: the broker says so if this process dies
    SITE/people                   how many people are there now
    SITE/zones/ZONE               how many of them are in a zone
    SITE/alerts                   alerts, as JSON
"""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from gallery.zones.rule import When
from gallery.zones.zone import Zone
from wire.metrics import installed_version

ONLINE, OFFLINE = "online", "offline"


def status_topic(root: str) -> str:
    """Return the topic that tells whether alerts run."""
    return f"{root}/status"


def people_topic(root: str, site_id: str) -> str:
    """Return the topic of a site's number of people."""
    return f"{root}/{site_id}/people"


def zone_topic(root: str, site_id: str, zone_id: str) -> str:
    """Return the topic of a zone's number of people."""
    return f"{root}/{site_id}/zones/{zone_id}"


def alerts_topic(root: str, site_id: str) -> str:
    """Return the topic of a site's alerts."""
    return f"{root}/{site_id}/alerts"


def announcements(root: str, discovery: str, site_id: str, zones: Sequence[Zone]) -> dict[str, Mapping[str, Any]]:
    """Return the configuration of each entity, by its topic."""
    node = _plain(f"climbtrack_{site_id}")
    shared = {
        "availability_topic": status_topic(root),
        "device": {
            "identifiers": [node],
            "name": f"climbtrack {site_id}",
            "manufacturer": "climbtrack",
            "sw_version": installed_version(),
        },
    }

    def entity(kind: str, key: str, **fields: Any) -> tuple[str, Mapping[str, Any]]:
        unique = f"{node}_{_plain(key)}"
        return f"{discovery}/{kind}/{node}/{_plain(key)}/config", {**shared, "unique_id": unique, **fields}

    people = {"unit_of_measurement": "people", "state_class": "measurement", "icon": "mdi:account-group"}
    found = [
        entity("sensor", "people", name="People", state_topic=people_topic(root, site_id), **people),
        entity(
            "event",
            "alerts",
            name="Alerts",
            state_topic=alerts_topic(root, site_id),
            event_types=list(get_args(When)),
            icon="mdi:bell",
        ),
    ]
    for zone in zones:
        if zone.kind == "area":
            topic = zone_topic(root, site_id, zone.zone_id)
            key = f"zone_{zone.zone_id}"
            found.append(entity("sensor", f"{key}_people", name=f"{zone.name} people", state_topic=topic, **people))
            occupied = {"value_template": "{{ 'ON' if value | int > 0 else 'OFF' }}", "device_class": "occupancy"}
            found.append(entity("binary_sensor", key, name=zone.name, state_topic=topic, **occupied))
    return dict(found)


def _plain(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text)
