"""How a container says that its pictures are turned."""

from typing import Any

import av

from wire import orientation
from wire.orientation import UPRIGHT


def container_orientation(stream: Any, keyframe: bytes) -> int | None:
    """Return the orientation that a container states for a stream; None where this keyframe cannot be decoded.

    libav hands a container's display matrix out with decoded pictures only, so one is decoded. A matrix that comes from
    the H.264 or HEVC bitstream itself is left to whoever decodes all of it: it may change from picture to picture.
    """
    context = stream.codec_context
    stated = _matrices(context, keyframe)
    if not stated:
        return None if stated is None else UPRIGHT
    plain = av.CodecContext.create(context.name, "r")
    plain.extradata = context.extradata
    inside = _matrices(plain, keyframe) or []
    return orientation.of_matrix(stated[0]) if len(stated) > len(inside) else UPRIGHT


def _matrices(context: Any, keyframe: bytes) -> list[bytes] | None:
    try:
        frames = [*context.decode(av.Packet(keyframe)), *context.decode(None)]
    except av.FFmpegError:
        return None
    finally:
        context.flush_buffers()
    return orientation.display_matrices(frames[0]) if frames else None
