"""Pictures made of noise, stripes and rows of goods: surfaces of the world whose statistics no flat colour has.

Detectors trained on plain generated rooms take any fine structure for a person; pictures like these are nobody.
"""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def palette_of(rng: Generator, colours: int) -> NDArray[np.float64]:
    """Return `(colours, 3)` display values 0..255, mostly with little colour in them, as most places have."""
    palette = rng.uniform(0, 255, (colours, 3)) * rng.uniform(0.2, 1.0)
    grey = palette.mean(1, keepdims=True)
    return np.asarray(grey + (palette - grey) * rng.uniform(0.05, 1.0), np.float64)


def coloured_noise(rng: Generator, height: int, width: int) -> Image:
    """Return noise whose amplitude falls with frequency as in natural pictures, along two colours or in all three.

    The exponent is drawn around 1, which natural pictures have (Field, JOSA A 1987); grain and clouds lie around it.
    """
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    stretch = np.exp(rng.normal(0, 0.6))  # wood, cloth and water have a direction
    amplitude = (np.hypot(fy * stretch, fx / stretch) + 1.0 / max(height, width)) ** -rng.uniform(0.6, 1.7)
    shape = (1 if rng.random() < 0.5 else 3, *amplitude.shape)
    spectrum = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    field = np.fft.irfft2(spectrum * amplitude, (height, width))
    field = (field - field.mean((1, 2), keepdims=True)) / (field.std((1, 2), keepdims=True) + 1e-9)
    low, high = palette_of(rng, 2)
    share = np.clip(0.5 + rng.uniform(0.15, 0.5) * field, 0, 1).transpose(1, 2, 0)
    return np.asarray(low + (high - low) * share, np.uint8)


def stripes(rng: Generator, height: int, width: int) -> Image:
    """Return stripes, slats or a grid seen at an angle: blinds, fences, tiles, panelling, brickwork."""
    palette = palette_of(rng, 3)
    image = np.full((height, width, 3), palette[0]).astype(np.uint8)
    for colour in palette[1 : 2 + int(rng.random() < 0.5)]:
        step = float(np.exp(rng.uniform(np.log(4), np.log(height / 3))))
        thick = max(1, round(step * rng.uniform(0.1, 0.6)))
        across = rng.random() < 0.5
        for at in np.arange(0.0, width if across else height, step).astype(int).tolist():
            start, end = ((at, 0), (at, height)) if across else ((0, at), (width, at))
            cv2.line(image, start, end, colour.tolist(), thick)
    return seen_at_an_angle(rng, image)


def rows_of_goods(rng: Generator, height: int, width: int) -> Image:
    """Return boards full of packages, several of each kind side by side: shelves of shops, libraries, stores."""
    image = np.full((height, width, 3), rng.uniform(0, 120), np.float64).astype(np.uint8)
    palette = palette_of(rng, int(rng.integers(4, 16)))
    y, size = 0, float(np.exp(rng.uniform(np.log(0.03), np.log(0.25)))) * height
    while y < height:
        tall = max(4, int(size * rng.uniform(0.7, 1.4)))
        x = -int(rng.integers(0, 20))
        while x < width:
            wide = max(3, int(tall * rng.uniform(0.25, 1.1)))
            pack = _package(rng, max(3, int(tall * rng.uniform(0.6, 0.95))), wide, palette)
            for _ in range(int(rng.integers(1, 7))):
                _laid(image, pack, x, y + tall - pack.shape[0])
                x += wide + 1
        board = max(1, int(0.08 * tall))
        image[y + tall : y + tall + board] = palette[0]
        y += tall + board
    return seen_at_an_angle(rng, image)


def _package(rng: Generator, height: int, width: int, palette: NDArray[np.float64]) -> Image:
    """Return a box, bottle or bag with something printed on it, darker at the sides."""
    one, two, three = (palette[int(k)] for k in rng.integers(len(palette), size=3))
    pack = np.full((height, width, 3), one)
    top, low = sorted(rng.uniform(0, height, 2).astype(int).tolist())
    pack[top : low + 1, int(0.1 * width) : int(0.9 * width) + 1] = two
    if rng.random() < 0.5:
        shown = pack.astype(np.uint8)
        cv2.circle(shown, (width // 2, height // 2), max(1, int(0.3 * min(width, height))), three.tolist(), -1)
        pack = shown.astype(np.float64)
    round_ = 1 - rng.uniform(0, 0.6) * np.abs(np.linspace(-1, 1, width)) ** 2
    return np.asarray(np.clip(pack * round_[None, :, None] * rng.uniform(0.6, 1.2), 0, 255), np.uint8)


def _laid(image: Image, part: Image, x: int, y: int) -> None:
    """Copy a part to (x, y) of a picture, as far as it lies inside."""
    x0, y0 = max(0, x), max(0, y)
    x1, y1 = min(image.shape[1], x + part.shape[1]), min(image.shape[0], y + part.shape[0])
    if x0 < x1 and y0 < y1:
        image[y0:y1, x0:x1] = part[y0 - y : y1 - y, x0 - x : x1 - x]


def seen_at_an_angle(rng: Generator, image: Image) -> Image:
    """Return a flat picture in perspective; what lies beyond its border mirrors it."""
    height, width = image.shape[:2]
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    moved = np.asarray(corners + rng.normal(0, 0.18, (4, 2)) * (width, height), np.float32)
    if cv2.contourArea(moved) < 0.3 * width * height or not cv2.isContourConvex(moved):
        return image
    warp = cv2.getPerspectiveTransform(corners, moved)
    return np.asarray(
        cv2.warpPerspective(image, warp, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT), np.uint8
    )
