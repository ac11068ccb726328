"""The connection to an MQTT broker: it comes back by itself, and the broker says when this process has died."""

import logging
import threading
import uuid
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from gallery.outputs.config import AlertSettings
from gallery.outputs.discovery import OFFLINE, ONLINE, status_topic
from gallery.outputs.errors import NotSent
from wire.errors import SettingsError
from wire.outage import Outage

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 30
RECONNECT_S = (1, 60)
ACKNOWLEDGED_S = 10.0


class Broker:
    """A broker. `news` is set whenever it has been connected anew, and knows nothing retained by us any more."""

    def __init__(self, settings: AlertSettings) -> None:
        """Prepare a connection.

        Raises:
            SettingsError: The CA's file cannot be used.
        """
        parts = urlsplit(settings.mqtt_url)
        secure = parts.scheme == "mqtts"
        self._where = (str(parts.hostname), parts.port or (8883 if secure else 1883))
        self._status = status_topic(settings.mqtt_topic)
        self.news = threading.Event()
        self._gone = threading.Event()
        self._outage = Outage(log, f"MQTT broker {parts.hostname}")
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"climbtrack-{uuid.uuid4().hex[:12]}")
        self._client.will_set(self._status, OFFLINE, qos=1, retain=True)
        self._client.reconnect_delay_set(*RECONNECT_S)
        self._client.on_connect = self._connected
        self._client.on_disconnect = lambda *_: self._gone.set()
        self._client.on_connect_fail = lambda *_: self._outage.met(ConnectionError("is not reachable"))
        if settings.mqtt_user:
            password = settings.mqtt_password
            self._client.username_pw_set(settings.mqtt_user, password.get_secret_value() if password else None)
        if secure:
            try:
                self._client.tls_set(None if settings.mqtt_ca_file is None else str(settings.mqtt_ca_file))
            except (OSError, ValueError) as error:
                raise SettingsError(f"alerts.mqtt_ca_file = {settings.mqtt_ca_file}: {error}") from None

    def open(self) -> None:
        """Begin to connect, and to keep the connection."""
        self._client.connect_async(*self._where, keepalive=KEEP_ALIVE_S)
        self._client.loop_start()

    def close(self) -> None:
        """Say goodbye and disconnect."""
        if self.is_open():
            self._client.publish(self._status, OFFLINE, qos=1, retain=True).wait_for_publish(ACKNOWLEDGED_S)
            self._gone.clear()
            self._client.disconnect()
            self._gone.wait(ACKNOWLEDGED_S)  # until then its thread would leave the socket open
        self._client.loop_stop()

    def is_open(self) -> bool:
        """Tell whether the broker is connected."""
        return self._client.is_connected()

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Publish, and return when the broker has it.

        Raises:
            NotSent: It is not connected, or does not confirm.
        """
        if not self.is_open():
            raise NotSent(f"MQTT broker {self._where[0]}: not connected")
        try:
            sent = self._client.publish(topic, payload, qos=1, retain=retain)
            sent.wait_for_publish(ACKNOWLEDGED_S)
        except (ValueError, RuntimeError) as error:
            raise NotSent(f"MQTT broker {self._where[0]}: {error}") from error
        if not sent.is_published():
            raise NotSent(f"MQTT broker {self._where[0]}: did not confirm within {ACKNOWLEDGED_S:g} s")

    def _connected(self, client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _more: object) -> None:
        if reason.is_failure:
            self._outage.met(ConnectionError(f"refuses the connection: {reason}; check mqtt_user and mqtt_password"))
            return
        self._outage.over()
        client.publish(self._status, ONLINE, qos=1, retain=True)
        self.news.set()
