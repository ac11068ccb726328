"""Records that the bus retains of erased people: they are deleted as soon as nobody has to read them any more.

Whatever a topic had when somebody was erased goes, as soon as every group has committed it. The worker and the gallery
are never overtaken, since they read again from there after a restart; others are waited for, but not for ever, since
people have a right to be erased. What is left, why, and until when, is noted in the store.
"""

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from types import TracebackType
from typing import Self

import msgspec

from gallery.hearing.hearing import word_event
from gallery.iso import iso
from gallery.recording.erasures import erasures_of
from gallery.store.retained import RetainedErased, RetainedTopic
from gallery.store.said import StoredWord
from gallery.store.store import Store
from wire import codec
from wire.bus import (
    BOXES,
    FRAMES,
    IDENTITIES,
    NVSCHEMA,
    PICTURE_QUERIES,
    QUERY_ANSWERS,
    TRACKLETS,
    WORKER_STATE,
    Bus,
    Discarded,
    Record,
    TopicPartition,
)
from wire.errors import DecodeError, WireError
from wire.messages import IdentityEvent, WorkerState

log = logging.getLogger(__name__)

NS = 1_000_000_000
OF_CAMERAS = (FRAMES, BOXES, NVSCHEMA, WORKER_STATE)  # keyed by camera
OF_EVERYBODY = (IDENTITIES, PICTURE_QUERIES, QUERY_ANSWERS)  # where records about somebody may be in any partition
KEPT_NS = {
    spec.name: None if spec.retention_s is None else spec.retention_s * NS
    for spec in (*OF_CAMERAS, TRACKLETS, *OF_EVERYBODY)
}
NEVER_OVERTAKEN = frozenset({"reid_worker", "gallery"})
OLDEST_NS = max(kept or 0 for kept in KEPT_NS.values())  # of an older erasure nothing is retained any more
PAUSES_S = (1.0, 5.0, 5.0, 10.0, 30.0)  # between rounds, the last one from then on
FLUSH_S = 10.0

ABOUT_TO = "they are about to be deleted"
WORKING = "{} has not finished with them"
UNREAD = "{} has not read them yet, and is waited for until {}"
COMPACTING = "the broker has not compacted the topic yet, which takes it about ten minutes"
STANDING = "the last state of {} holds what was in sight, until the camera is seen again"


