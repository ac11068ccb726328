"""Cameras in generated places for training, and how well each sees every point of the ground."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.look import Look
from training.synthetic.outdoor import Yard, build_yard
from training.synthetic.render import Camera, look_at
from training.synthetic.response import Range, Response, sample_response
from training.synthetic.room import Room, build_room
from training.synthetic.scene import View, open_view, place_camera
from training.synthetic.stage import VisibilityLimits, seen_shares, standing_spots

OPEN = 0.9  # visible fraction of a person that counts as fully visible
FEWEST_SPOTS = 12
NEAR_PX = 140.0
CAMERAS_TRIED = 5
FRAME_SIZES = ((512, 288), (576, 324), (640, 360))
METERED_M = 25.0


@dataclass(frozen=True, slots=True)
class Hall:
    """Rooms: half sizes in metres, and the number of pieces of furniture, end exclusive."""

    half_x: Range = (2.6, 8.5)
    half_y: Range = (2.4, 7.5)
    pieces: tuple[int, int] = (0, 13)


@dataclass(frozen=True, slots=True)
class Mast:
    """Outdoor cameras: a fraction `low` is mounted low; heights in metres; focal length in frame widths."""

    low: float = 0.66
    low_m: Range = (1.6, 4.0)
    high_m: Range = (4.0, 7.5)
    focal: Range = (0.6, 2.0)


@dataclass(frozen=True, slots=True)
class Places:
    """Distribution of places and cameras.

    Attributes:
        outdoors: Fraction of cameras that are outdoors.
        fog: Fraction of outdoor cameras in fog.
    """

    outdoors: float = 0.6
    fog: float = 0.09
    yard: Yard = field(default_factory=Yard)
    hall: Hall = field(default_factory=Hall)
    mast: Mast = field(default_factory=Mast)
    response: Response = field(default_factory=Response)


@dataclass(frozen=True, slots=True, eq=False)
class Vantage:
    """A camera's view and the ground it sees people on.

    Attributes:
        spots: `(n, 2)` float64 metres.
        shares: `(n,)` float64, 0..1, visible fraction of a person on each spot.
    """

    view: View
    spots: NDArray[np.float64]
    shares: NDArray[np.float64]


def draw_vantage(seed: int, sight: VisibilityLimits, places: Places) -> Vantage:
    """Draw a camera: place, position, response; redraw if it hardly sees anyone in full."""
    rng = np.random.default_rng([seed, 8])
    while True:
        outdoors = bool(rng.random() < places.outdoors)
        room = build_yard(rng, places.yard) if outdoors else _indoors(rng, places.hall)
        for _ in range(CAMERAS_TRIED):
            size = FRAME_SIZES[int(rng.integers(len(FRAME_SIZES)))]
            camera = _over(rng, room, size, places.mast) if outdoors else place_camera(rng, room, size)
            spots = standing_spots(rng, room, camera, sight)
            # Distant ground is large and people on it are small, so nearer spots are drawn more often.
            spots = spots[rng.random(len(spots)) < spots[:, 2] / NEAR_PX]
            if len(spots) < FEWEST_SPOTS:
                continue
            view = _metered(open_view(room, camera, _response(rng, size[1], places, outdoors=outdoors)))
            shares = seen_shares(view, spots[:, :2])
            if (shares > OPEN).sum() >= FEWEST_SPOTS:
                return Vantage(view, spots[:, :2], shares)


def _response(rng: Generator, height: int, places: Places, *, outdoors: bool) -> Look:
    """Draw a camera's response, sometimes with fog in front of it."""
    look = sample_response(rng, height, places.response)
    if outdoors and rng.random() < places.fog:
        veil = float(rng.uniform(0.04, 0.11))
        return replace(look, haze=(veil, veil, 1.05 * veil))
    return look


def _metered(view: View) -> View:
    """Return the view exposed for nearby surfaces, not for the sky."""
    near = view.background[view.inverse_depth > 1 / METERED_M]
    return replace(view, gain=view.film.look.level / float(np.minimum(near, 1.5).mean() + 1e-4))


def _over(rng: Generator, yard: Room, size: tuple[int, int], mast: Mast) -> Camera:
    """Draw a camera at the border of an outdoor place, looking down at people."""
    around = float(rng.uniform(0, 2 * np.pi))
    height = float(rng.uniform(*mast.low_m) if rng.random() < mast.low else rng.uniform(*mast.high_m))
    x, y = (0.95 * half * v for half, v in ((yard.half_x, np.cos(around)), (yard.half_y, np.sin(around))))
    target = np.array([rng.uniform(-0.4, 0.4) * yard.half_x, rng.uniform(-0.4, 0.4) * yard.half_y, 0.8])
    return look_at(np.array([x, y, height]), target, size[0] * float(rng.uniform(*mast.focal)), size)


def _indoors(rng: Generator, hall: Hall) -> Room:
    return build_room(
        rng, float(rng.uniform(*hall.half_x)), float(rng.uniform(*hall.half_y)), int(rng.integers(*hall.pieces))
    )
