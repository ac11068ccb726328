"""Align frame numbers: MOTChallenge and `climbtrack run` count from 1, many programs from 0."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gallery.score.mot import Boxes
from gallery.score.overlap import batches, overlap


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """Number of the first frame on each side, 0 or 1; None to detect it."""

    truth: int | None = None
    tracks: int | None = None


def aligned(
    truth: Mapping[str, Boxes], tracks: Mapping[str, Boxes], first: FirstFrame, report: Callable[[str], None]
) -> dict[str, Boxes]:
    """Return the tracks with their frames numbered like those of the truth.

    If only one side has a frame 0, the sides count differently, unless the other side's frame 0 was empty: each camera
    gets the interpretation under which its boxes overlap more, and different counting if that does not decide. The
    result is reported, with the options that override it.
    """
    starts = {"truth": _zero_based(truth), "tracks": _zero_based(tracks)}
    if first.truth is not None or first.tracks is not None:
        shift = _start(first.truth, starts["truth"]) - _start(first.tracks, starts["tracks"])
        return {name: _shifted(boxes, shift) for name, boxes in tracks.items()}
    if bool(starts["truth"]) == bool(starts["tracks"]):
        return dict(tracks)
    shift = -1 if starts["truth"] else 1
    moved = {name: _better(truth[name], boxes, shift) for name, boxes in tracks.items()}
    report(_remark(starts, shift, [name for name, boxes in tracks.items() if moved[name] is boxes]))
    return moved


def first_of_truth(truth: Mapping[str, Boxes], first: FirstFrame) -> int:
    """Return the number of the truth's first frame, as given or else as found."""
    return _start(first.truth, _zero_based(truth))


def _remark(starts: Mapping[str, list[str]], shift: int, kept: list[str]) -> str:
    side, other = ("truth", "tracks") if starts["truth"] else ("tracks", "truth")
    done = "added to" if shift > 0 else "subtracted from"
    but = f", except in {', '.join(kept)}, which fits better as it is" if kept else ""
    return (
        f"frames are counted from 0 in the {side} ({', '.join(starts[side][:3])}) and from 1 in the {other}: 1 was "
        f"{done} the frames of the tracks{but}. If that is wrong, set the first frames with "
        "--truth-first-frame and --tracks-first-frame"
    )


def _zero_based(side: Mapping[str, Boxes]) -> list[str]:
    return [name for name, boxes in side.items() if (boxes.frames == 0).any()]


def _start(given: int | None, zero_based: list[str]) -> int:
    return given if given is not None else 0 if zero_based else 1


def _better(truth: Boxes, tracks: Boxes, shift: int) -> Boxes:
    """Return the tracks shifted, unless they overlap more with the truth unshifted."""
    moved = _shifted(tracks, shift)
    return tracks if _agreement(truth, tracks) > _agreement(truth, moved) else moved


def _agreement(truth: Boxes, tracks: Boxes) -> float:
    """Return the sum of the best overlap of each true box."""
    pairs = batches(truth.frames, tracks.frames)
    return sum(float(overlap(truth.boxes[t], tracks.boxes[f]).max(axis=2).sum()) for t, f in pairs)


def _shifted(boxes: Boxes, by: int) -> Boxes:
    return replace(boxes, frames=boxes.frames + by)
