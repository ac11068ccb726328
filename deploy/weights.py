"""Change by which weights a site decides: over Kafka where a gallery runs, else in the folder of a run."""

import time
from collections.abc import Sequence
from contextlib import closing
from typing import Protocol

from deploy.errors import RunError
from gallery.decision.choosing import looked_at_again
from gallery.decision.rules import Rules
from gallery.decision.scale_state import decode_spaces
from gallery.decision.site import Site, site_of
from gallery.errors import StoreConflict
from gallery.store.store import Store
from gallery.weights import carried_out
from wire import codec
from wire.bus import TRACKLETS, Bus
from wire.messages import Tracklet, WeightsChoice

WAIT_S = 60.0  # a gallery that has a backlog of windows carries a choice out behind them
ASK_S = 0.2
FLUSH_S = 10.0
AGAIN = 5  # times that a choice is written, if a gallery writes at the same moment


class Gallery(Protocol):
    """Whoever may change a site."""

    def choose(self, choice: WeightsChoice) -> None:
        """Return when a choice was carried out.

        Raises:
            RunError: It was not.
        """

    def look_again(self, tracklets: Sequence[Tracklet]) -> None:
        """Add how stored tracklets look under further weights."""


class RunningGallery:
    """The gallery of a cluster, over Kafka: it alone decides when, so that nothing it decides meanwhile is lost."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._store = store

    def choose(self, choice: WeightsChoice) -> None:
        """Send a choice, and wait until it was carried out."""
        self._send([(choice.site_id, codec.encode(choice))])
        until_s = time.monotonic() + WAIT_S
        while decode_spaces(self._store.learnt().calibration).chosen_ns < choice.time_ns:
            if time.monotonic() > until_s:
                raise RunError(
                    f"the gallery has not carried this out within {WAIT_S:g} s, and will when it comes to it: see its"
                    " log, `climbtrack gallery weights show`, and whether it runs"
                )
            time.sleep(ASK_S)

    def look_again(self, tracklets: Sequence[Tracklet]) -> None:
        """Send tracklets."""
        self._send([(tracklet.site_id, codec.encode(tracklet)) for tracklet in tracklets])

    def _send(self, records: Sequence[tuple[str, bytes]]) -> None:
        with closing(self._bus.producer()) as producer:
            for key, value in records:
                producer.send(TRACKLETS.name, key, value)
            producer.flush(FLUSH_S)


class StoredGallery:
    """The stored state of a run that has ended; also of one that goes on, which then reads the state again."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self._store = store
        self._rules = rules

    def choose(self, choice: WeightsChoice) -> None:
        """Write what a choice changes."""
        for _ in range(AGAIN):
            try:
                for decision in carried_out(self._site(), choice, self._rules):
                    self._store.write(decision.write)
            except StoreConflict:
                continue
            return
        raise RunError("the run writes all the time; end it first")

    def look_again(self, tracklets: Sequence[Tracklet]) -> None:
        """Write how tracklets look."""
        stored = {row.tracklet.tracklet_id: row for row in self._store.tracklets([t.tracklet_id for t in tracklets])}
        pairs = [(stored[t.tracklet_id], t) for t in tracklets if t.tracklet_id in stored]
        decision = looked_at_again(self._site(), pairs, self._rules)
        if decision is not None:
            self._store.write(decision.write)

    def _site(self) -> Site:
        return site_of(self._store.site_id, self._store.load(self._rules.horizon_ns))
