"""Publish the cameras of a configuration file to the `cameras` topic of Kafka."""

import logging
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from deploy.cameras import configured_cameras
from wire import codec
from wire.bus import CAMERAS, Bus
from wire.cameras import CameraTable
from wire.messages import CameraSpec
from wire.settings import KafkaSettings

log = logging.getLogger(__name__)

FLUSH_S = 30.0
LIST_S = 20.0  # for the list of cameras: a topic that was just created has no leader for some seconds


def announce_cameras(config: Path | None) -> None:
    """Publish the configured cameras to Kafka; do not connect to Kafka if there are none.

    Raises:
        SettingsError: The configuration is invalid.
        TransientError: Kafka is unreachable.
    """
    from wire.kafka.bus import KafkaBus

    cameras = configured_cameras(config)
    if not cameras:
        return
    with closing(KafkaBus(KafkaSettings.load(config))) as bus:
        bus.ensure_topics()
        changed = announce(bus, cameras.values())
    log.info("cameras: %d configured, %d new or changed", len(cameras), changed)


def announce(bus: Bus, cameras: Iterable[CameraSpec]) -> int:
    """Publish the specs that are not yet on the topic, so that running cameras are undisturbed; return their number."""
    with CameraTable(bus, wait_s=LIST_S) as table:
        known = {name: codec.encode(listed.spec) for name, listed in table.cameras().items()}
    fresh = {spec.camera_id: codec.encode(spec) for spec in cameras}
    changed = {name: value for name, value in fresh.items() if known.get(name) != value}
    with closing(bus.producer()) as producer:
        for name, value in changed.items():
            producer.send(CAMERAS.name, name, value)
        producer.flush(FLUSH_S)
    return len(changed)
