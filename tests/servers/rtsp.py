"""Cameras of tests: GStreamer's RTSP server in a process of its own, and a proxy that sets the camera's clock."""

import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

from tests.conftest import need

PYTHON = "/usr/bin/python3"  # the system's, which has GStreamer's bindings
SCRIPT = Path(__file__).parent / "gst_rtsp.py"
PROBE = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
SENDER_REPORT = 200


def need_rtsp_server() -> None:
    """Skip the test, or fail it under CI=true, if GStreamer's server is missing."""
    probe = [PYTHON, "-c", PROBE]
    found = Path(PYTHON).exists() and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    need(found=found, what="GStreamer's RTSP server for the system's Python")


class RtspServer:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.port = int(process.stdout.readline())

    def url(self, user: str = "") -> str:
        """Return the camera's URL."""
        return f"rtsp://{user}127.0.0.1:{self.port}/camera"


@contextmanager
def serving(video: Path, *options: str) -> Iterator[RtspServer]:
    """Serve a video until the end of the block."""
    command = [PYTHON, str(SCRIPT), str(video), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield RtspServer(process)
        finally:
            process.kill()


class ClockProxy:
    """Passes RTSP over TCP on, and sets the clock of the sender reports forward by `ahead_s`, which may change."""

    def __init__(self, port: int, ahead_s: int) -> None:
        self.ahead_s = ahead_s
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """Return the camera's URL through this proxy."""
        return f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/camera#transport=tcp"

    def close(self) -> None:
        """Break every connection."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in self._open:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._upstream))
            self._open += [client, server]
            for target, ends in ((self._forward, (client, server)), (self._set_clock, (server, client))):
                thread = threading.Thread(target=target, args=ends)
                self._threads.append(thread)
                thread.start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def _set_clock(self, source: socket.socket, sink: socket.socket) -> None:
        reader = source.makefile("rb")
        try:
            while first := reader.read(1):
                sink.sendall(self._media(reader) if first == b"$" else first + _answer(reader))
            sink.shutdown(socket.SHUT_RDWR)
        except (OSError, ValueError):
            return

    def _media(self, reader: BufferedReader) -> bytes:
        channel, size = struct.unpack(">BH", reader.read(3))
        data = bytearray(reader.read(size))
        if channel % 2 and data[1] == SENDER_REPORT:
            (seconds,) = struct.unpack_from(">I", data, 8)
            struct.pack_into(">I", data, 8, seconds + self.ahead_s)
        return b"$" + struct.pack(">BH", channel, size) + data


def _answer(reader: BufferedReader) -> bytes:
    """Read one RTSP response, with its body, if any."""
    lines, length = b"", 0
    while (line := reader.readline()).strip():
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
        lines += line
    return lines + line + reader.read(length)
