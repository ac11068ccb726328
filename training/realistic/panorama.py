"""Places that are one panorama: its light on people, its picture behind them, and flat ground under their feet."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.look import load_film
from training.synthetic.mesh import Floats, Mesh
from training.synthetic.places import FEWEST_SPOTS, FRAME_SIZES, METERED_M, OPEN, Vantage
from training.synthetic.render import Camera, look_at
from training.synthetic.response import Response, sample_response
from training.synthetic.room import Room
from training.synthetic.scene import View
from training.synthetic.shading import Light
from training.synthetic.stage import VisibilityLimits, seen_shares, standing_spots
from training.synthetic.texture import WIDTH

LAMPS = 10
FAR_M = 60.0  # distance of the lamps that stand for a panorama's light
ROUND_M = (3.5, 9.0)  # distance at which the ground ends and the panorama stands upright
CLOTH = 0.3  # reflectance of ground, by which its brightness says how much light falls on it
STRONG = 6.0  # how much brighter than the mean of the others a lamp must be to cast shadows
GROUND_CELLS = 512


@dataclass(frozen=True, slots=True)
class Stand:
    """How cameras are set up in a panorama: heights in metres, focal lengths in frame widths."""

    height_m: tuple[float, float] = (1.7, 4.5)
    focal: tuple[float, float] = (0.6, 1.7)


def draw_panorama(
    seed: int, pixels: Floats, sight: VisibilityLimits, response: Response, stand: Stand = Stand()
) -> Vantage:
    """Draw a camera in a panorama: its height and direction, how bright and how warm it is, and its response."""
    rng = np.random.default_rng([seed, 22])
    sphere = _varied(rng, pixels)
    while True:
        size = FRAME_SIZES[int(rng.integers(len(FRAME_SIZES)))]
        height = float(rng.uniform(*stand.height_m))
        reach = float(rng.uniform(*ROUND_M))
        away = float(rng.uniform(0.5, 0.95)) * reach
        camera = look_at(np.array([0.0, -away, height]), np.array([rng.uniform(-1, 1), 0.0, rng.uniform(0.4, 1.3)]),
                         size[0] * float(rng.uniform(*stand.focal)), size)  # fmt: skip
        room = _place(rng, sphere, 0.7 * reach)
        spots = standing_spots(rng, room, camera, sight)
        if len(spots) < FEWEST_SPOTS:
            continue
        view = _view(rng, room, camera, (sphere, reach), response)
        shares = seen_shares(view, spots[:, :2])
        if (shares > OPEN).sum() >= FEWEST_SPOTS:
            return Vantage(view, spots[:, :2], shares)


def _varied(rng: Generator, pixels: Floats) -> Floats:
    """Return the panorama turned, sometimes mirrored, and balanced otherwise, `(h, w, 3)`, its median at 0.25."""
    sphere = np.roll(np.asarray(pixels, np.float32), int(rng.integers(pixels.shape[1])), 1)
    if rng.random() < 0.5:
        sphere = sphere[:, ::-1]
    warm = float(rng.normal(0, 0.1))
    sphere = sphere * np.array([np.exp(warm), 1.0, np.exp(-warm)], np.float32)
    return np.asarray(sphere * (0.25 / (np.median(sphere) + 1e-4)), np.float32)


def _directions(height: int, width: int) -> NDArray[np.float64]:
    """Return the unit vector of each pixel of a panorama, `(h, w, 3)`, z up."""
    polar = (np.arange(height) + 0.5) / height * np.pi
    turn = (np.arange(width) + 0.5) / width * 2 * np.pi
    return np.stack([np.outer(np.sin(polar), np.sin(turn)), np.outer(np.sin(polar), np.cos(turn)),
                     np.outer(np.cos(polar), np.ones(width))], 2)  # fmt: skip


def light_of(sphere: Floats) -> tuple[Light, tuple[float, float, float] | None]:
    """Return lamps that light surfaces as a panorama does, and the direction of one that casts shadows.

    The sky is cut into pieces of equal light along its brightest directions (median cut, Debevec 2005, in a simple
    form: the brightest cell of a coarse map becomes a lamp with what is around it); the rest is ambient light.
    """
    small = cv2.resize(sphere, (32, 16), interpolation=cv2.INTER_AREA)
    small = np.minimum(small, np.percentile(small, 99.5) * 150 + 4.0)
    ways = _directions(16, 32)
    solid = np.sqrt(np.maximum(1 - ways[..., 2] ** 2, 0)) * (np.pi / 16) * (2 * np.pi / 32)
    flux = small * solid[..., None]
    lamps = []
    for _ in range(LAMPS):
        best = ways.reshape(-1, 3)[int(flux.sum(2).argmax())]
        near = (ways @ best > 0.9) & (flux.sum(2) > 0)
        colour = flux[near].sum(0)
        way = (ways[near] * flux[near].sum(1)[:, None]).sum(0)
        lamps.append(np.concatenate([way / np.linalg.norm(way) * FAR_M, colour / np.pi * (FAR_M**2 + 0.5)]))
        flux[near] = 0
    up, down = ways[..., 2] > 0, ways[..., 2] <= 0
    ambient = np.stack([flux[up].sum(0) / np.pi, flux[down].sum(0) / np.pi])
    table = np.array(lamps, np.float32)
    power = table[:, 3:].sum(1)
    order = np.argsort(-power)
    first = order[0]
    sunny = power[first] > STRONG * power[order[1:]].mean() and table[first, 2] > 0.25 * FAR_M
    sun = table[first, :3] / FAR_M
    direction = (float(sun[0]), float(sun[1]), float(sun[2])) if sunny else None
    return Light(np.ascontiguousarray(table[order]), np.asarray(ambient, np.float32)), direction


def _place(rng: Generator, sphere: Floats, half_m: float) -> Room:
    light, sun = light_of(sphere)
    upright = np.maximum(light.lamps[:, 2] / FAR_M, 0)
    falling = float((upright @ light.lamps[:, 3:]).mean()) / (FAR_M**2 + 0.5) + float(light.ambient[0].mean())
    ground = sphere[sphere.shape[0] * 5 // 8 :].mean()
    scale = np.float32(ground / CLOTH / falling * np.exp(rng.normal(0, 0.2)))
    lamps = light.lamps * np.array([1, 1, 1, scale, scale, scale], np.float32)
    light = Light(lamps, np.asarray(light.ambient * scale, np.float32))
    no, none = np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    nothing = Mesh(no, no, no, np.zeros(0, np.int32), none)
    return Room(
        nothing, np.zeros((1, WIDTH), np.float32), light, half_m, half_m, (), sun=sun, seats=False, shadows=True
    )


def _view(rng: Generator, room: Room, camera: Camera, around: tuple[Floats, float], response: Response) -> View:
    """Return the camera's picture of a panorama that lies on the ground up to some metres, and stands up beyond."""
    sphere, reach = around
    y, x = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float64) + 0.5
    rays = np.stack([(x - camera.width / 2) / camera.focal, (y - camera.height / 2) / camera.focal, np.ones_like(x)], 2)
    ways = rays @ camera.axes
    ground = np.where(ways[..., 2] < -1e-3, -camera.position[2] / np.minimum(ways[..., 2], -1e-3), 1e6)
    depth = np.minimum(ground, _upright(camera.position, ways, reach))
    hit = camera.position + ways * depth[..., None]
    seen_from = np.array([0.0, 0.0, float(rng.uniform(1.3, 2.0))])  # where the panorama was taken
    background = _looked_up(sphere, hit - seen_from) * _detail(rng, hit, ground, camera)
    inverse = (1 / depth).astype(np.float32)
    look = sample_response(rng, camera.height, response)
    near = background[inverse > 1 / METERED_M]
    level = float(np.minimum(near if len(near) else background, 1.5).mean()) + 1e-4
    gain = look.level / level
    return View(room, camera, load_film(look, camera.width, camera.height), background, inverse, gain)


