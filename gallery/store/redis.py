"""The persistent store: one site in Redis. Its keys are documented at the top of `write.lua`."""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any, cast

import redis

from gallery.errors import StoreConflict
from gallery.store import records
from gallery.store.alerting_redis import RedisAlertStore
from gallery.store.candidates import candidates
from gallery.store.layout import (
    SIGHTINGS,
    being_restored,
    bring_up_to_date,
    check_whole,
    has_layout,
    owner_of,
)
from gallery.store.memory import matches
from gallery.store.people import PAGE, in_order, page_of, pages
from gallery.store.presence import sightings
from gallery.store.redis_accounts import RedisAccounts
from gallery.store.redis_recordings import RedisRecordingNotes
from gallery.store.redis_retained import RedisRetainedNotes
from gallery.store.said import MAX_WORDS, Former, StoredWord
from gallery.store.server import translated_errors
from gallery.store.store import (
    JOURNAL_LENGTH,
    Counts,
    Faded,
    Identity,
    JournaledWord,
    JournalEntry,
    Learnt,
    Outcome,
    People,
    PeopleQuery,
    Snapshot,
    StoredProgress,
    StoredTracklet,
    TrackQuery,
    Write,
    microseconds,
)
from gallery.store.why import Why
from gallery.store.write_arguments import WriteArguments

EVERYTHING = 2**31 - 1
APPLIED, ALREADY, CONFLICT, RESTORING = 1, 0, -1, -2


