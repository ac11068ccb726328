"""The floor of a generated site: where its people walk, and where each camera sees them. Pure."""

import numpy as np
from numpy.typing import NDArray

SIZE_M = np.array((12.0, 8.0))
LEG_S = 4.0  # somebody walks straight on for this long
BODY_M = (1.55, 1.9)
SHOULDERS = 0.4  # of a body's height, the width of its box
CAMERA_M = 2.8  # height of cameras, which look at the middle of the floor from its edge
FOCAL_PX = 420.0
CENTRE_PX = np.array((320.0, 180.0))
LOOSE = 0.03  # of a body's height, by which edges of boxes are wrong

Real = NDArray[np.float64]


class Floor:
    """People who walk between random places, before cameras that all look at the same floor."""

    def __init__(self, cameras: int, seed: int) -> None:
        self._seed = seed
        rng = np.random.default_rng([seed, 53])
        angles = rng.uniform(0, 2 * np.pi, cameras)
        away = np.stack([np.cos(angles), np.sin(angles)], 1) * (SIZE_M / 2 + 1.0)
        self._eyes = np.hstack([SIZE_M / 2 + away, np.full((cameras, 1), CAMERA_M)])
        self._targets = np.hstack([SIZE_M / 2 + rng.normal(0, 0.7, (cameras, 2)), np.full((cameras, 1), 0.8)])

    def boxes(self, person: int, camera: int, times_s: Real) -> Real:
        """Return the boxes of a person at n times, `(n, 4)`: xyxy px."""
        rng = np.random.default_rng([self._seed, 59, person, camera, int(times_s[0] * 1_000)])
        feet = np.hstack([self._way(person, times_s), np.zeros((len(times_s), 1))])
        tall = np.random.default_rng([self._seed, 61, person]).uniform(*BODY_M)
        bottom, top = self._seen(camera, feet), self._seen(camera, feet + np.array((0.0, 0.0, tall)))
        height = np.maximum(bottom[:, 1] - top[:, 1], 8.0)
        half = height * SHOULDERS / 2
        edges = np.stack([bottom[:, 0] - half, bottom[:, 1] - height, bottom[:, 0] + half, bottom[:, 1]], 1)
        return np.asarray(edges + rng.normal(0, LOOSE, edges.shape) * height[:, None])

    def _way(self, person: int, times_s: Real) -> Real:
        """Return where a person is at some times, `(n, 2)` m."""
        legs = np.floor(times_s / LEG_S).astype(np.int64)
        turns = {leg: self._turn(person, leg) for leg in {*legs.tolist(), *(legs + 1).tolist()}}
        share = (times_s / LEG_S - legs)[:, None]
        return np.asarray((1 - share) * [turns[leg] for leg in legs] + share * [turns[leg + 1] for leg in legs])

    def _turn(self, person: int, leg: int) -> Real:
        return np.asarray(np.random.default_rng([self._seed, 67, person, leg]).uniform(0.5, SIZE_M - 0.5))

    def _seen(self, camera: int, points: Real) -> Real:
        """Return where a camera sees `(n, 3)` points in m, `(n, 2)` px."""
        eye = self._eyes[camera]
        ahead = self._targets[camera] - eye
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        turned = (points - eye) @ np.stack([right, np.cross(ahead, right), ahead]).T
        return np.asarray(CENTRE_PX + FOCAL_PX * turned[:, :2] / np.maximum(turned[:, 2:], 0.3))
