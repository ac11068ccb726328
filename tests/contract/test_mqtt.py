"""What Home Assistant hears over a real MQTT broker."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gallery.alerts.handler import counts_of
from gallery.outputs.config import AlertSettings
from gallery.outputs.errors import NotSent
from gallery.outputs.mqtt import Broker
from gallery.outputs.reporter import Reporter
from gallery.zones.alert import Delivery
from tests.alert_tools import WatchedSite, rule, standing
from tests.conftest import need, wait_until
from tests.servers.mqtt import PROGRAM, WAIT_S, Listener, Mosquitto


@pytest.fixture
def server(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Mosquitto]:
    need(found=PROGRAM is not None, what="mosquitto, to receive what is published")
    with Mosquitto(tmp_path, free_port()) as server:
        yield server


@pytest.fixture
def site() -> WatchedSite:
    """Return a site in whose left half somebody stands, and somebody else in its right half."""
    site = WatchedSite(rule())
    site.decide(standing("a/s/1.0/0", 0, 5, 0.25, owner=1), standing("a/s/2.0/0", 0, 5, 0.75, owner=2))
    site.reach("a", 6)
    return site


@pytest.fixture
def reporter(server: Mosquitto, site: WatchedSite) -> Iterator[Reporter]:
    settings = AlertSettings(mqtt_url=f"mqtt://127.0.0.1:{server.port}")
    broker = Broker(settings)
    broker.open()
    wait_until(broker.is_open, timeout_s=WAIT_S)
    yield Reporter(settings, broker, lambda: [site.store], counts_of)
    broker.close()


def test_people_and_zones_are_announced_and_counted_for_who_comes_later(server: Mosquitto, reporter: Reporter) -> None:
    reporter.report()
    with Listener(server.port) as listener:
        listener.wait_for("climbtrack/site/people", b"2")
        listener.wait_for("climbtrack/site/zones/left", b"1")
        listener.wait_for("climbtrack/status", b"online")
        topic = "homeassistant/binary_sensor/climbtrack_site/zone_left/config"
        wait_until(lambda: topic in listener.heard, timeout_s=WAIT_S)
        config = json.loads(listener.heard[topic])
    assert (config["name"], config["device_class"]) == ("Left half", "occupancy")
    assert config["state_topic"] == "climbtrack/site/zones/left"
    assert config["availability_topic"] == "climbtrack/status"


def test_a_zone_that_is_deleted_is_taken_back(server: Mosquitto, reporter: Reporter, site: WatchedSite) -> None:
    reporter.report()
    site.alerts.delete_zone("left")
    with Listener(server.port) as listener:
        topic = "homeassistant/sensor/climbtrack_site/zone_left_people/config"
        wait_until(lambda: listener.heard.get(topic, b"") != b"", timeout_s=WAIT_S)
        reporter.report()
        listener.wait_for(topic, b"")


def test_an_alert_is_an_event_of_home_assistant(server: Mosquitto, reporter: Reporter, site: WatchedSite) -> None:
    (alert, *_) = site.decide(standing("b/s/1.0/0", 100, 105, owner=1))
    with Listener(server.port) as listener:
        wait_until(lambda: "climbtrack/status" in listener.heard, timeout_s=WAIT_S)
        reporter.post(site.store, Delivery(output_id="mqtt", alert=alert, due_ns=0))
        wait_until(lambda: "climbtrack/site/alerts" in listener.heard, timeout_s=WAIT_S)
        said = json.loads(listener.heard["climbtrack/site/alerts"])
    assert (said["event_type"], said["identity"], said["text"]) == ("enters", 1, "Person 1 entered b")


def test_a_broker_that_restarts_is_told_everything_again(
    server: Mosquitto, reporter: Reporter, site: WatchedSite
) -> None:
    reporter.report()
    server.kill()
    (alert, *_) = site.decide(standing("b/s/1.0/0", 100, 105, owner=1))

    def is_refused() -> bool:
        try:
            reporter.post(site.store, Delivery(output_id="mqtt", alert=alert, due_ns=0))
        except NotSent:
            return True
        return False

    wait_until(is_refused, timeout_s=WAIT_S)
    server.start()
    with Listener(server.port) as listener:

        def is_told() -> bool:
            reporter.report()
            return listener.heard.get("climbtrack/site/zones/left") == b"1"

        wait_until(is_told, timeout_s=WAIT_S)
        assert listener.heard["climbtrack/status"] == b"online"


def test_the_broker_says_when_the_process_has_died(server: Mosquitto) -> None:
    lines = [
        "import time",
        "from gallery.outputs.config import AlertSettings",
        "from gallery.outputs.mqtt import Broker",
        f"Broker(AlertSettings(mqtt_url='mqtt://127.0.0.1:{server.port}')).open()",
        "time.sleep(600)",
    ]
    with subprocess.Popen([sys.executable, "-c", "\n".join(lines)]) as process, Listener(server.port) as listener:
        listener.wait_for("climbtrack/status", b"online")
        process.kill()
        listener.wait_for("climbtrack/status", b"offline")
