"""What receivers get: an alert as JSON, and the signature by which they know that it is ours."""

import hashlib
import hmac
from typing import Any

import msgspec

from gallery.iso import iso
from gallery.zones.alert import Alert


def body_of(alert: Alert, number: int, name: str) -> bytes:
    """Return an alert as JSON, about a person by number, 0 for nobody, and name."""
    said: dict[str, Any] = {
        "alert_id": alert.alert_id,
        "rule_id": alert.rule_id,
        "rule": alert.rule_name,
        "when": alert.when,
        "site_id": alert.site_id,
        "time": iso(alert.time_ns),
        "identity": number or None,
        "name": name,
        "camera_id": alert.camera_id,
        "tracklet_id": alert.tracklet_id,
        "place": alert.place,
        "count": alert.count,
        "text": alert.sentence(number, name),
        "test": alert.test,
    }
    return msgspec.json.encode(said)


def signature_of(secret: str, timestamp: str, body: bytes) -> str:
    """Return HMAC-SHA256 of `TIMESTAMP.BODY`, as `v1=` and hexadecimal digits."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"v1={digest}"
