"""Draws people, names and times on frames: readable at any size, the same colour for a person on every camera."""

import colorsys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from deploy.video.shown import Point, Shown

Colour = tuple[int, int, int]  # BGR
Picture = NDArray[np.uint8]

GOLDEN_TURN = 0.618033988749895  # consecutive numbers get hues far apart (Martin Ankerl, 2009)
SMALLEST_TEXT_PX = 15  # still readable where the picture is 640 px wide
TEXT_SHARE = 1 / 32  # of the picture's shorter side
WHITE, BLACK = (255, 255, 255), (20, 20, 20)
_SHIFT = 4  # OpenCV draws lines at sixteenths of a pixel


def colour_of(identity: int) -> Colour:
    """Return the colour of a person: bright, and the same in every frame, camera and run.

    >>> colour_of(1) == colour_of(1), colour_of(1) == colour_of(2)
    (True, False)
    """
    hue = identity * GOLDEN_TURN % 1
    value = (0.95, 0.8)[identity // 8 % 2]  # after eight people hues come close to earlier ones
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75, value)
    return round(255 * blue), round(255 * green), round(255 * red)


class Painter:
    """Draws on frames of one size."""

    def __init__(self, height: int, width: int) -> None:
        shorter = min(height, width)
        self._text_px = max(SMALLEST_TEXT_PX, round(shorter * TEXT_SHARE))
        self._line_px = max(2, round(shorter / 320))

    def paint(self, image: Picture, camera: str, time_ns: int, people: Sequence[Shown]) -> None:
        """Draw on a BGR frame in place: camera and time in the top corners, trails below boxes, boxes below numbers."""
        self._header(image, camera, time_ns)
        for one in people:
            self._trail(image, one.trail, colour_of(one.identity))
        for one in people:
            self._box(image, one.box, colour_of(one.identity))
        for one in people:
            self._number(image, one)

    def _header(self, image: Picture, camera: str, time_ns: int) -> None:
        margin = self._text_px // 2
        _blit(image, _label(camera, self._text_px, BLACK), margin, margin)
        clock = _label(_clock(time_ns), self._text_px, BLACK)
        _blit(image, clock, image.shape[1] - clock.shape[1] - margin, margin)

    def _box(self, image: Picture, box: tuple[float, float, float, float], colour: Colour) -> None:
        left, top, right, bottom = (round(value) for value in box)
        cv2.rectangle(image, (left, top), (right, bottom), BLACK, self._line_px + 2, cv2.LINE_AA)
        cv2.rectangle(image, (left, top), (right, bottom), colour, self._line_px, cv2.LINE_AA)

    def _trail(self, image: Picture, points: Sequence[Point], colour: Colour) -> None:
        for place, (start, end) in enumerate(pairwise(points), start=1):
            width = max(1, round(self._line_px * 1.5 * place / len(points)))  # it tapers into the past
            cv2.line(image, _fine(start), _fine(end), colour, width, cv2.LINE_AA, _SHIFT)

    def _number(self, image: Picture, one: Shown) -> None:
        """Draw the number on top of the box, or inside it where it would leave the picture."""
        label = _label(str(one.identity), self._text_px, colour_of(one.identity))
        left, top = round(one.box[0]) - self._line_px // 2, round(one.box[1]) - label.shape[0]
        left = min(max(left, 0), max(image.shape[1] - label.shape[1], 0))
        _blit(image, label, left, top if top >= 0 else round(max(one.box[1], 0)))


@lru_cache(maxsize=4096)
def _label(text: str, text_px: int, colour: Colour) -> Picture:
    """Return text on a plate of a colour, BGR, in black or white, whichever is easier to read."""
    font = ImageFont.load_default(text_px)
    left, _, right, _ = font.getbbox(text)
    _, top, _, base = font.getbbox("0A")  # from the top of capitals to the line, the same for every text
    pad = max(4, round(text_px / 3))  # below it also holds what hangs under the line
    plate = Image.new("RGB", (round(right - left) + 2 * pad, round(base - top) + 2 * pad), colour[::-1])
    blue, green, red = colour
    bright = 0.299 * red + 0.587 * green + 0.114 * blue > 140  # ITU-R BT.601
    ImageDraw.Draw(plate).text((pad - left, pad - top), text, font=font, fill=BLACK if bright else WHITE)
    return np.ascontiguousarray(np.asarray(plate, np.uint8)[:, :, ::-1])


def _blit(image: Picture, label: Picture, left: int, top: int) -> None:
    """Copy a label into a picture, as far as it lies inside."""
    height, width = image.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + label.shape[1], width), min(top + label.shape[0], height)
    if x0 < x1 and y0 < y1:
        image[y0:y1, x0:x1] = label[y0 - top : y1 - top, x0 - left : x1 - left]


def _clock(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _fine(point: Point) -> tuple[int, int]:
    return round(point[0] * (1 << _SHIFT)), round(point[1] * (1 << _SHIFT))
