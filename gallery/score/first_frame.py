"""Frames counted from 0 and from 1: MOTChallenge and `climbtrack run` count from 1, many programs from 0."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gallery.score.mot import Boxes
from gallery.score.overlap import frame_pairs, overlap


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """What each side calls its first frame, 0 or 1; None to find out."""

    truth: int | None = None
    tracks: int | None = None


def aligned(
    truth: Mapping[str, Boxes], tracks: Mapping[str, Boxes], first: FirstFrame, say: Callable[[str], None]
) -> dict[str, Boxes]:
    """Return the tracks with frames that count as those of the truth do.

    Where only one side has a frame 0, the sides count differently, unless nobody was in the other side's frame 0: of
    both readings, each camera gets the one under which its boxes overlap more, and the usual one where they do not
    tell. What was done is said, with what overrides it.
    """
    starts = {"truth": _zero_based(truth), "tracks": _zero_based(tracks)}
    if first.truth is not None or first.tracks is not None:
        shift = _start(first.truth, starts["truth"]) - _start(first.tracks, starts["tracks"])
        return {name: _shifted(boxes, shift) for name, boxes in tracks.items()}
    if bool(starts["truth"]) == bool(starts["tracks"]):
        return dict(tracks)
    shift = -1 if starts["truth"] else 1
    moved = {name: _better(truth[name], boxes, shift) for name, boxes in tracks.items()}
    say(_said(starts, shift, [name for name, boxes in tracks.items() if moved[name] is boxes]))
    return moved


def _said(starts: Mapping[str, list[str]], shift: int, kept: list[str]) -> str:
    side, other = ("truth", "tracks") if starts["truth"] else ("tracks", "truth")
    done = "added to" if shift > 0 else "subtracted from"
    but = f", except in {', '.join(kept)}, which fits better as it is" if kept else ""
    return (
        f"frames are counted from 0 in the {side} ({', '.join(starts[side][:3])}) and from 1 in the {other}: 1 was "
        f"{done} the frames of the tracks{but}. If that is wrong, say what the first frames are with "
        "--truth-first-frame and --tracks-first-frame"
    )


def _zero_based(side: Mapping[str, Boxes]) -> list[str]:
    return [name for name, boxes in side.items() if (boxes.frames == 0).any()]


def _start(given: int | None, zero_based: list[str]) -> int:
    return given if given is not None else 0 if zero_based else 1


def _better(truth: Boxes, tracks: Boxes, shift: int) -> Boxes:
    """Return the tracks moved by a shift, unless they overlap more with the truth where they are."""
    moved = _shifted(tracks, shift)
    return tracks if _agreement(truth, tracks) > _agreement(truth, moved) else moved


def _agreement(truth: Boxes, tracks: Boxes) -> float:
    """Return the best overlap of each true box, summed."""
    pairs = frame_pairs(truth.frames, tracks.frames)
    return sum(float(overlap(truth.boxes[t], tracks.boxes[f]).max(axis=1, initial=0.0).sum()) for t, f in pairs)


def _shifted(boxes: Boxes, by: int) -> Boxes:
    return replace(boxes, frames=boxes.frames + by)
