"""Cluster recent tracklets again, and map the clusters to the existing identities. No I/O.

An identity follows the majority of its tracklets; if several identities share a cluster, the one with the lowest number
is kept. Prototypes of tracklets that are no longer in memory stay with their identity. The clustering ignores how
tracklets were assigned before, so repeating it changes nothing.

Recent tracklets are clustered first, as if nobody had been known before, and then the people of before join what is
like them: who is known cannot bring together what would not be one person without them, and a gallery that has run for
days tells the people of today apart as well as a new one.

While evidence comes in, tracklets between two people would go back and forth, so that for most windows a tracklet only
leaves its identity when it clearly fits better elsewhere, or cannot stay. From time to time a site is consolidated, and
every tracklet goes where the clustering says.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from gallery.decision.cluster import Besides, clusters_in_turn
from gallery.decision.compare import weight_of
from gallery.decision.draft import Draft
from gallery.decision.fit import Fit, Member
from gallery.store.said import leg_of
from gallery.store.store import Prototype
from wire.messages import Tracklet

MAX_MEMBERS = 192  # clustered together; the cost is quadratic
MAX_EACH = 64  # latest tracklets of one identity; earlier ones count as its older ones
MIN_OLDER = 0.05  # a lower weight of older tracklets is a rounding error
CLEAR = 3.6  # log odds by which a tracklet must fit better elsewhere to leave its identity between consolidations
_OLDER, _GROUP = "older tracklets", "said to be one person"
DOUBT = 1.8  # log odds by which it may fail the threshold of its identity without having to leave


@dataclass(frozen=True, slots=True)
class Union:
    """Two identities that are one person.

    Attributes:
        logit: Log odds that the part of one which fits, its most, is the same person as the other.
        whole: The same for everything that it shows, of which some goes elsewhere in the same window.
    """

    survivor: int
    gone: int
    logit: float
    whole: float


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """A tracklet to move to another identity; `number` is None for a new identity, one for each `group`."""

    tracklet: Tracklet
    number: int | None
    group: int
    logit: float


def regrouped(
    draft: Draft,
    model_id: str,
    near: Mapping[int, set[int]],
    threshold: float,
    founds: Callable[[Sequence[Tracklet]], bool],
    *,
    consolidate: bool,
) -> tuple[list[Union], list[Move]]:
    """Return the merges and moves after which each identity is one cluster of the tracklets of one model.

    Args:
        near: For identities that changed, in order of priority, those that may be the same person.
        threshold: Log odds from which on clusters are joined.
        founds: Whether tracklets show enough of a person to become a new identity.
        consolidate: Make all moves, however small the gain.
    """
    members = members_of(draft, model_id, near)
    if len(members) < 2:
        return [], []
    rivals, besides = _rivals(draft, members), _besides(draft, model_id, members)
    fit, keys = Fit(draft.calibration(model_id), members, besides), _keys(draft, members)
    labels = clusters_in_turn(
        fit.vectors,
        fit.weights,
        keys,
        rivals,
        np.array([_is_older(key) for key in keys]),
        draft.calibration(model_id).similarity(threshold),
        besides,
    )
    fit = fit.to(labels).with_tracks_joined(rivals, threshold)
    if not consolidate:
        fit = fit.to(_calmed(draft, fit, members, rivals, threshold, _said_keys(keys)))
    fit = fit.to(_with_glimpses_at_home(draft, fit, members, rivals, founds))
    return _changes(draft, fit, members)


def members_of(draft: Draft, model_id: str, near: Mapping[int, set[int]]) -> list[Member]:
    """Return the items to cluster: changed identities with those that may be the same person, then the latest ones."""
    wanted = chain.from_iterable([n, *sorted(near[n])] for n in near)
    members: list[Member] = []
    done: set[int] = set()
    for number in chain(wanted, draft.recent()):
        if number in done or number not in draft.identities:
            continue
        done.add(number)
        added = _members_of(draft, number, model_id)
        if members and len(members) + len(added) > MAX_MEMBERS:
            break
        members += added
    return members


def _members_of(draft: Draft, number: int, model_id: str) -> list[Member]:
    tracklets = [t for t in draft.members(number) if t.model_id == model_id][-MAX_EACH:]
    recent = [Member(number, draft.vector(t), weight_of(t), t) for t in tracklets]
    older = _older(draft, number, model_id, tracklets)
    return recent if older is None else [older, *recent]


def _older(draft: Draft, number: int, model_id: str, recent: Sequence[Tracklet]) -> Member | None:
    """Return an identity's prototypes of all its tracklets but the `recent` ones; None if there are no others."""
    weights: dict[str, float] = defaultdict(float)
    for tracklet in recent:
        weights[tracklet.camera_id] += weight_of(tracklet)
    means = [p for p in draft.prototypes[number] if p.kind == "mean" and p.model_id == model_id]
    older = [(p, p.weight - weights[p.camera_id]) for p in means if p.weight - weights[p.camera_id] > MIN_OLDER]
    if not older:
        return None
    shares = np.array([weight for _, weight in older])
    mean = sum(_mean(draft, prototype) * weight for prototype, weight in older) / shares.sum()
    return Member(number, mean, float(shares.sum()), None)


