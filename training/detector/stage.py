"""Places and cameras of detector frames: at eye level to nearly overhead, narrow to very wide, by day and by night."""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from training.synthetic.look import Look, sample_look
from training.synthetic.outdoor import build_yard
from training.synthetic.places import Places
from training.synthetic.render import Camera, Window, draw, look_at
from training.synthetic.response import sample_response
from training.synthetic.room import Room, build_room
from training.synthetic.scene import View, open_view
from training.synthetic.stage import Stage, VisibilityLimits, standing_spots

# From 22 px tall to so near that the frame cuts head and legs off.
SIGHT = VisibilityLimits(22.0, 900.0, above=0.6, below=0.65)
FRAME_SIZES = ((640, 360), (640, 360), (768, 432), (512, 288), (480, 360), (416, 416), (360, 640))
FEWEST_SPOTS = 8
SAMPLES = 2  # of a pixel along an axis: cameras have no jagged edges
REACH_M = 25.0  # outdoors, what is further away does not decide the exposure


def draw_stage(rng: Generator) -> Stage:
    """Draw a place and a camera in it that sees its floor: from eye level to nearly overhead, narrow to very wide."""
    places = Places()
    while True:
        outdoors = bool(rng.random() < 0.4)
        if outdoors:
            room = build_yard(rng, places.yard)
        else:
            room = build_room(rng, float(rng.uniform(2.4, 9.0)), float(rng.uniform(2.2, 8.0)), int(rng.integers(1, 26)))
        size = FRAME_SIZES[int(rng.integers(len(FRAME_SIZES)))]
        camera = _camera(rng, room, size, outdoors=outdoors)
        spots = standing_spots(rng, room, camera, SIGHT)
        if len(spots) < FEWEST_SPOTS:
            continue
        poor = rng.random() < 0.4
        look = sample_look(rng, size[1]) if poor else sample_response(rng, size[1], places.response)
        if rng.random() < 0.06:
            look = _infrared(rng, look)
        view = smoothed(open_view(room, camera, look))
        if outdoors:
            near = view.background[view.inverse_depth > 1 / REACH_M]
            view = replace(view, gain=look.level / float(np.minimum(near, 1.5).mean() + 1e-4))
        return Stage(view, spots)


def smoothed(view: View) -> View:
    """Return a view whose background is drawn without jagged edges."""
    window = Window(0, 0, view.camera.width, view.camera.height, SAMPLES)
    room = view.room
    layer = draw(room.mesh, room.materials, view.camera, room.light, window)
    sky = (1.0 - layer.cover[..., None]) * np.array(room.sky, np.float32)
    return replace(view, background=np.asarray(layer.rgb + sky, np.float32))


def _infrared(rng: Generator, look: Look) -> Look:
    """Return the response of a camera at night: no colour, noise, bright in the middle."""
    noise, level = float(rng.uniform(2, 9)), float(rng.uniform(0.1, 0.3))
    return replace(look, saturation=0.0, noise=noise, vignette=0.5, level=level)


def _camera(rng: Generator, room: Room, size: tuple[int, int], *, outdoors: bool) -> Camera:
    """Draw a camera near the border of a place, looking in."""
    around = float(rng.uniform(0, 2 * np.pi))
    x, y = 0.93 * room.half_x * np.cos(around), 0.93 * room.half_y * np.sin(around)
    top = 6.5 if outdoors else 2.9
    height = float(rng.uniform(1.0, 1.9) if rng.random() < 0.25 else rng.uniform(1.9, top))
    target = np.array(
        [rng.uniform(-0.5, 0.5) * room.half_x, rng.uniform(-0.5, 0.5) * room.half_y, rng.uniform(0.0, 1.2)]
    )
    wide = max(size) * float(np.exp(rng.uniform(np.log(0.42), np.log(1.7 if outdoors else 1.2))))
    return look_at(np.array([x, y, height]), target, wide, size)
