"""Tracklets while they grow: which frames are worth embedding, and when to say something. Values in, values out.

The life of one: rows are added frame by frame; the best frame of each of T time spans is kept as JPEG; it is sent early
(after about a second), again at growing intervals while its person is visible, and a last time when it closes.

A tracker follows boxes, not people: after two boxes have covered each other either may hold either person, and after a
weak spell a track may have left its person for a chair. There a track is cut into legs, and who walks on is a question
for the embedding. A leg that only gets too long is cut into parts, which are one person by construction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from reid_worker.detectors.detection import areas, intersections, iou

FIRST_SPAN_NS = 125_000_000  # 8 spans cover the first second; they double whenever a tracklet outgrows them
SHARP = 100.0  # variance of the Laplacian at which a crop is half as sharp as it can get
FULL_HEIGHT_PX = 128  # higher crops are not worth more: the network sees no more of them


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """What one frame shows of one person.

    Attributes:
        height_px, width_px: Of the box.
        score: Of the detector, in [0, 1].
        cut: Share of the box's outline that lies on the frame's border, in [0, 1].
        hidden: Share of the box that other people's boxes cover, in [0, 1].
        sharpness: Variance of the Laplacian of the grey crop at a fixed size.
    """

    height_px: float
    width_px: float
    score: float
    cut: float
    hidden: float
    sharpness: float


class Pick(msgspec.Struct, frozen=True, array_like=True):
    """A frame that is worth embedding, with its crop as JPEG."""

    span: int
    worth: float
    number: int
    jpeg: bytes


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One frame that a track was detected in: capture time, number of the frame, box xyxy px, score in [0, 1]."""

    time_ns: int
    number: int
    box: tuple[float, float, float, float]
    score: float


class OpenTracklet(msgspec.Struct):
    """One tracklet that still grows, or waits for its first convincing detection.

    Attributes:
        leg: Counts the stretches of a track that may be different people.
        part: Counts the tracklets of one leg.
        crossing: Its box and another one cover each other now.
        rows: What it consists of so far.
        waiting: Weak detections after, or before, the convincing ones; they count when a convincing one follows soon.
        strong_ns: Time of the last convincing detection.
        sure: How many detections are hardly ever wrong.
        revision: Number of the next emission.
        due_ns: When the next emission is due.
        interval_ns: From the next emission to the one after.
        picks: The frames worth embedding.
        picked: Number of the first emission that has the picks as they are now.
        embedding: Of the picks, float16 bytes; empty when it is not known yet.
    """

    leg: int = 0
    part: int = 0
    crossing: bool = False
    rows: list[Row] = []
    waiting: list[Row] = []
    strong_ns: int = 0
    sure: int = 0
    revision: int = 0
    due_ns: int = 0
    interval_ns: int = 0
    span_ns: int = FIRST_SPAN_NS
    picks: list[Pick] = []
    picked: int = 0
    embedding: bytes = b""


@dataclass(frozen=True, slots=True)
class TrackletOptions:
    """When a track is a person, when tracklets are sent, and how long they get.

    Chairs and coats on a hook are detected for minutes, but weakly; people are convincing every now and then. So weak
    detections count only near convincing ones, and a tracklet needs some that are hardly ever wrong.

    Attributes:
        strong_score: Score of a convincing detection.
        bridge_s: How far from a convincing detection weak ones count.
        sure_score: Score of a detection that is hardly ever wrong.
        min_sure: So many of those make a person.
        spans: Most frames behind an embedding, T.
        min_picks: Fewer time spans with a good frame are too little for an early emission.
        min_worth: A frame below is not worth embedding.
        first_s: Age at the first emission.
        interval_s: From the first emission to the second; then it doubles.
        longest_interval_s: Between two emissions.
        part_s: After so long a tracklet is closed, and the leg goes on as the next part.
        crossing_iou: Two boxes that overlap so much may swap their people; they are apart again below half of it.
        min_leg_s: A leg shorter than that is not cut: too little to tell a person by.
    """

    strong_score: float = 0.5
    bridge_s: float = 1.0
    sure_score: float = 0.6
    min_sure: int = 3
    spans: int = 8
    min_picks: int = 3
    min_worth: float = 0.1
    first_s: float = 1.0
    interval_s: float = 2.0
    longest_interval_s: float = 8.0
    part_s: float = 60.0
    crossing_iou: float = 0.3
    min_leg_s: float = 1.0


