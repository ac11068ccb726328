"""Serialise what a site has learnt about similarities and cameras."""

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np

from gallery.decision import calibrate
from gallery.decision.calibrate import Calibration
from gallery.decision.coverage import NO_COVERAGE, Coverage, Meetings
from gallery.decision.ground import Encounters, Ground
from gallery.decision.normalise import NO_SHIFTS, Shifts
from gallery.decision.spaces import NOTHING_CHOSEN, Spaces
from gallery.decision.sweep import NOT_BEGUN, Sweep
from gallery.decision.transit import Passages, Transit

SCHEMA = 1

Written = Literal["nothing", "now", "earlier", "unknown"]


class _State(msgspec.Struct, frozen=True):
    """Calibrations as `calibrate` encodes them; model, camera, float16 vector of each shift; meetings and so on."""

    schema: int
    calibrations: bytes
    shifts: tuple[tuple[str, str, bytes], ...]
    shifts_learnt_at: int
    meetings: tuple[tuple[str, str, Meetings], ...] = ()
    passages: tuple[tuple[str, str, Passages], ...] = ()
    spaces: Spaces = NOTHING_CHOSEN
    sweep: Sweep = NOT_BEGUN
    ground: tuple[tuple[str, str, Encounters], ...] = ()


def encode_scale(
    calibrations: Mapping[str, Calibration],
    shifts: Shifts,
    coverage: Coverage,
    spaces: Spaces = NOTHING_CHOSEN,
    sweep: Sweep = NOT_BEGUN,
) -> bytes:
    """Serialise calibrations by `model_id`, camera shifts, coverage, which weights were chosen, and the sweep."""
    places = sorted(shifts.vectors.items())
    stored = tuple((model, camera, shift.astype("<f2").tobytes()) for (model, camera), shift in places)
    meetings = tuple((*cameras, known) for cameras, known in sorted(coverage.meetings.items()))
    passages = tuple((*way, known) for way, known in sorted(coverage.transit.passages.items()))
    ground = tuple((*cameras, known) for cameras, known in sorted(coverage.ground.encounters.items()))
    learnt = calibrate.encode(calibrations)
    state = _State(SCHEMA, learnt, stored, shifts.learnt_at, meetings, passages, spaces, sweep, ground)
    return msgspec.msgpack.encode(state)


def decode_scale(data: bytes) -> tuple[dict[str, Calibration], Shifts, Coverage]:
    """Return what `encode_scale` serialised; the calibrations alone if an earlier version wrote them.

    Unreadable data is ignored, as a site relearns it.
    """
    state = _state(data)
    if state is None:
        return calibrate.decode(data), NO_SHIFTS, NO_COVERAGE
    vectors = {(model, camera): np.frombuffer(shift, "<f2").astype(np.float32) for model, camera, shift in state.shifts}
    transit = Transit({(one, other): known for one, other, known in state.passages if known.is_readable()})
    ground = Ground({(one, other): known for one, other, known in state.ground if known.is_readable()})
    coverage = Coverage({(one, other): known for one, other, known in state.meetings}, transit, ground)
    return calibrate.decode(state.calibrations), Shifts(vectors, state.shifts_learnt_at), coverage


def decode_spaces(data: bytes) -> Spaces:
    """Return which weights were chosen, as `encode_scale` serialised it; nothing if an earlier version wrote it."""
    state = _state(data)
    return NOTHING_CHOSEN if state is None else state.spaces


def decode_sweep(data: bytes) -> Sweep:
    """Return how far those who have faded were looked through, as `encode_scale` serialised it."""
    state = _state(data)
    return NOT_BEGUN if state is None else state.sweep


def written_by(data: bytes) -> Written:
    """Return which version wrote what `decode_scale` reads: this one (`now`), an earlier one, or an unknown one."""
    if not data:
        return "nothing"
    if _state(data) is not None:
        return "now"
    return "earlier" if calibrate.decode(data) else "unknown"


def _state(data: bytes) -> _State | None:
    """Return the state in this version's form; None if there is none, or in another form."""
    try:
        state = msgspec.msgpack.decode(data, type=_State) if data else None
    except msgspec.MsgspecError:
        return None
    return state if state is not None and state.schema == SCHEMA else None
