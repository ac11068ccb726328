"""Update what a site has learnt about similarities and cameras with the tracklets of a window. No I/O."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from gallery.decision.compare import similarity
from gallery.decision.coverage import ALIKE, SIMULTANEOUS_NS, Cameras, Meetings, cameras_of
from gallery.decision.draft import Draft
from gallery.decision.normalise import NO_SHIFTS, RECENT_PEOPLE, learnt_shifts
from gallery.decision.rules import Rules
from gallery.decision.together import is_same_leg, together
from gallery.decision.transit import STEPS, Passages, Way, passage
from wire.messages import Tracklet
from wire.tracklet_id import TrackletId

SAMPLE = 128  # latest ended tracklets, compared with each newly ended one; 8000 pairs


def update_scale(draft: Draft, rules: Rules, *, anew: bool = False) -> None:
    """Learn from the tracklets that ended in a window, and from earlier ones if the shifts are estimated `anew`.

    They are whenever enough people are new.
    """
    ended = [t for t in draft.ended if t.quality >= rules.min_closing_quality]
    _learn_doubles(draft, ended)
    if not rules.normalise:
        draft.shifts = NO_SHIFTS
    shifts_changed = rules.normalise and (anew or draft.shifts.is_outdated(draft.next_identity))
    if shifts_changed:
        people = {model_id: min(draft.staying(), known.people) for model_id, known in draft.calibrations.items()}
        draft.shifts = learnt_shifts(draft.seen_last(RECENT_PEOPLE), draft.prototypes, draft.next_identity, people)
    for model_id in sorted(draft.calibrations) if shifts_changed else sorted({t.model_id for t in ended}):
        sample = _sample(draft, model_id, rules)
        ones = sample if shifts_changed else [t for t in ended if t.model_id == model_id]
        _learn(draft, model_id, list(_compared(draft, ones, sample)), anew=shifts_changed)


def _learn_doubles(draft: Draft, ended: Sequence[Tracklet]) -> None:
    """Learn how often strangers look alike, from the people seen beside tracklets that ended.

    Only now is it known who was. Of a leg in several parts the first one counts, or two people who stand together for
    an hour would outweigh everybody else.
    """
    if not draft.parts.scale:
        return
    found: dict[str, list[float]] = defaultdict(list)
    for tracklet in (t for t in ended if not TrackletId.parse(t.tracklet_id).part):
        beside = {row.identity_id for answer, row in draft.visible_with(tracklet) if answer == "yes"}
        strangers = sorted(n for n in beside - {draft.owner(tracklet.tracklet_id)} if n is not None)
        known = draft.prototype_sets(strangers, tracklet.model_id)
        found[tracklet.model_id] += [similarity(draft.vector(tracklet), one) for one in known if one is not None]
    for model_id, similarities in found.items():
        draft.calibrations[model_id] = draft.calibration(model_id).observe_strangers(similarities)


def _learn(draft: Draft, model_id: str, found: Sequence["_Compared"], *, anew: bool) -> None:
    """Update a model's calibration, and then the coverage; pairs compared `anew` replace the earlier ones."""
    similarities = np.concatenate([np.empty(0), *(one.similarities for one in found)])
    before = draft.calibration(model_id)
    if not draft.parts.scale:
        similarities = similarities[:0]
    observe = before.observe_instead if anew else before.observe_unlabelled
    after = observe(similarities, draft.staying())
    draft.calibrations[model_id] = after
    alike, coverage = after.similarity(ALIKE), draft.coverage
    if draft.parts.disjoint:
        meetings = _meetings(found, alike)
        coverage = coverage.observe_instead(meetings) if anew else coverage.observe(meetings)
    if draft.parts.transit:
        passages, transit = _passages(found, alike), coverage.transit
        transit = transit.observe_instead(passages) if anew else transit.observe(passages)
        coverage = replace(coverage, transit=transit)
    draft.coverage = coverage


