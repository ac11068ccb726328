"""Cameras of every kind that are lost after a second and come back, and bad ones that get well when told.

`certify` writes what those with TLS need. A scene takes a folder and a free port, and gives the URL of its camera.
Tests look at what must hold, and `python -m tests.bench.sources` measures.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.ingest_tools import Recipe, jpeg_of, make_video
from tests.servers.redis_server import make_certificates
from tests.servers.rtsp import need_rtsp_server, serving
from tests.servers.transport import Damage, flipping, frames_of, losing, sending, swapping

Scene = Callable[[Path, int], AbstractContextManager[str]]
BadScene = Callable[[Path, int, threading.Event], AbstractContextManager[str]]
RTSP_FPS, UDP_FPS, JPEG_FPS = 30, 30, 20
TLS = "tls"
SECRET = "s3cret"


def rtsp(*options: str, suffix: str = "", scheme: str = "rtsp") -> Scene:
    """Return a camera whose stream ends after a second, and that answers again at once."""

    @contextmanager
    def scene(folder: Path, _: int) -> Iterator[str]:
        need_rtsp_server()
        given = [option.format(folder / TLS / "both.pem") for option in options]
        with serving(_second_of_video(folder), *given) as server:
            yield server.url().replace("rtsp:", f"{scheme}:") + suffix

    return scene


def transport(group: str = "", damage: Damage = lambda datagrams: datagrams) -> Scene:
    """Return a camera that sends for a second, falls silent until it is given up, and sends again."""

    @contextmanager
    def scene(_: Path, port: int) -> Iterator[str]:
        frames = frames_of(10)

        def send(stop: threading.Event) -> None:
            while not stop.is_set():
                with sending((group or "127.0.0.1", port), frames, damage):
                    stop.wait(1.2)
                stop.wait(2.0)

        with _running(send):
            yield f"udp://@{group}:{port}" + ("?localaddr=127.0.0.1" if group else "")

    return scene


@contextmanager
def motion_jpeg(_: Path, port: int) -> Iterator[str]:
    """Run a camera that sends a second of JPEG pictures to everybody who asks."""
    with _web_server(port, _send_pictures) as url:
        yield url


GOOD: dict[str, Scene] = {
    "RTSP over TCP": rtsp(),
    "RTSP over UDP": rtsp(suffix="#transport=udp"),
    "RTSP that refuses TCP": rtsp("--transport", "udp"),
    "RTSPS": rtsp("--tls", "{}", scheme="rtsps"),
    "a transport stream over UDP": transport(),
    "a transport stream to a group": transport("239.255.7.1"),
    "motion JPEG over HTTP": motion_jpeg,
}
DAMAGED: dict[str, Scene] = {
    "3 % of the datagrams lost": transport(damage=losing(0.03)),
    "datagrams in another order": transport(damage=swapping),
    "bytes changed on the way": transport(damage=flipping(0.1)),
}


def answering(answer: bytes) -> BadScene:
    """Return a camera of HTTP that gives this answer in place of pictures until it is well."""

    @contextmanager
    def scene(_: Path, port: int, well: threading.Event) -> Iterator[str]:
        def serve(handler: BaseHTTPRequestHandler, stop: threading.Event) -> None:
            if well.is_set():
                _send_pictures(handler, stop)
            else:
                handler.wfile.write(answer)

        with _web_server(port, serve) as url:
            yield url

    return scene


@contextmanager
def silent(_: Path, port: int, well: threading.Event) -> Iterator[str]:
    """Run a camera of HTTP that accepts and says nothing until it is well."""

    def serve(handler: BaseHTTPRequestHandler, stop: threading.Event) -> None:
        while not well.is_set() and not stop.is_set():
            well.wait(0.05)
        if not stop.is_set():
            _send_pictures(handler, stop)

    with _web_server(port, serve) as url:
        yield url


@contextmanager
def absent(folder: Path, port: int, well: threading.Event) -> Iterator[str]:
    """Run a camera of RTSP that nobody answers for until it is well."""
    need_rtsp_server()
    video = _second_of_video(folder)

    def serve(stop: threading.Event) -> None:
        _wait_for(well, stop)
        if not stop.is_set():
            with serving(video, "--port", str(port)):
                stop.wait()

    with _running(serve):
        yield f"rtsp://127.0.0.1:{port}/camera"


@contextmanager
def locked(folder: Path, port: int, well: threading.Event) -> Iterator[str]:
    """Run a camera of RTSP that wants another password until it is well."""
    need_rtsp_server()
    video = _second_of_video(folder)

    def serve(stop: threading.Event) -> None:
        with serving(video, "--port", str(port), "--user", "ann", "--password", "another"):
            _wait_for(well, stop)
        if not stop.is_set():
            with serving(video, "--port", str(port), "--user", "ann", "--password", SECRET):
                stop.wait()

    with _running(serve):
        yield f"rtsp://ann:{SECRET}@127.0.0.1:{port}/camera"


@contextmanager
def no_keyframes(_: Path, port: int, well: threading.Event) -> Iterator[str]:
    """Run a camera of UDP whose stream has no keyframe until it is well."""
    bad, good = frames_of(10, keyframes=False), frames_of(10)

    def send(stop: threading.Event) -> None:
        while not stop.is_set():
            with sending(("127.0.0.1", port), good if well.is_set() else bad):
                stop.wait(0.5)

    with _running(send):
        yield f"udp://@:{port}"


@contextmanager
def noise(_: Path, port: int, well: threading.Event) -> Iterator[str]:
    """Run something at a UDP port that is no video until it is well."""
    frames = frames_of(10)

    def send(stop: threading.Event) -> None:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
            while not stop.is_set() and not well.is_set():
                sender.sendto(b"no video " * 100, ("127.0.0.1", port))
                stop.wait(0.02)
        while not stop.is_set():
            with sending(("127.0.0.1", port), frames):
                stop.wait(0.5)

    with _running(send):
        yield f"udp://@:{port}"


HEAD = b"HTTP/1.0 %b\r\nContent-Type: %b\r\n\r\n"
BAD: dict[str, tuple[BadScene, str]] = {  # and what names the cause
    "nobody answers": (absent, "cannot be reached"),
    "it accepts and says nothing": (silent, "no answer within"),
    "another password": (locked, "user or password refused"),
    "401": (answering(HEAD % (b"401 Unauthorized", b"text/plain")), "user or password refused"),
    "404": (answering(HEAD % (b"404 Not Found", b"text/plain")), "no such stream"),
    "503": (answering(HEAD % (b"503 Service Unavailable", b"text/plain")), "cannot serve anybody"),
    "a page in place of pictures": (answering(HEAD % (b"200 OK", b"text/html") + b"<p>hello " * 1000), "not a video"),
    "a connection that breaks at once": (answering(b""), "closes the connection"),
    "something else at the port": (noise, "nothing that can be read arrives"),
}


def _second_of_video(folder: Path) -> Path:
    return make_video(folder / "a.mp4", Recipe(frames=RTSP_FPS, fps=RTSP_FPS))


def certify(folder: Path) -> Path:
    """Write the certificate of cameras with TLS; return the file of who signed it."""
    make_certificates(folder / TLS)
    parts = [(folder / TLS / f"server.{kind}").read_text() for kind in ("pem", "key")]
    (folder / TLS / "both.pem").write_text("".join(parts))
    return folder / TLS / "ca.pem"


def _wait_for(well: threading.Event, stop: threading.Event) -> None:
    while not well.is_set() and not stop.is_set():
        well.wait(0.05)


@contextmanager
def _running(work: Callable[[threading.Event], None]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _send_pictures(handler: BaseHTTPRequestHandler, stop: threading.Event) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
    handler.end_headers()
    for number in range(JPEG_FPS):
        handler.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg_of(number) + b"\r\n")
        stop.wait(1 / JPEG_FPS)


@contextmanager
def _web_server(port: int, serve: Callable[[BaseHTTPRequestHandler, threading.Event], None]) -> Iterator[str]:
    stop = threading.Event()

    class Camera(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                serve(self, stop)
            except ConnectionError:
                return  # who asked has gone

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Camera)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/video.mjpg"
    finally:
        stop.set()
        server.shutdown()
        thread.join()
        server.server_close()
