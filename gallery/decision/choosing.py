"""Carry out which weights are to decide a site or to be forgotten, and add how stored tracklets look. No I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import replace as changed

from msgspec.structs import replace as changed_message

from gallery.decision.compare import with_view
from gallery.decision.draft import Decision, Draft
from gallery.decision.rules import Parts, Rules
from gallery.decision.scale import update_scale
from gallery.decision.site import Site
from gallery.decision.spaces import Spaces, seen_anew, settled, settled_row
from gallery.decision.table import Table
from gallery.store.store import Prototype, StoredTracklet
from wire.messages import Tracklet
from wire.tracklet import Look

AT_ONCE = 256  # people in a write, so that none blocks the server for long


def models_of(site: Site) -> dict[str, int]:
    """Return how many identities are known under each model."""
    found: dict[str, int] = {}
    for owned in site.prototypes.values():
        for model_id in {prototype.model_id for prototype in owned}:
            found[model_id] = found.get(model_id, 0) + 1
    return found


def used(site: Site, model_id: str, time_ns: int, rules: Rules) -> Decision:
    """Return the decision that lets a model decide from now on; identities keep their numbers.

    What similarities mean under it is learnt from the recent tracklets first.
    """
    draft = _SpacesDraft(_settled(site, site.spaces.using(model_id, time_ns)), rules.parts)
    update_scale(draft, rules, anew=True)
    return draft.done(rules)


def forgotten(site: Site, model_id: str, time_ns: int, rules: Rules) -> Iterator[Decision]:
    """Yield the decisions that delete a model's prototypes, of some people at a time, and at last note that it is so.

    Whoever is known under no other model keeps them.
    """
    rest = {number: _besides(owned, model_id) for number, owned in site.prototypes.items()}
    known = [number for number, kept in sorted(rest.items()) if kept and len(kept) < len(site.prototypes[number])]
    for start in range(0, len(known), AT_ONCE):
        draft = _SpacesDraft(site, rules.parts)
        for number in known[start : start + AT_ONCE]:
            draft.keep_only(number, rest[number])
        decision = draft.done(rules)
        site = decision.site
        yield decision
    yield _SpacesDraft(_settled(site, site.spaces.without(model_id, time_ns)), rules.parts).done(rules)


def looked_at_again(site: Site, arrived: Sequence[tuple[StoredTracklet, Tracklet]], rules: Rules) -> Decision | None:
    """Return the decision that adds how stored tracklets look under further weights; None if nothing of it is new."""
    draft = _SpacesDraft(site, rules.parts)
    for stored, tracklet in arrived:
        row = draft.rows.get(tracklet.tracklet_id, settled_row(stored, site.spaces))
        view = seen_anew(row, tracklet)
        if view is not None and view.model_id not in site.spaces.forgotten:
            draft.add_view(row, view)
    return draft.done(rules) if draft.seen_again else None


class _SpacesDraft(Draft):
    """A working copy of a site whose people stay who they are."""

    def __init__(self, site: Site, parts: Parts) -> None:
        super().__init__(site, site.now_ns, parts)
        self.seen_again: dict[str, StoredTracklet] = {}

    def keep_only(self, number: int, prototypes: tuple[Prototype, ...]) -> None:
        """Replace the prototypes of an identity, which was seen by the same cameras as before."""
        self.prototypes[number] = prototypes
        self.touched.add(number)

    def add_view(self, row: StoredTracklet, view: Tracklet) -> None:
        """Add how a stored tracklet looks under another model, to it and to its identity."""
        look = Look(embedding=view.embedding, model_id=view.model_id, prior=view.prior)
        tracklet = settled(changed_message(row.tracklet, shadow=look), self.spaces)
        self._adopt_prior(tracklet)
        number = row.identity_id
        if number is not None and number in self.identities:
            self._change(number, with_view(self.prototypes[number], view))
        new = changed(row, tracklet=tracklet)
        if tracklet.tracklet_id in self.rows:
            self._put(new)
        self.seen_again[tracklet.tracklet_id] = new

    def done(self, rules: Rules) -> Decision:
        """Return the decision; nobody expires by it."""
        decision = self.finish(changed(rules, retention_ns=self.now_ns + 1, max_identities=0))
        return changed(decision, write=changed(decision.write, revised=list(self.seen_again.values())))


def _settled(site: Site, spaces: Spaces) -> Site:
    """Return a site after a choice, with its rows as they are seen by then."""
    rows = Table({key: settled_row(row, spaces) for key, row in site.rows.items()})
    return changed(site, rows=rows, spaces=spaces)


def _besides(prototypes: Sequence[Prototype], model_id: str) -> tuple[Prototype, ...]:
    return tuple(prototype for prototype in prototypes if prototype.model_id != model_id)
