"""Finds where the programmes of an MPEG transport stream change, from its tables (ISO/IEC 13818-1, 2.4.4)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

PACKET_BYTES = (188, 192, 204)  # plain, with a time code, with error correction
LONGEST_PACKET = max(PACKET_BYTES)
END_BYTES = 7 * LONGEST_PACKET  # of a file, by which its last packet is recognised

# A packet with a section of the programme association table (0) or of a programme map table (2) directly after its
# header: 47, start of a unit, no adaptation field, pointer 0.
TABLE = re.compile(rb"\x47[\x40-\x7f].[\x10-\x1f]\x00[\x00\x02][\xb0-\xbf]", re.DOTALL)

_HEADER_BYTES = 5
_PAYLOAD_END = 188
_ASSOCIATION_PID = 0
_VIDEO_TYPES = frozenset({0x01, 0x02, 0x10, 0x1B, 0x20, 0x24, 0x33, 0x42, 0xD1, 0xEA})
_CRC_POLYNOMIAL = 0x04C11DB7


@dataclass(slots=True)
class Tables:
    """The latest tables of each programme.

    Attributes:
        maps: The PID of each programme's map, by programme number.
        videos: The PIDs and types of the video streams in a map, by the PID of the map.
    """

    maps: dict[int, int] = field(default_factory=dict)
    videos: dict[int, frozenset[tuple[int, int]]] = field(default_factory=dict)
    _seen: dict[int, bytes] = field(default_factory=dict)

    def change(self, packet: bytes) -> bool:
        """Update from the table in a packet; tell whether earlier video streams no longer exist."""
        pid, section = _pid(packet), _section(packet)
        if section is None or self._seen.get(pid) == section or _crc(section):
            return False
        self._seen[pid] = section
        if pid == _ASSOCIATION_PID:
            known, self.maps = self.maps, dict(_programmes(section))
            return not known.items() <= self.maps.items()
        if pid not in self.maps.values():
            return False
        videos = frozenset(_videos(section))
        return self.videos.setdefault(pid, videos) != videos


def is_association(packet: bytes) -> bool:
    """Tell whether a packet holds the programme association table, where reading can start."""
    return _pid(packet) == _ASSOCIATION_PID


def packet_bytes(data: bytes, at: int) -> int:
    """Return the distance between packets, starting with the one at `at`."""
    fitting = (size for size in PACKET_BYTES if data[at : at + 4 * size + 1 : size] == b"\x47" * 5)
    return next(fitting, PACKET_BYTES[0])


def missing_bytes(end: bytes) -> int:
    """Return how many bytes the last packet lacks, given the end of a file of at least `END_BYTES`."""
    for size in PACKET_BYTES:
        for last in range(len(end) - 1, max(len(end) - 1 - size, 5 * size - 1), -1):
            if end[last - 5 * size : last + 1 : size] == b"\x47" * 6:
                return max(0, last + (size if size == LONGEST_PACKET else PACKET_BYTES[0]) - len(end))
    return 0


def _pid(packet: bytes) -> int:
    return (packet[1] & 0x1F) << 8 | packet[2]


def _section(packet: bytes) -> bytes | None:
    """Return the section in a packet; None if it continues in the next packet, or is not valid yet."""
    length = 3 + ((packet[_HEADER_BYTES + 1] & 0x0F) << 8 | packet[_HEADER_BYTES + 2])
    end = _HEADER_BYTES + length
    if end > min(len(packet), _PAYLOAD_END) or length < 12 or not packet[_HEADER_BYTES + 5] & 1:
        return None
    return packet[_HEADER_BYTES:end]


def _programmes(section: bytes) -> Iterator[tuple[int, int]]:
    for at in range(8, len(section) - 4, 4):
        programme, pid = (int.from_bytes(section[at + k : at + k + 2], "big") for k in (0, 2))
        if programme:  # 0 is the network information table
            yield programme, pid & 0x1FFF


def _videos(section: bytes) -> Iterator[tuple[int, int]]:
    at = 12 + (int.from_bytes(section[10:12], "big") & 0x0FFF)
    while at + 5 <= len(section) - 4:
        kind, pid, described = section[at], section[at + 1 : at + 3], section[at + 3 : at + 5]
        if kind in _VIDEO_TYPES:
            yield int.from_bytes(pid, "big") & 0x1FFF, kind
        at += 5 + (int.from_bytes(described, "big") & 0x0FFF)


def _crc(section: bytes) -> int:
    """Return the CRC remainder of a section with its checksum: 0 if it is undamaged (annex A)."""
    value = 0xFFFFFFFF
    for byte in section:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (_CRC_POLYNOMIAL if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value
