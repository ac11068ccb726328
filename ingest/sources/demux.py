"""The packets of one video stream of an open container (PyAV), with consistent presentation times."""

import re
import struct
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from typing import Any

import av

from ingest.clock import NS, Timeline
from ingest.config import IngestSettings
from ingest.errors import Broken
from ingest.sources.causes import cause, silence
from ingest.sources.interrupt import AGAIN_S, interrupted, pause
from ingest.sources.order import PresentationOrder

DEFAULT_FPS = Fraction(25)
FILE_GAP_NS = 3600 * NS  # motion-triggered recordings have gaps of minutes; a step of hours is a broken clock
LIVE_GAP_NS = 10 * NS
MATROSKA = "matroska,webm"  # stores no decoding times: libav invents them, wrongly after a restart
UNTIMED = frozenset({"mjpeg", "h264", "hevc"})  # formats without timestamps: live ones are timed by arrival
_DURATION = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")  # tag of a Matroska track
_PRODUCER_TIME = struct.Struct("=qi")  # AVProducerReferenceTime: us since the Unix epoch, flags
MAX_BROKEN = 100  # unreadable packets in a row before the rest of a source is abandoned


class Demuxer:
    """Reads one stream.

    Attributes:
        rate: Frames per second according to the container, or a guess.
        timeline: Places the next packets in time; another part of the same recording may continue it.
        is_avi: The container is AVI, which states decoding times, one per slot in the file, empty slots included.
        is_mp4, is_y4m: The container is MP4 or one of its relatives, or YUV4MPEG.
        count: Packets so far, including empty ones.
        position: End of the latest packet in the file, at least, bytes.
        is_cut: Whether the file ended inside the latest packet, as far as libav says.
        stated_ns: Duration stated by the header of an FLV file or for a track of Matroska, 0 for other formats: they
            state a length in bytes, or libav estimates their duration from the data present.
        reached_ns: Latest presentation time stated by the file, ns.
    """

    def __init__(
        self,
        container: Any,
        stream: Any,
        settings: IngestSettings,
        *,
        finite: bool,
        arrival_ns: Callable[[], int] = time.monotonic_ns,
        timeline: Timeline | None = None,
    ) -> None:
        self.stream = stream
        self.rate: Fraction = stream.guessed_rate or stream.average_rate or DEFAULT_FPS
        self.frame_ns = round(NS / self.rate)
        self.timeline = timeline or Timeline(self.frame_ns, FILE_GAP_NS if finite else LIVE_GAP_NS)
        self.is_avi = container.format.name == "avi"
        self.is_y4m = container.format.name == "yuv4mpegpipe"
        self.is_mp4 = container.format.name.startswith("mov,")
        self.stated_ns = _stated_ns(container, stream)
        self.count = self.position = self.reached_ns = 0
        self.is_cut = False
        self._states_dts = container.format.name != MATROSKA
        self._by_arrival = not finite and container.format.name in UNTIMED
        self._container = container
        self._settings = settings
        self._arrival_ns = arrival_ns
        self._packet_s = time.monotonic()

    def packets(self) -> Iterator[Any]:
        """Yield every packet that is not empty.

        Raises:
            Stalled: No data arrived within the read timeout.
            Broken: The source cannot be read any further.
        """
        broken = 0
        while broken <= MAX_BROKEN:
            try:
                for packet in self._container.demux(self.stream):
                    broken = 0
                    self.count += packet.size > 0 or packet.dts is not None  # PyAV ends with a packet without a time
                    self.position = self.position if packet.pos is None else packet.pos + packet.size
                    self.reached_ns = max(self.reached_ns, nanoseconds(packet.pts, packet.time_base) or 0)
                    self._packet_s = time.monotonic()
                    self.is_cut = packet.is_corrupt if packet.size else self.is_cut
                    if packet.size:  # an empty packet means a skipped picture in a file, but the end to a decoder
                        yield packet
            except av.InvalidDataError:
                broken += 1
            except av.BlockingIOError:  # of a device: there is no picture yet
                self._wait_for_more()
            except av.FFmpegError as error:
                raise cause(error, self._settings, opening=False) from None
            except IndexError:  # raised by PyAV at the end of a container that gained streams while being read
                return
            else:
                return
        raise Broken(f"{MAX_BROKEN} unreadable packets in a row")

    def timed(self) -> Iterator[tuple[Any, int]]:
        """Yield every packet that is not empty, and its presentation time in ns."""
        packets = self.packets()
        if self._by_arrival:
            yield from self._timed_by_arrival(packets)
            return
        first = next(packets, None)
        if first is None:
            return
        every = chain([first], packets)
        if self.stream.codec_context.has_b_frames and (first.pts is None or self.is_avi):
            order = PresentationOrder(self.stream.codec_context)
            yield from order.place((packet, self.decoded_ns(packet)) for packet in every)
            return
        if first.is_discard:  # cut away by an edit list, which starts at 0
            self.timeline.begin(0)
        for packet in every:
            dts_ns = nanoseconds(packet.dts, packet.time_base) if self._states_dts else None
            pts_ns = nanoseconds(packet.pts, packet.time_base)
            pts_ns = dts_ns if pts_ns is None else pts_ns
            yield packet, self.timeline.follow() if pts_ns is None else self.timeline.place(pts_ns, dts_ns)

    def _wait_for_more(self) -> None:
        if interrupted() or time.monotonic() - self._packet_s > self._settings.read_timeout_s:
            raise silence(self._settings)
        pause(AGAIN_S)

    def decoded_ns(self, packet: Any) -> int:
        """Return the decoding time of a packet in ns: as stated by the container, or else derived from its number."""
        dts_ns = nanoseconds(packet.dts, packet.time_base)
        return self._nominal_ns() if dts_ns is None else self.timeline.place(dts_ns, dts_ns)

    def _nominal_ns(self) -> int:
        return round((self.count - 1) * NS / self.rate)

    def _timed_by_arrival(self, packets: Iterator[Any]) -> Iterator[tuple[Any, int]]:
        began_ns = last_ns = None
        for packet in packets:
            now_ns = self._arrival_ns()
            if began_ns is None or last_ns is None:
                began_ns = last_ns = now_ns
            else:
                last_ns = max(now_ns, last_ns + 1)
            yield packet, last_ns - began_ns


def _stated_ns(container: Any, stream: Any) -> int:
    if container.format.name == "flv":
        return (container.duration or 0) * 1000
    stated = _DURATION.fullmatch(stream.metadata.get("DURATION", "")) if container.format.name == MATROSKA else None
    return round((int(stated[1]) * 3600 + int(stated[2]) * 60 + float(stated[3])) * NS) if stated else 0


def nanoseconds(ticks: int | None, base: Fraction | None) -> int | None:
    """Convert ticks of a time base to ns; None if either is unknown."""
    if ticks is None or base is None:
        return None
    return ticks * base.numerator * NS // base.denominator


def camera_time_ns(packet: Any) -> int | None:
    """Return when a packet was captured by the camera's clock, ns since the Unix epoch; None if it is not stated.

    RTSP cameras state it in RTCP sender reports (RFC 3550, section 6.4.1), mostly every few seconds; libav applies the
    latest one to each packet.
    """
    if not packet.has_sidedata("prft"):
        return None
    microseconds, _ = _PRODUCER_TIME.unpack_from(bytes(packet.get_sidedata("prft")))
    return int(microseconds) * 1000