def _meetings(found: Sequence["_Compared"], alike: float) -> Mapping[Cameras, Meetings]:
    """Return the numbers of pairs of each two cameras; `alike` is the similarity of clearly alike tracklets."""
    meetings: dict[Cameras, Meetings] = defaultdict(Meetings)
    for one in found:
        for camera_id in dict.fromkeys(one.cameras.tolist()):
            both = one.cameras == camera_id
            close = one.similarities[: len(both)][both] >= alike
            at_once = one.simultaneous[both]
            counts = (len(close), at_once.sum(), close.sum(), (close & at_once).sum())
            meetings[cameras_of(one.camera_id, camera_id)] += Meetings(*map(float, counts))
    return meetings


def _passages(found: Sequence["_Compared"], alike: float) -> Mapping[Way, Passages]:
    """Return the numbers of pairs by way and step of time."""
    counts: dict[Way, NDArray[np.float64]] = defaultdict(lambda: np.zeros((2, STEPS)))
    for one in found:
        close = one.similarities >= alike
        for way in dict.fromkeys(one.ways):
            on_way = np.array([other == way for other in one.ways])
            counts[way][0] += np.bincount(one.steps[on_way], minlength=STEPS)
            counts[way][1] += np.bincount(one.steps[on_way & close], minlength=STEPS)
    return {way: Passages(tuple(pairs.tolist()), tuple(near.tolist())) for way, (pairs, near) in counts.items()}


def _sample(draft: Draft, model_id: str, rules: Rules) -> list[Tracklet]:
    """Return the latest ended tracklets of a model."""
    found = (t for t in draft.closed(model_id) if t.quality >= rules.min_closing_quality)
    return list(islice(found, SAMPLE))[::-1]


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """A tracklet compared with those that may or may not be the same person, of other cameras and then of its own.

    Attributes:
        similarities: `(m + n,)`, m of other cameras.
        cameras, simultaneous: `(m,)` their cameras, and whether they were visible at the same time.
        ways, steps: `(m + n,)` which cameras followed each other, and after how long, as `transit` counts it.
    """

    camera_id: str
    similarities: NDArray[np.float64]
    cameras: NDArray[np.str_]
    simultaneous: NDArray[np.bool_]
    ways: Sequence[Way]
    steps: NDArray[np.int64]


def _compared(draft: Draft, ones: Sequence[Tracklet], others: Sequence[Tracklet]) -> Iterator[_Compared]:
    """Yield each of some tracklets compared with others, each pair once."""
    if not ones or not others:
        return
    products = np.stack([draft.vector(t) for t in ones]) @ np.stack([draft.vector(t) for t in others]).T
    cameras = np.array([t.camera_id for t in others])
    first_ns, last_ns = np.array([t.first_ns for t in others]), np.array([t.last_ns for t in others])
    places = {t.tracklet_id: place for place, t in enumerate(others)}
    left = np.ones(len(others), np.bool_)
    for one, row in zip(ones, products.round(5).astype(np.float64), strict=True):
        if one.tracklet_id in places:
            left[places[one.tracklet_id]] = False
        away = np.flatnonzero(left & (cameras != one.camera_id))
        beside = np.flatnonzero(left & (cameras == one.camera_id)).tolist()
        here = [place for place in beside if _is_unlabelled(one, others[place])]
        common_ns = np.minimum(last_ns[away], one.last_ns) - np.maximum(first_ns[away], one.first_ns)
        passed = [passage(one, others[place]) for place in (*away.tolist(), *here)]
        ways, steps = [way for way, _ in passed], np.array([step for _, step in passed], np.int64)
        yield _Compared(one.camera_id, row[[*away, *here]], cameras[away], common_ns > SIMULTANEOUS_NS, ways, steps)


def _is_unlabelled(one: Tracklet, other: Tracklet) -> bool:
    """Return whether two ended tracklets of one camera may or may not be the same person."""
    return not is_same_leg(one, other) and together(one, other, max(one.last_ns, other.last_ns)) == "no"
