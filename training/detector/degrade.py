"""Photometric augmentation: what cameras, light and compression do to a picture, from nothing at all to very much."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def degrade(rng: Generator, image: Image) -> Image:
    """Change light, colours and sharpness of a picture `(h, w, 3)` uint8 RGB; few are left as they are."""
    if rng.random() < 0.25:
        image = _lit_unevenly(rng, image)
    if rng.random() < 0.15:
        image = _shadowed(rng, image)
    if rng.random() < 0.85:
        image = _toned(rng, image)
    image = _coloured(rng, image)
    blurred, compressed = rng.random() < 0.3, rng.random() < 0.35
    first = rng.random() < 0.5  # a video compressed at one size may be shown at another
    if blurred and first:
        image = _blurred(rng, image)
    if rng.random() < 0.3:
        image = _noisy(rng, image)
    if compressed:
        image = _compressed(rng, image)
    if blurred and not first:
        image = _blurred(rng, image)
    if rng.random() < 0.15:
        image = _sharpened(rng, image)
    return image


def _toned(rng: Generator, image: Image) -> Image:
    """Vary exposure, contrast, gamma and the tint of each channel."""
    x = np.arange(256, dtype=np.float64) / 255
    table = np.empty((256, 1, 3), np.uint8)
    gamma, contrast, level = np.exp(rng.normal(0, 0.25)), np.exp(rng.normal(0, 0.2)), np.exp(rng.normal(0, 0.25))
    if rng.random() < 0.12:  # night, or a camera that looks into the light
        level *= np.exp(-rng.uniform(0.3, 1.3))
    low = rng.uniform(-0.08, 0.12)
    for channel in range(3):
        gain = level * np.exp(rng.normal(0, 0.06))
        value = (x**gamma * gain - 0.4) * contrast + 0.4 + low
        table[:, 0, channel] = np.clip(255 * value, 0, 255)
    return np.asarray(cv2.LUT(image, table), np.uint8)


def _coloured(rng: Generator, image: Image) -> Image:
    """Take colours away, strengthen them, or turn them."""
    kind = rng.random()
    if kind < 0.1:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
    if kind < 0.4:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        share = float(rng.uniform(0.1, 1.5))
        return np.asarray(cv2.addWeighted(image, share, grey, 1 - share, 0), np.uint8)
    if kind < 0.55:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + int(rng.normal(0, 12))) % 180
        return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)
    return image


def _lit_unevenly(rng: Generator, image: Image) -> Image:
    """Lay light and shadow over the picture: windows behind people, lamps, a hand before the lens."""
    height, width = image.shape[:2]
    field = np.exp(rng.normal(0, rng.uniform(0.1, 0.55), (int(rng.integers(2, 5)), int(rng.integers(2, 6)))))
    gain = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)[..., None]
    glare = np.float32(rng.uniform(0, 60) if rng.random() < 0.2 else 0)
    return np.asarray(np.clip(image * gain + glare, 0, 255), np.uint8)


def _shadowed(rng: Generator, image: Image) -> Image:
    """Draw shadows or sunlit patches with straight borders, sharp or soft."""
    height, width = image.shape[:2]
    gain = np.ones((height, width), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        corners = rng.uniform((-0.2 * width, -0.2 * height), (1.2 * width, 1.2 * height), (int(rng.integers(3, 5)), 2))
        cv2.fillPoly(gain, [corners.astype(np.int32)], float(np.exp(rng.uniform(-1.2, 0.7))))
    gain = cv2.GaussianBlur(gain, (0, 0), float(np.exp(rng.uniform(np.log(0.7), np.log(12)))))
    return np.asarray(np.clip(image * gain[..., None], 0, 255), np.uint8)


def _sharpened(rng: Generator, image: Image) -> Image:
    """Enhance edges as cheap cameras do, with light and dark seams along them."""
    soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.8, 2.5)))
    share = float(rng.uniform(0.3, 2.0))
    return np.asarray(cv2.addWeighted(image, 1 + share, soft, -share, 0), np.uint8)


def _blurred(rng: Generator, image: Image) -> Image:
    """Lose sharpness: out of focus, in motion, or recorded small."""
    kind = int(rng.integers(3))
    if kind == 0:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.8))), np.uint8)
    if kind == 1:
        long = int(rng.integers(3, 9))
        kernel = np.zeros((long, long), np.float32)
        along = (np.cos(a := float(rng.uniform(0, np.pi))), np.sin(a))
        half = (long - 1) / 2
        ends = [(round(half + s * half * along[0]), round(half + s * half * along[1])) for s in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0)
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)
    share = float(rng.uniform(0.35, 0.85))
    height, width = image.shape[:2]
    small = cv2.resize(image, (int(width * share), int(height * share)), interpolation=cv2.INTER_AREA)
    how = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)[int(rng.integers(3))]
    return np.asarray(cv2.resize(small, (width, height), interpolation=how), np.uint8)


def _noisy(rng: Generator, image: Image) -> Image:
    """Add the noise of a sensor in little light, finer or coarser."""
    height, width = image.shape[:2]
    coarse = int(rng.integers(1, 3))
    shape = (height // coarse + 1, width // coarse + 1, 3 if rng.random() < 0.5 else 1)
    noise = rng.standard_normal(shape, np.float32) * np.float32(rng.uniform(1, 14))
    if coarse > 1:
        noise = cv2.resize(noise, (shape[1] * coarse, shape[0] * coarse), interpolation=cv2.INTER_LINEAR)
        noise = noise.reshape(*noise.shape[:2], -1)
    return np.clip(image + noise[:height, :width], 0, 255).astype(np.uint8)


def _compressed(rng: Generator, image: Image) -> Image:
    """Lose detail in blocks, as cheap cameras do."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(10, 70))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
