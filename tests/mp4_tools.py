"""MP4 files with what no encoder of ours writes: several sample descriptions, edit lists, display matrices, holes.

One video track, by ISO/IEC 14496-12; section numbers stand at the boxes.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av

TICKS = 1000  # a second, of the movie and of the track
UNTURNED = (1, 0, 0, 1)


@dataclass(frozen=True, slots=True)
class Description:
    """How samples are coded: `avc1` with `avcC`, or `hvc1` with `hvcC`."""

    code: bytes
    config_box: bytes
    config: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One coded frame; `shift` is from decoding to presentation, ticks; `description` counts from 0."""

    data: bytes
    keyframe: bool
    shift: int = 0
    description: int = 0


@dataclass(frozen=True, slots=True)
class Movie:
    """What stands in the file.

    Attributes:
        matrix: a, b, c and d of the track's display matrix.
        edit: Where in the track the presentation begins, and how long it is, ticks; None is all of it.
    """

    descriptions: Sequence[Description]
    samples: Sequence[Sample]
    step: int = 100
    matrix: tuple[int, int, int, int] = UNTURNED
    edit: tuple[int, int] | None = None


def track_of(path: Path) -> tuple[Description, list[Sample]]:
    """Return the description and samples of a video file with one description."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.extradata is not None
        code, box = (b"avc1", b"avcC") if stream.codec_context.name == "h264" else (b"hvc1", b"hvcC")
        description = Description(code, box, bytes(stream.codec_context.extradata), stream.width, stream.height)
        tick = 1 / (TICKS * (stream.time_base or 1))
        samples = [
            Sample(bytes(packet), packet.is_keyframe, round(((packet.pts or 0) - (packet.dts or 0)) / tick))
            for packet in container.demux(stream)
            if packet.size
        ]
    return description, samples


def write_mp4(path: Path, movie: Movie) -> Path:
    """Write the file: index in front, then the samples."""
    ftyp = _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isom")
    size = len(ftyp) + len(_moov(movie, 0)) + 8
    data = b"".join(sample.data for sample in movie.samples)
    path.write_bytes(ftyp + _moov(movie, size) + _box(b"mdat", data))
    return path


def _box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + name + body


def _full(name: bytes, *content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *content)


def _ints(*values: int) -> bytes:
    return struct.pack(f">{len(values)}i", *values)


def _matrix(a: int, b: int, c: int, d: int) -> bytes:
    return _ints(a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)


def _moov(movie: Movie, at: int) -> bytes:
    length = movie.step * len(movie.samples)
    mvhd = _full(  # 8.2.2
        b"mvhd",
        _ints(0, 0, TICKS, length, 1 << 16),
        struct.pack(">h10x", 1 << 8),
        _matrix(*UNTURNED),
        bytes(24),
        _ints(2),
    )
    first = movie.descriptions[0]
    tkhd = _full(  # 8.3.2
        b"tkhd",
        _ints(0, 0, 1, 0, length),
        bytes(16),
        _matrix(*movie.matrix),
        _ints(first.width << 16, first.height << 16),
        flags=3,
    )
    edits = (
        b""
        if movie.edit is None
        else _box(
            b"edts",
            _full(b"elst", _ints(1, movie.edit[1], movie.edit[0], 1 << 16)),  # 8.6.6
        )
    )
    media = _box(
        b"mdia",
        _full(b"mdhd", _ints(0, 0, TICKS, length, 0x55C40000)),
        _full(b"hdlr", _ints(0), b"vide", bytes(13)),
        _box(
            b"minf",
            _full(b"vmhd", bytes(8), flags=1),
            _box(b"dinf", _full(b"dref", _ints(1), _full(b"url ", flags=1))),
            _samples(movie, at),
        ),
    )
    return _box(b"moov", mvhd, _box(b"trak", tkhd, edits, media))


def _samples(movie: Movie, at: int) -> bytes:
    samples = movie.samples
    runs = [i for i, one in enumerate(samples) if i == 0 or one.description != samples[i - 1].description]
    ends = [*runs[1:], len(samples)]
    offsets = [at + sum(len(one.data) for one in samples[:run]) for run in runs]
    chunks = [
        (number, end - run, samples[run].description + 1)
        for number, (run, end) in enumerate(zip(runs, ends, strict=True), 1)
    ]
    keys = [number for number, one in enumerate(samples, 1) if one.keyframe]
    return _box(
        b"stbl",
        _full(b"stsd", _ints(len(movie.descriptions)), *map(_entry, movie.descriptions)),
        _full(b"stts", _ints(1, len(samples), movie.step)),
        _full(b"ctts", _ints(len(samples), *(value for one in samples for value in (1, one.shift)))),
        _full(b"stss", _ints(len(keys), *keys)),
        _full(b"stsc", _ints(len(chunks), *(value for chunk in chunks for value in chunk))),
        _full(b"stsz", _ints(0, len(samples), *(len(one.data) for one in samples))),
        _full(b"stco", _ints(len(offsets), *offsets)),
    )


def _entry(one: Description) -> bytes:
    return _box(  # 12.1.3
        one.code,
        bytes(6),
        struct.pack(">H16xHH", 1, one.width, one.height),
        _ints(0x480000, 0x480000, 0),
        struct.pack(">H32xHh", 1, 24, -1),
        _box(one.config_box, one.config),
    )
