"""Erase a person: their identity, tracklets, pictures, prototypes, events, and what was said about them. No I/O."""

from dataclasses import replace as changed
from hashlib import sha256

from msgspec.structs import replace as changed_message

from gallery.hearing.hearing import Hearing
from gallery.store.said import Erasure, StoredWord, leg_of
from gallery.store.store import Identity


def erase(hearing: Hearing) -> None:
    """Delete a person, and remember by digests which legs are never decided again."""
    facts, word = hearing.facts, hearing.word
    identity = hearing.person(word.identity_id)
    keys = sorted(row.tracklet.tracklet_id for row in hearing.rows(identity.number))
    legs = set(map(leg_of, keys))
    prototypes = len(hearing.draft.prototypes.get(identity.number, ()))
    hearing.draft.remove(identity.number, legs)
    tracklets = [row.tracklet for row in hearing.rows(identity.number)]
    digests = {digest for tracklet in tracklets for digest in hearing.site.digests_of(tracklet)}
    hearing.erased = dict.fromkeys(sorted(digests), word.word_id)
    hearing.forgotten = [entry.seq for entry in facts.events]
    hearing.replaced = [_scrubbed(said, identity, frozenset(keys)) for said in facts.words]
    hearing.unformed = [said.word.word_id for said in facts.words]
    hearing.say(
        identity.number,
        erasure=Erasure(
            done_ns=word.time_ns,
            numbers=(identity.number, *identity.previous_ids),
            digest=sha256("".join(f"{key}\n" for key in keys).encode()).hexdigest(),
            tracklets=len(keys),
            crops=facts.crops,
            prototypes=prototypes,
            events=len(facts.events),
            words=len(facts.words),
        ),
    )
    hearing.report("erased", identity.number, "erased", identity.previous_ids)


def _scrubbed(said: StoredWord, identity: Identity, keys: frozenset[str]) -> StoredWord:
    """Return a word without the tracklets of an erased identity, and without a name that was given to it."""
    about = said.identity_id == identity.number or said.identity_id in identity.previous_ids
    word = changed_message(
        said.word,
        name="" if about else said.word.name,
        tracklets=tuple(key for key in said.word.tracklets if key not in keys),
    )
    return changed(
        said,
        word=word,
        chosen=tuple(key for key in said.chosen if key not in keys),
        sides=tuple(tuple(key for key in side if key not in keys) for side in said.sides),
    )
