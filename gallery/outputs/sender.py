"""Sends what is due to the outputs of sites, and decides when what failed is tried again."""

import logging
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec.structs import replace

from gallery.outputs.errors import NotSent
from gallery.outputs.metrics import AlertMetrics
from gallery.store.store import Store
from gallery.zones.alert import Delivery
from wire.errors import TransientError
from wire.mask import scrub
from wire.outage import Outage

log = logging.getLogger(__name__)

S = 1_000_000_000
MAX_TRIES = 12  # in five hours, by the pauses below
PAUSES_S = (5.0, 3600.0)  # the first and the longest; they double
AT_ONCE = 100  # deliveries that are taken together
OUTPUTS = 8  # that are sent to at the same time
ROUND_NS = 5 * S  # after which other outputs have their turn
POLL_S = 0.5
MAX_ERROR = 300  # characters that are kept

Post = Callable[[Store, Delivery], None]  # raises NotSent


class Sender:
    """Works off the queues of sites. A delivery may arrive twice, never less than once while its output works."""

    def __init__(
        self,
        sites: Callable[[], Iterable[Store]],
        posts: Mapping[str, Post],
        metrics: AlertMetrics,
        *,
        clock: Callable[[], int] = time.time_ns,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Take the sites, and how to post to outputs: by their id, or by the key "" for all others."""
        self._sites = sites
        self._posts = posts
        self._metrics = metrics
        self._clock = clock
        self._chance = chance
        self._pool = ThreadPoolExecutor(OUTPUTS, "alert-output")

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set, and then what is due by then."""
        outage = Outage(log, "sending alerts")
        with self._pool:
            going_on = True
            while going_on:
                going_on = not stop.wait(POLL_S)
                try:
                    while self.send_due() and not stop.is_set():
                        pass
                    outage.over()
                except TransientError as error:
                    outage.met(error)

    def send_due(self) -> int:
        """Send what is due now, in order to each output and to all outputs side by side; return how much that was."""
        jobs = []
        for store in self._sites():
            by_output: dict[str, list[Delivery]] = defaultdict(list)
            for delivery in store.alerting.take_due(self._clock(), AT_ONCE):
                by_output[delivery.output_id].append(delivery)
            jobs += [(store, due) for due in by_output.values()]
        for done in [self._pool.submit(self._send_all, store, due) for store, due in jobs]:
            done.result()
        return sum(len(due) for _, due in jobs)

    def _send_all(self, store: Store, due: Sequence[Delivery]) -> None:
        """Send to one output until it fails, or has taken long; what is behind waits as long as what failed."""
        until_ns, began_ns = 0, self._clock()
        for delivery in due:
            if until_ns or self._clock() - began_ns > ROUND_NS:
                store.alerting.settle(replace(delivery, due_ns=until_ns or delivery.due_ns))
                continue
            settled = self._sent(store, delivery)
            store.alerting.settle(settled)
            if settled.state == "waiting":
                until_ns = settled.due_ns

    def _sent(self, store: Store, delivery: Delivery) -> Delivery:
        post = self._posts.get(delivery.output_id, self._posts[""])
        try:
            post(store, delivery)
        except NotSent as error:
            failed = self._failed(delivery, error)
            self._metrics.deliveries.labels(outcome="dead" if failed.state == "dead" else "failed").inc()
            log.warning("alert %s to %s: %s", delivery.alert.alert_id, delivery.output_id, failed.error)
            return failed
        self._metrics.deliveries.labels(outcome="sent").inc()
        return replace(delivery, state="sent", tries=delivery.tries + 1)

    def _failed(self, delivery: Delivery, error: NotSent) -> Delivery:
        tries = delivery.tries + 1
        dead = error.final or tries >= MAX_TRIES
        pause_s = min(PAUSES_S[0] * 2 ** (tries - 1), PAUSES_S[1]) * (0.5 + self._chance() / 2)
        return replace(
            delivery,
            tries=tries,
            state="dead" if dead else "waiting",
            due_ns=self._clock() + round(max(pause_s, error.wait_s) * S),
            error=scrub(str(error))[:MAX_ERROR],
        )