def _mean(draft: Draft, prototype: Prototype) -> NDArray[np.float64]:
    """Return the mean of a camera's vectors; the more they differ, the shorter it is."""
    length = float(np.sqrt(prototype.vector @ prototype.vector))
    unit = prototype.vector / np.float32(length or 1.0)
    direction = draft.shifts.without(unit, prototype.model_id, prototype.camera_id)
    return direction.astype(np.float64) * (length / prototype.weight)


def _besides(draft: Draft, model_id: str, members: Sequence[Member]) -> Besides | None:
    """Return what cameras, times and places of members say, as differences of similarity; None if nothing."""
    slope, transit, ground = draft.calibration(model_id).slope, draft.coverage.transit, draft.coverage.ground
    if slope <= 0 or not (transit.passages or ground.floors):
        return None
    places = [place for place, member in enumerate(members) if member.tracklet is not None]
    tracklets = [member.tracklet for member in members if member.tracklet is not None]
    means, sums = np.zeros((2, len(members), len(members)))
    means[np.ix_(places, places)] = transit.between(tracklets) / slope
    sums[np.ix_(places, places)] = ground.between(tracklets) / slope
    return Besides(means, sums, ground.bound / slope)


def _keys(draft: Draft, members: Sequence[Member]) -> list[object]:
    """Return for each member a key, equal for those that are one person: parts of a leg, and what people said."""
    legs = [None if member.tracklet is None else leg_of(member.tracklet.tracklet_id) for member in members]
    groups = draft.holdings.said.groups
    older: dict[int, object] = {}  # key of a group of which an identity's older tracklets are
    for member in members:
        if member.tracklet is None:
            for leg in draft.holdings.held(member.number).difference(legs):
                if leg in groups:
                    older[groups[leg]] = _OLDER, member.number
    return [
        (_OLDER, member.number)
        if leg is None
        else leg
        if leg not in groups
        else older.get(groups[leg], (_GROUP, groups[leg]))
        for member, leg in zip(members, legs, strict=True)
    ]


def _is_older(key: object) -> bool:
    """Return whether a key is that of an identity's older tracklets, and of those said to show the same person."""
    return isinstance(key, tuple) and key[0] == _OLDER


def _said_keys(keys: Sequence[object]) -> list[bool]:
    """Return whether each member is with others since people said so: it goes where they go."""
    counts = Counter(keys)
    return [isinstance(key, tuple) and counts[key] > 1 for key in keys]


def _rivals(draft: Draft, members: Sequence[Member]) -> NDArray[np.bool_]:
    places = {m.tracklet.tracklet_id: place for place, m in enumerate(members) if m.tracklet is not None}
    rivals = np.zeros((len(members), len(members)), np.bool_)
    for place, member in enumerate(members):
        if member.tracklet is None:
            apart = draft.identities[member.number].apart
            others = [i for i, m in enumerate(members) if m.tracklet is None and m.number in apart]
        else:
            others = [places[key] for key in draft.seen_with(member.tracklet) if key in places]
        if others:
            rivals[place, others] = rivals[others, place] = True
    _hold_apart(draft, members, rivals)
    recent = list(places.values())
    if recent and draft.coverage.disjoint_from:
        tracklets = [member.tracklet for member in members if member.tracklet is not None]
        rivals[np.ix_(recent, recent)] |= draft.coverage.told_apart(tracklets)
    return rivals


