"""A camera for trying climbtrack: an H.264 file as an RTSP stream that never ends, `rtsp://HOST:8554/sample`.

Run by the system's Python of the image `camera`, which has GStreamer's bindings: `python3 camera.py VIDEO.mp4`.
"""

# mypy: disable-error-code="import-not-found"

import sys
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRtspServer  # noqa: E402, F401 - versions first; GstApp adds methods

PORT = "8554"


class Video:
    """The pictures of a file, over and over, with times that go on rising."""

    def __init__(self, path: str) -> None:
        self.samples = _pictures(path)
        self.caps = self.samples[0].get_caps()
        buffers = [sample.get_buffer() for sample in self.samples]
        self._length = max(one.pts + one.duration for one in buffers) - min(one.pts for one in buffers)
        self._next = 0

    def push(self, source: Any, _: int) -> None:
        """Give a source its next picture."""
        turn, number = divmod(self._next, len(self.samples))
        picture = self.samples[number].get_buffer().copy_deep()
        picture.pts += turn * self._length
        picture.dts += turn * self._length
        self._next += 1
        source.emit("push-buffer", picture)


def main(path: str) -> None:
    """Serve a video until killed; everybody sees the same moment."""
    Gst.init(None)
    video = Video(path)
    server = GstRtspServer.RTSPServer()
    server.set_service(PORT)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch("( appsrc name=source format=time ! rtph264pay pt=96 config-interval=-1 name=pay0 )")
    factory.set_shared(True)
    factory.connect("media-configure", _configure, video)
    server.get_mount_points().add_factory("/sample", factory)
    server.attach(None)
    print(f"rtsp://127.0.0.1:{PORT}/sample", flush=True)
    GLib.MainLoop().run()


def _configure(_: Any, media: Any, video: Video) -> None:
    source = media.get_element().get_by_name("source")
    source.set_property("caps", video.caps)
    source.connect("need-data", video.push)


def _pictures(path: str) -> list[Any]:
    """Return the coded pictures of a file."""
    pipeline = Gst.parse_launch(f'filesrc location="{path}" ! qtdemux ! video/x-h264 ! appsink name=sink sync=false')
    sink = pipeline.get_by_name("sink")
    pipeline.set_state(Gst.State.PLAYING)
    found = []
    while (sample := sink.pull_sample()) is not None:
        found.append(sample)
    error = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    if error is not None or not found:
        sys.exit(f"{path}: {error.parse_error()[0].message if error else 'no pictures in it'}")
    return found


if __name__ == "__main__":
    main(sys.argv[1])