def extend(tracklet: OpenTracklet, row: Row, options: TrackletOptions) -> bool:
    """Add the next detection; return whether it counts already, else it waits for a convincing one."""
    bridge_ns = round(options.bridge_s * 1e9)
    strong = row.score >= options.strong_score
    if not strong and not (tracklet.rows and row.time_ns - tracklet.strong_ns <= bridge_ns):
        tracklet.waiting = [*_since(tracklet.waiting, row.time_ns - bridge_ns), row]
        return False
    if not tracklet.rows:
        tracklet.due_ns = row.time_ns + round(options.first_s * 1e9)
        tracklet.interval_ns = round(options.interval_s * 1e9)
    if strong:
        tracklet.rows += _since(tracklet.waiting, row.time_ns - bridge_ns)
        tracklet.waiting = []
        tracklet.strong_ns = row.time_ns
    tracklet.rows.append(row)
    tracklet.sure += row.score >= options.sure_score
    return True


def successor(tracklet: OpenTracklet, time_ns: int, overlap: float, options: TrackletOptions) -> OpenTracklet | None:
    """Return what a track goes on as in front of its next detection; None when the tracklet itself goes on.

    Args:
        overlap: IoU of the detection with the nearest other tracked one, in [0, 1].
    """
    if not tracklet.rows:
        return None
    if time_ns - tracklet.strong_ns > 2 * options.bridge_s * 1e9:
        return OpenTracklet(leg=tracklet.leg + 1, waiting=tracklet.waiting)
    age_ns = time_ns - tracklet.rows[0].time_ns
    apart = tracklet.crossing and overlap < options.crossing_iou / 2
    if apart and (tracklet.part or age_ns >= options.min_leg_s * 1e9):
        return OpenTracklet(leg=tracklet.leg + 1, sure=tracklet.sure)
    if age_ns >= options.part_s * 1e9:
        return OpenTracklet(tracklet.leg, tracklet.part + 1, tracklet.crossing, sure=tracklet.sure)
    return None


def cross(tracklet: OpenTracklet, overlap: float, options: TrackletOptions) -> None:
    """Note how much the latest detection overlaps the nearest other tracked one."""
    limit = options.crossing_iou / 2 if tracklet.crossing else options.crossing_iou
    tracklet.crossing = overlap >= limit


def is_person(tracklet: OpenTracklet, options: TrackletOptions) -> bool:
    """Tell whether there is enough evidence; once there is, there always is."""
    return tracklet.sure >= options.min_sure


def worth(facts: FrameFacts) -> float:
    """Return how much a frame is worth for the embedding, in [0, 1]: the product of what can spoil it."""
    size = min(facts.height_px / FULL_HEIGHT_PX, 1.0)
    aspect = facts.width_px / max(facts.height_px, 1.0)
    shape = 1.0 if 0.2 <= aspect <= 0.8 else 0.5  # sitting, or only a part of a person
    sharp = facts.sharpness / (facts.sharpness + SHARP)
    return size * shape * sharp * facts.score * (1 - facts.hidden) * (1 - facts.cut)


