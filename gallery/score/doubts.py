"""What makes a score suspicious: mistakes in what is compared, which look like a poor tracker."""

from collections.abc import Iterator

import numpy as np

from gallery.score.presence import Matched

_MUCH = 0.2


def doubts(camera: str, matched: Matched) -> Iterator[str]:
    """Yield a sentence about each thing that suggests that truth and tracks of a camera do not belong together."""
    scene = matched.scene
    truth, tracks = (np.unique(scene.frames[side.places]) for side in (scene.truth, scene.found))
    if not len(truth) or not len(tracks):
        return
    if not len(np.intersect1d(truth, tracks)):
        yield (
            f"{camera}: truth and tracks have no frame in common ({truth[0]}-{truth[-1]} and {tracks[0]}-{tracks[-1]}"
            "), so nobody is found there. Are they of the same recording, at the same frame rate?"
        )
    elif not len(matched.rows):
        yield (
            f"{camera}: no box of the tracks overlaps a true one by half, so nobody is found there (the largest "
            f"overlap is {scene.iou.max(initial=0.0):.2f}). Are both left, top, width and height in pixels of the same "
            "video?"
        )
    outside = (scene.frames[scene.found.places] < truth[0]) | (scene.frames[scene.found.places] > truth[-1])
    if len(matched.rows) and outside.mean() > _MUCH:
        yield (
            f"{camera}: the truth has people in frames {truth[0]}-{truth[-1]}, and {outside.sum()} boxes of the tracks "
            "are outside, where they count as wrong; cut the tracks if the truth covers only a part of the video"
        )
    step = int(np.gcd.reduce(np.diff(truth))) if len(truth) > 2 else 1
    between = (scene.frames[scene.found.places] - truth[0]) % max(1, step) != 0
    if between.any():
        yield (
            f"{camera}: the truth has only every {step}th frame, so {between.sum()} boxes of the tracks in other "
            "frames count as wrong; leave these out to score the frames that have a truth"
        )