class RedisStore:
    """Keeps a site in Redis; see `gallery.store.store.Store`."""

    def __init__(self, client: "redis.Redis", site_id: str, part: str = "") -> None:
        self._client: Any = client
        self._site_id = site_id
        self._prefix = f"climbtrack:{{{site_id}}}:{part}"  # a part of its own while it is restored
        self._write = self._client.register_script(_script("write.lua"))
        self._confirm = self._client.register_script(_script("confirm.lua"))
        self.accounts = RedisAccounts(client, site_id)
        self.alerting = RedisAlertStore(client, site_id)
        self.recordings = RedisRecordingNotes(client, site_id)
        self.retained = RedisRetainedNotes(client, site_id)

    @property
    def site_id(self) -> str:
        """Return the site."""
        return self._site_id

    def load(self, horizon_ns: int) -> Snapshot:
        """Return identities, and recent tracklets in the order of their last box."""
        with translated_errors(self._client):
            check_whole(self._client, self._prefix)
            bring_up_to_date(self._client, self._prefix)
            meta = self._client.hgetall(self._key("meta"))
            now_ns = int(meta.get(b"now_ns", 0))
            faded = [int(number) for number in self._client.zrange(self._key("faded"), 0, -1)]
            away = frozenset(faded)
            stored = ((number, data) for number, data in self._all("identities") if number not in away)
            identities = {number: records.decode_identity(data) for number, data in stored}
            prototypes = {number: records.decode_prototypes(data) for number, data in self._all("prototypes")}
            since_us = microseconds(now_ns - horizon_ns)
            keys = self._client.zrangebyscore(self._key("by-time"), since_us, "+inf")
            rows = self._rows(keys)
            erased = self._client.hgetall(self._key("erased"))
        words = [entry.said for entry in self.words(0, MAX_WORDS)]
        return Snapshot(
            version=int(meta.get(b"version", 0)),
            seq=int(meta.get(b"seq", 0)),
            now_ns=now_ns,
            next_identity=int(meta.get(b"next_identity", 1)),
            calibration=meta.get(b"calibration", b""),
            erased_as=meta.get(b"erased_as", b"").decode(),
            identities=[identities[number] for number in sorted(identities)],
            prototypes=prototypes,
            tracklets=rows,
            unpublished=self.journal(int(meta.get(b"published", 0)), JOURNAL_LENGTH),
            words=words,
            holders=self._holders(words),
            erased={digest.decode(): word_id.decode() for digest, word_id in erased.items()},
            faded=faded,
        )

    def learnt(self) -> Learnt:
        """Return what the site has learnt."""
        fields = ("version", "now_ns", "next_identity", "calibration")
        with translated_errors(self._client):
            version, now_ns, next_identity, calibration = self._client.hmget(self._key("meta"), fields)
        return Learnt(int(version or 0), int(now_ns or 0), int(next_identity or 1), calibration or b"")

    def write(self, write: Write) -> Outcome:
        """Apply all of a write, or nothing."""
        with translated_errors(self._client):
            answer = self._write(keys=[self._key("meta")], args=WriteArguments(write).list)
        if answer == RESTORING:
            raise being_restored(self._prefix)
        if answer == CONFLICT:
            why = "another process wrote it, or Redis lost data"
            raise StoreConflict(f"site {self._site_id}: no longer at version {write.version}: {why}")
        return "already" if answer == ALREADY else "applied"

    def confirm(self, seq: int) -> None:
        """Mark all events up to `seq` as published."""
        with translated_errors(self._client):
            self._confirm(keys=[self._key("meta")], args=[seq])

    def save_progress(self, progress: Sequence[StoredProgress]) -> None:
        """Save the last progress of cameras."""
        if not progress:
            return
        entries = {stored.progress.camera_id: records.encode_progress(stored) for stored in progress}
        with translated_errors(self._client):
            self._client.hset(self._key("progress"), mapping=entries)

    def progress(self) -> dict[str, StoredProgress]:
        """Return the last progress of every camera."""
        with translated_errors(self._client):
            entries = self._client.hgetall(self._key("progress"))
        return {camera.decode(): records.decode_progress(data) for camera, data in entries.items()}

    def forget_camera(self, camera_id: str) -> None:
        """Delete the progress of a camera."""
        with translated_errors(self._client):
            self._client.hdel(self._key("progress"), camera_id)

    def identities(self, after: int, limit: int) -> list[Identity]:
        """Return up to `limit` identities with a larger number, by number."""
        if limit <= 0:
            return []
        with translated_errors(self._client):
            numbers = self._client.zrangebyscore(self._key("by-number"), f"({after}", "+inf", start=0, num=limit)
            return self._identities(numbers)

    def people(self, query: PeopleQuery) -> People:
        """Return a page of the identities of a query."""
        with translated_errors(self._client):
            parts = candidates(self._client, self._prefix, query)
            return page_of((one for part in parts for one in in_order(self._identities(part), query)), query)

    def _identities(self, numbers: Sequence[bytes]) -> list[Identity]:
        blobs = self._client.hmget(self._key("identities"), numbers) if numbers else []
        return [records.decode_identity(blob) for blob in blobs if blob is not None]

    def latest(self, numbers: Sequence[int], count: int) -> list[list[str]]:
        """Return the ids of the newest tracklets of each identity, newest first."""
        with translated_errors(self._client):
            pipeline = self._client.pipeline(transaction=False)
            for number in numbers:
                pipeline.zrevrange(self._key(f"by-identity:{number}"), 0, count - 1)
            return [[key.decode() for key in keys] for keys in pipeline.execute()]

    def identity(self, number: int) -> Identity | None:
        """Return an identity, or the one it was merged into."""
        with translated_errors(self._client):
            blob = self._client.hget(self._key("identities"), number)
            if blob is None and (alias := self._client.hget(self._key("aliases"), number)) is not None:
                blob = self._client.hget(self._key("identities"), alias)
        return None if blob is None else records.decode_identity(blob)

    def faded(self, numbers: Sequence[int]) -> list[Faded]:
        """Return those of the given identities that have faded."""
        if not numbers:
            return []
        with translated_errors(self._client):
            blobs = self._client.hmget(self._key("faded-prototypes"), numbers)
            known = [number for number, blob in zip(numbers, blobs, strict=True) if blob is not None]
            people = {one.number: one for one in self._identities([b"%d" % number for number in known])}
        owned = {n: records.decode_prototypes(b) for n, b in zip(numbers, blobs, strict=True) if b is not None}
        return [Faded(people[number], tuple(owned[number])) for number in known if number in people]

    def faded_after(self, number: int, limit: int) -> list[Faded]:
        """Return up to `limit` faded identities with a larger number, by number."""
        if limit <= 0:
            return []
        with translated_errors(self._client):
            found = self._client.zrangebyscore(self._key("faded"), f"({number}", "+inf", start=0, num=limit)
        return self.faded([int(one) for one in found])

    def faded_longest(self, limit: int) -> list[Identity]:
        """Return those who have faded among the identities seen longest ago."""
        if limit <= 0:
            return []
        with translated_errors(self._client):
            return [
                one for one in self._identities(self._client.zrange(self._key("by-last"), 0, limit - 1)) if one.faded
            ]

    def sightings(self, numbers: Sequence[int]) -> list[int]:
        """Return the number of sightings of each identity."""
        if not numbers:
            return []
        with translated_errors(self._client):
            if has_layout(self._client, self._prefix, SIGHTINGS):
                return [int(count or 0) for count in self._client.hmget(self._key("sightings"), numbers)]
        return [len(sightings(self.find(TrackQuery(identity_id=number, limit=EVERYTHING)))) for number in numbers]

    def tracklets(self, tracklet_ids: Sequence[str]) -> list[StoredTracklet]:
        """Return those of the given tracklets that are stored, in the given order."""
        with translated_errors(self._client):
            return self._rows([tracklet_id.encode() for tracklet_id in tracklet_ids])

    def find(self, query: TrackQuery) -> list[StoredTracklet]:
        """Return the tracklets of a query, newest first."""
        found: list[StoredTracklet] = []
        with translated_errors(self._client):
            for keys in self._pages(query):
                found += (row for row in self._rows(keys) if matches(row, query))
                if len(found) >= query.limit:
                    break
        return found[: query.limit]

    def crop(self, tracklet_id: str) -> bytes | None:
        """Return the best crop of a tracklet."""
        with translated_errors(self._client):
            return cast("bytes | None", self._client.hget(self._key("crops"), tracklet_id))

    def why(self, tracklet_ids: Sequence[str]) -> dict[str, Why]:
        """Return why tracklets were given to their identities."""
        with translated_errors(self._client):
            blobs = self._client.hmget(self._key("why"), tracklet_ids) if tracklet_ids else []
        found = zip(tracklet_ids, blobs, strict=True)
        return {key: records.decode_why(blob) for key, blob in found if blob is not None}

    def journal(self, after: int, limit: int) -> list[JournalEntry]:
        """Return up to `limit` later events, oldest first."""
        if limit <= 0:
            return []
        with translated_errors(self._client):
            entries = self._client.zrangebyscore(self._key("journal"), f"({after}", "+inf", start=0, num=limit)
        parts = (entry.partition(b"|") for entry in entries)
        return [JournalEntry(int(seq), records.decode_event(event)) for seq, _, event in parts]

    def last_event(self) -> int:
        """Return the sequence number of the last event of the journal."""
        with translated_errors(self._client):
            last = self._client.zrange(self._key("journal"), -1, -1, withscores=True)
        return int(last[0][1]) if last else 0

    def words(self, after: int, limit: int) -> list[JournaledWord]:
        """Return up to `limit` later words, oldest first."""
        if limit <= 0:
            return []
        with translated_errors(self._client):
            order = self._client.zrangebyscore(
                self._key("word-order"), f"({after}", "+inf", start=0, num=limit, withscores=True
            )
            blobs = self._client.hmget(self._key("words"), [word_id for word_id, _ in order]) if order else []
        found = zip(order, blobs, strict=True)
        return [JournaledWord(int(seq), records.decode_word(blob)) for (_, seq), blob in found if blob is not None]

    def word(self, word_id: str) -> StoredWord | None:
        """Return a word."""
        with translated_errors(self._client):
            blob = self._client.hget(self._key("words"), word_id)
        return None if blob is None else records.decode_word(blob)

    def former(self, word_id: str) -> list[Former]:
        """Return what undoing a word needs."""
        with translated_errors(self._client):
            blob = self._client.hget(self._key("formers"), word_id)
        return [] if blob is None else records.decode_former(blob)

    def _holders(self, words: Sequence[StoredWord]) -> dict[str, int]:
        mentioned = list(dict.fromkeys(key for said in words for key in said.mentioned()))
        found: dict[str, int] = {}
        with translated_errors(self._client):
            for start in range(0, len(mentioned), PAGE):
                page = mentioned[start : start + PAGE]
                heads = zip(page, self._client.hmget(self._key("heads"), page), strict=True)
                owners = ((key, owner_of(head)) for key, head in heads if head is not None)
                found |= {key: owner for key, owner in owners if owner is not None}
        return found

    def counts(self) -> Counts:
        """Return the sizes of the store."""
        with translated_errors(self._client):
            return Counts(
                self._client.hlen(self._key("identities")),
                self._client.hlen(self._key("tracklets")),
                self._client.hlen(self._key("crops")),
                self._client.zcard(self._key("journal")),
                self._client.scard(self._key("hidden")),
                self._client.zcard(self._key("faded")),
            )

    def ping(self) -> None:
        """Return when the server answers."""
        with translated_errors(self._client):
            self._client.ping()

    def _key(self, name: str) -> str:
        return self._prefix + name

    def _pages(self, query: TrackQuery) -> Iterator[list[bytes]]:
        """Yield keys that may match a query, newest first; the longest stored duration bounds how late they may end."""
        if query.identity_id is not None:
            index = self._key(f"by-identity:{query.identity_id}")
        else:
            index = self._key("by-time" if query.camera_id is None else f"by-camera:{query.camera_id}")
        first: int | str = "-inf" if query.from_ns is None else microseconds(query.from_ns)
        last: int | str = "+inf"
        if query.to_ns is not None:
            last = microseconds(query.to_ns) + int(self._client.hget(self._key("meta"), "longest_us") or 0) + 1
        for start, count in pages(query.limit):
            keys = self._client.zrevrangebyscore(index, last, first, start=start, num=count)
            if not keys:
                return
            yield keys

    def _all(self, name: str) -> Iterator[tuple[int, bytes]]:
        """Yield all entries of a hash by number, in parts: reading 100 000 people at once would block the server.

        Another process that writes meanwhile also changes the version, so that no decision on a mixture is written.
        """
        return ((int(number), value) for number, value in self._client.hscan_iter(self._key(name), count=PAGE))

    def _rows(self, keys: Sequence[bytes]) -> list[StoredTracklet]:
        rows: list[StoredTracklet] = []
        for start in range(0, len(keys), PAGE):
            page = keys[start : start + PAGE]
            blobs = self._client.hmget(self._key("tracklets"), page)
            heads = self._client.hmget(self._key("heads"), page)
            rows += (records.decode_tracklet(b, owner_of(h)) for b, h in zip(blobs, heads, strict=True) if b and h)
        return rows


def _script(name: str) -> str:
    return files("gallery.store").joinpath(name).read_text(encoding="utf-8")
