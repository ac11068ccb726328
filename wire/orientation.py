"""The rotation and mirroring that bring a decoded picture upright, as values of the EXIF tag Orientation.

1 unchanged                     2 mirrored left to right
3 rotated by 180°               4 mirrored top to bottom
6 rotated clockwise             5 mirrored left to right, then rotated counterclockwise
8 rotated counterclockwise      7 mirrored left to right, then rotated clockwise
"""

import struct
from typing import Any

UPRIGHT = 1
ORIENTATIONS = range(1, 9)

_SIZE = 36  # nine int32
_STRAIGHT = {(1, 1): 1, (-1, 1): 2, (-1, -1): 3, (1, -1): 4}  # by the signs of a and d
_TURNED = {(1, 1): 5, (1, -1): 6, (-1, -1): 7, (-1, 1): 8}  # by the signs of b and c
_ONE = 1 << 16  # of a to y, which are 16.16 fixed point
_LAST = 1 << 30  # of w, which is 2.30


def of_matrix(matrix: bytes) -> int:
    """Return the orientation closest to a display matrix of libavutil (ISO/IEC 14496-12, 8.3.2).

    `matrix` is nine int32 in native byte order, `a b u, c d v, x y w`: the point (p, q) of the decoded picture is
    shown at (a p + c q, b p + d q), q pointing down. A degenerate matrix counts as `UPRIGHT`.
    """
    if len(matrix) != _SIZE:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return _STRAIGHT.get((_sign(a), _sign(d)), UPRIGHT)
    return _TURNED.get((_sign(b), _sign(c)), UPRIGHT)


def upright_size(orientation: int, width: int, height: int) -> tuple[int, int]:
    """Return width and height of upright pictures whose size is this before rotation."""
    return (width, height) if orientation in _STRAIGHT.values() else (height, width)


def matrix_of(orientation: int, width: int, height: int) -> list[int]:
    """Return the display matrix that states the orientation of pictures of this size; see `of_matrix`."""
    a, d = next((signs for signs, stated in _STRAIGHT.items() if stated == orientation), (0, 0))
    b, c = next((signs for signs, stated in _TURNED.items() if stated == orientation), (0, 0))
    x, y = (sum(size for size, sign in ((width, p), (height, q)) if sign < 0) for p, q in ((a, c), (b, d)))
    return [*(one * _ONE for one in (a, b)), 0, *(one * _ONE for one in (c, d)), 0, x * _ONE, y * _ONE, _LAST]


def display_matrices(frame: Any) -> list[bytes]:
    """Return the display matrices of a frame decoded by PyAV: the container's before the bitstream's."""
    try:
        return [bytes(data) for data in frame.side_data if data.type.name == "DISPLAYMATRIX"]
    except ValueError:  # PyAV rejects all side data of a frame if it does not know the type of one item
        return []


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
