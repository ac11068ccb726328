"""H.264 and HEVC packets in the two forms in which they travel: with start codes (annex B) or with lengths (MP4)."""

START_CODE = b"\x00\x00\x00\x01"


def is_annexb(extradata: bytes) -> bool:
    """Tell whether packets have start codes and in-band parameter sets; MP4-style packets have lengths instead."""
    return not extradata.startswith(b"\x01")


class ToAnnexB:
    """Converts the packets of one stream to start codes, with the parameter sets before every keyframe.

    Packets that have start codes already, and what is cut short, are returned as they are (ISO/IEC 14496-15, 5.3.3 and
    8.3.3).
    """

    def __init__(self, codec: str, extradata: bytes) -> None:
        self._lengths = 0
        self._sets = extradata
        if extradata and not is_annexb(extradata):
            hevc = codec == "hevc"
            self._lengths = 1 + (extradata[21 if hevc else 4] & 3)
            self._sets = b"".join(START_CODE + unit for unit in (_hevc_sets if hevc else _avc_sets)(extradata))

    def convert(self, data: bytes, *, keyframe: bool) -> bytes:
        """Return one packet with start codes."""
        if self._lengths:
            data = self._with_start_codes(data)
        return self._sets + data if keyframe else data

    def _with_start_codes(self, data: bytes) -> bytes:
        units, at = [], 0
        while at < len(data):
            end = at + self._lengths + int.from_bytes(data[at : at + self._lengths])
            units += [START_CODE, data[at + self._lengths : end]]
            at = end
        return b"".join(units)


def _avc_sets(extradata: bytes) -> list[bytes]:
    """Return the sequence and picture parameter sets of an avcC record."""
    sets: list[bytes] = []
    at = 5
    for mask in (0x1F, 0xFF):
        count = extradata[at] & mask
        found, at = _units(extradata, at + 1, count)
        sets += found
    return sets


def _hevc_sets(extradata: bytes) -> list[bytes]:
    """Return all parameter sets of an hvcC record."""
    sets: list[bytes] = []
    at = 23
    for _ in range(extradata[22]):
        found, at = _units(extradata, at + 3, int.from_bytes(extradata[at + 1 : at + 3]))
        sets += found
    return sets


def _units(data: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    units = []
    for _ in range(count):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        units.append(data[at + 2 : end])
        at = end
    return units, at
