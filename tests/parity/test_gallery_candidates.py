"""Comparing with few people, and keeping lookups between windows, decides what comparing with everyone anew decides."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.bench.crowd import MODEL, NOW_NS, SITE, Crowd
from gallery.decision.decide import decide
from gallery.decision.draft import Decision
from gallery.decision.lookups import Lookups
from gallery.decision.rules import Rules
from gallery.decision.site import Site, site_of
from gallery.index import FlatIndex
from gallery.searcher import Searcher
from gallery.store.memory import MemoryStore
from gallery.store.store import Write
from tests.gallery_tools import S
from wire.messages import Tracklet

KNOWN = 400
RULES = Rules(match=1.4)
EVERYONE = 1_000_000


def store_of_people(crowd: Crowd) -> MemoryStore:
    store = MemoryStore(SITE)
    people = list(crowd.known())
    store.write(
        Write(
            0,
            NOW_NS,
            KNOWN + 1,
            tracklets=[one.row for one in people],
            identities=[one.identity for one in people],
            prototypes={one.identity.number: one.prototypes for one in people},
        )
    )
    return store


def loaded(store: MemoryStore) -> Site:
    return site_of(SITE, store.load(RULES.horizon_ns))


def outcome(decision: Decision) -> tuple[object, ...]:
    rows = {key: (row.identity_id, row.probability) for key, row in decision.site.rows.items()}
    return [event.event_id for event in decision.write.events], rows, decision.site.identities


def test_people_seen_long_before_are_found_by_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given 400 people, of whom some return, and an index of them
    crowd, searcher = Crowd(KNOWN, seed=11), Searcher(FlatIndex)
    site = loaded(store_of_people(crowd))
    searcher.replace(site.prototypes)
    matched = 0
    for second in range(30):
        updates = [message for message in crowd.second(second) if isinstance(message, Tracklet)]
        end_ns = NOW_NS + (second + 1) * S
        # When a window is decided with those that it finds, and with everyone
        decided = decide(site, updates, end_ns, RULES, searcher.nearest)
        with monkeypatch.context() as patch:
            patch.setattr("gallery.decision.draft_view.MAX_LATELY", EVERYONE)
            exhaustive = decide(replace(site, lookups=Lookups()), updates, end_ns, RULES, searcher.nearest)
        # Then the decisions are the same
        assert outcome(decided) == outcome(exhaustive)
        site = decided.site
        gone = [*decided.write.merged, *(identity.number for identity in decided.write.expired)]
        searcher.replace(dict.fromkeys(gone, ()) | dict(decided.write.prototypes))
        matched += sum(event.kind == "matched" for event in decided.write.events)
    assert matched > 20


def test_a_window_that_was_abandoned_is_decided_as_if_it_had_not_been_tried() -> None:
    crowd = Crowd(KNOWN, seed=12)
    site = loaded(store_of_people(crowd))
    updates = [m for second in range(8) for m in crowd.second(second) if isinstance(m, Tracklet)]
    end_ns = NOW_NS + 8 * S

    def unreachable(_: NDArray[np.float32], __: str) -> list[set[int]]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        decide(site, updates, end_ns, RULES, unreachable)
    again = decide(site, updates, end_ns, RULES, lambda vectors, _: [set() for _ in vectors])
    untried = decide(
        replace(site, lookups=Lookups()), updates, end_ns, RULES, lambda vectors, _: [set() for _ in vectors]
    )

    assert outcome(again) == outcome(untried)


def test_a_site_loaded_at_any_moment_is_the_site_that_was_written_and_finds_the_same_people() -> None:
    # Given people who look so alike that tracklets change their identity
    crowd, searcher = Crowd(KNOWN, seed=13, noise=1.0), Searcher(FlatIndex)
    store = store_of_people(crowd)
    site = loaded(store)
    searcher.replace(site.prototypes)
    moved, shifts = 0, site.shifts
    look = site.prototypes[1][0].vector
    for second in range(16):
        updates = [message for message in crowd.second(second) if isinstance(message, Tracklet)]
        # When a window is decided and written
        decision = decide(site, updates, NOW_NS + (second + 1) * S, RULES, searcher.nearest)
        store.write(decision.write)
        site = decision.site
        gone = [*decision.write.merged, *(identity.number for identity in decision.write.expired)]
        searcher.replace(dict.fromkeys(gone, ()) | dict(decision.write.prototypes))
        # Then a gallery that starts now knows what this one knows
        again, anew = loaded(store), Searcher(FlatIndex)
        anew.replace(again.prototypes)
        assert described(again) == described(site)
        looks = np.stack([look, *(site.vectors.vector(tracklet, site.shifts) for tracklet in updates)])
        assert anew.nearest(looks, MODEL) == searcher.nearest(looks, MODEL)
        moved += len(decision.write.moved)
    assert moved > 0
    assert site.shifts is not shifts, "people were compared with the cameras' shifts taken out in different ways"


def described(site: Site) -> tuple[object, ...]:
    rows = {key: (row.identity_id, row.probability, row.event and row.event.event_id) for key, row in site.rows.items()}
    return rows, site.identities, site.next_identity, site.now_ns
