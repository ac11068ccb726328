"""Pictures of a stream as JPEG, for still views and for browsers that cannot play its codec: this decodes."""

import io
from collections.abc import Iterable

import av
import av.error

MAX_SIDE_PX = 960
QUALITY = 75


class PictureDecoder:
    """Decodes one stream; the packets it is given must follow each other from a keyframe."""

    def __init__(self, codec: str, extradata: bytes) -> None:
        self._jpeg = codec == "mjpeg"
        self._context = av.CodecContext.create(codec, "r")
        if extradata:
            self._context.extradata = extradata
        self._context.thread_count = 1

    def latest(self, packets: Iterable[bytes], *, end: bool = False) -> bytes | None:
        """Return the last picture that these packets complete as JPEG, None if there is none; `end`: none follow."""
        if self._jpeg:
            return next(reversed(list(packets)), None)
        frame: av.VideoFrame | None = None
        for packet in [*map(av.Packet, packets), *([None] if end else [])]:
            try:
                decoded = self._context.decode(packet)
            except av.error.FFmpegError:
                continue  # the next packet may be whole
            frame = decoded[-1] if decoded else frame
        return None if frame is None else _jpeg(frame)


def _jpeg(frame: av.VideoFrame) -> bytes:
    share = min(1.0, MAX_SIDE_PX / max(frame.width, frame.height))
    small = frame.reformat(width=max(2, round(frame.width * share)), height=max(2, round(frame.height * share)))
    out = io.BytesIO()
    small.to_image().convert("RGB").save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
