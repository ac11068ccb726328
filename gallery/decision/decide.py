"""Decide the identities of all tracklets in one window of event time. Pure: a site and tracklets in, a site out.

For each window:
 1. known tracklets are refreshed, and so are the prototypes of their identities;
 2. those that turn out to overlap another tracklet of their identity are reopened;
 3. open tracklets are assigned to identities, with one assignment problem per camera, since a person appears at most
    once in a camera at a time;
 4. the remaining ones are grouped, so that a new person seen by three cameras becomes one identity;
 5. all recent tracklets are clustered again, the most similar pairs first; identities are merged and tracklets moved
    accordingly where that is clear, and all of them when the site is consolidated; steps 3 and 4 are repeated. This
    corrects early mistakes as soon as the evidence allows;
 6. a tracklet without enough evidence stays pending until a later revision;
 7. calibration, camera shifts and disjoint cameras are updated with the tracklets that ended.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gallery.decision.absence import NOBODY_ABSENT, Absent
from gallery.decision.compare import mean_of, vector_of
from gallery.decision.draft import Decision, Draft
from gallery.decision.explain import NOBODY, explained, likely, likely_one
from gallery.decision.grouping import grouped
from gallery.decision.log_odds import logit, logits, needed, needed_for, needed_for_each
from gallery.decision.regroup import Move, Union, regrouped
from gallery.decision.returning import Returning, take_up
from gallery.decision.rules import Rules
from gallery.decision.scale import update_scale
from gallery.decision.site import Site
from gallery.decision.spaces import views
from gallery.decision.together import STALE_NS
from gallery.store.said import leg_of
from gallery.store.store import StoredTracklet
from gallery.store.why import Why
from wire.messages import Tracklet

Neighbours = Callable[[NDArray[np.float32], str], list[set[int]]]  # (m, d) unit vectors and their model

NS = 1_000_000_000
CONSOLIDATE_NS = 20_000_000_000  # how often every tracklet goes where it fits best, besides when nobody is in sight
MAX_SEARCHED = 24  # identities per window for which others that may be the same person are searched
OPEN_SHARE = 0.6  # of what a tracklet that has ended must show to create an identity by itself: more may come
MAX_FRAGMENTS = 128  # tracklets too short or poor to create an identity that are grouped with those that may
SAID, FOLLOWS = "a person said so", "next part of the same track"
MAX_EXHAUSTIVE = 64  # with more identities, only the nearest by index and those seen recently are compared


def decide(
    site: Site,
    updates: Sequence[Tracklet],
    now_ns: int,
    rules: Rules,
    neighbours: Neighbours,
    older: Sequence[StoredTracklet] = (),
    absent: Absent = NOBODY_ABSENT,
) -> Decision:
    """Decide a window that ends at `now_ns`; of several revisions of a tracklet, the last one is used.

    `older` are stored rows from before the horizon that late updates revise or overlap, `absent` people who have faded.
    """
    draft = Draft(site, now_ns, rules.parts)
    draft.remember(absent.needed)
    draft.recall(older)
    latest = {t.tracklet_id: t for t in sorted(updates, key=lambda t: t.revision)}
    fresh = sorted(latest.values(), key=_in_time)
    known = {t.tracklet_id: draft.owner(t.tracklet_id) for t in fresh}
    for tracklet in fresh:
        draft.refresh(tracklet)
    returning = take_up(draft, rules, fresh, absent)
    due = draft.now_ns // CONSOLIDATE_NS > site.now_ns // CONSOLIDATE_NS
    consolidate = due or not draft.is_anyone_in_sight()
    steps = _Window(draft, rules, neighbours, set(known), returning, consolidate=consolidate)
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
    draft.why = steps.explain()
    update_scale(draft, rules)
    return draft.finish(rules)


class _Window:
    """The steps for one window, on one draft."""

    def __init__(
        self,
        draft: Draft,
        rules: Rules,
        neighbours: Neighbours,
        fresh: set[str],
        returning: Returning,
        *,
        consolidate: bool,
    ) -> None:
        self._draft = draft
        self._rules = rules
        self._neighbours = neighbours
        self._returning = returning
        self._consolidate = consolidate
        oldest_ns = draft.now_ns - 3 * STALE_NS  # nothing is heard of earlier ones, unless they come now
        recent = [t for t in draft.pending() if t.last_ns >= oldest_ns or t.tracklet_id in fresh]
        self._open = sorted(recent, key=_in_time)
        self._previous_owner: dict[str, int] = {}  # of open tracklets that were reopened
        self._near: dict[str, set[int]] = {}
        self._reasons: dict[str, str] = {}  # of tracklets that were given to somebody

    def reconsider(self, known: Sequence[Tracklet]) -> None:
        """Reopen tracklets that overlap another tracklet of their identity."""
        for tracklet in known:
            number = self._draft.owner(tracklet.tracklet_id)
            if number is None:  # already reopened as the later one of an overlapping pair
                continue
            rivals = [
                r.tracklet for a, r in self._draft.visible_with(tracklet) if a == "yes" and r.identity_id == number
            ]
            held = self._draft.holdings
            loose = [t for t in (tracklet, *rivals) if not held.is_pinned(t.tracklet_id)] if rivals else []
            if loose:  # what people said about the others weighs more than that they were visible at the same time
                self._reopen(max(loose, key=lambda t: (t.first_ns, t.tracklet_id)))
        self._open.sort(key=_in_time)

    def _reopen(self, tracklet: Tracklet) -> None:
        number = self._draft.owner(tracklet.tracklet_id)
        if number is not None:
            self._draft.unassign(tracklet)
            self._previous_owner[tracklet.tracklet_id] = number
            self._open.append(tracklet)

    def _candidates(self, tracklets: Sequence[Tracklet]) -> list[set[int]]:
        """Return the identities to compare each tracklet with."""
        known = self._draft.identities
        if len(known) <= MAX_EXHAUSTIVE:
            return [set(known)] * len(tracklets)
        self._search([t for t in tracklets if t.tracklet_id not in self._near])
        recent = self._draft.seen_lately() | {n for n in self._returning.numbers if n in known}
        return [recent.union(n for n in self._near[t.tracklet_id] if n in known) for t in tracklets]

    def _search(self, tracklets: Sequence[Tracklet]) -> None:
        for model_id in sorted({t.model_id for t in tracklets}):
            same = [t for t in tracklets if t.model_id == model_id]
            near = self._neighbours(np.stack([self._draft.vector(t) for t in same]), model_id)
            self._near.update(zip((t.tracklet_id for t in same), near, strict=True))

    def follow_tracks(self) -> None:
        """Assign tracklets as people said, and the next part of a track to the identity of the previous one."""
        for tracklet in [t for t in self._open if t.tracklet_id not in self._previous_owner]:
            said = self._draft.holdings.owner(tracklet.tracklet_id)
            if said is not None and said in self._draft.identities:
                self._settle(tracklet, said, 1.0, SAID)
                continue
            number = self._draft.of_track(tracklet)
            if number is not None and number not in self._draft.excluded(tracklet):
                self._settle(tracklet, number, 1.0, FOLLOWS)

    def assign(self) -> None:
        """Match open tracklets to identities, jointly per camera, until no more match."""
        while matches := self._matches():
            for match in matches:
                if match.number in self._draft.holdings.forbidden(match.tracklet.tracklet_id):
                    continue  # by what was settled just now; it is not matched again
                self._settle(match.tracklet, match.number, self._likely(match), "looks like this person")

    def _likely(self, found: "_Match | Move") -> float:
        return likely(self._draft, found.logit, found.tracklet.model_id)

    @property
    def _least(self) -> float:
        return needed(self._draft, self._rules)

    def _matches(self) -> list["_Match"]:
        """Return the matches that maximise the sum of log odds above the threshold, for each camera."""
        ready = sorted((t for t in self._open if self._is_good(t)), key=lambda t: t.camera_id)
        candidates = self._candidates(ready)
        numbers = np.array(sorted(set().union(*candidates)), np.int64)
        cameras = np.array([t.camera_id for t in ready])
        among = np.zeros((len(ready), len(numbers)), np.bool_)  # candidates of any tracklet of the same camera
        for camera_id in dict.fromkeys(cameras.tolist()):
            rows = np.flatnonzero(cameras == camera_id)
            among[rows] = np.isin(numbers, list(set().union(*(candidates[row] for row in rows))))
        least = needed_for_each(self._draft, self._rules, numbers.tolist())
        table = self._table(ready, numbers, among, least)
        matches: list[_Match] = []
        for camera_id in dict.fromkeys(cameras.tolist()):
            rows = np.flatnonzero(cameras == camera_id)
            columns = np.flatnonzero(among[rows[0]])
            best = _best_matches(table[np.ix_(rows, columns)], least[columns])
            matches += [_Match(ready[rows[i]], int(numbers[columns[j]]), value) for i, j, value in best]
        return matches

    def _table(
        self,
        ready: Sequence[Tracklet],
        numbers: NDArray[np.int64],
        among: NDArray[np.bool_],
        least: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return `(m, n)` log odds; -inf below `least`, `(n,)`, and for identities that a tracklet cannot have."""
        table = logits(self._draft, ready, numbers.tolist(), float(least.min(initial=np.inf)), among)
        table[table < least] = -np.inf
        for row, tracklet in enumerate(ready):
            excluded = [number for number in self._draft.excluded(tracklet) if number is not None]
            table[row, np.isin(numbers, excluded)] = -np.inf
        return table

    def group(self) -> None:
        """Create identities for the open tracklets that must show a new person."""
        draft = self._draft
        exclusive_ns = draft.now_ns if self._rules.parts.exclusivity else None
        for members in grouped(
            self._unknown(), draft.calibration, draft.vector, self._least, exclusive_ns, draft.holdings.said
        ):
            if any(self._may_found(t, alone=len(members) == 1) for t in members):
                number = draft.create()
                for tracklet in sorted(members, key=_in_time):
                    self._settle(tracklet, number, 1.0, NOBODY)

    def _unknown(self) -> list[Tracklet]:
        """Return the open tracklets to group: those that may create an identity, and the latest of the others."""
        founders = {t.tracklet_id for t in self._open if self._may_found(t, alone=False)}
        if not founders:
            return []
        others = [t.tracklet_id for t in self._open if t.tracklet_id not in founders]  # in time
        chosen = founders.union(others[-MAX_FRAGMENTS:])
        return [t for t in self._open if t.tracklet_id in chosen and not self._waits(t)]

    def _waits(self, tracklet: Tracklet) -> bool:
        """Return whether a match depends on the next revision of another open tracklet."""
        if tracklet.tracklet_id in self._previous_owner:
            return False
        maybe = {row.identity_id for answer, row in self._draft.visible_with(tracklet) if answer == "maybe"}
        sure = {row.identity_id for answer, row in self._draft.visible_with(tracklet) if answer == "yes"}
        return any(
            logit(self._draft, tracklet, number) >= needed_for(self._draft, self._rules, number)
            for number in maybe - sure
            if number is not None
        )

    def _may_found(self, tracklet: Tracklet, *, alone: bool) -> bool:
        """Tell whether a tracklet may create an identity; who had one before needs another, however short."""
        return tracklet.tracklet_id in self._previous_owner or self._is_enough(tracklet, alone=alone)

    def _is_enough(self, tracklet: Tracklet, *, alone: bool) -> bool:
        """Tell whether a tracklet shows enough of a person; a glimpse waits until somebody like that is seen again."""
        long_enough = len(tracklet.times_ns) >= self._rules.min_frames and not (alone and self._is_glimpse(tracklet))
        return long_enough and self._is_good(tracklet)

    def _is_glimpse(self, tracklet: Tracklet) -> bool:
        """Tell whether a tracklet is too short, or too poor for its length where it may be somebody just lost."""
        lasts_ns, least_ns = tracklet.last_ns - tracklet.first_ns, self._rules.min_alone_ns
        if lasts_ns < least_ns:
            return True
        if lasts_ns * tracklet.quality >= (least_ns if tracklet.closed else OPEN_SHARE * least_ns):
            return False
        return self._draft.may_be_somebody_lost(tracklet)

    def _shows_enough(self, members: Sequence[Tracklet]) -> bool:
        return any(self._is_enough(t, alone=len(members) == 1) for t in members)

    def _is_good(self, tracklet: Tracklet) -> bool:
        rules = self._rules
        return tracklet.quality >= (rules.min_closing_quality if tracklet.closed else rules.min_quality)

    def regroup(self) -> None:
        """Merge identities and move tracklets as a new clustering of all recent tracklets says."""
        if not self._rules.parts.clustering:
            return
        for model_id in self._draft.models():
            near = self._near_to(model_id)
            unions, moves = regrouped(
                self._draft, model_id, near, self._least, self._shows_enough, consolidate=self._consolidate
            )
            leaving = {leg_of(move.tracklet.tracklet_id) for move in moves}
            for union in unions:
                if self._is_sure(union) and self._draft.may_unite(union.gone, union.survivor, leaving):
                    self._unite(union, model_id)
            self._move(moves)

    def _is_sure(self, union: Union) -> bool:
        """Return whether two identities are alike enough, even if one of them was not seen for long."""
        both = union.gone, union.survivor
        return all(self._draft.is_recent(n) or union.logit >= needed_for(self._draft, self._rules, n) for n in both)

    def _near_to(self, model_id: str) -> dict[int, set[int]]:
        """Return the identities that may be the same person, for those that this window changed."""
        draft = self._draft
        changed = [n for n in sorted(draft.touched) if n in draft.identities and draft.is_known_to(model_id, n)]
        like = {n: others for n, others in self._returning.like.items() if n in draft.identities}
        if len(draft.identities) <= MAX_EXHAUSTIVE:
            return {number: set(draft.identities) for number in dict.fromkeys([*like, *changed])}
        if not changed:
            return like
        start = draft.now_ns // NS * MAX_SEARCHED % len(changed)  # other ones in every window
        wanted = (changed[start:] + changed[:start])[:MAX_SEARCHED]
        near = self._neighbours(
            np.stack([mean_of(draft.prototypes[n], model_id, draft.shifts) for n in wanted]), model_id
        )
        found = dict(zip(wanted, near, strict=True))
        return {n: others | found.get(n, set()) for n, others in like.items()} | {
            n: others for n, others in found.items() if n not in like
        }

    def _move(self, moves: Sequence[Move]) -> None:
        held = self._draft.holdings
        moves = [m for m in moves if m.number is None or m.number not in held.forbidden(m.tracklet.tracklet_id)]
        for move in moves:
            self._reopen(move.tracklet)
        created: dict[int, int] = {}
        for move in moves:
            if move.number is None and move.group not in created:
                created[move.group] = self._draft.create()
            number = created[move.group] if move.number is None else move.number
            reason = NOBODY if move.number is None else "looks like this person"
            self._settle(move.tracklet, number, self._likely(move), reason)

    def _unite(self, union: Union, model_id: str) -> None:
        members = self._draft.members(union.gone) or self._draft.members(union.survivor)
        both = self._draft.identities[union.gone], self._draft.identities[union.survivor]
        share = likely_one(self._draft, union.whole, model_id, *both)
        self._draft.merge(union.gone, union.survivor)
        if members:
            reason = f"{union.gone} and {union.survivor} look like one person (probability {share:.3f})"
            self._draft.record_merge(members[-1], union.survivor, reason, union.gone, share)

    def explain(self) -> dict[str, Why]:
        """Return why tracklets were given to somebody in this window."""
        compared = [key for key, reason in self._reasons.items() if reason not in {SAID, FOLLOWS}]
        tracklets = [self._draft.rows[key].tracklet for key in compared]
        candidates = set().union(*self._candidates(tracklets)) if tracklets else set()
        identities = self._draft.identities  # of everybody, so that candidates are looked up in them one by one
        here = {number for number in candidates if number in identities}
        return explained(self._draft, self._rules, self._reasons, tracklets, here)

    def _settle(self, tracklet: Tracklet, number: int, probability: float, reason: str) -> None:
        """Assign an open tracklet to an identity, record the event, and calibrate on people visible with it."""
        draft = self._draft
        if draft.owner(tracklet.tracklet_id) is not None:  # it was brought along with another one
            return
        self._open = [t for t in self._open if t.tracklet_id != tracklet.tracklet_id]
        is_new = number not in draft.identities
        draft.assign(tracklet, number, probability)
        self._bring(tracklet, number)
        before = self._previous_owner.get(tracklet.tracklet_id)
        if before == number:
            return
        self._reasons[tracklet.tracklet_id] = reason
        if before is not None:
            draft.record_event("split", tracklet, number, f"does not belong to {before}: {reason}", (before,))
            return
        draft.record_event("created" if is_new else "matched", tracklet, number, reason)
        others = {r.identity_id for a, r in draft.visible_with(tracklet) if a == "yes"} - {None, number}
        numbers = sorted(number for number in others if number is not None)
        draft.learn(tracklet.model_id, draft.vector(tracklet), numbers)
        for view in views(tracklet)[1:]:
            draft.learn(view.model_id, vector_of(view, draft.shifts), numbers)

    def _bring(self, tracklet: Tracklet, number: int) -> None:
        """Assign the open tracklets that people said show the same person as one that was just assigned."""
        said = self._draft.holdings.said
        leg = leg_of(tracklet.tracklet_id)
        if leg in said.groups:
            for other in [t for t in self._open if said.are_same(leg, leg_of(t.tracklet_id))]:
                self._settle(other, number, 1.0, SAID)


@dataclass(frozen=True, slots=True)
class _Match:
    tracklet: Tracklet
    number: int
    logit: float


def _best_matches(table: NDArray[np.float64], least: NDArray[np.float64]) -> list[tuple[int, int, float]]:
    """Return row, column and value of the assignment with the highest sum above what each column needs."""
    gains = np.clip(table - least + 1e-6, 0, None)
    pairs = zip(*linear_sum_assignment(gains, maximize=True), strict=True)
    return [(int(i), int(j), float(table[i, j])) for i, j in pairs if gains[i, j] > 0]


def _in_time(tracklet: Tracklet) -> tuple[int, str]:
    return tracklet.last_ns, tracklet.tracklet_id
