"""Where training people are seen: a camera of a generated place, and how well it sees each point of the ground."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.synthetic.response import sample_response
from training.synthetic.room import Room, build_room
from training.synthetic.scene import View, open_view, place_camera
from training.synthetic.stage import FRAME_SIZES, Sight, exposure, standing_spots

OPEN = 0.9  # share of a person that counts as seen in full
FEWEST_SPOTS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Vantage:
    """A camera's view and the ground it sees people on.

    Attributes:
        spots: `(n, 2)` float64 metres.
        shares: `(n,)` float64, 0..1, of somebody on a spot that neither the frame nor furniture hides.
    """

    view: View
    spots: NDArray[np.float64]
    shares: NDArray[np.float64]


def draw_vantage(seed: int, sight: Sight) -> Vantage:
    """Draw a camera: place, position, response; again where it hardly sees anybody in full."""
    rng = np.random.default_rng([seed, 8])
    while True:
        size = FRAME_SIZES[int(rng.integers(len(FRAME_SIZES)))]
        room = _indoors(rng)
        camera = place_camera(rng, room, size)
        spots = standing_spots(rng, room, camera, sight)
        if len(spots) < FEWEST_SPOTS:
            continue
        view = open_view(room, camera, sample_response(rng, size[1]))
        shares = exposure(view, spots[:, :2])
        if (shares > OPEN).sum() >= FEWEST_SPOTS:
            return Vantage(view, spots[:, :2], shares)


def _indoors(rng: Generator) -> Room:
    return build_room(rng, float(rng.uniform(3.0, 7.0)), float(rng.uniform(2.5, 6.0)), int(rng.integers(2, 13)))
