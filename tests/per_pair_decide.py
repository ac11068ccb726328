"""Reference implementation of `gallery.decision.decide`: the same steps, comparing each pair separately.

Visibility and similarity are computed anew for each pair of tracklet and identity; `decide` must make the same
decisions.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from gallery.decision import decide
from gallery.decision.calibrate import probability
from gallery.decision.compare import (
    embedding_of,
    identity_similarity,
    prototype_set_of,
    similarity,
    with_tracklet,
    without_tracklet,
)
from gallery.decision.decide import Neighbours
from gallery.decision.draft import Decision, Draft
from gallery.decision.log_odds import logit, logit_to_others
from gallery.decision.rules import Rules
from gallery.decision.site import STALE_NS, Site, Together, is_same_leg, together
from gallery.store.store import StoredTracklet
from wire.messages import Tracklet


def decide_per_pair(
    site: Site, updates: Sequence[Tracklet], now_ns: int, rules: Rules, neighbours: Neighbours
) -> Decision:
    """Decide a window that ends at `now_ns`; of several revisions of a tracklet, the last one is used."""
    draft = Draft(site, now_ns)
    latest = {t.tracklet_id: t for t in sorted(updates, key=lambda t: t.revision)}
    fresh = sorted(latest.values(), key=_in_time)
    known = {t.tracklet_id: draft.owner(t.tracklet_id) for t in fresh}
    for tracklet in fresh:
        draft.refresh(tracklet)
    steps = _Window(draft, rules, neighbours)
    steps.reconsider([t for t in fresh if known[t.tracklet_id] is not None])
    steps.follow_tracks()
    steps.assign()
    steps.group()
    steps.merge()
    steps.assign()
    steps.group()
    for tracklet in fresh:
        number = draft.owner(tracklet.tracklet_id)
        if number is not None and number == known[tracklet.tracklet_id]:
            draft.record_event(
                "updated", tracklet, number, "still followed" if not tracklet.closed else "followed to its end"
            )
    return draft.finish(rules.horizon_ns, rules.retention_ns)


class _Window:
    """The steps for one window, on one draft."""

    def __init__(self, draft: Draft, rules: Rules, neighbours: Neighbours) -> None:
        self._draft = draft
        self._rules = rules
        self._neighbours = neighbours
        rows = [row for row in draft.rows.values() if row.identity_id is None]
        recent = [row.tracklet for row in rows if row.tracklet.last_ns >= draft.now_ns - 3 * STALE_NS]
        self._open = sorted(recent, key=_in_time)
        self._left: dict[str, int] = {}  # open ones that had an identity before

    def reconsider(self, known: Sequence[Tracklet]) -> None:
        """Reopen tracklets that overlap another tracklet of their identity, or clearly do not belong to it."""
        for tracklet in known:
            number = self._draft.owner(tracklet.tracklet_id)
            if number is None:  # it was the later one of a pair, and is open already
                continue
            rivals = [
                r.tracklet for a, r in _visible_with(self._draft, tracklet) if a == "yes" and r.identity_id == number
            ]
            if rivals:
                self._reopen(max([tracklet, *rivals], key=lambda t: (t.first_ns, t.tracklet_id)))
                continue
            own = logit_to_others(self._draft, tracklet)
            if own < self._rules.match and (own <= self._rules.split or self._fits_elsewhere(tracklet, own)):
                self._reopen(tracklet)
        self._open.sort(key=_in_time)

    def _reopen(self, tracklet: Tracklet) -> None:
        number = self._draft.owner(tracklet.tracklet_id)
        if number is not None:
            self._draft.unassign(tracklet)
            self._left[tracklet.tracklet_id] = number
            self._open.append(tracklet)

    def _fits_elsewhere(self, tracklet: Tracklet, own: float) -> bool:
        numbers = self._candidates(tracklet) - {self._draft.owner(tracklet.tracklet_id)}
        needed = max(own + self._rules.move, self._rules.match)
        likely = (n for n in numbers if n and logit(self._draft, tracklet, n) >= needed)
        return any(self._possible(tracklet, number) for number in likely)

    def _candidates(self, tracklet: Tracklet) -> set[int]:
        known = self._draft.identities
        if len(known) <= decide.MAX_EXHAUSTIVE:
            return set(known)
        near = self._neighbours(embedding_of(tracklet)[None], tracklet.model_id)[0]
        recent = {row.identity_id for row in self._draft.rows.values() if row.identity_id is not None}
        return (near | recent) & set(known)

    def _possible(self, tracklet: Tracklet, number: int) -> bool:
        return all(row.identity_id != number for _, row in _visible_with(self._draft, tracklet))

    def follow_tracks(self) -> None:
        """Assign the next part of a track to the identity of the previous part."""
        for tracklet in list(self._open):
            number = self._draft.of_track(tracklet)
            if number is not None and tracklet.tracklet_id not in self._left and self._possible(tracklet, number):
                self._settle(tracklet, number, 1.0, "next part of the same track")

    def assign(self) -> None:
        """Match open tracklets to identities, jointly per camera, until no more match."""
        while True:
            matches = [
                match
                for camera in sorted({t.camera_id for t in self._open})
                for match in self._assign_camera([t for t in self._open if t.camera_id == camera])
            ]
            if not matches:
                return
            for match in matches:
                self._settle(match.tracklet, match.number, probability(match.logit), "looks like this person")

    def _assign_camera(self, tracklets: Sequence[Tracklet]) -> list["_Match"]:
        """Return the matches that maximise the sum of log odds above the threshold."""
        ready = [t for t in tracklets if self._is_good(t)]
        numbers = sorted(set().union(*(self._candidates(t) for t in ready))) if ready else []
        if not numbers:
            return []
        logits = np.array([[self._logit(t, n) for n in numbers] for t in ready])
        gains = np.clip(logits - self._rules.match + 1e-6, 0, None)
        rows, columns = linear_sum_assignment(gains, maximize=True)
        return [
            _Match(ready[i], numbers[j], float(logits[i, j]))
            for i, j in zip(rows, columns, strict=True)
            if gains[i, j] > 0
        ]

    def _logit(self, tracklet: Tracklet, number: int) -> float:
        found = logit(self._draft, tracklet, number)
        return found if found >= self._rules.match and self._possible(tracklet, number) else -math.inf

    def group(self) -> None:
        """Create identities for the open tracklets that must show a new person."""
        groups = [[t] for t in self._open if not self._waits(t)]
        while len(groups) > 1:
            pairs = [(i, j) for i in range(len(groups)) for j in range(i + 1, len(groups))]
            scored = [(self._cohesion(groups[i], groups[j]), -i, -j) for i, j in pairs]
            best, i, j = max(scored)
            if best < self._rules.match:
                break
            groups[-i] += groups.pop(-j)
        for members in groups:
            if any(self._is_enough(t) for t in members):
                number = self._draft.create()
                for tracklet in sorted(members, key=_in_time):
                    self._settle(tracklet, number, 1.0, "looks like nobody known")

    def _waits(self, tracklet: Tracklet) -> bool:
        """Return whether a match depends on the next revision of another open tracklet."""
        if tracklet.tracklet_id in self._left:
            return False
        maybe = {row.identity_id for answer, row in _visible_with(self._draft, tracklet) if answer == "maybe"}
        sure = {row.identity_id for answer, row in _visible_with(self._draft, tracklet) if answer == "yes"}
        return any(
            logit(self._draft, tracklet, number) >= self._rules.match for number in maybe - sure if number is not None
        )

    def _is_enough(self, tracklet: Tracklet) -> bool:
        if tracklet.tracklet_id in self._left:
            return True
        long_enough = len(tracklet.times_ns) >= self._rules.min_frames
        return long_enough and self._is_good(tracklet)

    def _is_good(self, tracklet: Tracklet) -> bool:
        rules = self._rules
        return tracklet.quality >= (rules.min_closing_quality if tracklet.closed else rules.min_quality)

    def _cohesion(self, one: Sequence[Tracklet], other: Sequence[Tracklet]) -> float:
        """Return the mean log odds over all pairs between two groups; -inf if they cannot be one person."""
        now_ns = self._draft.now_ns
        if any(together(a, b, now_ns) != "no" or a.model_id != b.model_id for a in one for b in other):
            return -math.inf
        if any(is_same_leg(a, b) for a in one for b in other):
            return math.inf
        pairs = [(prototype_set_of(with_tracklet((), a), a.model_id), b) for a in one for b in other]
        similarities = [float(a.vectors[0] @ embedding_of(b)) for a, b in pairs if a is not None]
        return sum(map(self._draft.calibration(one[0].model_id).logit, similarities)) / len(similarities)

    def merge(self) -> None:
        """Merge identities that this window showed to be one person, the most likely pair first."""
        found = [
            (self._identity_logit(one, other), min(one, other), max(one, other))
            for one in self._draft.touched & set(self._draft.identities)
            for other in self._draft.identities
            if other != one
        ]
        done: set[int] = set()
        for likely, survivor, gone in sorted(set(found), key=lambda pair: (-pair[0], pair[1], pair[2])):
            if likely < self._rules.merge:
                return
            if {survivor, gone} & done:
                continue
            intruders = self._intruders(survivor, gone) if self._apart(survivor, gone) else []
            for tracklet in intruders:
                self._reopen(tracklet)
            if intruders or not self._apart(survivor, gone):
                done |= {survivor, gone}
                self._unite(survivor, gone, likely)

    def _identity_logit(self, one: int, other: int) -> float:
        models = {p.model_id for p in self._draft.prototypes[one]} & {p.model_id for p in self._draft.prototypes[other]}
        found = [-math.inf]
        for model_id in sorted(models):
            a, b = self._draft.prototype_set(one, model_id), self._draft.prototype_set(other, model_id)
            if a is not None and b is not None:
                logit = self._draft.calibration(model_id).logit
                bound = logit(float((a.vectors @ b.vectors.T).max()))
                found.append(logit(identity_similarity(a, b)) if bound >= self._rules.merge else -math.inf)
        return max(found)

    def _intruders(self, one: int, other: int) -> list[Tracklet]:
        """Return the tracklets that alone keep two identities apart, and fit much worse than the ones they overlap.

        An early mistake gives one person a stranger's tracklet; whoever is seen beside the stranger could then never be
        that person. Tracklets that are all there is of an identity are no strangers in it.
        """
        known = self._draft.identities
        if other in known[one].apart or one in known[other].apart:
            return []
        meetings = [
            (tracklet, row.tracklet)
            for tracklet in self._draft.members(one)
            for _, row in _visible_with(self._draft, tracklet)
            if row.identity_id == other
        ]
        for side, opposite in ((0, 1), (1, 0)):
            weak = {pair[side].tracklet_id: pair[side] for pair in meetings}
            strong = {pair[opposite].tracklet_id: pair[opposite] for pair in meetings}
            worst = min(self._fit(t, one, other) for t in strong.values())
            best = max(self._fit(t, one, other) for t in weak.values())
            clear = worst >= self._rules.match and worst - self._rules.move >= best > -math.inf
            if clear and self._leaves_something((one, other)[side], weak.values()):
                return list(weak.values())
        return []

    def _leaves_something(self, number: int, tracklets: Iterable[Tracklet]) -> bool:
        rest = self._draft.prototypes[number]
        for tracklet in tracklets:
            rest = without_tracklet(rest, tracklet)
        return bool(rest)

    def _fit(self, tracklet: Tracklet, one: int, other: int) -> float:
        """Return the log odds that a tracklet shows the person of two identities in other cameras; -inf if none."""
        prototypes = (*self._draft.prototypes[one], *self._draft.prototypes[other])
        elsewhere = prototype_set_of([p for p in prototypes if p.camera_id != tracklet.camera_id], tracklet.model_id)
        if elsewhere is None:
            return -math.inf
        return self._draft.calibration(tracklet.model_id).logit(similarity(embedding_of(tracklet), elsewhere))

    def _apart(self, one: int, other: int) -> bool:
        """Return whether two identities were, or may have been, visible at the same time in one camera."""
        known = self._draft.identities
        if other in known[one].apart or one in known[other].apart:
            return True
        return any(
            row.identity_id == other for t in self._draft.members(one) for _, row in _visible_with(self._draft, t)
        )

    def _unite(self, survivor: int, gone: int, likely: float) -> None:
        members = self._draft.members(gone) or self._draft.members(survivor)
        self._draft.merge(gone, survivor)
        if members:
            reason = f"{gone} and {survivor} look like one person (probability {probability(likely):.3f})"
            self._draft.record_event("merged", members[-1], survivor, reason, (gone,))

    def _settle(self, tracklet: Tracklet, number: int, likely: float, reason: str) -> None:
        """Assign an open tracklet to an identity, record the event, and calibrate on people visible with it."""
        draft = self._draft
        self._open = [t for t in self._open if t.tracklet_id != tracklet.tracklet_id]
        is_new = number not in draft.identities
        draft.assign(tracklet, number, likely)
        before = self._left.get(tracklet.tracklet_id)
        if before == number:
            return
        if before is not None:
            draft.record_event("split", tracklet, number, f"does not belong to {before}: {reason}", (before,))
            return
        draft.record_event("created" if is_new else "matched", tracklet, number, reason)
        vector = embedding_of(tracklet)
        others = {r.identity_id for a, r in _visible_with(draft, tracklet) if a == "yes"} - {None, number}
        sets = [draft.prototype_set(other, tracklet.model_id) for other in sorted(n for n in others if n is not None)]
        draft.learn(tracklet.model_id, [(vector, known) for known in sets if known is not None])


@dataclass(frozen=True, slots=True)
class _Match:
    tracklet: Tracklet
    number: int
    logit: float


def _in_time(tracklet: Tracklet) -> tuple[int, str]:
    return tracklet.last_ns, tracklet.tracklet_id


def _visible_with(draft: Draft, tracklet: Tracklet) -> Iterator[tuple[Together, StoredTracklet]]:
    for key, row in sorted(draft.rows.items()):
        answer = together(tracklet, row.tracklet, draft.now_ns)
        if answer != "no" and key != tracklet.tracklet_id:
            yield answer, row
