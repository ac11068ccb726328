"""One viewer's stream of one camera: items from the feed to what is sent to a browser. Pure, apart from its muxer.

What is sent is a `Text`, whose fields are JSON, or a `Piece` of video.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from gallery.live.feed import Item, PeopleInView, follows
from gallery.live.picture import PictureDecoder
from gallery.live.remux import NotPlayable, Remuxer, mime_of
from wire.messages import FrameChunk, Packet
from wire.orientation import upright_size

PieceKind = Literal["mp4", "jpeg"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of an MP4 file, to be appended to the ones before, or one JPEG picture."""

    kind: PieceKind
    data: bytes


Sent = dict[str, Any] | Piece


class CameraView:
    """Turns what a camera's feed offers into messages for one browser.

    After a gap, and at the start, everything up to the next keyframe is left out. A stream that the browser cannot play
    is sent as pictures, at most one a chunk. Of one whose privacy is not `full`, only the people's boxes are sent.
    """

    def __init__(self, *, pictures: bool = False) -> None:
        self._pictures = pictures
        self._last: FrameChunk | None = None
        self._remuxer: Remuxer | None = None
        self._decoder: PictureDecoder | None = None

    def take(self, item: Item) -> list[Sent]:
        """Return what to send for the next item."""
        return list(self._sent(item))

    def _sent(self, item: Item) -> Iterator[Sent]:
        if isinstance(item, PeopleInView):
            yield _people(item)
            return
        if item.packets and (self._last is None or not follows(self._last, item) or self._changed(item)):
            if not item.starts_with_keyframe:
                self._last = None
                return
            yield from self._begin(item)
        self._last = item
        if item.packets:
            yield from self._add(item)
        if item.ended:
            self._last = None
            yield {"kind": "ended", "reason": item.reason}

    def _changed(self, chunk: FrameChunk) -> bool:
        """Tell whether a player must begin again: an MP4 file has one size and one configuration."""
        last = self._last
        return last is None or _form(last) != _form(chunk)

    def _begin(self, chunk: FrameChunk) -> Iterator[Sent]:
        self._remuxer = self._decoder = None
        width, height = upright_size(chunk.orientation, chunk.width, chunk.height)
        size = {"width": width, "height": height}
        if chunk.privacy != "full":
            yield {"kind": "hidden", "codec": chunk.codec, **size}
        elif not self._pictures and chunk.codec != "mjpeg":
            self._remuxer = Remuxer(chunk)
            yield {"kind": "video", "codec": chunk.codec, **size}
        else:
            self._decoder = PictureDecoder(chunk.codec, chunk.extradata, chunk.orientation)
            yield {"kind": "pictures", "codec": chunk.codec, **size}

    def _add(self, chunk: FrameChunk) -> Iterator[Sent]:
        newest = max(chunk.packets, key=lambda packet: packet.pts_ns)
        if self._decoder is not None:
            picture = self._decoder.latest(packet.data for packet in chunk.packets)
            if picture is not None:
                yield {"kind": "picture", "time_ms": _ms(newest.time_ns)}
                yield Piece("jpeg", picture)
            return
        if self._remuxer is None:
            return
        try:
            yield from self._remuxed(self._remuxer, chunk, newest)
        except NotPlayable as error:
            self._remuxer = None
            yield {"kind": "unplayable", "reason": str(error)}

    def _remuxed(self, remuxer: Remuxer, chunk: FrameChunk, newest: Packet) -> Iterator[Sent]:
        data = remuxer.add(chunk)
        if not data:
            return
        if data[4:8] == b"ftyp":  # with the second chunk, if the first has one picture only
            yield {"kind": "type", "mime": mime_of(data)}
        media_s = remuxer.media_s(newest.pts_ns)
        yield {"kind": "clock", "media_s": round(media_s, 4), "time_ms": _ms(newest.time_ns)}
        yield Piece("mp4", data)


def _form(chunk: FrameChunk) -> tuple[int, int, int, bytes]:
    return chunk.width, chunk.height, chunk.orientation, chunk.extradata


def _people(item: PeopleInView) -> dict[str, Any]:
    seen = item.seen
    boxes = [
        [_ms(int(time_ns)), seen.tracklet_ids[which], *(round(float(edge), 1) for edge in box)]
        for time_ns, which, box in zip(seen.times_ns, seen.which, seen.boxes, strict=True)
    ]
    return {
        "kind": "people",
        "width": seen.width,
        "height": seen.height,
        "until_ms": _ms(seen.until_ns),
        "identities": item.identities,
        "boxes": boxes,
    }


def _ms(time_ns: int) -> int:
    return time_ns // 1_000_000
