"""Pictures of a stream as JPEG, for still views and for browsers that cannot play its codec: this decodes."""

import io

import av
import av.error

from wire.messages import FrameChunk

MAX_SIDE_PX = 960
QUALITY = 75


class PictureDecoder:
    """Decodes one stream; the chunks it is given must follow each other from one that starts with a keyframe."""

    def __init__(self, first: FrameChunk) -> None:
        self._jpeg = first.codec == "mjpeg"
        self._context = av.CodecContext.create(first.codec, "r")
        if first.extradata:
            self._context.extradata = first.extradata
        self._context.thread_count = 1

    def latest(self, chunk: FrameChunk) -> bytes | None:
        """Return the chunk's last picture as JPEG, None if it completes none."""
        if self._jpeg:
            return chunk.packets[-1].data if chunk.packets else None
        frame: av.VideoFrame | None = None
        for packet in chunk.packets:
            try:
                decoded = self._context.decode(av.Packet(packet.data))
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
