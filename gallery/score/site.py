"""Score the cameras of a site, from MOTChallenge text with one file per camera and one number per person everywhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gallery.errors import ScoreError
from gallery.score.clock import Clock, frame_rate, make_clock
from gallery.score.doubts import doubts
from gallery.score.first_frame import FirstFrame, aligned, first_of_truth
from gallery.score.measures import clear, hota, identity
from gallery.score.measures.clear import ClearScore
from gallery.score.measures.confusion import Confusion, merges, splits
from gallery.score.measures.hota import HotaScore
from gallery.score.measures.identification import Identification, identification
from gallery.score.measures.identity import IdentityScore
from gallery.score.measures.links import Links, links
from gallery.score.mot import NO_BOXES, Boxes, read_boxes
from gallery.score.overlap import Rows
from gallery.score.presence import Matched, Shown, Visit, shown, visits
from gallery.score.scene import Scene, group, joined, make_scene
from gallery.score.sequences import find_sequences, paired

_FIND_OUT = FirstFrame()
_FRAMES = Clock({})


@dataclass(frozen=True, slots=True)
class Score:
    """The measures of one camera, or of several.

    Attributes:
        identity: IDF1, IDP, IDR.
        hota: HOTA, with the best matching of boxes in each frame.
        reid_hota: HOTA in which a person may have one number only.
        clear: MOTA, MOTP, switches, fragments.
    """

    identity: IdentityScore
    hota: HotaScore
    reid_hota: HotaScore
    clear: ClearScore


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Scores of a site.

    Attributes:
        overall: All cameras laid one after the other, with people and numbers shared by all; the main score.
        cameras: Each camera separately, with its own assignment of numbers.
        people: Result number assigned to each true person, where there is one.
        numbers: Number of distinct numbers in the results.
        clock: Times of frames; spans and visits use it.
        links: How well people are linked between cameras.
        camera_links: The same for each two cameras with anybody to link.
        merges, splits: Numbers that show several people, and people with several numbers, the worst first.
        identification: Whether people are recognised when they come back.
        visits: When each camera saw each person.
        shown: When the results showed each person, and under which number.
        remarks: What was skipped, missing, adjusted or suspicious, one sentence each.
    """

    overall: Score
    cameras: Mapping[str, Score]
    people: Mapping[int, int]
    numbers: int
    clock: Clock
    links: Links
    camera_links: Mapping[tuple[str, str], Links]
    merges: tuple[Confusion, ...]
    splits: tuple[Confusion, ...]
    identification: Identification
    visits: tuple[Visit, ...]
    shown: tuple[Shown, ...]
    remarks: tuple[str, ...] = ()

    @property
    def separate(self) -> Score:
        """Return the cameras together, each with its own assignment; TrackEval calls it COMBINED."""
        scores = list(self.cameras.values())
        return Score(
            identity.summed([one.identity for one in scores]),
            hota.combined([one.hota for one in scores]),
            hota.combined([one.reid_hota for one in scores]),
            clear.added([one.clear for one in scores]),
        )


def score_folder(truth: Path, results: Path, first: FirstFrame = _FIND_OUT, fps: float | None = None) -> ScoreTable:
    """Score the results of every camera against its truth; a camera without results counts as having found nobody.

    Args:
        truth: Folder in one of the layouts of `gallery.score.sequences`, or one file.
        results: The same.
        first: Number of the first frame on both sides.
        fps: Frames per second of all cameras; None to read it from `seqinfo.ini` beside each `gt` folder. Without
            either, times are frame numbers.

    Raises:
        ScoreError: A side is missing or malformed, the truth has nobody to find, or there are results without truth.
    """
    remarks: list[str] = []
    pairs = paired(find_sequences(truth), find_sequences(results, may_be_empty=True), remarks.append)
    true = {name: read_boxes(path, remarks.append) for name, (path, _) in pairs.items()}
    found = {name: _tracks(path, remarks.append) for name, (_, path) in pairs.items() if path is not None}
    if not any(boxes.counted.any() for boxes in true.values()):
        raise ScoreError(f"{truth}: no row counts as a person, so there is nothing to score{_why_nobody(true)}")
    rates = {name: rate for name, (path, _) in pairs.items() if (rate := frame_rate(path)) is not None}
    clock = make_clock(true, fps, rates, first_of_truth(true, first))
    if rates and not clock.in_seconds:
        without = ", ".join(name for name in true if name not in rates)
        remarks.append(
            f"times are frame numbers, since no seqinfo.ini has the frame rate of {without}: give it with --fps"
        )
    table = score_site(true, aligned(true, found, first, remarks.append), clock)
    return replace(table, remarks=(*remarks, *table.remarks))


def score_site(truth: Mapping[str, Boxes], results: Mapping[str, Boxes], clock: Clock = _FRAMES) -> ScoreTable:
    """Score the results of cameras against their truth; cameras without results count as having found nobody.

    Raises:
        ScoreError: There is no camera, there are results without truth, or an id occurs twice in a frame.
    """
    if not truth or not set(results) <= set(truth):
        unknown = ", ".join(sorted(set(results) - set(truth)))
        raise ScoreError(f"there is no truth for {unknown or 'any camera'}")
    scenes = {camera: make_scene(boxes, results.get(camera, NO_BOXES)) for camera, boxes in truth.items()}
    scored = {camera: _score(scene) for camera, scene in scenes.items()}
    whole = joined(list(scenes.values()))
    overall, people, _ = _score(whole)
    matched = {camera: Matched(scenes[camera], rows) for camera, (_, _, rows) in scored.items()}
    seen, named = visits(matched, clock), shown(matched, clock)
    all_links, camera_links = links(matched)
    return ScoreTable(
        overall=overall,
        cameras={camera: score for camera, (score, _, _) in scored.items()},
        people=people,
        numbers=len(np.unique(whole.found.ids)),
        clock=clock,
        links=all_links,
        camera_links=camera_links,
        merges=merges(named),
        splits=splits(named),
        identification=identification(seen, named),
        visits=seen,
        shown=named,
        remarks=tuple(doubt for camera, one in matched.items() for doubt in doubts(camera, one)),
    )


def _score(scene: Scene) -> tuple[Score, dict[int, int], Rows]:
    """Return the score of a scene, the number of each person, and the boxes that are matched, as rows of pairs."""
    groups = group(scene)
    matched = clear.matches(scene, groups)
    identities, people = identity.score_identity(scene, groups)
    of_clear = clear.score_clear(scene, matched)
    score = Score(identities, hota.score_hota(scene, groups), hota.score_reid_hota(scene, groups), of_clear)
    return score, people, matched


def _tracks(path: Path, report: Callable[[str], None]) -> Boxes:
    boxes = read_boxes(path, report)
    if others := int((~boxes.people).sum()):
        report(f"{path}: {others} boxes of classes other than people (column 8) were left out")
    return boxes.chosen(boxes.people)


def _why_nobody(truth: Mapping[str, Boxes]) -> str:
    rows = sum(len(boxes.ids) for boxes in truth.values())
    if not rows:
        return ": its files are empty"
    return f": all {rows} rows have a confidence of 0 in column 7, or a class other than 1 in column 8"
