"""Prometheus metrics of the gallery."""

import math
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from wire.metrics import LATENCY_BUCKETS_S

SEARCH_BUCKETS_S = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3)  # from one vector to a full window
PROBABILITY_BUCKETS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0)


class GalleryMetrics:
    """Metric families of the gallery; create once per registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.identities = Gauge(
            "climbtrack_gallery_identities", "People kept in memory, over all sites of this process", registry=registry
        )
        self.faded = Gauge(
            "climbtrack_gallery_faded_identities",
            "People kept in the store only since they were not seen for long, over all sites of this process",
            registry=registry,
        )
        self.search_seconds = Histogram(
            "climbtrack_gallery_search_seconds",
            "Time one search for nearest prototypes took",
            buckets=SEARCH_BUCKETS_S,
            registry=registry,
        )
        self.search_expected = Counter(
            "climbtrack_gallery_search_expected_total",
            "Prototypes of a sample that an exact search would have returned",
            registry=registry,
        )
        self.search_missed = Counter(
            "climbtrack_gallery_search_missed_total",
            "Of these, those that the index did not return: 1 minus their ratio is its recall",
            registry=registry,
        )
        self.assignments = Counter(
            "climbtrack_assignments_total", "Decisions about tracklets", ["decision"], registry=registry
        )
        self.window_wait_seconds = Histogram(
            "climbtrack_gallery_window_wait_seconds",
            "From a window's first tracklet to its decision; mode is complete if a camera that is read is in that mode,"
            " since such windows may wait for minutes",
            ["mode"],
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self._known = Gauge(
            "climbtrack_gallery_known_ratio",
            "Share of the people seen within gallery.horizon_s whom each model knows",
            ["model_id"],
            registry=registry,
        )
        self.persistence_failing = Gauge(
            "climbtrack_store_persistence_failing",
            "1 while Redis reports that its last save or append to disk failed; NaN while it does not tell",
            registry=registry,
        )
        self.persistence_failing.set(math.nan)
        self.match_probability = Histogram(
            "climbtrack_match_probability",
            "Probability of being the same person, of every match",
            buckets=PROBABILITY_BUCKETS,
            registry=registry,
        )

    def known_under(self, everybody: int, known: Mapping[str, int]) -> None:
        """Export how many of the people seen lately each model knows, and no model that knows nobody any more."""
        self._known.clear()
        for model_id, count in known.items():
            self._known.labels(model_id=model_id).set(count / everybody)
