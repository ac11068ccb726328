"""Detects changes of the picture size in H.264 and HEVC byte streams."""

from typing import Literal

import av

from ingest.sources.jpeg import Size

NalCodec = Literal["h264", "hevc"]

_START = b"\x00\x00\x01"


def sequence_sets(data: bytes, codec: NalCodec) -> bytes:
    """Return the sequence parameter sets before a packet's first slice, concatenated; empty if there are none."""
    found = []
    begin = data.find(_START)
    while begin >= 0 and begin + 3 < len(data):
        begin += 3
        kind = data[begin] & 0x1F if codec == "h264" else data[begin] >> 1 & 0x3F
        if _is_slice(kind, codec):
            break
        after = data.find(_START, begin)
        if _is_sequence_set(kind, codec):
            found.append(data[begin : after if after >= 0 else len(data)].rstrip(b"\x00"))
        begin = after
    return b"".join(found)


def picture_size(data: bytes, codec: NalCodec, extradata: bytes = b"") -> Size | None:
    """Decode one keyframe to get its size; None if it cannot be decoded."""
    context = av.CodecContext.create(codec, "r")
    context.thread_count = 1
    if extradata:
        context.extradata = extradata
    try:
        frames = [*context.decode(av.Packet(data)), *context.decode(None)]
    except av.FFmpegError:
        return None
    return Size(frames[0].width, frames[0].height) if frames else None


def _is_slice(kind: int, codec: NalCodec) -> bool:
    return 1 <= kind <= 5 if codec == "h264" else kind < 32


def _is_sequence_set(kind: int, codec: NalCodec) -> bool:
    return kind == (7 if codec == "h264" else 33)
