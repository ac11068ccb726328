"""Open tracklets: pure functions that choose the frames to embed, and decide when a tracklet is sent.

Rows are added frame by frame, and the best frame of each of T time spans is kept. A tracklet is sent early
(after about a second), again at growing intervals while its person is visible, and finally when it closes.

Not every track is a person. Chairs, coats and posters are found for minutes; what sets them apart is that they stay
where they are, and that detectors are not sure of them. So a track that does not move becomes a person only if most of
its detections are sure. Whoever walked in or shifts in their seat is a person at once, and stays one.

A tracker follows boxes, not people: after two boxes have overlapped, either may contain either person, and after a
period of weak detections a track may have moved from its person to a chair. At such points a track is split into legs,
and the embedding decides who continues. A leg that only gets too long is split into parts, which are the same person by
construction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from reid_worker.crops import Cutout
from reid_worker.detectors.detection import areas, intersections, iou

FIRST_SPAN_NS = 125_000_000  # 8 spans cover the first second; they double whenever a tracklet outgrows them
SHARP = 100.0  # variance of the Laplacian at which the sharpness factor is one half
FULL_HEIGHT_PX = 128  # taller crops are not better: the network's input has no more detail


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """How one person appears in one frame.

    Attributes:
        height_px, width_px: Size of the box.
        score: Score of the detector, in [0, 1].
        truncation: Share of the box's outline that lies on the frame's border, in [0, 1].
        occlusion: Share of the box covered by other people's boxes, in [0, 1].
        sharpness: Variance of the Laplacian of the grey crop at a fixed size.
    """

    height_px: float
    width_px: float
    score: float
    truncation: float
    occlusion: float
    sharpness: float


class Pick(msgspec.Struct, frozen=True, array_like=True):
    """A frame chosen for the embedding: its time span, quality in [0, 1], frame number and crop."""

    span: int
    quality: float
    number: int
    cutout: Cutout


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One detection of a track: capture time, frame number, box in xyxy px, score in [0, 1]."""

    time_ns: int
    number: int
    box: tuple[float, float, float, float]
    score: float


