"""What all messages share: their base class, bounds on numbers and text, and checks of names."""

import re
from typing import Annotated, Literal

import msgspec

from wire.mask import mask_name

Mode = Literal["latency", "complete"]

# Bounds on received numbers, so that they fit into int64 with room for sums; checked when bytes are decoded.
MAX_TIME_NS = 2**62  # the year 2116
Signed = Annotated[int, msgspec.Meta(ge=-MAX_TIME_NS, le=MAX_TIME_NS)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME_NS)]
PRIORITIES = (0.1, 10.0)
UNSENDABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters and lone surrogates
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Message(msgspec.Struct, frozen=True, tag_field="type", kw_only=True, eq=False):
    """Base of all messages; unknown fields are ignored, so that older readers survive newer writers."""


def check_priority(camera_id: str, priority: float) -> None:
    """Raise ValueError unless a camera's priority is within `PRIORITIES`."""
    least, most = PRIORITIES
    if not least <= priority <= most:
        raise ValueError(f"camera {camera_id}: priority must be from {least:g} to {most:g}, got {priority}")


def check_name(field: str, value: str) -> None:
    """Raise ValueError unless the value is a valid name of a camera or a site."""
    if not _NAME.fullmatch(value):
        raise ValueError(f"{field} must be 1-64 letters, digits, '.', '_' or '-', got {mask_name(value)!r}")
