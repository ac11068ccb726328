"""What receivers get: an alert as JSON, and the signature by which they know that it is ours."""

import hashlib
import hmac
from typing import Any

import msgspec

from gallery.iso import iso
from gallery.zones.alert import Alert


def body_of(alert: Alert, name: str) -> bytes:
    """Return an alert about a person of a name as JSON."""
    said: dict[str, Any] = {
        "alert_id": alert.alert_id,
        "rule_id": alert.rule_id,
        "rule": alert.rule_name,
        "when": alert.when,
        "site_id": alert.site_id,
        "time": iso(alert.time_ns),
        "identity": alert.identity_id or None,
        "name": name,
        "camera_id": alert.camera_id,
        "tracklet_id": alert.tracklet_id,
        "place": alert.place,
        "count": alert.count,
        "text": alert.sentence(name),
        "test": alert.test,
    }
    return msgspec.json.encode(said)


def signature_of(secret: str, timestamp: str, body: bytes) -> str:
    """Return HMAC-SHA256 of `TIMESTAMP.BODY`, as `v1=` and hexadecimal digits."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"v1={digest}"
