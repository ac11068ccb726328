"""What of a camera's picture counts, and how closely it is looked at.

`auto` must not depend on how frames are batched, so that a replay looks at every frame as closely as the first time:
it changes between chunks only, by what the chunks before have shown.
"""

import math

import msgspec
import numpy as np

from reid_worker.detectors.detection import Detections
from reid_worker.detectors.tiles import WHOLE, Grid, grid_for
from wire.areas import Detail, Polygon, covers

PERIOD_S = 30.0  # how often a camera on `auto` is looked at in tiles for a moment
MOMENT_S = 0.5  # that moment: of chunks that begin in it
INPUT_PIXELS = 416 * 416  # of common small detectors
SMALL_PX = 32.0  # height of a person in the detector's input below which it misses many
FEWEST = 3  # people to judge by
ENTER, STAY = 0.3, 0.15  # shares of small people at which `auto` begins, and goes on, to use tiles


class DetailState(msgspec.Struct, array_like=True):
    """What `auto` has seen.

    Attributes:
        high: Whether all frames are looked at in tiles.
        tiled: Whether those of the current chunk are.
        since_s: Start of the current period, stream time; None before the first chunk.
        people, small: Strong detections in frames that were looked at in tiles, in this period.
    """

    high: bool = False
    tiled: bool = False
    since_s: float | None = None
    people: int = 0
    small: int = 0


def next_chunk(state: DetailState, time_s: float) -> None:
    """Decide how closely the frames of the next chunk are looked at on `auto`."""
    if state.people >= FEWEST:
        state.high = state.small >= (STAY if state.high else ENTER) * state.people
    due = state.since_s is None or time_s - state.since_s >= PERIOD_S
    if due:
        state.since_s, state.people, state.small = time_s, 0, 0
    state.tiled = state.high or time_s - (state.since_s or 0.0) < MOMENT_S


def learn(state: DetailState, found: Detections, height: int, width: int, strong_score: float) -> None:
    """Count the people found in a frame that was looked at in tiles."""
    if not state.tiled:
        return
    boxes = found.boxes[found.scores >= strong_score]
    limit_px = SMALL_PX / math.sqrt(INPUT_PIXELS / (height * width))
    state.people += len(boxes)
    state.small += int(((boxes[:, 3] - boxes[:, 1]) < limit_px).sum())


def grid_of(detail: Detail, state: DetailState, height: int, width: int) -> Grid:
    """Return the tiles in which a frame is looked at; 1 x 1 is the whole only."""
    if detail == "high" or (detail == "auto" and state.tiled):
        return grid_for(height, width)
    return WHOLE


def within(
    found: Detections, height: int, width: int, regions: tuple[Polygon, ...], ignore: tuple[Polygon, ...]
) -> Detections:
    """Return the people who stand in one of the regions, if there are any, and in nothing to be ignored."""
    if not regions and not ignore:
        return found
    feet = [((left + right) / 2 / width, bottom / height) for left, _, right, bottom in found.boxes.tolist()]
    keep = [
        (not regions or any(covers(polygon, point) for polygon in regions))
        and not any(covers(polygon, point) for polygon in ignore)
        for point in ((min(max(x, 0.0), 1 - 1e-9), min(max(y, 0.0), 1 - 1e-9)) for x, y in feet)
    ]
    return found[np.array(keep, np.bool_)]