def hidden_shares(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return, for each of n boxes, the largest share that another one in front covers; who stands lower is in front."""
    if not len(boxes):
        return np.zeros(0, np.float32)
    shares = intersections(boxes, boxes) / np.maximum(areas(boxes), 1e-9)[:, None]
    in_front = boxes[None, :, 3] > boxes[:, None, 3]
    return np.asarray((shares * in_front).max(axis=1), np.float32)


def nearest_overlaps(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return, for each of n boxes, its largest IoU with another one, `(n,)` in [0, 1]."""
    overlaps = iou(boxes, boxes)
    np.fill_diagonal(overlaps, 0.0)
    return np.asarray(overlaps.max(axis=1, initial=0.0), np.float32)


def cut_share(box: Sequence[float], height: int, width: int) -> float:
    """Return the share of a box's outline on the border of a `height` x `width` frame, 0, or 1/4 to 1 by sides."""
    margin = 0.005 * max(height, width)  # detectors stop a little before the border
    sides = (box[0] <= margin, box[1] <= margin, box[2] >= width - margin, box[3] >= height - margin)
    return sum(sides) / 4


def wants(tracklet: OpenTracklet, time_ns: int, value: float, options: TrackletOptions) -> bool:
    """Tell whether a frame of this worth would be kept, now."""
    if value < options.min_worth:
        return False
    span = (time_ns - tracklet.rows[0].time_ns) // tracklet.span_ns
    return all(pick.span != span or value > pick.worth for pick in tracklet.picks)


def keep(tracklet: OpenTracklet, time_ns: int, pick: Pick, options: TrackletOptions) -> None:
    """Keep a frame as the best of its span; spans double, and share their best, when there are too many."""
    before = {old.number for old in tracklet.picks}
    span = (time_ns - tracklet.rows[0].time_ns) // tracklet.span_ns
    tracklet.picks = [old for old in tracklet.picks if old.span != span]
    tracklet.picks.append(Pick(span, pick.worth, pick.number, pick.jpeg))
    while tracklet.picks[-1].span >= options.spans:
        tracklet.span_ns *= 2
        tracklet.picks = _halved(tracklet.picks)
    if {pick.number for pick in tracklet.picks} != before:
        tracklet.picked, tracklet.embedding = tracklet.revision, b""


def is_due(tracklet: OpenTracklet, options: TrackletOptions) -> bool:
    """Tell whether an open tracklet should be sent after its latest row."""
    ready = len(tracklet.picks) >= options.min_picks and tracklet.rows[-1].time_ns >= tracklet.due_ns
    return ready and is_person(tracklet, options)


def is_worth_sending(tracklet: OpenTracklet, options: TrackletOptions) -> bool:
    """Tell whether a tracklet that closes is sent at all."""
    return bool(tracklet.picks) and is_person(tracklet, options)


def mark_sent(tracklet: OpenTracklet, options: TrackletOptions) -> None:
    """Count an emission; the next one is due after an interval that doubles up to the longest."""
    tracklet.revision += 1
    tracklet.due_ns = tracklet.rows[-1].time_ns + tracklet.interval_ns
    tracklet.interval_ns = min(2 * tracklet.interval_ns, round(options.longest_interval_s * 1e9))


def remember_embedding(tracklet: OpenTracklet, revision: int, embedding: bytes) -> None:
    """Keep the embedding of an emission for the next ones, unless the picks have changed since."""
    if revision >= tracklet.picked:
        tracklet.embedding = embedding


def quality(tracklet: OpenTracklet) -> float:
    """Return the mean worth of the frames behind the embedding, in [0, 1]."""
    return sum(pick.worth for pick in tracklet.picks) / max(len(tracklet.picks), 1)


def _since(rows: Sequence[Row], time_ns: int) -> list[Row]:
    return [row for row in rows if row.time_ns >= time_ns]


def _halved(picks: Sequence[Pick]) -> list[Pick]:
    best: dict[int, Pick] = {}
    for pick in picks:
        half = Pick(pick.span // 2, pick.worth, pick.number, pick.jpeg)
        if half.span not in best or half.worth > best[half.span].worth:
            best[half.span] = half
    return list(best.values())
