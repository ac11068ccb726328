"""Homographies between what two cameras see of one ground, fitted in spite of wrong pairs. Pure.

A place is a row of six numbers: x and y of somebody's feet and the height of their body in the first camera, and the
same in the second, px. Fitted by RANSAC (Fischler and Bolles 1981, section II), locally optimised (Chum, Matas and
Kittler 2003), and by the normalised linear transform (Hartley and Zisserman 2004, algorithm 4.2).
"""

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

WIDTH = 6  # of a place
FAR = 1_000.0  # heights of bodies; the horizon
NEAR = 0.35  # heights of bodies within which feet agree with a homography
SAMPLE = 4  # places that determine one
TRIALS = 300
KEPT_TRIALS = 16  # which are fitted anew
ROUNDS = 4


def homography_of(places: Real) -> Real:
    """Return the homography with which most of `(n, p, 6)` places agree, `(3, 3)`.

    It is tried with places of different pairs, where there are enough: one pair may be nearly all in one place. The
    best trials are fitted anew to what agrees with them (Chum, Matas and Kittler 2003, locally optimised RANSAC).
    """
    rng = np.random.default_rng(0)
    pairs = rng.random((TRIALS, len(places))).argsort(1)[:, np.arange(SAMPLE) % len(places)]
    points = rng.random((TRIALS, places.shape[1])).argsort(1)[:, :SAMPLE]
    homographies = _fit(places[pairs, points], np.ones(SAMPLE))
    for _ in range(ROUNDS):
        distances = _distances_of_each(homographies, places)
        best = np.minimum(distances, NEAR).sum((1, 2)).argsort(kind="stable")[:KEPT_TRIALS]
        homographies = _fit_chosen(places, distances[best] < NEAR)
    return np.asarray(homographies[0])


def _fit_chosen(places: Real, chosen: NDArray[np.bool_]) -> Real:
    """Return the homographies `(m, 3, 3)` of those of `(n, p, 6)` places that are chosen, `(m, n, p)`."""
    return _fit(places.reshape(-1, WIDTH), chosen.reshape(*chosen.shape[:-2], -1).astype(np.float64))


def _fit(places: Real, weights: Real) -> Real:
    """Return the homographies that fit `(…, n, 6)` places with weights `(…, n)` best, `(…, 3, 3)`.

    They are as good as none where fewer than four places weigh.
    """
    (a, to_a), (b, to_b) = (_normalised(places[..., at : at + 2], weights) for at in (0, 3))
    (x, y), (u, v) = np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)
    zero, one = np.zeros_like(x), np.ones_like(x)
    across = np.stack([-x, -y, -one, zero, zero, zero, u * x, u * y, u], -1) * weights[..., None]
    down = np.stack([zero, zero, zero, -x, -y, -one, v * x, v * y, v], -1) * weights[..., None]
    squares = np.swapaxes(across, -1, -2) @ across + np.swapaxes(down, -1, -2) @ down
    values = np.linalg.eigh(squares)[1][..., 0].reshape(*squares.shape[:-2], 3, 3)
    return np.asarray(np.linalg.solve(to_b, values @ to_a))


def _normalised(points: Real, weights: Real) -> tuple[Real, Real]:
    """Return `(…, n, 2)` points moved and scaled by weights, and how, `(…, 3, 3)`.

    Those that weigh are then about the origin, at a mean distance of about one.
    """
    total = np.maximum(weights.sum(-1), 1.0)[..., None]
    centre = (weights[..., None] * points).sum(-2) / total
    away = points - centre[..., None, :]
    scale = 1.0 / np.maximum((np.abs(away).sum(-1) * weights).sum(-1)[..., None] / total, 1e-6)
    shape = np.zeros((*scale.shape[:-1], 3, 3))
    shape[..., 0, 0] = shape[..., 1, 1] = scale[..., 0]
    shape[..., :2, 2] = -centre * scale
    shape[..., 2, 2] = 1.0
    return away * scale[..., None], shape


def distances_of(homographies: Real, places: Real) -> Real:
    """Return the median distance over the times of `(…, POINTS, 6)` places; see `_distances_each`."""
    return np.asarray(np.median(_distances_of_each(homographies, places), axis=-1))


def _distances_of_each(homographies: Real, places: Real) -> Real:
    """Return how far feet are from where homographies put them, `(n, p)`, or `(m, n, p)` for m of them."""
    return apart(homographies, np.asarray(np.linalg.pinv(homographies), np.float64), places)


def apart(there: Real, back: Real, places: Real) -> Real:
    """Return how far feet are from where those in the other camera put them, heights of bodies, mean of both ways."""
    ways = (there, places[..., :2], places[..., 3:5], places[..., 5]), (
        back, places[..., 3:5], places[..., :2], places[..., 2],
    )  # fmt: skip
    with np.errstate(all="ignore"):  # feet on the horizon
        both = [np.linalg.norm(_moved(way, a) - b, axis=-1) / height for way, a, b, height in ways]
    return np.asarray(np.minimum(np.nan_to_num((both[0] + both[1]) / 2, nan=FAR), FAR))


def _moved(homographies: Real, points: Real) -> Real:
    """Return where homographies put points; each of them all."""
    flat = np.concatenate([points, np.ones((*points.shape[:-1], 1))], -1).reshape(-1, 3)
    moved = (flat @ np.swapaxes(homographies, -1, -2)).reshape(*homographies.shape[:-2], *points.shape[:-1], 3)
    return np.asarray(moved[..., :2] / moved[..., 2:])