def _hold_apart(draft: Draft, members: Sequence[Member], rivals: NDArray[np.bool_]) -> None:
    """Add the pairs of members that people said are two people."""
    said = draft.holdings.said
    if not said.sides:
        return
    sides: dict[int, list[int]] = defaultdict(list)
    recent = {leg_of(member.tracklet.tracklet_id) for member in members if member.tracklet is not None}
    for place, member in enumerate(members):
        older = member.tracklet is None
        legs = draft.holdings.held(member.number) - recent if older else {leg_of(_id(member))}
        for side in {side for leg in legs for side in said.sides.get(leg, ())}:
            sides[side].append(place)
    for side, mine in sides.items():
        if others := sides.get(side ^ 1):
            rivals[np.ix_(mine, others)] = True


def _id(member: Member) -> str:
    assert member.tracklet is not None
    return member.tracklet.tracklet_id


def _calmed(
    draft: Draft,
    fit: Fit,
    members: Sequence[Member],
    rivals: NDArray[np.bool_],
    threshold: float,
    said: Sequence[bool],
) -> NDArray[np.int64]:
    """Return the clusters without the moves that gain little, undone in the order of their gain."""
    homes, labels = _homes(draft, members, fit.labels), fit.labels.copy()
    gains: list[tuple[float, int]] = []
    for place, (member, label) in enumerate(zip(members, labels.tolist(), strict=True)):
        home = homes[member.number]
        if (
            said[place]
            or member.tracklet is None
            or label == home
            or not draft.had_before(member.tracklet.tracklet_id, member.number)
        ):
            continue
        stay = fit.of_member(place, home)
        gain = (fit.of_member(place, label) if fit.has_others(place, label) else threshold) - stay
        if stay >= threshold - DOUBT and gain < CLEAR:
            gains.append((gain, place))
    for _, place in sorted(gains):
        home = homes[members[place].number]
        if not rivals[place, labels == home].any():
            labels[place] = home
    return labels


def _with_glimpses_at_home(
    draft: Draft,
    fit: Fit,
    members: Sequence[Member],
    rivals: NDArray[np.bool_],
    founds: Callable[[Sequence[Tracklet]], bool],
) -> NDArray[np.int64]:
    """Return the clusters without those that would be nobody known and show too little to be somebody new.

    Their tracklets stay with their identities, unless they were seen at the same time.
    """
    homes, labels = _homes(draft, members, fit.labels), fit.labels.copy()
    for label in sorted(set(labels.tolist()) - set(homes.values())):
        places = np.flatnonzero(labels == label).tolist()
        if founds([m.tracklet for m in (members[place] for place in places) if m.tracklet is not None]):
            continue
        for place in places:
            home = homes[members[place].number]
            if not rivals[place, labels == home].any():
                labels[place] = home
    return labels


def _changes(draft: Draft, fit: Fit, members: Sequence[Member]) -> tuple[list[Union], list[Move]]:
    homes = _homes(draft, members, fit.labels)
    keepers: dict[int, int] = {}
    for number in sorted(homes):
        keepers.setdefault(homes[number], number)
    unions = [
        Union(keepers[home], n, fit.of_number(n, home), fit.of_whole(n, home))
        for n, home in sorted(homes.items())
        if keepers[home] != n
    ]
    moves = [
        Move(member.tracklet, keepers.get(label), label, fit.of_member(place, label))
        for place, (member, label) in enumerate(zip(members, fit.labels.tolist(), strict=True))
        if member.tracklet is not None and label != homes[member.number]
    ]
    return unions, moves


def _homes(draft: Draft, members: Sequence[Member], labels: NDArray[np.int64]) -> dict[int, int]:
    """Return the cluster of each identity: that of its older tracklets, else of most, else of its first tracklet."""
    shares: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for member, label in sorted(zip(members, labels.tolist(), strict=True), key=lambda pair: _seen(pair[0])):
        shares[member.number][label] += _claim(draft, member)
    return {n: max(share, key=lambda label: round(share[label], 6)) for n, share in shares.items()}


def _claim(draft: Draft, member: Member) -> float:
    """Return the weight of a member in its identity's majority; assignments of this window were not published yet."""
    if member.tracklet is None:
        return math.inf
    return member.weight if draft.had_before(member.tracklet.tracklet_id, member.number) else 0.0


def _seen(member: Member) -> tuple[int, str]:
    tracklet = member.tracklet
    return (0, "") if tracklet is None else (tracklet.last_ns, tracklet.tracklet_id)
