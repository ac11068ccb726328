"""A live HLS camera of tests: its playlist gains a segment every second, and may end."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av

from tests.ingest_tools import picture

FPS = 20
WINDOW = 4  # segments in a playlist
BEFORE = 6  # segments that were published before anybody looked


class LiveHls:
    """A camera with segments of a second; after `end` the playlist says that no more will come."""

    def __init__(self, folder: Path, seconds: int) -> None:
        self._folder = folder
        self._seconds = seconds
        self._began_s = time.monotonic()
        self._ended_at: int | None = None
        write_segments(folder, seconds)

    @property
    def published(self) -> int:
        """Return the number of segments so far."""
        now = BEFORE + int(time.monotonic() - self._began_s)
        return min(self._seconds, now if self._ended_at is None else self._ended_at)

    def end(self) -> None:
        """Publish nothing more."""
        self._ended_at = self.published

    def resume(self) -> None:
        """Publish again."""
        self._ended_at = None

    def playlist(self) -> bytes:
        """Return what the playlist says now."""
        last = self.published
        first = 0 if self._ended_at is not None else max(0, last - WINDOW)
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
        lines += [line for number in range(first, last) for line in ("#EXTINF:1.0,", f"part{number}.ts")]
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if self._ended_at is not None else []), ""]).encode()


def write_segments(folder: Path, seconds: int) -> None:
    """Write a second of video to each of `part0.ts`, `part1.ts`..."""
    options = {"hls_time": "1", "hls_list_size": "0", "hls_segment_filename": str(folder / "part%d.ts")}
    with av.open(str(folder / "all.m3u8"), "w", format="hls", options=options) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"g": str(FPS), "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(seconds * FPS):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="bgr24")))
        container.mux(stream.encode(None))


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *given: object, camera: LiveHls, directory: str) -> None:
        self._camera = camera
        super().__init__(*given, directory=directory)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if not self.path.endswith("live.m3u8"):
            super().do_GET()
            return
        content = self._camera.playlist()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.apple.mpegurl")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Say nothing."""


@contextmanager
def broadcasting(folder: Path, seconds: int = 30) -> Iterator[tuple[LiveHls, str]]:
    """Run a live camera; give it and its URL."""
    camera = LiveHls(folder, seconds)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, camera=camera, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield camera, f"http://127.0.0.1:{server.server_address[1]}/live.m3u8"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
