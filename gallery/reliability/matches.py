"""Hold the matches of a gallery against the truth: whom each tracklet really shows, and whether its match is right."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gallery.reliability.certain import Leg, leg_of
from gallery.score.first_frame import FirstFrame, aligned
from gallery.score.mot import Boxes
from gallery.score.scene import SAME_BOX, make_scene
from gallery.store.store import StoredTracklet

MOSTLY = 0.5  # share of a tracklet's boxes that must show one person


@dataclass(frozen=True, slots=True)
class Judged:
    """Matches held against the truth.

    Attributes:
        stated: The probability of each match, as it was stated.
        right: Whether each match was right.
        nobody: Number of other matches whose tracklets show nobody of the truth, or several people in turn.
        alone: Number of other matches whose identity has no other tracklet that shows one person.
    """

    stated: tuple[float, ...]
    right: tuple[bool, ...]
    nobody: int
    alone: int


def people_of(
    rows: Sequence[StoredTracklet],
    truth: Mapping[str, Boxes],
    first: FirstFrame,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, int]:
    """Return the person whom each tracklet shows in most of its boxes, by tracklet_id; others are left out.

    Args:
        rows: Tracklets of the cameras of the truth.
        truth: Boxes of people by camera, with one number per person everywhere.
        first: Number of the first frame of the truth; that of tracklets is 1.
        report: Called with a message if frames are counted differently.
    """
    of_camera: dict[str, list[StoredTracklet]] = defaultdict(list)
    for row in rows:
        of_camera[row.tracklet.camera_id].append(row)
    found = {camera: _boxes(of_camera[camera]) for camera in truth if camera in of_camera}
    people: dict[str, int] = {}
    for camera, boxes in aligned(truth, found, first, report).items():
        people |= _people(of_camera[camera], truth[camera], boxes)
    return people


def judged(rows: Sequence[StoredTracklet], people: Mapping[str, int]) -> Judged:
    """Return which matches were right: the rest of the identity, weighed by its boxes, shows the tracklet's person.

    Of one leg of a track only the first part was matched, so all its parts count as one tracklet here.
    """
    owned: dict[int, Counter[tuple[Leg, int]]] = defaultdict(Counter)
    for row in rows:
        person = people.get(row.tracklet.tracklet_id)
        if row.identity_id is not None and person is not None:
            owned[row.identity_id][leg_of(row.tracklet), person] += len(row.tracklet.times_ns)
    verdicts: list[tuple[float, bool]] = []
    nobody = alone = 0
    for row in filter(is_match, rows):
        person = people.get(row.tracklet.tracklet_id)
        rest = _rest(owned[row.identity_id or 0], leg_of(row.tracklet))
        if person is None:
            nobody += 1
        elif not rest:
            alone += 1
        else:
            verdicts.append((row.probability, rest[person] == max(rest.values())))
    return Judged(tuple(p for p, _ in verdicts), tuple(good for _, good in verdicts), nobody, alone)


def is_match(row: StoredTracklet) -> bool:
    """Return whether a tracklet was matched by its looks.

    The first tracklets of a new identity and later parts of a leg have probability 1, which no similarity reaches.
    """
    return row.identity_id is not None and 0 < row.probability < 1


def _rest(owned: Mapping[tuple[Leg, int], int], without: Leg) -> Counter[int]:
    """Return the boxes of each person in an identity without one leg."""
    rest: Counter[int] = Counter()
    for (leg, person), boxes in owned.items():
        if leg != without:
            rest[person] += boxes
    return rest


def _boxes(rows: Sequence[StoredTracklet]) -> Boxes:
    """Return the boxes of tracklets of one camera, with the place of each tracklet as its id."""
    sizes = [len(row.tracklet.frames) for row in rows]
    corners = np.concatenate([row.tracklet.boxes for row in rows]).astype(np.float64)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    frames = np.concatenate([row.tracklet.frames for row in rows]).astype(np.int64)
    ids = np.repeat(np.arange(len(rows)), sizes)
    _, once = np.unique(np.stack([ids, frames], axis=1), axis=0, return_index=True)
    return Boxes(frames[once], ids[once], boxes[once], np.ones(len(once), np.bool_))


def _people(rows: Sequence[StoredTracklet], truth: Boxes, found: Boxes) -> dict[str, int]:
    scene = make_scene(truth, found)
    close = scene.iou >= SAME_BOX
    pairs = zip(scene.found.ids[scene.other[close]].tolist(), scene.truth.ids[scene.true[close]].tolist(), strict=True)
    shown: dict[int, Counter[int]] = defaultdict(Counter)
    for place, person in pairs:
        shown[place][person] += 1
    sizes = Counter(scene.found.ids.tolist())
    best = {place: counts.most_common(1)[0] for place, counts in shown.items()}
    return {
        rows[place].tracklet.tracklet_id: person
        for place, (person, boxes) in best.items()
        if boxes > MOSTLY * sizes[place]
    }
