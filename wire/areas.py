"""What of a camera's picture is analysed, and how closely: polygons in fractions of the upright picture."""

import math
from itertools import pairwise
from typing import Literal

Detail = Literal["auto", "fast", "high"]
Point = tuple[float, float]
Polygon = tuple[Point, ...]

MAX_POLYGONS = 32
MAX_CORNERS = 64
SMALLEST = 1e-6  # area, as a fraction of the picture


def check_areas(camera_id: str, regions: tuple[Polygon, ...], ignore: tuple[Polygon, ...]) -> None:
    """Refuse polygons of a camera that enclose no area of the picture.

    Raises:
        ValueError: One has too few or too many corners, lies outside of the picture, has no area, or crosses itself; or
            there are too many.
    """
    _check_polygons(f"camera {camera_id}: regions", regions)
    _check_polygons(f"camera {camera_id}: ignore", ignore)


def _check_polygons(where: str, polygons: tuple[Polygon, ...]) -> None:
    if len(polygons) > MAX_POLYGONS:
        raise ValueError(f"{where}: at most {MAX_POLYGONS} polygons are allowed, got {len(polygons)}")
    for number, polygon in enumerate(polygons, 1):
        reason = polygon_fault(polygon)
        if reason:
            raise ValueError(f"{where}: polygon {number} {reason}")


def covers(polygon: Polygon, point: Point) -> bool:
    """Tell whether a point lies inside of a polygon, by the number of edges to its right.

    >>> covers(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), (0.25, 0.5))
    True
    """
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in _edges(polygon):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside


def polygon_fault(polygon: Polygon) -> str:
    """Return what is wrong with a polygon; nothing if it is right."""
    if len(polygon) < 3:
        return f"has {len(polygon)} corners; three are the fewest that enclose anything"
    if fault := _corner_fault(polygon):
        return fault
    if _crosses_itself(polygon):
        return "crosses itself; list its corners in the order in which its outline passes them"
    if abs(_area(polygon)) < SMALLEST:
        return "encloses no area"
    return ""


def line_fault(line: Polygon) -> str:
    """Return what is wrong with an open line; nothing if it is right."""
    if len(line) < 2:
        return f"has {len(line)} ends; a line needs two"
    if fault := _corner_fault(line):
        return fault
    if any(one == other for one, other in pairwise(line)):
        return "has two equal points in a row"
    pieces = list(pairwise(line))
    if any(_cross(one, other) for i, one in enumerate(pieces) for other in pieces[i + 1 :]):
        return "crosses itself, so that it has no sides"
    return ""


def _corner_fault(corners: Polygon) -> str:
    if len(corners) > MAX_CORNERS:
        return f"has {len(corners)} corners; at most {MAX_CORNERS} are allowed"
    for x, y in corners:
        if not (math.isfinite(x) and math.isfinite(y) and 0 <= x <= 1 and 0 <= y <= 1):
            return (
                f"has a corner at [{x:g}, {y:g}]; corners are fractions of the picture, from [0, 0] top left to [1, 1] "
                "bottom right: divide pixels by the picture's width and height"
            )
    return ""


def _edges(polygon: Polygon) -> list[tuple[Point, Point]]:
    return list(pairwise((*polygon, polygon[0])))


def _area(polygon: Polygon) -> float:
    """Return the signed area (shoelace formula)."""
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in _edges(polygon)) / 2


def _crosses_itself(polygon: Polygon) -> bool:
    edges = _edges(polygon)
    return any(_cross(one, other) for i, one in enumerate(edges) for other in edges[i + 1 :])


def _cross(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Tell whether two edges cross in a point inside of both."""
    (a, b), (c, d) = one, other
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Point, b: Point, c: Point) -> int:
    turn = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (turn > 0) - (turn < 0)
