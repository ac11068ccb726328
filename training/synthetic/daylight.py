"""Outdoor light: sun with shadows, overcast sky, or dusk with lamps."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.mesh import Mesh
from training.synthetic.render import Window, draw_depth, look_at
from training.synthetic.shading import Light, Shade
from training.synthetic.texture import Colour

Values = NDArray[np.float64]
SUN_M = 200.0
SHADOW_MAP = 512


@dataclass(frozen=True, slots=True)
class Climate:
    """Fractions of sunny and overcast days (the rest: dusk), the sun's elevation in radians and strength, and rain."""

    sunny: float = 0.42
    overcast: float = 0.38
    sun_height: tuple[float, float] = (0.25, 1.2)
    sun: tuple[float, float] = (0.4, 1.6)
    wet: float = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """Light and weather.

    Attributes:
        sun: Unit vector towards the sun; None without sunshine.
        wetness: Factor on the ground's reflectance; 1 is dry.
    """

    light: Light
    sky: Colour
    sun: Colour | None
    wetness: float


def draw_day(rng: Generator, place: Mesh, half_x: float, half_y: float, climate: Climate) -> Day:
    """Draw the light over a place that extends `half_x`, `half_y` metres from the origin."""
    kind = rng.random()
    wetness = float(rng.uniform(0.45, 0.75)) if kind > climate.sunny and rng.random() < climate.wet else 1.0
    cool = np.exp(rng.normal(0.06, 0.06) * np.array([-1.0, 0.0, 1.0]))
    back = float(rng.uniform(0.3, 0.6))  # light reflected by the ground
    if kind < climate.sunny:
        return _sunny(
            rng,
            place,
            max(half_x, half_y) + 4.0,
            cool * rng.uniform(0.25, 0.5) * np.array([1.0, back]).reshape(2, 1),
            climate,
        )
    if kind < climate.sunny + climate.overcast:
        above = cool * rng.uniform(0.7, 1.0)
        light = Light(np.zeros((0, 6), np.float32), np.stack([above, above * back]).astype(np.float32))
        return Day(light, _colour(above * 1.2), None, wetness)
    above = cool**2 * rng.uniform(0.08, 0.3)
    lamps = np.zeros((int(rng.integers(2, 6)), 6), np.float32)
    warm = np.exp(rng.uniform(0.0, 0.25) * np.array([1.0, 0.0, -1.3]))
    for lamp in lamps:
        lamp[:3] = (rng.uniform(-half_x, half_x), rng.uniform(-half_y, half_y), rng.uniform(3.2, 6.0))
        lamp[3:] = warm * rng.uniform(2.5, 7.0)
    return Day(Light(lamps, np.stack([above, above * back]).astype(np.float32)), _colour(above), None, wetness)


def _sunny(rng: Generator, place: Mesh, reach: float, ambient: Values, climate: Climate) -> Day:
    height, around = float(rng.uniform(*climate.sun_height)), float(rng.uniform(0, 2 * np.pi))
    sun = np.array([np.cos(height) * np.cos(around), np.cos(height) * np.sin(around), np.sin(height)])
    warm = np.exp((0.22 - 0.15 * height) * np.array([1.0, 0.0, -1.2]))
    lamps = np.concatenate([sun * SUN_M, warm * rng.uniform(*climate.sun) * SUN_M**2])[None].astype(np.float32)
    camera = look_at(sun * SUN_M, np.zeros(3), SHADOW_MAP / 2 * SUN_M / reach, (SHADOW_MAP, SHADOW_MAP))
    nearest = draw_depth(place, camera, Window(0, 0, SHADOW_MAP, SHADOW_MAP))
    eye = np.concatenate([camera.position, camera.axes.reshape(-1)]).astype(np.float32)
    light = Light(lamps, ambient.astype(np.float32), Shade(eye, camera.focal, nearest))
    return Day(light, _colour(ambient[0] * 2.2), (float(sun[0]), float(sun[1]), float(sun[2])), 1.0)


def _colour(values: Values) -> Colour:
    return float(values[0]), float(values[1]), float(values[2])
