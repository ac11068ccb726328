"""Processing of one site: its timeline, state in memory, index and store."""

import gc
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gallery.absent import absent_from
from gallery.config import GallerySettings
from gallery.decision.choosing import looked_at_again
from gallery.decision.decide import decide
from gallery.decision.draft import Decision
from gallery.decision.lookalikes import answer
from gallery.decision.repair import repaired
from gallery.decision.rules import Rules
from gallery.decision.site import Site, orphans_of, site_of
from gallery.decision.spaces import settled
from gallery.hearing.facts import facts_of
from gallery.hearing.obey import obey
from gallery.index import VectorIndex
from gallery.late import rows_beyond_memory
from gallery.metrics import GalleryMetrics
from gallery.models import KnownModels
from gallery.put_back import writes_to_put_back
from gallery.searcher import Searcher
from gallery.store.store import JournalEntry, Store, StoredProgress, StoredTracklet, Write
from gallery.timeline import Timeline, Update, Waiting, Window
from gallery.weights import carried_out, known_among
from wire.cameras import ListedCamera
from wire.messages import CameraProgress, IdentityEvent, LookalikeQuery, QueryAnswer, Tracklet, WeightsChoice, Word
from wire.metrics import ServiceMetrics
from wire.service import Received, Rejected

log = logging.getLogger(__name__)

NS = 1_000_000_000
MANY = 20_000  # identities
REPORTS = 64  # of a camera; a gallery that is killed has read hardly more of them since its last commit


@dataclass(frozen=True, slots=True)
class Plan:
    """Decision rules and waiting times, for all sites."""

    rules: Rules
    waiting: Waiting


def plan_of(settings: GallerySettings) -> Plan:
    """Return the plan for some settings."""
    return Plan(
        Rules(
            match=_logit(1 - settings.false_merge_rate),
            normalise=settings.normalise_cameras,
            min_quality=settings.min_quality,
            min_closing_quality=settings.min_closing_quality,
            min_frames=settings.min_frames,
            min_alone_ns=int(settings.min_alone_s * NS),
            horizon_ns=int(settings.horizon_s * NS),
            fade_ns=int(settings.fade_after_s * NS),
            retention_ns=int(settings.retention_s * NS),
            max_identities=settings.max_identities,
        ),
        Waiting(
            int(settings.window_s * NS),
            int(settings.live_window_s * NS),
            settings.latency_wait_s,
            settings.complete_wait_s,
        ),
    )


