"""Put more into a picture: people in front, things behind and before them, other surfaces and other light on people."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.detector.clutter import textured
from training.detector.cutouts import Cutout, paste, resized, scrambled, shapeless
from training.detector.frames import NOBODY, LabelledFrame, boxes_of
from training.detector.props import Props

Image = NDArray[np.uint8]

MOST_PEOPLE = 40
LOWEST_PX = 22  # height of who is pasted


def with_people(rng: Generator, props: Props, scene: LabelledFrame, count: int) -> LabelledFrame:
    """Put people anywhere and of any size, in front of who is there; half of the time they stand together."""
    image, owners, whole = scene.image.copy(), scene.owners.copy(), list(scene.whole)
    height, width = owners.shape
    tall = _log_uniform(rng, LOWEST_PX, 1.2 * height)
    apart = rng.random() < 0.5
    middle = (float(rng.uniform(0, width)), float(rng.uniform(0.3, 1.1) * height))  # feet of a group
    for _ in range(count):
        if apart and rng.random() < 0.4:
            tall = _log_uniform(rng, LOWEST_PX, 1.2 * height)
        size = tall * float(np.exp(rng.normal(0, 0.12)))
        person = props.person()
        person = resized(rng, person, min(size / person.cover.shape[0], 2.5))
        h, w = person.cover.shape
        if apart:
            at = (int(rng.uniform(-0.4 * w, width - 0.6 * w)), int(rng.uniform(-0.3 * h, height - 0.5 * h)))
        else:
            at = (int(middle[0] + rng.normal(0, 0.35) * tall - w / 2), int(middle[1] + rng.normal(0, 0.08) * tall - h))
        if len(whole) < MOST_PEOPLE:
            whole.append(float(np.count_nonzero(person.cover > 127)))
            paste(image, owners, person, at, len(whole))
    return LabelledFrame(image, owners, np.array(whole))


def with_occluders(rng: Generator, props: Props, scene: LabelledFrame) -> LabelledFrame:
    """Hide parts of some people behind counters, pillars and the like."""
    image, owners = scene.image.copy(), scene.owners.copy()
    boxes, seen = boxes_of(owners, len(scene.whole))
    things = props.backdrop(*owners.shape)
    for left, top, right, bottom in boxes[seen > 0].astype(int):
        if rng.random() < 0.5:
            continue
        h, w = bottom - top, right - left
        if rng.random() < 0.6:  # a counter, a table, a car
            cut = (left - int(w * rng.uniform(0, 1)), top + int(h * rng.uniform(0.4, 0.95)),
                   right + int(w * rng.uniform(0, 1)), bottom + 8)  # fmt: skip
        else:  # a pillar, a door
            side = left + int(w * rng.uniform(-0.3, 0.8))
            cut = (side, top - int(0.3 * h), side + max(2, int(w * rng.uniform(0.15, 0.8))), bottom + 8)
        rows, columns = slice(max(0, cut[1]), max(0, cut[3])), slice(max(0, cut[0]), max(0, cut[2]))
        image[rows, columns], owners[rows, columns] = things[rows, columns], NOBODY
    return replace(scene, image=image, owners=owners)


def with_things(rng: Generator, props: Props, scene: LabelledFrame, count: int) -> LabelledFrame:
    """Put things that are nobody behind people, seldom before them: shapeless ones, and people's clothes scrambled."""
    image, owners = scene.image.copy(), scene.owners.copy()
    height, width = owners.shape
    for _ in range(count):
        tall = int(_log_uniform(rng, 12, 0.9 * height))
        thing = _thing(rng, props, tall)
        h, w = thing.cover.shape
        at = (int(rng.uniform(-0.4 * w, width - 0.6 * w)), int(rng.uniform(-0.3 * h, height - 0.6 * h)))
        paste(image, owners, thing, at, NOBODY, behind=bool(rng.random() < 0.75))
    return replace(scene, image=image, owners=owners)


def _thing(rng: Generator, props: Props, tall: int) -> Cutout:
    if props.empty or rng.random() < 0.7:
        return shapeless(rng, tall, props.backdrop(max(8, tall), max(8, tall)))
    if rng.random() < 0.4:  # a person's cloth on something else
        person = props.person()
        h, w = person.cover.shape
        return shapeless(rng, tall, np.ascontiguousarray(person.image[h // 4 : h // 2 + 1, w // 4 : 3 * w // 4 + 1]))
    person = props.person()
    return scrambled(rng, resized(rng, person, min(2.5, tall / person.cover.shape[0])))


def on_other_background(rng: Generator, props: Props, scene: LabelledFrame) -> LabelledFrame:
    """Replace what is behind the people, wholly or in part, or give it the texture of something else."""
    behind = props.backdrop(*scene.owners.shape)
    share = float(rng.uniform(0.3, 1.0))
    if rng.random() < 0.6:
        behind, share = textured(scene.image, behind, float(rng.uniform(0.15, 0.8))), 1.0
    if rng.random() < 0.15:  # light falls on everybody alike
        return replace(scene, image=textured(scene.image, props.backdrop(*scene.owners.shape), 0.4 * share))
    cover = cv2.GaussianBlur((scene.owners == NOBODY).astype(np.float32), (3, 3), 0)[..., None] * np.float32(share)
    return replace(scene, image=(scene.image * (1 - cover) + behind * cover).astype(np.uint8))


def with_people_relit(rng: Generator, scene: LabelledFrame) -> LabelledFrame:
    """Darken some people, and fade some into what is around them: dark clothes before something dark, mist, glare."""
    gains = np.ones((len(scene.whole) + 1, 1), np.float32)
    dark = rng.random(len(scene.whole)) < 0.6
    gains[1:, 0] = np.where(dark, np.exp(rng.uniform(-1.6, 0.2, len(scene.whole))), 1)
    gain = cv2.GaussianBlur(gains[np.minimum(scene.owners, len(scene.whole)), 0], (3, 3), 0)[..., None]
    around = cv2.blur(scene.image, (31, 31)).astype(np.float32)
    faded = (gain < 0.999) * np.float32(rng.uniform(0, 0.5) if rng.random() < 0.4 else 0)
    image = scene.image * gain * (1 - faded) + around * faded
    return replace(scene, image=np.clip(image, 0, 255).astype(np.uint8))


def _log_uniform(rng: Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
