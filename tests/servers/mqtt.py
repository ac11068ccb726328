"""A real MQTT broker for tests: mosquitto, without a login, at 127.0.0.1."""

import shutil
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.conftest import wait_until

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
WAIT_S = 20.0


@dataclass
class Mosquitto:
    """A broker that keeps nothing over a restart; use as a context manager."""

    folder: Path
    port: int

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start, and return once it accepts connections."""
        config = self.folder / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        words = [str(PROGRAM), "-c", str(config)]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._accepts, timeout_s=WAIT_S)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@dataclass
class Listener:
    """A client that hears everything, as Home Assistant would; use as a context manager."""

    port: int
    heard: dict[str, bytes] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_message = lambda _client, _data, message: self.heard.update(
            {message.topic: bytes(message.payload)}
        )
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gone = threading.Event()
        self._client.on_disconnect = lambda *_: gone.set()
        self._client.disconnect()
        gone.wait(WAIT_S)
        self._client.loop_stop()

    def wait_for(self, topic: str, payload: bytes) -> None:
        """Return once a topic has a payload."""
        wait_until(lambda: self.heard.get(topic) == payload, timeout_s=WAIT_S)
