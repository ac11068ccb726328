"""Pictures of a stream as JPEG, for still views and for browsers that cannot play its codec: this decodes."""

import io
from collections.abc import Iterable

import av
import av.error
from PIL import Image, ImageOps
from PIL.ExifTags import Base

from wire.orientation import UPRIGHT

MAX_SIDE_PX = 960
QUALITY = 75


class PictureDecoder:
    """Decodes one stream; the packets it is given must follow each other from a keyframe."""

    def __init__(self, codec: str, extradata: bytes, orientation: int = UPRIGHT) -> None:
        self._jpeg = codec == "mjpeg"
        self._orientation = orientation
        self._context = av.CodecContext.create(codec, "r")
        if extradata:
            self._context.extradata = extradata
        self._context.thread_count = 1

    def latest(self, packets: Iterable[bytes], *, end: bool = False) -> bytes | None:
        """Return the last picture that these packets complete as JPEG, None if there is none; `end`: none follow.

        It is upright.
        """
        if self._jpeg:
            newest = next(reversed(list(packets)), None)
            return newest if newest is None or self._orientation == UPRIGHT else self._turned(newest)
        frame: av.VideoFrame | None = None
        for packet in [*map(av.Packet, packets), *([None] if end else [])]:
            try:
                decoded = self._context.decode(packet)
            except av.error.FFmpegError:
                continue  # the next packet may be whole
            frame = decoded[-1] if decoded else frame
        return None if frame is None else self._upright(_small(frame))

    def _turned(self, jpeg: bytes) -> bytes | None:
        try:
            with Image.open(io.BytesIO(jpeg)) as image:
                return self._upright(image)
        except OSError:
            return None  # the next one may be whole

    def _upright(self, image: Image.Image) -> bytes:
        """Return a picture as JPEG, rotated as the stream says, whatever the picture's own EXIF says."""
        plain = image.convert("RGB")
        plain.getexif()[Base.Orientation] = self._orientation
        ImageOps.exif_transpose(plain, in_place=True)
        out = io.BytesIO()
        plain.save(out, "JPEG", quality=QUALITY)
        return out.getvalue()


def _small(frame: av.VideoFrame) -> Image.Image:
    share = min(1.0, MAX_SIDE_PX / max(frame.width, frame.height))
    small = frame.reformat(width=max(2, round(frame.width * share)), height=max(2, round(frame.height * share)))
    image: Image.Image = small.to_image()
    return image
