"""Cameras that were added while `climbtrack run` was running, kept in its data folder for the next one."""

import base64
import json
import logging
import os
from collections.abc import Collection, Mapping
from pathlib import Path

from wire import codec
from wire.cameras import ListedCamera
from wire.errors import DecodeError
from wire.messages import CameraSpec

log = logging.getLogger(__name__)

FILE = "cameras.json"  # readable by its owner only: addresses may hold passwords


class AddedCameras:
    """The file of added cameras. One that cannot be written is named once, and the run goes on."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        self._seen: Mapping[str, ListedCamera] | None = None
        self._given: frozenset[str] = frozenset()
        self._resting: dict[str, CameraSpec] = {}  # kept, though this run does not read them

    def load(self) -> tuple[CameraSpec, ...]:
        """Return the cameras that earlier runs were given; what cannot be read is named and left out."""
        try:
            stored = json.loads(self._path.read_text())
            messages = [codec.decode(base64.b64decode(text)) for text in stored["cameras"].values()]
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError, LookupError, AttributeError, DecodeError) as error:
            log.warning("%s: %s; the cameras that were added earlier are not read", self._path, error)
            return ()
        return tuple(message for message in messages if isinstance(message, CameraSpec))

    def leave_out(self, names: Collection[str]) -> None:
        """Do not keep these cameras, which somebody named for this run, and leave those of earlier runs at rest."""
        self._given = frozenset(names)
        self._resting = {spec.camera_id: spec for spec in self.load()}

    def keep(self, cameras: Mapping[str, ListedCamera]) -> None:
        """Write the list of cameras if it has changed since the last call; it is replaced as a whole, or not at all."""
        if cameras is self._seen:
            return
        self._seen = cameras
        added = {name: listed.spec for name, listed in cameras.items() if name not in self._given}
        specs = self._resting | added
        if not specs and not self._path.exists():
            return
        encoded = {name: base64.b64encode(codec.encode(spec)).decode() for name, spec in specs.items()}
        part = self._path.with_suffix(".part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump({"cameras": encoded}, file)
            part.replace(self._path)
        except OSError as error:
            log.warning("%s: %s; cameras added now are forgotten when this run ends", self._path, error.strerror)