class RetainedRecords:
    """Deletes records about erased people, in a thread that runs only while there are some; a context manager."""

    def __init__(self, bus: Bus, open_store: Callable[[str], Store], wait_s: float) -> None:
        self._bus = bus
        self._open_store = open_store
        self._wait_ns = int(wait_s * NS)
        self._lock = threading.Lock()  # guards what follows
        self._sites: set[str] = set()  # to look at
        self._stores: dict[str, Store] = {}
        self._again: set[tuple[str, str]] = set()  # sites and words of which more has come
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; what is left is deleted by whoever decides the site next."""
        self._ended.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def look(self, site_id: str, again: Collection[str] = ()) -> None:
        """Look at a site soon; `again` are the words that erased people of whom more has come since.

        Raises:
            StoreUnavailable: It cannot be noted that more has come.
        """
        with self._lock:
            for word_id in again:
                self._note_again(self._store(site_id), word_id)
            self._sites.add(site_id)
            if self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._run, name="retained", daemon=True)
                self._thread.start()

    def round(self, store: Store) -> bool:
        """Delete what can be deleted now of one site; return whether nothing is left.

        Raises:
            WireError, StoreUnavailable: Kafka or Redis cannot be asked; the next round goes on.
        """
        erasures = erasures_of(store)
        holding = {(store.site_id, said.word.word_id) for said in erasures}
        with self._lock:  # of whom an erasure was undone, more may come
            self._again = {one for one in self._again if one[0] != store.site_id or one in holding}
        left = False
        for said in erasures:
            note = store.retained.of(said.word.word_id)
            if note is None and said.word.time_ns < self._bus.now_ns() - OLDEST_NS:
                continue
            if note is None or not note.done_ns or note.again:
                left |= not self._delete(store, said, note)
        return not left

    def _run(self) -> None:
        count = 0
        while not self._ended.wait(PAUSES_S[min(count, len(PAUSES_S) - 1)]):
            count += 1
            with self._lock:
                sites, self._sites = self._sites, set()
            left = {site_id for site_id in sites if not self._is_done(site_id)}
            with self._lock:
                self._sites |= left
                if not self._sites:
                    self._thread = None
                    return

    def _is_done(self, site_id: str) -> bool:
        try:
            with self._lock:
                store = self._store(site_id)
            return self.round(store)
        except WireError as error:
            log.warning("site %s: records about erased people are not deleted yet: %s", site_id, error)
            return False

    def _store(self, site_id: str) -> Store:
        if site_id not in self._stores:
            self._stores[site_id] = self._open_store(site_id)
        return self._stores[site_id]

    def _note_again(self, store: Store, word_id: str) -> None:
        if (store.site_id, word_id) not in self._again:
            note = store.retained.of(word_id) or RetainedErased()
            store.retained.put(word_id, msgspec.structs.replace(note, again=True))
            self._again.add((store.site_id, word_id))

    def _put(self, store: Store, word_id: str, note: RetainedErased) -> None:
        with self._lock:
            more = (store.site_id, word_id) in self._again
            store.retained.put(word_id, msgspec.structs.replace(note, again=more))

    def _delete(self, store: Store, said: StoredWord, note: RetainedErased | None) -> bool:
        """Delete the records about one person; return whether none is left."""
        word_id = said.word.word_id
        if note is None or note.again or not note.topics:
            with self._lock:
                self._again.discard((store.site_id, word_id))
            note = self._aimed(store, said, note)
            self._put(store, word_id, note)
        cameras = _cameras(said)
        overdue = self._bus.now_ns() >= note.since_ns + self._wait_ns
        before = {
            TopicPartition(one.topic, partition): offset
            for one in note.topics
            if one.waits_for
            for partition, offset in one.before.items()
        }
        done = self._bus.discard(before, lambda group: group in NEVER_OVERTAKEN or not overdue, cameras)
        topics = tuple(self._after(one, done, note.since_ns) if one.waits_for else one for one in note.topics)
        is_done = not any(one.waits_for for one in topics)
        now_ns = self._bus.now_ns() if is_done else 0
        after = msgspec.structs.replace(note, topics=topics, done_ns=now_ns)
        if after != note:
            self._put(store, word_id, after)
        if is_done:
            count = sum(one.deleted for one in topics)
            log.info("site %s: deleted %d records from which an erased person could be seen", store.site_id, count)
        return is_done

    def _aimed(self, store: Store, said: StoredWord, note: RetainedErased | None) -> RetainedErased:
        """Return what is to be deleted: everything up to now.

        What comes later of somebody is left out before it is decided, so that no event and no search tells of it.
        """
        cameras = _cameras(said)
        before = {spec.name: self._bus.ends(spec.name, cameras) for spec in OF_CAMERAS if cameras}
        before[TRACKLETS.name] = self._bus.ends(TRACKLETS.name, [store.site_id])
        known = {one.topic: one for one in (() if note is None else note.topics)}
        if not known:
            before |= {spec.name: self._bus.ends(spec.name) for spec in OF_EVERYBODY}
            self._tell(store.site_id, said)
        since_ns = self._bus.now_ns()
        aimed = {
            topic: RetainedTopic(
                topic,
                {part.partition: offset for part, offset in ends.items()},
                known[topic].deleted if topic in known else 0,
                waits_for=ABOUT_TO,
                until_ns=_expiry(topic, since_ns),
            )
            for topic, ends in before.items()
        }
        return RetainedErased(since_ns, topics=tuple((known | aimed).values()))

    def _tell(self, site_id: str, said: StoredWord) -> None:
        """Send the event of an erasure once more, after what is deleted: whoever was away must still hear of it."""
        event = erased_event(site_id, said)
        with closing(self._bus.producer()) as producer:
            producer.send(IDENTITIES.name, f"{site_id}/{event.identity_id}", codec.encode(event))
            producer.flush(FLUSH_S)

    def _after(self, topic: RetainedTopic, done: Mapping[TopicPartition, Discarded], since_ns: int) -> RetainedTopic:
        """Return what is left of a topic after a deletion, and why."""
        parts = [one for part, one in done.items() if part.topic == topic.topic]
        standing = sorted({record.key for one in parts for record in one.last if _holds_people(record)})
        harmless = sum(len(one.last) for one in parts) - len(standing)
        kept = sum(one.kept for one in parts) - harmless
        expiry_ns = _expiry(topic.topic, since_ns)
        waited_ns = since_ns + self._wait_ns
        until_ns = min(expiry_ns or waited_ns, waited_ns)
        groups = sorted({group for one in parts for group in one.groups})
        own = [group for group in groups if group in NEVER_OVERTAKEN]
        others = [group for group in groups if group not in NEVER_OVERTAKEN]
        reasons = [
            *sorted({one.problem for one in parts if one.problem}),
            *(WORKING.format(group) for group in own),
            *(UNREAD.format(group, iso(until_ns)) for group in others),
            *(STANDING.format(camera) for camera in standing),
        ]
        if KEPT_NS[topic.topic] is None and kept > len(standing):
            reasons.append(COMPACTING)
        only_others = others and len(reasons) == len(others)
        return RetainedTopic(
            topic.topic,
            topic.before,
            topic.deleted + sum(one.gone for one in parts),
            kept if reasons else 0,
            "; ".join(reasons),
            0 if not reasons else until_ns if only_others else expiry_ns,
        )


def erased_event(site_id: str, said: StoredWord) -> IdentityEvent:
    """Return the event that tells that somebody was erased, as it was published when that was done."""
    numbers = said.erasure.numbers if said.erasure is not None else (said.identity_id,)
    return word_event(site_id, said.word, "erased", numbers[0], "erased", numbers[1:])


def _cameras(said: StoredWord) -> list[str]:
    return sorted({seen.camera_id for seen in (() if said.erasure is None else said.erasure.seen)})


def _expiry(topic: str, since_ns: int) -> int:
    """Return when Kafka deletes what a topic had then; 0 where it depends on what comes."""
    kept_ns = KEPT_NS[topic]
    return 0 if kept_ns is None else since_ns + kept_ns


def _holds_people(record: Record) -> bool:
    """Return whether the state of a worker holds who was in sight; one that cannot be read may."""
    try:
        state = codec.decode(record.value or b"")
    except DecodeError:
        return True
    return not isinstance(state, WorkerState) or bool(state.blob)
