"""A camera's response to light: exposure, colour, blur, noise and compression, fixed for each camera."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.jit import compiled
from training.synthetic.mesh import Floats

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Look:
    """One camera's response.

    Attributes:
        level: Mean linear light of the picture after automatic exposure, 0.03..0.4.
        white: Gain of red, green and blue.
        saturation: 1 keeps colours, 0 is grey.
        gamma: Display exponent, about 2.2.
        contrast: Strength of the S-shaped tone curve, -0.3..0.6.
        haze: Red, green and blue of stray light that lifts the blacks, 0..0.15.
        vignette: Loss of light in the corners, 0..0.5.
        blur_px: Sigma of the lens blur in pixels of the frame.
        sharpen: Strength of the camera's edge enhancement, 0..1.
        noise: Standard deviation in display levels 0..255.
        quality: JPEG quality 15..95, which stands in for video compression.
    """

    level: float
    white: tuple[float, float, float]
    saturation: float
    gamma: float
    contrast: float
    haze: tuple[float, float, float]
    vignette: float
    blur_px: float
    sharpen: float
    noise: float
    quality: int


def sample_look(rng: Generator, frame_height: int) -> Look:
    """Draw a camera's response; the ranges cover dim, hazy and strongly tinted cameras as well as good ones."""
    warm, green = rng.normal(0, 0.14), rng.normal(0, 0.05)
    haze = abs(rng.normal(0, 0.035)) * np.exp(rng.normal(0, 0.25, 3))
    return Look(
        level=float(np.exp(rng.uniform(np.log(0.045), np.log(0.36)))),
        white=(float(np.exp(warm)), float(np.exp(green)), float(np.exp(-warm))),
        saturation=float(rng.choice([rng.uniform(0.25, 0.8), rng.uniform(0.8, 1.4)])),
        gamma=float(rng.uniform(1.9, 2.6)),
        contrast=float(rng.uniform(-0.2, 0.6)),
        haze=(float(haze[0]), float(haze[1]), float(haze[2])),
        vignette=float(rng.uniform(0, 0.45)),
        blur_px=frame_height * float(rng.uniform(0.0006, 0.0034)),
        sharpen=float(rng.choice([0.0, rng.uniform(0.0, 0.9)])),
        noise=float(np.exp(rng.uniform(np.log(0.5), np.log(9.0)))),
        quality=int(rng.integers(22, 92)),
    )


@compiled
def _develop(rgb: Floats, gains: Floats, tone: Floats, shade: Floats, table: Floats) -> Floats:
    """Apply gains, saturation, vignette and haze, and look up the display value; `(h, w, 3)`."""
    out = np.empty_like(rgb)
    height, width, _ = rgb.shape
    last = len(table) - 1
    for y in range(height):
        for x in range(width):
            r, g, b = rgb[y, x, 0] * gains[0], rgb[y, x, 1] * gains[1], rgb[y, x, 2] * gains[2]
            grey = 0.3 * r + 0.59 * g + 0.11 * b
            for c in range(3):
                v = r if c == 0 else g if c == 1 else b
                v = max(0.0, grey + tone[0] * (v - grey)) * shade[y, x] + tone[1 + c]
                out[y, x, c] = table[min(last, int(np.sqrt(v) * TABLE_STEPS))]
    return out


# Display values over the square root of light up to 4: the root spreads the dark end, where most clothes are.
TABLE_STEPS = 2048


def _display_table(look: Look) -> Floats:
    """Return display values 0..255 for light `(i / TABLE_STEPS) ** 2`: soft shoulder, gamma, S-shaped contrast."""
    light = (np.arange(2 * TABLE_STEPS) / TABLE_STEPS) ** 2
    v = np.minimum(1.0, light * (1.0 + 0.2 * light) / (1.0 + 0.6 * light * light)) ** (1.0 / look.gamma)
    v = np.maximum.accumulate(v)
    return np.asarray(255.0 * (v + look.contrast * v * (1.0 - v) * (2.0 * v - 0.8)), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """A look prepared for frames of one size.

    Attributes:
        look: The camera's response.
        shade: `(h, w)` float32, fraction of the light that reaches each pixel.
        table: `(2 * TABLE_STEPS,)` float32 display values.
    """

    look: Look
    shade: Floats
    table: Floats


def load_film(look: Look, width: int, height: int) -> Film:
    """Prepare a look for frames of `width` x `height` pixels."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    square = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) * 2.0
    return Film(look, np.asarray(1.0 - look.vignette * square, np.float32), _display_table(look))


def exposed(film: Film, rgb: Floats, gain: float, left: int = 0, top: int = 0) -> Floats:
    """Return display values 0..255, `(h, w, 3)` float32, of linear light seen at (left, top) of the frame."""
    look = film.look
    gains = np.array(look.white, np.float32) * np.float32(gain)
    haze = np.array(look.haze, np.float32) * 2.0 * look.level
    tone = np.array([look.saturation, *haze], np.float32)
    shade = film.shade[top : top + rgb.shape[0], left : left + rgb.shape[1]]
    return _develop(np.ascontiguousarray(rgb, np.float32), gains, tone, shade, film.table)


def recorded(look: Look, picture: Floats, rng: Generator, smear_px: float = 0.0) -> Image:
    """Blur, sharpen, add noise and compress one picture, `(h, w, 3)` float32 RGB 0..255, to uint8.

    `smear_px` is the length of horizontal motion during the exposure.
    """
    picture = optics(look, picture, smear_px)
    top, left = (int(v) for v in rng.integers(0, GRAIN_SIZE, 2))
    image = _grained(np.ascontiguousarray(picture, np.float32), GRAIN, top, left, look.noise)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, look.quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def optics(look: Look, picture: Floats, smear_px: float = 0.0) -> Floats:
    """Blur a picture as lens and motion do, and sharpen it as cameras do."""
    if look.blur_px > 0.35:
        picture = cv2.GaussianBlur(picture, (0, 0), look.blur_px)
    if smear_px > 1.0:
        length = int(smear_px) | 1
        picture = cv2.blur(picture, (length, 1))
    if look.sharpen > 0.05:
        soft = cv2.GaussianBlur(picture, (0, 0), 1.2)
        picture = picture + look.sharpen * (picture - soft)
    return np.asarray(picture, np.float32)


@compiled
def _grained(picture: Floats, grain: Floats, top: int, left: int, noise: float) -> Image:
    """Add grain, mostly the same in all three channels, taken from its tile at (top, left); the tile repeats."""
    height, width, _ = picture.shape
    size = grain.shape[0]
    out = np.empty(picture.shape, np.uint8)
    for v in range(height):
        row = (top + v) % size
        for u in range(width):
            column = (left + u) % size
            for c in range(3):
                out[v, u, c] = np.uint8(min(255.0, max(0.0, picture[v, u, c] + noise * grain[row, column, c])))
    return out


GRAIN_SIZE = 509


def _grain() -> Floats:
    rng = np.random.default_rng(11)
    shape = (GRAIN_SIZE, GRAIN_SIZE)
    return 0.8 * rng.standard_normal((*shape, 1), np.float32) + 0.4 * rng.standard_normal((*shape, 3), np.float32)


GRAIN = _grain()
