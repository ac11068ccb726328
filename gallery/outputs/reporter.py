"""Tells an MQTT broker who is where: what has changed, and everything after it was connected anew."""

import threading
from collections.abc import Callable, Iterable, Mapping

import msgspec

from gallery.outputs.body import body_of
from gallery.outputs.config import AlertSettings
from gallery.outputs.discovery import alerts_topic, announcements, people_topic, zone_topic
from gallery.outputs.errors import NotSent
from gallery.outputs.mqtt import Broker
from gallery.outputs.posts import whom
from gallery.store.store import Store
from gallery.zones.alert import Delivery
from wire.errors import TransientError

EVERY_S = 2.0
Counts = Callable[[Store], tuple[int, Mapping[str, int]]]  # people in the site, and in each zone by its id


class Reporter:
    """Keeps the retained topics of sites up to date."""

    def __init__(
        self, settings: AlertSettings, broker: Broker, sites: Callable[[], Iterable[Store]], counts: Counts
    ) -> None:
        self._settings = settings
        self._broker = broker
        self._sites = sites
        self._counts = counts
        self._told: dict[str, bytes] = {}

    def run(self, stop: threading.Event) -> None:
        """Report until `stop` is set."""
        self._broker.open()
        while not stop.wait(EVERY_S):
            self.report()
        self._broker.close()

    def report(self) -> None:
        """Publish what has changed; what cannot be published, or is not known, is told the next time."""
        if self._broker.news.is_set():
            self._broker.news.clear()
            self._told.clear()
        if not self._broker.is_open():
            return
        try:
            for topic, payload in self._wanted().items():
                if self._told.get(topic) != payload:
                    self._broker.publish(topic, payload, retain=True)
                    self._told[topic] = payload
        except (NotSent, TransientError):
            return

    def post(self, store: Store, delivery: Delivery) -> None:
        """Publish an alert.

        Raises:
            NotSent: The broker does not confirm it.
        """
        body = msgspec.json.decode(body_of(delivery.alert, *whom(store, delivery.alert)))
        event = msgspec.json.encode({"event_type": delivery.alert.when, **body})
        self._broker.publish(alerts_topic(self._settings.mqtt_topic, store.site_id), event, retain=False)

    def _wanted(self) -> dict[str, bytes]:
        """Return the payload of every retained topic; empty for one of what is not there any more."""
        root, discovery = self._settings.mqtt_topic, self._settings.mqtt_discovery
        wanted = dict.fromkeys(self._told, b"")
        for store in self._sites():
            zones = store.alerting.zones()
            if discovery:
                found = announcements(root, discovery, store.site_id, zones)
                wanted |= {topic: msgspec.json.encode(config) for topic, config in found.items()}
            people, within = self._counts(store)
            wanted[people_topic(root, store.site_id)] = str(people).encode()
            for zone_id, count in within.items():
                wanted[zone_topic(root, store.site_id, zone_id)] = str(count).encode()
        return wanted
