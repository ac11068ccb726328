"""What a window of the gallery may cost: nothing that grows with everybody who was ever seen."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from deploy.bench.crowd import SITE, Crowd
from deploy.bench.gallery import received, remember
from gallery.config import GallerySettings
from gallery.decision.table import Table
from gallery.index_faiss import index_for
from gallery.metrics import GalleryMetrics
from gallery.site_worker import SiteWorker, plan_of
from gallery.store.memory import MemoryStore
from wire.metrics import ServiceMetrics

KNOWN = 300
WARM_S, SECONDS = 4, 10


def test_no_window_walks_over_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    store, crowd, registry = MemoryStore(SITE), Crowd(KNOWN), CollectorRegistry()
    remember(store, crowd, KNOWN)
    metrics = GalleryMetrics(registry), ServiceMetrics(registry)
    worker, offsets = SiteWorker(store, plan_of(GallerySettings()), index_for, *metrics), count()
    walked, before = [], Table.__iter__

    def iterated(table: Table[Any, Any]) -> Iterator[Any]:
        walked.append(len(table))
        return before(table)

    for second in range(SECONDS):
        if second == WARM_S:  # the first windows of a process build its look-ups, once
            monkeypatch.setattr(Table, "__iter__", iterated)
        worker.receive(received(crowd, second, offsets), 0.0)
        worker.decide_due(0.0)
        worker.published()

    assert len(store.identities(after=0, limit=10 * KNOWN)) > KNOWN, "nobody came meanwhile"
    assert max(walked, default=0) < KNOWN
