"""Erase a person: their identity, tracklets, pictures, prototypes, events, and what was said about them. No I/O."""

from collections.abc import Iterable
from dataclasses import replace as changed
from hashlib import sha256

from msgspec.structs import replace as changed_message

from gallery.hearing.hearing import Hearing
from gallery.store.said import Erasure, Seen, StoredWord, leg_of
from gallery.store.store import Identity
from wire.messages import Tracklet

PAUSE_NS = 10 * 10**9  # recordings are deleted in pieces of about this length


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
            seen=_seen(tracklets),
        ),
    )
    hearing.report("erased", identity.number, "erased", identity.previous_ids)


def _seen(tracklets: Iterable[Tracklet]) -> tuple[Seen, ...]:
    """Return when each camera saw somebody; times that follow each other closely are one."""
    times: list[Seen] = []
    for tracklet in sorted(tracklets, key=lambda one: (one.camera_id, one.first_ns)):
        last = times[-1] if times else None
        if last is not None and last.camera_id == tracklet.camera_id and tracklet.first_ns - last.last_ns <= PAUSE_NS:
            times[-1] = Seen(last.camera_id, last.first_ns, max(last.last_ns, tracklet.last_ns))
        else:
            times.append(Seen(tracklet.camera_id, tracklet.first_ns, tracklet.last_ns))
    return tuple(times)


def _scrubbed(said: StoredWord, identity: Identity, keys: frozenset[str]) -> StoredWord:
    """Return a word without the tracklets of an erased identity, and without a name and tags that were given to it."""
    about = said.identity_id == identity.number or said.identity_id in identity.previous_ids
    word = changed_message(
        said.word,
        name="" if about else said.word.name,
        tags=() if about else said.word.tags,
        tracklets=tuple(key for key in said.word.tracklets if key not in keys),
    )
    return changed(
        said,
        word=word,
        chosen=tuple(key for key in said.chosen if key not in keys),
        sides=tuple(tuple(key for key in side if key not in keys) for side in said.sides),
    )
