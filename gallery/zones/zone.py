"""Zones and lines: named shapes in the picture of a camera."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from wire.areas import Polygon, line_fault, polygon_fault
from wire.message import UNSENDABLE, check_name

Kind = Literal["area", "line"]

MAX_NAME = 60  # characters; it is drawn into the picture
MAX_ZONES = 200  # of a site
COLOURS = 8  # that the page has for them


class Zone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A polygon or a tripwire.

    Attributes:
        name: As people call it; unique in its site, regardless of case.
        points: Corners of an area, or the ends and bends of a line, in fractions of the upright picture. Crossing a
            line from its left to its right, looking from its first point to its last, is `forward`.
        colour: One of the page's colours for zones, from 0.
    """

    zone_id: str
    name: str
    camera_id: str
    kind: Kind
    points: Polygon
    colour: int = 0

    def __post_init__(self) -> None:
        check_name("zone_id", self.zone_id)
        check_name("camera_id", self.camera_id)
        check_title("name", self.name)
        if not 0 <= self.colour < COLOURS:
            raise ValueError(f"colour: must be from 0 to {COLOURS - 1}, got {self.colour}")
        fault = line_fault(self.points) if self.kind == "line" else polygon_fault(self.points)
        if fault:
            raise ValueError(f"points: the {self.kind} {fault}")


def check_title(field: str, text: str) -> None:
    """Raise ValueError unless a text can be shown as the name of something."""
    if not text.strip() or text != text.strip() or len(text) > MAX_NAME:
        raise ValueError(f"{field}: must be 1-{MAX_NAME} characters, without spaces around them")
    if UNSENDABLE.search(text):
        raise ValueError(f"{field}: must not have control characters")


def check_new_zone(zone: Zone, others: Iterable[Zone]) -> None:
    """Raise ValueError if a zone cannot stand beside the others of its site."""
    rest = [other for other in others if other.zone_id != zone.zone_id]
    if any(other.name.casefold() == zone.name.casefold() for other in rest):
        raise ValueError(f"name: there is already a zone {zone.name!r}; choose another name")
    if len(rest) >= MAX_ZONES:
        raise ValueError(f"a site has at most {MAX_ZONES} zones; delete one that is not needed")