class SiteWorker:
    """Decides one site. After a restart, its state is loaded from the store and the rest reread from the bus.

    Attributes:
        came_again: Words that erased people of whom the last batch had tracklets.
    """

    def __init__(
        self,
        store: Store,
        plan: Plan,
        make_index: Callable[[int], VectorIndex],
        metrics: GalleryMetrics,
        shared: ServiceMetrics,
    ) -> None:
        self._store = store
        self._plan = plan
        self._make_index = make_index
        self._metrics = metrics
        self._shared = shared
        self._timeline = Timeline(plan.waiting)
        self._progress: dict[str, StoredProgress] = {}
        self._latest: dict[str, StoredProgress] = {}  # of every listed camera: who has ended reports nothing any more
        self._reports: dict[str, list[tuple[int, int]]] = {}  # offsets and times of the last ones of each camera
        self._again: list[IdentityEvent] = []
        self.came_again: set[str] = set()
        self._outbox: list[JournalEntry] = []
        self._confirmed = 0
        self._incomplete = False  # the store has lost data, and not all of it has been put back
        self._stale = False  # a write failed, so that the site must be loaded again
        self._exempt = 0  # identities when the site was last exempted from garbage collection
        self._models = KnownModels(store.site_id)
        self._load()

    def restore(self, listed: Sequence[ListedCamera], first_offset: int, now_s: float) -> None:
        """Restore the progress of cameras before the first record to be read; later reports will be read again.

        A camera that had ended and has been listed again since is treated as a new one.
        """
        if not self._site.version and first_offset:
            log.warning(
                "site %s: nothing is stored about it, so people are numbered from 1. If it is not a new site, Redis has"
                " lost its data: stop the gallery, and restore a backup",
                self._store.site_id,
            )
        since = {camera.spec.camera_id: camera.listed_ns for camera in listed}
        for camera_id, stored in self._store.progress().items():
            self._latest[camera_id] = stored
            relisted = stored.progress.ended and since.get(camera_id, 0) > stored.sent_ns
            reports = stored.reports or ((stored.offset, stored.progress.moment_ns),)
            before = [report for report in reports if report[0] < first_offset]
            is_last = len(before) == len(reports)
            if before and camera_id in since and not (relisted and is_last):
                ended = stored.progress.ended and is_last
                self._timeline.restore(camera_id, stored.progress.mode, before[-1], now_s, ended=ended)
                self._reports[camera_id] = before
        self.expect(listed, now_s)

    def expect(self, listed: Sequence[ListedCamera], now_s: float) -> None:
        """Wait for the enabled cameras of a list."""
        names = {camera.spec.camera_id for camera in listed}
        self._latest = {camera_id: stored for camera_id, stored in self._latest.items() if camera_id in names}
        self._timeline.expect({c.spec.camera_id: c.spec.mode_in_use for c in listed if c.spec.enabled}, now_s)

    def receive(self, batch: Sequence[Received], now_s: float) -> list[Rejected]:
        """Process tracklets, progress and words in order; for a revision already decided, only republish its event.

        What people say is carried out at once, after the windows that are due by then.

        Returns:
            The records of tracklets that cannot be compared with those of this site.
        """
        if self._stale:
            self._reload()
        self._confirm()
        self._again, self.came_again = [], set()
        batch, rejected = self._models.comparable(batch)
        decided = self._decided([r.message for r in batch if isinstance(r.message, Tracklet)])
        again: list[tuple[StoredTracklet, Tracklet]] = []
        for received in batch:
            message, record = received.message, received.record
            if isinstance(message, CameraProgress):
                reports = self._reports.setdefault(message.camera_id, [])
                if self._timeline.progress(message, now_s, record.offset):
                    reports[:] = [*reports[1 - REPORTS :], (record.offset, message.moment_ns)]
                stored = StoredProgress(message, record.offset, record.time_ns, tuple(reports))
                self._progress[message.camera_id] = self._latest[message.camera_id] = stored
            elif isinstance(message, Word):
                self.decide_due(now_s)
                self._hear(message)
            elif isinstance(message, WeightsChoice):
                self.decide_due(now_s)
                self._choose(message)
            elif isinstance(message, Tracklet) and not self._is_erased(message):
                row = decided.get(message.tracklet_id)
                if row is None or row.tracklet.revision < message.revision:
                    self._timeline.update(Update(message, record.offset))
                elif row.tracklet.revision == message.revision:
                    again.append((row, message))
                    self._again += [] if row.event is None else [row.event]
        self._look_again(again)
        self._shared.stage_queue_length.labels(stage="decide").set(self._timeline.waiting())
        return rejected

    def _is_erased(self, tracklet: Tracklet) -> bool:
        word_id = self._site.erased_by(tracklet)
        self.came_again.update([word_id] if word_id else [])
        return bool(word_id)

    def _hear(self, word: Word) -> None:
        """Carry out what a person said, once; whether it was carried out or refused is in the store's journal."""
        if self._stale:
            self._reload()
        if self._store.word(word.word_id) is not None:
            return
        self._apply(obey(self._site, word, facts_of(self._store, word), self._plan.rules))

    def _choose(self, choice: WeightsChoice) -> None:
        """Carry out a choice of weights, once."""
        if self._stale:
            self._reload()
        for decision in carried_out(self._site, choice, self._plan.rules):
            self._apply(decision)
        if choice.forget:
            self._models.forget(choice.forget)

    def _look_again(self, again: Sequence[tuple[StoredTracklet, Tracklet]]) -> None:
        """Add how stored tracklets look under weights that are new to them."""
        new = [(row, tracklet) for row, tracklet in again if row.tracklet.shadow is None]
        if new and self._stale:
            self._reload()
        decision = looked_at_again(self._site, new, self._plan.rules) if new else None
        if decision is not None:
            self._apply(decision)

    def _apply(self, decision: Decision) -> None:
        """Write a decision that every repetition would take again, and take it over."""
        self._stale = True  # if the write fails, it is unknown whether it took effect
        if self._store.write(decision.write) == "applied":
            self._take_over(decision)
            self._stale = False

    def decide_due(self, now_s: float) -> None:
        """Decide every window that is due, in order, and save the progress of the cameras.

        Raises:
            StoreUnavailable: Windows already decided are kept; the call can be repeated for the rest.
            StoreConflict: Another process wrote this site; it will be reloaded, and the call can be repeated.
        """
        while (window := self._timeline.due(now_s)) is not None:
            with self._shared.stage("decide"):
                self._decide(window)
            self._timeline.done(window)
            self._metrics.window_wait_seconds.labels(mode=window.mode).observe(window.waited_s)
        if self._progress:
            self._store.save_progress(list(self._progress.values()))
            self._progress = {}

    def lookalikes(self, query: LookalikeQuery) -> QueryAnswer:
        """Return who the people of a query look like, as of the last decided window."""
        if self._stale:
            self._reload()
        return answer(self._site, query, self._nearest)

    def outgoing(self) -> list[IdentityEvent]:
        """Return the events that may not have been published yet."""
        return [*self._again, *(entry.event for entry in self._outbox)]

    def published(self) -> None:
        """Mark all of `outgoing` as published; the store is updated with the next batch."""
        self._again = []
        if self._outbox:
            self._confirmed = self._outbox[-1].seq
            self._outbox = []

    def needed_from(self) -> int | None:
        """Return the first offset that is not decided yet."""
        return self._timeline.needed_from()

    def waiting(self) -> int:
        """Return how many updates of tracklets are not decided yet."""
        return self._timeline.waiting()

    def identities(self) -> int:
        """Return how many people are known."""
        return len(self._site.identities)

    def faded(self) -> int:
        """Return how many people have faded."""
        return len(self._site.faded)

    def known(self) -> dict[str, int]:
        """Return how many of the people seen lately are known under each model, and how many there are under ""."""
        return known_among(self._site)

    def _load(self) -> None:
        snapshot, faults = repaired(self._store.load(self._plan.rules.horizon_ns))
        for fault in faults:
            log.warning(
                "site %s: the store contradicts itself: %s. Restore Redis from a backup", self._store.site_id, fault
            )
        if orphans := orphans_of(snapshot):
            log.warning(
                "site %s: the store lacks the people of %d tracklets, such as %s; they are decided anew. Restore Redis"
                " from a backup if people are missing",
                self._store.site_id,
                len(orphans),
                orphans[0].tracklet.tracklet_id,
            )
        self._site: Site = site_of(self._store.site_id, snapshot)
        self._seq = snapshot.seq
        self._stored_seq = snapshot.seq - len(snapshot.unpublished)
        self._outbox = list(snapshot.unpublished)
        self._searcher = Searcher(self._make_index)
        self._searcher.replace(self._site.prototypes)
        self._models.learn(prototype for owned in self._site.prototypes.values() for prototype in owned)
        self._keep_from_collector()
        self._stale = False

    def _reload(self) -> None:
        """Load the site again after a failed write; a store that has lost confirmed writes gets them back first."""
        known = self._site.version
        found = self._store.learnt().version
        self._incomplete = self._incomplete or found < known
        if self._incomplete:
            log.error(
                "site %s: the store has lost data (version %d, after %d); %d people are put back from memory. Set"
                " appendonly yes and appendfsync always in the configuration of Redis",
                self._store.site_id,
                found,
                known,
                self.identities(),
            )
            snapshot = self._store.load(self._plan.rules.horizon_ns)
            gone = self._store.faded([n for n in snapshot.faded if n not in self._site.faded])
            unpublished = [entry.event for entry in self._outbox]
            for write in writes_to_put_back(self._site, snapshot, [one.identity for one in gone], unpublished):
                self._store.write(write)
            self._progress = dict(self._latest)
            self._confirmed = 0
            self._incomplete = False
        self._load()

    def _keep_from_collector(self) -> None:
        """Exempt a large site from garbage collection whenever it has doubled.

        A site has no cycles, and a full collection takes a second for 100 000 people, in which nothing is decided.
        """
        if len(self._site.identities) >= 2 * max(self._exempt, MANY // 2):
            self._exempt = len(self._site.identities)
            gc.collect()
            gc.freeze()

    def _confirm(self) -> None:
        if self._confirmed > self._stored_seq:
            self._store.confirm(self._confirmed)
            self._stored_seq = self._confirmed

    def _decided(self, tracklets: Sequence[Tracklet]) -> dict[str, StoredTracklet]:
        """Return the stored rows of tracklets, including those too old to be kept in memory."""
        rows = self._site.rows
        unknown = sorted({t.tracklet_id for t in tracklets if t.tracklet_id not in rows})
        found = {row.tracklet.tracklet_id: row for row in self._store.tracklets(unknown)} if unknown else {}
        return found | {t.tracklet_id: rows[t.tracklet_id] for t in tracklets if t.tracklet_id in rows}

    def _decide(self, window: Window) -> None:
        stored = self._decided([update.tracklet for update in window.updates])
        updates = [
            settled(update.tracklet, self._site.spaces)
            for update in window.updates
            if not self._is_erased(update.tracklet)
            and (
                (row := stored.get(update.tracklet.tracklet_id)) is None
                or row.tracklet.revision < update.tracklet.revision
            )
        ]
        if not updates:
            return
        rules = self._plan.rules
        older = rows_beyond_memory(self._store, self._site, updates, stored, rules.horizon_ns)
        around = stored | {row.tracklet.tracklet_id: row for row in older}
        absent = absent_from(self._store, self._site, window.end_ns, updates, around, rules)
        self._apply(decide(self._site, updates, window.end_ns, rules, self._nearest, older, absent))

    def _take_over(self, decision: Decision) -> None:
        write = decision.write
        self._site = decision.site
        self._keep_from_collector()
        faded = [identity.number for identity in write.identities if identity.faded]
        gone = [*write.merged, *(identity.number for identity in write.expired), *faded]
        self._searcher.replace(dict(write.prototypes) | dict.fromkeys(gone, ()))
        if write.erased:
            self._searcher.purge()
        self._outbox += [JournalEntry(self._seq + n, event) for n, event in enumerate(write.events, 1)]
        self._seq += len(write.events)
        self._count(write)

    def _nearest(self, vectors: NDArray[np.float32], model_id: str) -> list[set[int]]:
        watch = self._searcher.watch
        expected, missed = watch.expected, watch.missed
        with self._metrics.search_seconds.time():
            found = self._searcher.nearest(vectors, model_id)
        self._metrics.search_expected.inc(watch.expected - expected)
        self._metrics.search_missed.inc(watch.missed - missed)
        return found

    def _count(self, write: Write) -> None:
        for event in write.events:
            self._metrics.assignments.labels(decision=event.kind).inc()
            if event.kind == "matched":
                self._metrics.match_probability.observe(event.probability)
        for row in write.tracklets:
            if row.identity_id is None:
                self._metrics.assignments.labels(decision="pending").inc()
            age_s = max(0.0, time.time() - row.tracklet.last_ns / NS)
            self._shared.end_to_end_latency_seconds.labels(camera=row.tracklet.camera_id).observe(age_s)


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
