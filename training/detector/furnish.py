"""What stands around in a detector frame: things mistaken for people, behind, beside and in front of them."""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from training.detector.objects import thing
from training.detector.seats import office_chair, wheelchair, workplace
from training.detector.shapes import lifted, sample_materials
from training.synthetic.figure import Figure
from training.synthetic.mesh import moved
from training.synthetic.pose import sample_manner
from training.synthetic.room import chair, shelf_of_goods
from training.synthetic.scene import Actor, Thing
from training.synthetic.stage import Stage

AMOUNTS = ((0, 1), (1, 5), (5, 12), (12, 26))  # of things, the end not included
AMOUNT_SHARES = (0.15, 0.4, 0.3, 0.15)
Pick = tuple[float, float]


def furnished(rng: Generator, stage: Stage, crowd: list[Figure]) -> list[Thing]:
    """Draw what stands around: mixed things or many of one kind, shelves of goods, clothes without anybody in them."""
    found: list[Thing] = []
    low, high = AMOUNTS[int(rng.choice(len(AMOUNTS), p=AMOUNT_SHARES))]
    near = stage.spots[:, 2] / stage.spots[:, 2].sum()  # empty chairs are mistaken when they are large
    nearer = near if rng.random() < 0.5 else None
    alike = rng.random() < 0.35
    mesh, materials = thing(rng), sample_materials(rng)
    for spot in rng.choice(len(stage.spots), int(rng.integers(low, high)), p=nearer):
        if not alike:
            mesh, materials = thing(rng), sample_materials(rng)
        turn = float(rng.uniform(0, 2 * np.pi))
        raised = lifted(mesh, float(rng.uniform(0.4, 1.2))) if rng.random() < 0.06 else mesh
        found.append(Thing(moved(raised, float(stage.spots[spot, 0]), float(stage.spots[spot, 1]), turn), materials))
    if rng.random() < 0.25:
        found += _shelves(rng, stage)
    if rng.random() < 0.15:
        found += [_clothes(rng, stage, crowd) for _ in range(int(rng.integers(1, 4)))]
    return found


def _shelves(rng: Generator, stage: Stage) -> list[Thing]:
    found = []
    for _ in range(int(rng.integers(1, 6))):
        x, y = _spot(rng, stage)
        materials = sample_materials(rng)
        rows = np.concatenate([materials, materials[:1]])  # the shelf of a room has one row more
        found.append(Thing(moved(shelf_of_goods(rng), x, y, float(rng.choice([0.0, np.pi / 2]))), rows))
    return found


def _clothes(rng: Generator, stage: Stage, crowd: list[Figure]) -> Thing:
    """Return a person's clothes as they hang on a hook, or on a dummy: nobody's head and hands, seldom with legs."""
    figure = crowd[int(rng.integers(len(crowd)))]
    x, y = _spot(rng, stage)
    actor = Actor(figure, sample_manner(rng, walking=False), x, y, float(rng.uniform(0, 6.28)), 0.0)
    mesh = actor.mesh()
    rest = mesh.rest[mesh.triangles].mean(1)
    low = 0.8 if rng.random() < 0.8 else 0.1
    inside = (rest[:, 2] > low) & (rest[:, 2] < 1.46)
    return Thing(replace(mesh, triangles=np.ascontiguousarray(mesh.triangles[inside])), figure.materials)


def around_somebody(rng: Generator, stage: Stage, x: float, y: float, heading: float, *, seated: bool) -> list[Thing]:
    """Draw what belongs to a person: the seat, the desk before it, and what stands between them and the camera."""
    found = []
    if seated:
        seat, desk = rng.random(), rng.random()
        if seat < 0.3 and stage.view.room.seats:
            found.append(Thing(moved(chair(rng), x, y, heading), stage.view.room.materials))
        elif seat < 0.85:
            mesh = wheelchair(rng) if seat < 0.4 else office_chair(rng)
            found.append(Thing(moved(mesh, x, y, heading), sample_materials(rng)))
        if desk < 0.5:
            away = float(rng.uniform(0.55, 0.8))
            ahead = (x - away * float(np.sin(heading)), y + away * float(np.cos(heading)))
            found.append(Thing(moved(workplace(rng), *ahead, heading + np.pi), sample_materials(rng)))
    if rng.random() < 0.12:
        eye = stage.view.camera.position[:2] - (x, y)
        near = eye / max(1e-6, float(np.hypot(*eye))) * rng.uniform(0.35, 1.2)
        before = (x + float(near[0]), y + float(near[1]))
        found.append(Thing(moved(thing(rng), *before, float(rng.uniform(0, 6.28))), sample_materials(rng)))
    return found


def _spot(rng: Generator, stage: Stage) -> Pick:
    x, y, _ = stage.spots[int(rng.integers(len(stage.spots)))]
    return float(x), float(y)
