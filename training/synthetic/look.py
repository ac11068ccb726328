"""What a camera makes of the light: exposure, colour, blur, noise and compression, fixed for each camera."""

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
        quality: JPEG quality 15..95 that stands for the video's compression.
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


def sample_look(rng: Generator) -> Look:
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
        blur_px=float(rng.choice([rng.uniform(0.3, 0.8), rng.uniform(0.6, 1.7)])),
        sharpen=float(rng.choice([0.0, rng.uniform(0.0, 0.9)])),
        noise=float(np.exp(rng.uniform(np.log(0.5), np.log(9.0)))),
        quality=int(rng.integers(22, 92)),
    )


@compiled
def _curve(rgb: Floats, gains: Floats, tone: Floats, shade: Floats) -> Floats:
    """Apply gains and saturation, haze, the tone curve, and the vignette `shade` of `(h, w)`; `(n, h, w, 3)` to 0..255."""
    out = np.empty_like(rgb)
    frames, height, width, _ = rgb.shape
    saturation, power, contrast = tone[0], tone[1], tone[2]
    for f in range(frames):
        for y in range(height):
            for x in range(width):
                r, g, b = rgb[f, y, x, 0] * gains[0], rgb[f, y, x, 1] * gains[1], rgb[f, y, x, 2] * gains[2]
                grey = 0.3 * r + 0.59 * g + 0.11 * b
                for c in range(3):
                    v = r if c == 0 else g if c == 1 else b
                    v = max(0.0, grey + saturation * (v - grey)) * shade[y, x] + tone[3 + c]
                    v = min(1.0, v * (1.0 + 0.2 * v) / (1.0 + 0.6 * v * v)) ** power
                    out[f, y, x, c] = 255.0 * (v + contrast * v * (1.0 - v) * (2.0 * v - 0.8))
    return out


def exposed(look: Look, rgb: Floats, gain: float, shade: Floats) -> Floats:
    """Return display values 0..255, `(n, h, w, 3)` float32, of linear light; `shade` is the vignette, `(h, w)`."""
    gains = np.array(look.white, np.float32) * np.float32(gain)
    haze = np.array(look.haze, np.float32) * 2.0 * look.level
    tone = np.array([look.saturation, 1.0 / look.gamma, look.contrast, *haze], np.float32)
    return _curve(np.ascontiguousarray(rgb, np.float32), gains, tone, shade)


def vignette(look: Look, width: int, height: int) -> Floats:
    """Return the share of light that arrives at each pixel of a frame, `(h, w)` float32."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    square = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) * 2.0
    return np.asarray(1.0 - look.vignette * square, np.float32)


def recorded(look: Look, picture: Floats, rng: Generator, smear_px: float = 0.0) -> Image:
    """Blur, sharpen, add noise and compress one picture, `(h, w, 3)` float32 RGB 0..255, to uint8.

    `smear_px` is the length of horizontal motion during the exposure.
    """
    picture = optics(look, picture, smear_px)
    picture = picture + _noise(look, picture.shape, rng)
    image = np.clip(picture, 0, 255).astype(np.uint8)
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


def _noise(look: Look, shape: tuple[int, ...], rng: Generator) -> Floats:
    """Return grain that is mostly the same in the three channels and a little soft, as video encoders leave it."""
    grain = rng.standard_normal((*shape[:2], 1), np.float32) + 0.5 * rng.standard_normal(shape, np.float32)
    return np.asarray(look.noise * 0.8 * grain, np.float32)
