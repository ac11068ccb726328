"""Update what a site has learnt about similarities and cameras with the tracklets of a window. No I/O."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray

from gallery.decision.compare import similarity
from gallery.decision.coverage import ALIKE, SIMULTANEOUS_NS, Meetings
from gallery.decision.draft import Draft
from gallery.decision.ground import MOST_PAIRS, Cameras, spans_of
from gallery.decision.normalise import NO_SHIFTS, RECENT_PEOPLE, learnt_shifts, stacked
from gallery.decision.rules import Rules
from gallery.decision.transit import EDGES_NS, STEPS, Passages, Way, began_ranks
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
        if ones and sample:
            _learn(draft, model_id, _compared(draft, ones, sample), anew=shifts_changed)


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


def _learn(draft: Draft, model_id: str, found: "_Pairs", *, anew: bool) -> None:
    """Update a model's calibration, and then the coverage; pairs compared `anew` replace the earlier ones."""
    similarities = found.similarities if draft.parts.scale else found.similarities[:0]
    before = draft.calibration(model_id)
    observe = before.observe_instead if anew else before.observe_unlabelled
    after = observe(similarities, draft.staying())
    draft.calibrations[model_id] = after
    close, coverage = found.similarities >= after.similarity(ALIKE), draft.coverage
    if draft.parts.disjoint:
        meetings = _meetings(found, close)
        coverage = coverage.observe_instead(meetings) if anew else coverage.observe(meetings)
    if draft.parts.transit:
        passages, transit = _passages(found, close), coverage.transit
        transit = transit.observe_instead(passages) if anew else transit.observe(passages)
        coverage = replace(coverage, transit=transit)
    if draft.parts.ground:
        places, ground = _places(draft, found, close), coverage.ground
        ground = ground.observe_instead(places) if anew else ground.observe(places)
        coverage = replace(coverage, ground=ground)
    draft.coverage = coverage


def _meetings(found: "_Pairs", close: NDArray[np.bool_]) -> Mapping[Cameras, Meetings]:
    """Return the numbers of pairs of each two cameras; `close` are the pairs of clearly alike tracklets."""
    away = found.first != found.second
    one, other = np.minimum(found.first, found.second)[away], np.maximum(found.first, found.second)[away]
    close, at_once = close[away], found.simultaneous[away]
    places, ways = one * len(found.cameras) + other, len(found.cameras) ** 2
    some = (places, places[at_once], places[close], places[close & at_once])
    counts = [np.bincount(part, minlength=ways).astype(float).tolist() for part in some]
    both = enumerate(product(found.cameras, found.cameras))
    return {cameras: Meetings(*(count[place] for count in counts)) for place, cameras in both if counts[0][place]}


def _passages(found: "_Pairs", close: NDArray[np.bool_]) -> Mapping[Way, Passages]:
    """Return the numbers of pairs by way and step of time; `close` are the pairs of clearly alike tracklets."""
    shape = len(found.cameras) ** 2, STEPS
    places = (found.first * len(found.cameras) + found.second) * STEPS + found.steps
    pairs, near = (
        np.bincount(some, minlength=shape[0] * STEPS).reshape(shape).astype(float).tolist()
        for some in (places, places[close])
    )
    ways = enumerate(product(found.cameras, found.cameras))
    return {way: Passages(tuple(pairs[place]), tuple(near[place])) for place, way in ways if any(pairs[place])}


def _places(draft: Draft, found: "_Pairs", close: NDArray[np.bool_]) -> Mapping[Cameras, list[NDArray[np.int16]]]:
    """Return where tracklets of two cameras that show one person were at the same times, the latest of each two.

    Such are clearly alike ones, and those of one identity: where it is wrong, places do not agree, and teach nothing.
    """
    pairs: dict[Cameras, list[tuple[Tracklet, Tracklet]]] = defaultdict(list)
    for place in np.flatnonzero(found.simultaneous & (found.first != found.second)).tolist():
        one, other = found.tracklets[found.one[place]], found.tracklets[found.other[place]]
        number = draft.owner(one.tracklet_id)
        if not close[place] and (number is None or number != draft.owner(other.tracklet_id)):
            continue
        first, second = (one, other) if one.camera_id < other.camera_id else (other, one)
        pairs[first.camera_id, second.camera_id].append((first, second))
    latest = {ways: sorted(met, key=_met_until)[-MOST_PAIRS:] for ways, met in sorted(pairs.items())}
    return {ways: [span for pair in met for span in spans_of(*pair)] for ways, met in latest.items()}


def _met_until(pair: tuple[Tracklet, Tracklet]) -> tuple[int, str, str]:
    first, second = pair
    return min(first.last_ns, second.last_ns), first.tracklet_id, second.tracklet_id


def _sample(draft: Draft, model_id: str, rules: Rules) -> list[Tracklet]:
    """Return the latest ended tracklets of a model."""
    found = (t for t in draft.closed(model_id) if t.quality >= rules.min_closing_quality)
    return list(islice(found, SAMPLE))[::-1]


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Pairs of tracklets that may or may not be the same person, p of them.

    Attributes:
        tracklets: All that are in a pair.
        one, other: `(p,)` the places of a pair in `tracklets`.
        cameras: Their cameras, in alphabetical order.
        first, second: `(p,)` the camera of the tracklet that began first, and that of the other: places in `cameras`.
        steps: `(p,)` after how long the second followed, as `transit` counts it.
        similarities: `(p,)`.
        simultaneous: `(p,)` whether they were visible at the same time.
    """

    tracklets: Sequence[Tracklet]
    one: NDArray[np.int64]
    other: NDArray[np.int64]
    cameras: Sequence[str]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    steps: NDArray[np.int64]
    similarities: NDArray[np.float64]
    simultaneous: NDArray[np.bool_]


def _compared(draft: Draft, ones: Sequence[Tracklet], others: Sequence[Tracklet]) -> _Pairs:
    """Return some tracklets compared with others, all of them ended, each pair once."""
    products = stacked([draft.vector(t) for t in ones]) @ stacked([draft.vector(t) for t in others]).T
    i, j = np.nonzero(_unlabelled(draft, ones, others))
    both = [*ones, *others]
    j_in_both = j + len(ones)
    cameras, camera = np.unique([t.camera_id for t in both], return_inverse=True)
    ranks = began_ranks(both)
    first_ns, last_ns = np.array([t.first_ns for t in both]), np.array([t.last_ns for t in both])
    in_order = ranks[i] < ranks[j_in_both]
    first, second = np.where(in_order, i, j_in_both), np.where(in_order, j_in_both, i)
    gap_ns = first_ns[second] - last_ns[first]
    common_ns = np.minimum(last_ns[first], last_ns[second]) - first_ns[second]
    return _Pairs(
        both,
        i,
        j_in_both,
        cameras.tolist(),
        camera[first],
        camera[second],
        np.searchsorted(EDGES_NS, gap_ns, side="right"),
        products[i, j].round(5).astype(np.float64),
        common_ns > SIMULTANEOUS_NS,
    )


def _unlabelled(draft: Draft, ones: Sequence[Tracklet], others: Sequence[Tracklet]) -> NDArray[np.bool_]:
    """Return `(m, n)` which ended tracklets may or may not be the same person as others, each pair once."""
    places = {t.tracklet_id: place for place, t in enumerate(others)}
    found = np.ones((len(ones), len(others)), np.bool_)
    for row, one in enumerate(ones):
        if one.tracklet_id in places:
            found[row:, places[one.tracklet_id]] = False
        found[row, [places[key] for key in draft.labelled(one) if key in places]] = False
    return found
