"""How well each set of weights knows the people of a site, from what is stored; reads only. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gallery.decision.compare import PrototypeSet, prototype_sets_of, similarity, vector_of, without_tracklet
from gallery.decision.normalise import Shifts
from gallery.decision.shortlist import similarity_bounds
from gallery.decision.site import site_of
from gallery.decision.spaces import views
from gallery.store.store import Prototype, Snapshot, StoredTracklet
from wire.messages import Tracklet

NEAREST = 8  # people compared exactly, of all
SAMPLE = 500  # latest tracklets with two embeddings


@dataclass(frozen=True, slots=True)
class Known:
    """What one set of weights knows.

    Attributes:
        people: How many it knows, of all.
        lately: Of those who were seen lately.
        only: Whom no other weights know.
        found: Share of the compared tracklets whose person it finds among all, by their other tracklets, in [0, 1].
    """

    model_id: str
    people: int
    lately: int
    only: int
    found: float


@dataclass(frozen=True, slots=True)
class SpaceReport:
    """Which weights decide, and what each of them knows.

    `found` of the deciding weights is too good: they made the groups that both are held against.

    Attributes:
        active: The `model_id` that decides; empty if nothing was decided yet.
        chosen: Whether an operator chose it; else it is what the workers serve.
        people, lately: How many are known at all, and of these seen lately.
        compared: Tracklets with two embeddings, of people with others.
        agree: Share of them in which both find the same person, in [0, 1].
    """

    active: str
    chosen: bool
    people: int
    lately: int
    models: tuple[Known, ...]
    compared: int
    agree: float


def space_report(site_id: str, snapshot: Snapshot, lately_ns: int) -> SpaceReport:
    """Return what the weights of a site know; people are seen lately within `lately_ns` of the last of all."""
    site = site_of(site_id, snapshot)
    rows = sorted(site.rows.values(), key=lambda row: (row.tracklet.last_ns, row.tracklet.tracklet_id))
    since_ns = max((one.last_ns for one in site.identities.values()), default=0) - lately_ns
    recent = {number for number, one in site.identities.items() if one.last_ns >= since_ns}
    under = {number: {p.model_id for p in owned} for number, owned in site.prototypes.items()}
    both = [row for row in rows if row.tracklet.shadow is not None and row.identity_id in site.prototypes][-SAMPLE:]
    found = _found(both, site.prototypes, site.shifts)
    served = rows[-1].tracklet.model_id if rows else ""
    return SpaceReport(
        site.spaces.active or served,
        bool(site.spaces.active),
        len(site.identities),
        len(recent),
        tuple(
            Known(
                model_id,
                sum(model_id in models for models in under.values()),
                sum(model_id in under.get(number, ()) for number in recent),
                sum(models == {model_id} for models in under.values()),
                _share([one.get(model_id) == owner for owner, one in found]),
            )
            for model_id in sorted(set().union(*under.values()))
        ),
        len(found),
        _share([len(set(one.values())) == 1 for _, one in found]),
    )


def _found(
    rows: Sequence[StoredTracklet], prototypes: Mapping[int, Sequence[Prototype]], shifts: Shifts
) -> list[tuple[int, dict[str, int]]]:
    """Return the owner of each row, and whom its embedding under each of the weights is nearest to, itself left out.

    Rows of people who are known by them alone are left out.
    """
    found: list[tuple[int, dict[str, int]]] = []
    everybody = {m: _people(prototypes, m, shifts) for m in {v.model_id for r in rows for v in views(r.tracklet)}}
    for row in rows:
        owner = row.identity_id
        assert owner is not None, "chosen by their owners"
        rest = without_tracklet(prototypes[owner], row.tracklet)
        models = {view.model_id for view in views(row.tracklet)}
        if models <= {prototype.model_id for prototype in rest}:
            nearest = {v.model_id: _nearest(v, owner, rest, everybody[v.model_id], shifts) for v in views(row.tracklet)}
            found.append((owner, nearest))
    return found


def _people(prototypes: Mapping[int, Sequence[Prototype]], model_id: str, shifts: Shifts) -> dict[int, PrototypeSet]:
    numbers = sorted(prototypes)
    sets = prototype_sets_of([prototypes[number] for number in numbers], model_id, shifts)
    return {number: one for number, one in zip(numbers, sets, strict=True) if one is not None}


def _nearest(
    view: Tracklet, owner: int, rest: Sequence[Prototype], people: Mapping[int, PrototypeSet], shifts: Shifts
) -> int:
    """Return who looks most like a tracklet, its owner by the rest of what is known of them."""
    (without,) = prototype_sets_of([rest], view.model_id, shifts)
    assert without is not None, "checked before"
    vector, compared = vector_of(view, shifts), {**people, owner: without}
    bounds = similarity_bounds(vector[None], list(compared.values()))[0]
    numbers = np.array(list(compared))[np.argsort(-bounds, kind="stable")[:NEAREST]]
    return max(map(int, numbers), key=lambda number: (similarity(vector, compared[number]), -number))


def _share(true: Sequence[bool]) -> float:
    return sum(true) / len(true) if true else 0.0
