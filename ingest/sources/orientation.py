"""The orientation of pictures as stated by a container."""

from typing import Any

import av

from wire import orientation
from wire.orientation import UPRIGHT


def container_orientation(stream: Any, keyframe: bytes) -> int | None:
    """Return the orientation that a container states for a stream; None if this keyframe cannot be decoded.

    libav exposes a container's display matrix only with decoded pictures, so one is decoded. A matrix from the H.264 or
    HEVC bitstream is left to the worker, which decodes every picture: it may change from picture to picture.
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