class OpenTracklet(msgspec.Struct):
    """A tracklet that is still growing, or waiting for its first strong detection.

    Attributes:
        leg: Counts the segments of a track that may be different people.
        part: Counts the tracklets of one leg.
        crossing: Whether its box overlaps another one now.
        rows: Its detections so far.
        waiting: Weak detections before or after strong ones; they count once a strong one follows soon.
        strong_ns: Time of the last strong detection.
        sure: Number of detections that are hardly ever wrong.
        person: Whether it was found to be a person.
        revision: Number of the next emission.
        due_ns: When the next emission is due.
        interval_ns: Time between the next emission and the following one.
        picks: The frames chosen for the embedding.
        picked: Number of the first emission with the current picks.
        embeddings: Embeddings of the picks by model_id, float16 bytes; those that are not known yet are missing.
    """

    leg: int = 0
    part: int = 0
    crossing: bool = False
    rows: list[Row] = []
    waiting: list[Row] = []
    strong_ns: int = 0
    sure: int = 0
    person: bool = False
    revision: int = 0
    due_ns: int = 0
    interval_ns: int = 0
    span_ns: int = FIRST_SPAN_NS
    picks: list[Pick] = []
    picked: int = 0
    embeddings: dict[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class TrackletOptions:
    """When a track counts as a person, when tracklets are sent, and how long they get.

    Chairs and hanging coats are detected for minutes, but weakly; people are detected strongly every now and then. So
    weak detections count only near strong ones, and a tracklet needs some that are hardly ever wrong.

    Attributes:
        strong_score: Lowest score of a strong detection.
        bridge_s: How far from a strong detection weak ones count.
        sure_score: Lowest score of a detection that is hardly ever wrong.
        min_sure: Number of such detections that make a track that moves a person.
        still_share: Share of such detections that makes one a person that stays where it is; 0: it need not move.
        still_s: How long it must have been seen for that, unless it ends before.
        still_extent: How far the middle of a box's lower edge must move, in heights, to count as moving: detectors
            place the box of a chair differently in every frame, by less than this.
        spans: Maximum number of frames used for an embedding, T.
        min_picks: Minimum number of time spans with a good frame for an early emission.
        min_quality: Lowest quality of a frame that is embedded.
        first_s: Age at the first emission.
        interval_s: Time from the first emission to the second; then it doubles.
        longest_interval_s: Longest time between two emissions.
        part_s: Length at which a tracklet is closed, and the leg continues as the next part.
        crossing_iou: Two boxes with this IoU may swap their people; they are apart again below half of it.
        min_leg_s: A leg shorter than this is not split: too little to recognise a person.
    """

    strong_score: float = 0.5
    bridge_s: float = 1.0
    sure_score: float = 0.6
    min_sure: int = 3
    still_share: float = 0.65
    still_s: float = 3.0
    still_extent: float = 0.08
    spans: int = 8
    min_picks: int = 3
    min_quality: float = 0.1
    first_s: float = 1.0
    interval_s: float = 2.0
    longest_interval_s: float = 8.0
    part_s: float = 60.0
    crossing_iou: float = 0.3
    min_leg_s: float = 1.0


def extend(tracklet: OpenTracklet, row: Row, options: TrackletOptions) -> bool:
    """Add the next detection; return whether it counts now, or else waits for a strong one."""
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
    if not tracklet.person and tracklet.sure >= options.min_sure:
        tracklet.person = _moves(tracklet, options) or (_is_old(tracklet, options) and _is_clear(tracklet, options))
    return True


def successor(tracklet: OpenTracklet, time_ns: int, overlap: float, options: TrackletOptions) -> OpenTracklet | None:
    """Return the tracklet that continues a track before its next detection; None if the current one continues.

    Args:
        overlap: Largest IoU of the detection with another tracked one, in [0, 1].
    """
    if not tracklet.rows:
        return None
    if time_ns - tracklet.strong_ns > 2 * options.bridge_s * 1e9:
        return OpenTracklet(leg=tracklet.leg + 1, waiting=tracklet.waiting)
    age_ns = time_ns - tracklet.rows[0].time_ns
    apart = tracklet.crossing and overlap < options.crossing_iou / 2
    if apart and (tracklet.part or age_ns >= options.min_leg_s * 1e9):
        return OpenTracklet(leg=tracklet.leg + 1, person=tracklet.person)
    if age_ns >= options.part_s * 1e9:
        return next_part(tracklet)
    return None


def next_part(tracklet: OpenTracklet) -> OpenTracklet:
    """Return the tracklet that continues a leg, of the same person."""
    return OpenTracklet(tracklet.leg, tracklet.part + 1, tracklet.crossing, person=tracklet.person)


def cross(tracklet: OpenTracklet, overlap: float, options: TrackletOptions) -> None:
    """Update `crossing` from the largest IoU of the latest detection with another tracked one."""
    limit = options.crossing_iou / 2 if tracklet.crossing else options.crossing_iou
    tracklet.crossing = overlap >= limit


def is_static(tracklet: OpenTracklet, options: TrackletOptions) -> bool:
    """Tell whether a tracklet that ends is none of a person only because it did not move, and was unsure."""
    return not tracklet.person and tracklet.sure >= options.min_sure and not _is_clear(tracklet, options)


def _is_old(tracklet: OpenTracklet, options: TrackletOptions) -> bool:
    seen_s = (tracklet.rows[-1].time_ns - tracklet.rows[0].time_ns) / 1e9
    return seen_s >= options.still_s or not options.still_share


def _is_clear(tracklet: OpenTracklet, options: TrackletOptions) -> bool:
    return tracklet.sure >= options.still_share * len(tracklet.rows)


def _moves(tracklet: OpenTracklet, options: TrackletOptions) -> bool:
    """Tell whether the box moves, by the range of nine tenths of its places, in heights."""
    boxes = np.array([row.box for row in tracklet.rows], np.float32)
    height = float(np.median(boxes[:, 3] - boxes[:, 1]))
    low, high = np.percentile(np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]]), [5, 95], axis=1)
    return float((high - low).max()) >= options.still_extent * max(height, 1.0)


def frame_quality(facts: FrameFacts) -> float:
    """Return the quality of a frame for the embedding, in [0, 1]: the product of all factors that can impair it."""
    size = min(facts.height_px / FULL_HEIGHT_PX, 1.0)
    aspect = facts.width_px / max(facts.height_px, 1.0)
    shape = 1.0 if 0.2 <= aspect <= 0.8 else 0.5  # sitting, or only part of a person
    sharp = 1 - SHARP / (facts.sharpness + SHARP)
    return size * shape * sharp * facts.score * (1 - facts.occlusion) * (1 - facts.truncation)


