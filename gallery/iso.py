"""Times as texts."""

from datetime import UTC, datetime


def iso(time_ns: int) -> str:
    """Return a time in ISO 8601, in UTC, with milliseconds."""
    moment = datetime.fromtimestamp(time_ns // 1_000_000 / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
