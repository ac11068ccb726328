"""Reference implementation of `gallery.decision.decide`: the same steps, comparing each pair separately.

Visibility and similarity are computed anew for each pair of tracklet and identity; `decide` must make the same
decisions.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from gallery.decision import decide, draft_view
from gallery.decision.compare import mean_of
from gallery.decision.coverage import SIMULTANEOUS_NS
from gallery.decision.decide import Neighbours
from gallery.decision.doubles import UNSEEN
from gallery.decision.draft import Decision, Draft
from gallery.decision.explain import PIECES
from gallery.decision.log_odds import logit, needed, needed_for
from gallery.decision.regroup import Move, Union, regrouped
from gallery.decision.rules import Rules
from gallery.decision.scale import update_scale
from gallery.decision.site import Site
from gallery.decision.together import HANDOVER_NS, STALE_NS, Together, is_over, is_same_leg, together
from gallery.decision.visibility import LOST_NS
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
    in_sight = any(not is_over(row.tracklet, draft.now_ns) for row in draft.rows.values())
    due = draft.now_ns // decide.CONSOLIDATE_NS > site.now_ns // decide.CONSOLIDATE_NS
    steps = _Window(draft, rules, neighbours, set(known), consolidate=due or not in_sight)
    steps.reconsider([t for t in fresh if known[t.tracklet_id] is not None])
    steps.follow_tracks()
    steps.assign()
    steps.group()
    steps.regroup()
    steps.assign()
    steps.group()
    for tracklet in fresh:
        number = draft.owner(tracklet.tracklet_id)
        if number is not None and number == known[tracklet.tracklet_id]:
            draft.record_event(
                "updated", tracklet, number, "still followed" if not tracklet.closed else "followed to its end"
            )
    update_scale(draft, rules)
    return draft.finish(rules)


class _Window:
    """The steps for one window, on one draft."""

    def __init__(
        self, draft: Draft, rules: Rules, neighbours: Neighbours, fresh: set[str], *, consolidate: bool
    ) -> None:
        self._draft = draft
        self._rules = rules
        self._neighbours = neighbours
        self._consolidate = consolidate
        pending = [row.tracklet for row in draft.rows.values() if row.identity_id is None]
        oldest_ns = draft.now_ns - 3 * STALE_NS  # nothing is heard of earlier ones, unless they come now
        recent = [t for t in pending if t.last_ns >= oldest_ns or t.tracklet_id in fresh]
        self._open = sorted(recent, key=_in_time)
        self._left: dict[str, int] = {}  # open ones that had an identity before

    def reconsider(self, known: Sequence[Tracklet]) -> None:
        """Reopen tracklets that overlap another tracklet of their identity."""
        for tracklet in known:
            number = self._draft.owner(tracklet.tracklet_id)
            if number is None:  # it was the later one of a pair, and is open already
                continue
            rivals = [
                r.tracklet for a, r in _visible_with(self._draft, tracklet) if a == "yes" and r.identity_id == number
            ]
            if rivals:
                self._reopen(max([tracklet, *rivals], key=lambda t: (t.first_ns, t.tracklet_id)))
        self._open.sort(key=_in_time)

    def _reopen(self, tracklet: Tracklet) -> None:
        number = self._draft.owner(tracklet.tracklet_id)
        if number is not None:
            self._draft.unassign(tracklet)
            self._left[tracklet.tracklet_id] = number
            self._open.append(tracklet)

    def _candidates(self, tracklet: Tracklet) -> set[int]:
        known = self._draft.identities
        if len(known) <= decide.MAX_EXHAUSTIVE:
            return set(known)
        near = self._neighbours(self._draft.vector(tracklet)[None], tracklet.model_id)[0]
        owned = {row.identity_id for row in self._draft.rows.values() if row.identity_id is not None}
        recent = sorted(owned, key=lambda n: (-known[n].last_ns, n))[: draft_view.MAX_LATELY]
        return (near | {*recent} | self._draft.touched) & set(known)

    def _possible(self, tracklet: Tracklet, number: int) -> bool:
        beside = all(row.identity_id != number for _, row in _visible_with(self._draft, tracklet))
        return beside and not any(
            row.identity_id == number
            and row.tracklet.camera_id != tracklet.camera_id
            and self._draft.coverage.of(row.tracklet.camera_id, tracklet.camera_id).is_rare()
            and _overlap_ns(row.tracklet, tracklet) > SIMULTANEOUS_NS
            for row in self._draft.rows.values()
        )

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
                stated = self._probability(match.logit, match.tracklet.model_id)
                self._settle(match.tracklet, match.number, stated, "looks like this person")

    def _assign_camera(self, tracklets: Sequence[Tracklet]) -> list["_Match"]:
        """Return the matches that maximise the sum of log odds above the threshold."""
        ready = [t for t in tracklets if self._is_good(t)]
        numbers = sorted(set().union(*(self._candidates(t) for t in ready))) if ready else []
        if not numbers:
            return []
        logits = np.array([[self._logit(t, n) for n in numbers] for t in ready])
        least = np.array([needed_for(self._draft, self._rules, number) for number in numbers])
        gains = np.clip(logits - least + 1e-6, 0, None)
        rows, columns = linear_sum_assignment(gains, maximize=True)
        return [
            _Match(ready[i], numbers[j], float(logits[i, j]))
            for i, j in zip(rows, columns, strict=True)
            if gains[i, j] > 0
        ]

    def _logit(self, tracklet: Tracklet, number: int) -> float:
        found = logit(self._draft, tracklet, number)
        return (
            found
            if found >= needed_for(self._draft, self._rules, number) and self._possible(tracklet, number)
            else -math.inf
        )

    def group(self) -> None:
        """Create identities for the open tracklets that must show a new person."""
        groups = [[t] for t in self._open if not self._waits(t)]
        while len(groups) > 1:
            pairs = [(i, j) for i in range(len(groups)) for j in range(i + 1, len(groups))]
            scored = [(self._cohesion(groups[i], groups[j]), -i, -j) for i, j in pairs]
            best, i, j = max(scored)
            if best < needed(self._draft, self._rules):
                break
            groups[-i] += groups.pop(-j)
        for members in groups:
            if any(t.tracklet_id in self._left for t in members) or self._shows_enough(members):
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
            logit(self._draft, tracklet, number) >= needed_for(self._draft, self._rules, number)
            for number in maybe - sure
            if number is not None
        )

    def _is_enough(self, tracklet: Tracklet, *, alone: bool) -> bool:
        enough = len(tracklet.times_ns) >= self._rules.min_frames and not (alone and self._is_glimpse(tracklet))
        return enough and self._is_good(tracklet)

    def _is_glimpse(self, tracklet: Tracklet) -> bool:
        lasts_ns, least_ns = tracklet.last_ns - tracklet.first_ns, self._rules.min_alone_ns
        if lasts_ns < least_ns:
            return True
        well_seen = lasts_ns * tracklet.quality >= (least_ns if tracklet.closed else decide.OPEN_SHARE * least_ns)
        return not well_seen and any(self._possible(tracklet, number) for number in self._lost_before(tracklet))

    def _lost_before(self, tracklet: Tracklet) -> set[int]:
        """Return who was last seen by the same camera just before."""
        since_ns, until_ns = tracklet.first_ns - LOST_NS, tracklet.first_ns + HANDOVER_NS
        owners = {
            row.identity_id
            for row in self._draft.rows.values()
            if row.tracklet.camera_id == tracklet.camera_id
            and row.tracklet.tracklet_id != tracklet.tracklet_id
            and since_ns <= row.tracklet.last_ns <= until_ns
        }
        return {number for number in owners if number is not None}

    def _shows_enough(self, members: Sequence[Tracklet]) -> bool:
        return any(self._is_enough(t, alone=len(members) == 1) for t in members)

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
        vector = self._draft.vector
        similarities = [round(float(vector(a) @ vector(b)), 5) for a in one for b in other]
        return sum(map(self._draft.calibration(one[0].model_id).logit, similarities)) / len(similarities)

    def regroup(self) -> None:
        """Merge identities and move tracklets as a new clustering of all recent tracklets says."""
        for model_id in sorted({row.tracklet.model_id for row in self._draft.rows.values()}):
            near = self._near_to(model_id)
            threshold = needed(self._draft, self._rules)
            unions, moves = regrouped(
                self._draft, model_id, near, threshold, self._shows_enough, consolidate=self._consolidate
            )
            for union in unions:
                if self._is_sure(union):
                    self._unite(union, model_id)
            self._move(moves)

    def _is_sure(self, union: Union) -> bool:
        old = [n for n in (union.gone, union.survivor) if not self._draft.is_recent(n)]
        return all(union.logit >= needed_for(self._draft, self._rules, number) for number in old)

    def _near_to(self, model_id: str) -> dict[int, set[int]]:
        draft = self._draft
        changed = [
            n for n in sorted(draft.touched) if n in draft.identities and draft.prototype_set(n, model_id) is not None
        ]
        if len(draft.identities) <= decide.MAX_EXHAUSTIVE:
            return {n: set(draft.identities) for n in changed}
        start = draft.now_ns // decide.NS * decide.MAX_SEARCHED % max(1, len(changed))
        wanted = [*changed[start:], *changed[:start]][: decide.MAX_SEARCHED]
        return {
            n: self._neighbours(mean_of(draft.prototypes[n], model_id, draft.shifts)[None], model_id)[0] for n in wanted
        }

    def _unite(self, union: Union, model_id: str) -> None:
        members = self._draft.members(union.gone) or self._draft.members(union.survivor)
        one, other = (self._draft.identities[number].tracklets for number in (union.gone, union.survivor))
        likely = self._probability(union.whole, model_id, PIECES * math.sqrt(one * other))
        self._draft.merge(union.gone, union.survivor)
        if members:
            reason = f"{union.gone} and {union.survivor} look like one person (probability {likely:.3f})"
            self._draft.record_merge(members[-1], union.survivor, reason, union.gone, likely)

    def _move(self, moves: Sequence[Move]) -> None:
        for move in moves:
            self._reopen(move.tracklet)
        created: dict[int, int] = {}
        for move in moves:
            number = move.number
            reason = "looks like this person"
            if number is None:
                reason = "looks like nobody known"
                number = created[move.group] if move.group in created else self._draft.create()
                created[move.group] = number
            self._settle(move.tracklet, number, self._probability(move.logit, move.tracklet.model_id), reason)

    def _probability(self, logit: float, model_id: str, weight: float = 1.0) -> float:
        others = {row.identity_id for row in self._draft.rows.values() if row.identity_id is not None}
        share, among = self._draft.calibration(model_id).doubles.share, max(0, len(others) - 1) + UNSEEN
        return 1 / (1 + weight * among * (share + (1 - share) * math.exp(-logit)))

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
        others = {r.identity_id for a, r in _visible_with(draft, tracklet) if a == "yes"} - {None, number}
        draft.learn(tracklet.model_id, draft.vector(tracklet), sorted(n for n in others if n is not None))


@dataclass(frozen=True, slots=True)
class _Match:
    tracklet: Tracklet
    number: int
    logit: float


def _in_time(tracklet: Tracklet) -> tuple[int, str]:
    return tracklet.last_ns, tracklet.tracklet_id


def _overlap_ns(one: Tracklet, other: Tracklet) -> int:
    return min(one.last_ns, other.last_ns) - max(one.first_ns, other.first_ns)


def _visible_with(draft: Draft, tracklet: Tracklet) -> Iterator[tuple[Together, StoredTracklet]]:
    for key, row in sorted(draft.rows.items()):
        answer = together(tracklet, row.tracklet, draft.now_ns)
        if answer != "no" and key != tracklet.tracklet_id:
            yield answer, row