def _upright(eye: NDArray[np.float64], ways: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Return how far along each ray the cylinder of a radius around the origin is, `(h, w)`."""
    a = np.maximum((ways[..., :2] ** 2).sum(2), 1e-9)
    b = ways[..., :2] @ eye[:2]
    c = float((eye[:2] ** 2).sum()) - reach**2
    return np.asarray((-b + np.sqrt(np.maximum(b * b - a * c, 0))) / a)


def _looked_up(sphere: Floats, ways: NDArray[np.float64]) -> Floats:
    """Return the panorama's light from each direction, `(h, w, 3)`, bounded as a sensor bounds it."""
    height, width = sphere.shape[:2]
    unit = ways / np.linalg.norm(ways, axis=2, keepdims=True)
    u = (np.arctan2(unit[..., 0], unit[..., 1]) / (2 * np.pi) % 1.0) * width
    v = np.arccos(np.clip(unit[..., 2], -1, 1)) / np.pi * height
    bounded = np.minimum(sphere, 4.0).astype(np.float32)
    return np.asarray(cv2.remap(bounded, u.astype(np.float32), v.astype(np.float32), cv2.INTER_CUBIC,
                                borderMode=cv2.BORDER_WRAP).clip(0), np.float32)  # fmt: skip


def _detail(rng: Generator, hit: NDArray[np.float64], depth: NDArray[np.float64], camera: Camera) -> Floats:
    """Return factors `(h, w, 1)` that give the fine detail that small panoramas lack; ground is `depth` away."""
    tile = np.zeros((GROUND_CELLS, GROUND_CELLS), np.float32)
    for octave in range(3, 9):
        cells = 1 << octave
        rough = rng.normal(0, 1, (cells, cells)).astype(np.float32)
        tile += cv2.resize(rough, (GROUND_CELLS, GROUND_CELLS), interpolation=cv2.INTER_CUBIC) * 0.8 ** (octave - 3)
    tile *= float(rng.uniform(0.03, 0.12)) / float(tile.std())
    scale = GROUND_CELLS / 4.0
    u = np.where(depth < 40, hit[..., 0] * scale, np.arange(camera.width)[None] * 1.0) % GROUND_CELLS
    v = np.where(depth < 40, hit[..., 1] * scale, np.arange(camera.height)[:, None] * 1.0) % GROUND_CELLS
    found = cv2.remap(tile, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return np.asarray(np.exp(found)[..., None], np.float32)
