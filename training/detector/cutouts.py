"""Cut-out people and shapeless things, and how they are put into a picture."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """Somebody or something without what was around: `(h, w, 3)` uint8 RGB and `(h, w)` uint8 cover, 0..255."""

    image: Image
    cover: Image


def resized(rng: Generator, person: Cutout, scale: float) -> Cutout:
    """Return a cutout at another size, mirrored or not, in other light."""
    h, w = person.cover.shape
    size = (max(2, round(w * scale)), max(2, round(h * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image, cover = (cv2.resize(part, size, interpolation=how) for part in (person.image, person.cover))
    if rng.random() < 0.5:
        image, cover = image[:, ::-1], cover[:, ::-1]
    gain = np.exp(rng.normal(0, 0.3) + rng.normal(0, 0.06, 3))
    return Cutout(np.clip(image * gain, 0, 255).astype(np.uint8), np.ascontiguousarray(cover, np.uint8))


def paste(
    image: Image, owners: NDArray[np.uint8], cutout: Cutout, at: tuple[int, int], number: int, *, behind: bool = False
) -> None:
    """Put a cutout into a picture at (left, top), which may lie outside; its pixels are owned by `number` then.

    Args:
        image: `(h, w, 3)` uint8, changed in place.
        owners: `(h, w)` uint8, changed in place.
        cutout: What to put there.
        at: Left and top in pixels.
        number: Of the person, or 0 for a thing.
        behind: Whether people who are there already stay in front.
    """
    (left, top), (h, w) = at, cutout.cover.shape
    x0, y0, x1, y1 = max(0, left), max(0, top), min(image.shape[1], left + w), min(image.shape[0], top + h)
    if x0 >= x1 or y0 >= y1:
        return
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    cover = cutout.cover[part]
    if behind:
        cover = np.where(owners[y0:y1, x0:x1] > 0, np.uint8(0), cover)
    soft = cv2.GaussianBlur(cover, (3, 3), 0)[..., None] / np.float32(255)
    here = image[y0:y1, x0:x1]
    here[:] = (here * (1 - soft) + cutout.image[part] * soft).astype(np.uint8)
    owners[y0:y1, x0:x1][cover > 127] = number


def shapeless(rng: Generator, height: int, surface: Image) -> Cutout:
    """Return a thing of `height` pixels with the surface given: two to six shapes on top of each other, shaded."""
    width = max(4, int(height * np.exp(rng.normal(-0.5, 0.5))))
    cover = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(2, 7))):
        x, y = int(width * rng.uniform(0.25, 0.75)), int(height * rng.uniform(0.1, 0.95))
        w, h = width * rng.uniform(0.06, 0.5), height * rng.uniform(0.04, 0.4)
        kind = rng.random()
        if kind < 0.4:
            cv2.ellipse(cover, (x, y), (int(w) + 1, int(h) + 1), float(rng.normal(0, 15)), 0, 360, 255, -1)
        elif kind < 0.75:
            corners = cv2.boxPoints(((x, y), (2 * w, 2 * h), float(rng.normal(0, 8)))).astype(np.int32)
            cv2.fillConvexPoly(cover, corners, 255)
        else:
            end = (int(width * rng.uniform(0, 1)), int(height * rng.uniform(0, 1)))
            cv2.line(cover, (x, y), end, 255, max(1, int(0.06 * height * rng.uniform(0.3, 1.5))))
    image = cv2.resize(surface, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    round_ = cv2.GaussianBlur(cover, (0, 0), max(1.0, 0.12 * width)).astype(np.float32)[..., None] / 255
    side = np.linspace(1, rng.uniform(0.4, 1.0), width, dtype=np.float32)[None, :, None]
    shaded = image * (1 - rng.uniform(0, 0.8) * (1 - round_)) * (side if rng.random() < 0.5 else side[:, ::-1])
    return Cutout(np.clip(shaded, 0, 255).astype(np.uint8), cover)


def scrambled(rng: Generator, person: Cutout) -> Cutout:
    """Return somebody's clothes in another order: what has a person's colours and cloth, and no person's form."""
    height, width = person.cover.shape
    rows, columns = min(height, int(rng.integers(3, 6))), min(width, int(rng.integers(2, 4)))
    h, w = height // rows, width // columns
    order = rng.permutation(rows * columns)
    image, cover = np.zeros((rows * h, columns * w, 3), np.uint8), np.zeros((rows * h, columns * w), np.uint8)
    for place, source in enumerate(order.tolist()):
        to, of = (_cell(number, columns, h, w) for number in (place, source))
        turn = -1 if rng.random() < 0.5 else 1
        image[to], cover[to] = person.image[of][::turn], person.cover[of][::turn]
    return Cutout(image, cover)


def _cell(number: int, columns: int, height: int, width: int) -> tuple[slice, slice]:
    row, column = divmod(number, columns)
    return slice(row * height, (row + 1) * height), slice(column * width, (column + 1) * width)