def occlusions(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return, for each of n boxes, the largest share covered by one in front of it; the lower box is in front."""
    if not len(boxes):
        return np.zeros(0, np.float32)
    shares = intersections(boxes, boxes) / np.maximum(areas(boxes), 1e-9)[:, None]
    in_front = boxes[None, :, 3] > boxes[:, None, 3]
    return np.asarray((shares * in_front).max(axis=1), np.float32)


def nearest_overlaps(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the largest IoU of each of n boxes with another one, `(n,)` in [0, 1]."""
    overlaps = iou(boxes, boxes)
    np.fill_diagonal(overlaps, 0.0)
    return np.asarray(overlaps.max(axis=1, initial=0.0), np.float32)


def truncation(box: Sequence[float], height: int, width: int) -> float:
    """Return the share of a box's sides on the border of a `height` x `width` frame: 0 to 1 in steps of 1/4."""
    margin = 0.005 * max(height, width)  # detectors stop a little before the border
    sides = (box[0] <= margin, box[1] <= margin, box[2] >= width - margin, box[3] >= height - margin)
    return sum(sides) / 4


def wants(tracklet: OpenTracklet, time_ns: int, value: float, options: TrackletOptions) -> bool:
    """Tell whether a frame of this quality would be kept now."""
    if value < options.min_quality:
        return False
    span = (time_ns - tracklet.rows[0].time_ns) // tracklet.span_ns
    return all(pick.span != span or value > pick.quality for pick in tracklet.picks)


def keep(tracklet: OpenTracklet, time_ns: int, pick: Pick, options: TrackletOptions) -> None:
    """Keep a frame as the best of its span; when there are too many spans, pairs are merged and keep the better one."""
    before = {old.number for old in tracklet.picks}
    span = (time_ns - tracklet.rows[0].time_ns) // tracklet.span_ns
    tracklet.picks = [old for old in tracklet.picks if old.span != span]
    tracklet.picks.append(Pick(span, pick.quality, pick.number, pick.cutout))
    while tracklet.picks[-1].span >= options.spans:
        tracklet.span_ns *= 2
        tracklet.picks = _halved(tracklet.picks)
    if {pick.number for pick in tracklet.picks} != before:
        tracklet.picked, tracklet.embeddings = tracklet.revision, {}


def forget_picks(tracklet: OpenTracklet) -> None:
    """Forget the frames chosen so far, and their embeddings."""
    tracklet.picks, tracklet.picked, tracklet.embeddings = [], tracklet.revision, {}


def is_due(tracklet: OpenTracklet, options: TrackletOptions) -> bool:
    """Tell whether an open tracklet should be sent after its latest row."""
    ready = len(tracklet.picks) >= options.min_picks and tracklet.rows[-1].time_ns >= tracklet.due_ns
    return ready and tracklet.person


def is_sent_on_close(tracklet: OpenTracklet, options: TrackletOptions) -> bool:
    """Tell whether a tracklet is sent at all when it closes."""
    ended = tracklet.sure >= options.min_sure and _is_clear(tracklet, options)
    return bool(tracklet.picks) and (tracklet.person or ended)


def mark_sent(tracklet: OpenTracklet, options: TrackletOptions) -> None:
    """Count an emission; the next one is due after an interval that doubles up to the longest."""
    tracklet.revision += 1
    tracklet.due_ns = tracklet.rows[-1].time_ns + tracklet.interval_ns
    tracklet.interval_ns = min(2 * tracklet.interval_ns, round(options.longest_interval_s * 1e9))


def remember_embeddings(tracklet: OpenTracklet, revision: int, embeddings: Mapping[str, bytes]) -> None:
    """Keep the embeddings of an emission for the next ones, unless the picks have changed since."""
    if revision >= tracklet.picked:
        tracklet.embeddings = dict(embeddings)


def quality(tracklet: OpenTracklet) -> float:
    """Return the mean quality of the frames used for the embedding, in [0, 1]."""
    return sum(pick.quality for pick in tracklet.picks) / max(len(tracklet.picks), 1)


def _since(rows: Sequence[Row], time_ns: int) -> list[Row]:
    return [row for row in rows if row.time_ns >= time_ns]


def _halved(picks: Sequence[Pick]) -> list[Pick]:
    best: dict[int, Pick] = {}
    for pick in picks:
        half = Pick(pick.span // 2, pick.quality, pick.number, pick.cutout)
        if half.span not in best or half.quality > best[half.span].quality:
            best[half.span] = half
    return list(best.values())
