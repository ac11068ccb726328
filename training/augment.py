"""Augment a tracklet as if seen by another camera, lens and detector; the same for all its frames.

All randomness comes from the given generator, so an augmented tracklet is a function of its seed. Crops are uint8 RGB
`(t, H, W, 3)` in and out.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Crops = NDArray[np.uint8]

_GREY = np.array([0.299, 0.587, 0.114])  # BT.601 luma
_PAD = 10  # px


def augment(
    crops: Crops, rng: np.random.Generator, strength: float = 1.0, camera: np.random.Generator | None = None
) -> Crops:
    """Return the tracklet flipped, reframed, recoloured, degraded and partly hidden, each with some probability.

    Args:
        crops: The tracklet.
        rng: Draws the changes of this tracklet alone.
        strength: 0 to 1, scales all probabilities except the flip's: generated people already come from many cameras,
            and a short run learns nothing from people it cannot see.
        camera: Draws colours and detail. In the same state for all tracklets of a camera, it keeps different people as
            similar as one camera makes them, which the network has to overcome. None draws from `rng`.
    """
    camera = rng if camera is None else camera
    if rng.random() < 0.5:
        crops = crops[:, :, ::-1]
    for change, probability, draws in (
        (reframe, 1.0, rng),
        (shade, 0.5, rng),
        (recolour, 1.0, camera),
        (degrade, 0.8, camera),
        (erase, 0.5, rng),
    ):
        if draws.random() < strength * probability:
            crops = change(crops, draws)
    return np.ascontiguousarray(crops)


def augment_as_published(crops: Crops, rng: np.random.Generator) -> Crops:
    """Return the tracklet flipped half the time, shifted by up to 10 px, and partly erased half the time.

    CLIMB-ReID's augmentation (section 4.1). The erased rectangle has 2-40 % of the area and an aspect ratio of
    0.3-3.3 (Zhong et al. 2017, section 4).
    """
    _, H, W, _ = crops.shape
    if rng.random() < 0.5:
        crops = crops[:, :, ::-1]
    padded = np.pad(crops, ((0, 0), (_PAD, _PAD), (_PAD, _PAD), (0, 0)))
    y, x = rng.integers(0, 2 * _PAD + 1, 2)
    crops = padded[:, y : y + H, x : x + W].copy()
    if rng.random() < 0.5:
        for _ in range(100):
            area, aspect = rng.uniform(0.02, 0.4) * H * W, rng.uniform(0.3, 1 / 0.3)
            h, w = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
            if 0 < h < H and 0 < w < W:
                y, x = rng.integers(0, H - h), rng.integers(0, W - w)
                crops[:, y : y + h, x : x + w] = rng.integers(0, 256, (h, w, 3))
                break
    return crops


def reframe(crops: Crops, rng: np.random.Generator) -> Crops:
    """Move and scale the box as a detector would: always by a few per cent; sometimes the lower body is cut off."""
    _, H, W, _ = crops.shape
    top, bottom = rng.normal(0, 0.04, 2)
    left, right = rng.normal(0, 0.06, 2)
    if rng.random() < 0.1:
        bottom -= rng.uniform(0.2, 0.45)  # hidden behind a desk
    if rng.random() < 0.3:  # another detector's box width
        wider = rng.uniform(-0.16, 0.12)
        left, right = left - wider, right + wider
    source = np.array([[left * W, top * H], [(1 + right) * W, top * H], [left * W, (1 + bottom) * H]], np.float32)
    target = np.array([[0, 0], [W, 0], [0, H]], np.float32)
    matrix = cv2.getAffineTransform(source, target)
    return np.stack([cv2.warpAffine(c, matrix, (W, H), borderMode=cv2.BORDER_REPLICATE) for c in crops]).astype(
        np.uint8
    )


def shade(crops: Crops, rng: np.random.Generator) -> Crops:
    """Light the tracklet unevenly, as folds, sun through leaves and lamps do: a smooth field of factors."""
    _, H, W, _ = crops.shape
    rows = int(rng.integers(2, 13))
    grid = rng.normal(0, rng.uniform(0.05, 0.3), (rows, max(2, rows // 2)))
    field = np.exp(cv2.resize(grid, (W, H), interpolation=cv2.INTER_CUBIC))
    lit = np.clip(crops * field[..., None].astype(np.float32), 0, 255)
    return np.asarray(lit, np.uint8)


def recolour(crops: Crops, rng: np.random.Generator) -> Crops:
    """Change white balance, saturation, exposure, contrast and gamma, as different cameras do."""
    odd = rng.random() < 0.25  # a camera that was never set up
    balance = rng.uniform(0.7, 1.4, 3) if odd else rng.uniform(0.88, 1.14, 3)
    colour = np.diag(balance) @ _crosstalk(rng) @ _saturation(_draw_saturation(rng))
    colour = colour * (rng.uniform(0.45, 1.8) if odd else rng.uniform(0.7, 1.35))
    gamma = np.exp(rng.normal(0, 0.2))
    ramp = np.linspace(0, 1, 256) ** gamma
    contrast, lift = rng.uniform(0.8, 1.25), rng.uniform(-0.05, 0.1)
    table = np.clip(((ramp - 0.5) * contrast + 0.5 + lift) * 255, 0, 255).astype(np.uint8)
    flat = crops.reshape(len(crops), -1, 3)
    mixed = np.clip(cv2.transform(flat, colour.astype(np.float32)), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(mixed, table), np.uint8).reshape(crops.shape)


def degrade(crops: Crops, rng: np.random.Generator) -> Crops:
    """Lose or invent detail: a smaller sensor, blur, sharpening, noise, JPEG."""
    _, H, W, _ = crops.shape
    if rng.random() < 0.5:
        scale = max(rng.uniform(0.25, 0.8), 24 / H)  # people cannot be told apart below 24 px
        small = (max(1, int(W * scale)), max(1, int(H * scale)))
        crops = _each(crops, lambda c: cv2.resize(cv2.resize(c, small, interpolation=cv2.INTER_AREA), (W, H)))
    elif rng.random() < 0.4:
        sigma = rng.uniform(0.4, 1.6)
        crops = _each(crops, lambda c: cv2.GaussianBlur(c, (0, 0), sigma))
    if rng.random() < 0.2:
        amount = rng.uniform(0.3, 1.2)
        crops = _each(crops, lambda c: cv2.addWeighted(c, 1 + amount, cv2.GaussianBlur(c, (0, 0), 1.0), -amount, 0))
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(2, 10), crops.shape)
        crops = np.clip(crops + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(25, 90))
        crops = _each(crops, lambda c: _through_jpeg(c, quality))
    return crops


def erase(crops: Crops, rng: np.random.Generator) -> Crops:
    """Cover one rectangle of 2-25 % of the area with noise around one colour (Zhong et al. 2017, Random erasing)."""
    _, H, W, _ = crops.shape
    area, aspect = rng.uniform(0.02, 0.25) * H * W, np.exp(rng.uniform(-1, 1))
    h, w = min(H - 1, int(np.sqrt(area * aspect))), min(W - 1, int(np.sqrt(area / aspect)))
    y, x = rng.integers(0, H - h), rng.integers(0, W - w)
    result = crops.copy()
    patch = rng.integers(0, 256, 3) + rng.normal(0, 20, (h, w, 3))
    result[:, y : y + h, x : x + w] = np.clip(patch, 0, 255).astype(np.uint8)
    return result


def _each(crops: Crops, change: Callable[[Crops], Any]) -> Crops:
    return np.stack([np.asarray(change(crop), np.uint8) for crop in crops])


def _through_jpeg(crop: Crops, quality: int) -> Any:
    _, encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)


def _draw_saturation(rng: np.random.Generator) -> float:
    return 0.0 if rng.random() < 0.12 else float(rng.uniform(0.4, 1.4))  # 0: an infrared camera at night


def _crosstalk(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a colour matrix that keeps grey and mixes the channels a little, as the filters of another sensor do."""
    mixing = rng.normal(0, 0.06, (3, 3))
    return np.eye(3) + mixing - np.diag(mixing.sum(axis=1))


def _saturation(amount: float) -> NDArray[np.float64]:
    """Return the colour matrix between grey (0) and the image itself (1); over 1 exaggerates."""
    return amount * np.eye(3) + (1 - amount) * np.tile(_GREY, (3, 1))
