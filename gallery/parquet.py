"""Tables as Apache Parquet: one row group, no nulls, plain values compressed by gzip, so that every reader knows them.

Written by hand, since a library for it weighs 100 MB. Reference: `parquet.thrift` of apache/parquet-format; its records
are in Thrift's compact protocol, whose field numbers are those of that file.
"""

import gzip
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

MAGIC = b"PAR1"
I32, I64, BINARY, LIST, STRUCT = 5, 6, 8, 9, 12  # types of the compact protocol; a boolean's is its value
TRUE = 1
GZIP = 2  # of CompressionCodec
PLAIN, RLE = 0, 3  # of Encoding
REQUIRED = 0  # of FieldRepetitionType
BOOLEAN, INT64, DOUBLE, BYTE_ARRAY = 0, 2, 5, 6  # of Type
UTF8, TIMESTAMP_MICROS = 0, 10  # of ConvertedType

Kind = Literal["integer", "number", "flag", "text", "time"]
Field = tuple[int, int, Any]  # number, type, and value of a field of a record; a record is several


@dataclass(frozen=True, slots=True)
class Column:
    """A column: whole numbers, numbers, booleans, texts, or times in microseconds since 1970 in UTC."""

    name: str
    kind: Kind


def parquet_of(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> bytes:
    """Return a table as a Parquet file."""
    parts, chunks, size = [MAGIC], [], len(MAGIC)
    for number, column in enumerate(columns):
        page = _page(column.kind, [row[number] for row in rows])
        chunks.append(_chunk(column, len(rows), size, page))
        parts += page.header, page.data
        size += len(page.header) + len(page.data)
    total = sum(length for _, length in chunks)
    described = [(1, LIST, (STRUCT, [chunk for chunk, _ in chunks])), (2, I64, total), (3, I64, len(rows))]
    root = [(4, BINARY, b"schema"), (5, I32, len(columns))]
    footer = _record(
        [
            (1, I32, 1),
            (2, LIST, (STRUCT, [root, *map(_schema, columns)])),
            (3, I64, len(rows)),
            (4, LIST, (STRUCT, [described])),
            (6, BINARY, b"climbtrack"),
        ]
    )
    return b"".join((*parts, footer, struct.pack("<I", len(footer)), MAGIC))


@dataclass(frozen=True, slots=True)
class _Page:
    """All values of a column; `length` is that of its data before it was compressed."""

    header: bytes
    data: bytes
    length: int


def _page(kind: Kind, values: Sequence[Any]) -> _Page:
    plain = b"".join(_PLAIN[kind](values))
    data = gzip.compress(plain, mtime=0)
    counted = [(1, I32, len(values)), (2, I32, PLAIN), (3, I32, RLE), (4, I32, RLE)]
    header = _record([(1, I32, 0), (2, I32, len(plain)), (3, I32, len(data)), (5, STRUCT, counted)])
    return _Page(header, data, len(plain))


def _chunk(column: Column, rows: int, begin: int, page: _Page) -> tuple[list[Field], int]:
    """Return the record of a column that begins at a place in the file, and its length before it was compressed."""
    length = len(page.header) + page.length
    about = [
        (1, I32, _TYPES[column.kind][0]),
        (2, LIST, (I32, [PLAIN])),
        (3, LIST, (BINARY, [column.name.encode()])),
        (4, I32, GZIP),
        (5, I64, rows),
        (6, I64, length),
        (7, I64, len(page.header) + len(page.data)),
        (9, I64, begin),
    ]
    return [(2, I64, begin), (3, STRUCT, about)], length


def _schema(column: Column) -> list[Field]:
    kind, converted, logical = _TYPES[column.kind]
    fields: list[Field] = [(1, I32, kind), (3, I32, REQUIRED), (4, BINARY, column.name.encode())]
    if converted is not None:
        fields += [(6, I32, converted), (10, STRUCT, logical)]
    return fields


_UTC_MICROSECONDS: list[Field] = [(1, TRUE, None), (2, STRUCT, [(2, STRUCT, [])])]
# How each kind is stored: its type, and what it means, in the old and in the new way of saying so.
_TYPES: Mapping[Kind, tuple[int, int | None, list[Field]]] = {
    "integer": (INT64, None, []),
    "number": (DOUBLE, None, []),
    "flag": (BOOLEAN, None, []),
    "text": (BYTE_ARRAY, UTF8, [(1, STRUCT, [])]),
    "time": (INT64, TIMESTAMP_MICROS, [(8, STRUCT, _UTC_MICROSECONDS)]),
}


def _texts(values: Sequence[str]) -> Iterator[bytes]:
    for value in values:
        data = value.encode(errors="replace")
        yield struct.pack("<I", len(data))
        yield data


def _flags(values: Sequence[bool]) -> Iterator[bytes]:
    """Yield eight flags a byte, the first in its lowest bit."""
    for start in range(0, len(values), 8):
        yield bytes((sum(flag << place for place, flag in enumerate(values[start : start + 8])),))


_PLAIN: Mapping[Kind, Callable[[Sequence[Any]], Iterator[bytes]]] = {
    "integer": lambda values: iter((struct.pack(f"<{len(values)}q", *values),)),
    "number": lambda values: iter((struct.pack(f"<{len(values)}d", *values),)),
    "flag": _flags,
    "text": _texts,
    "time": lambda values: iter((struct.pack(f"<{len(values)}q", *values),)),
}


def _record(fields: Sequence[Field]) -> bytes:
    """Return a record in the compact protocol; every field says by how much its number is above the one before."""
    parts: list[bytes] = []
    before = 0
    for number, kind, value in fields:
        parts += bytes(((number - before) << 4 | kind,)), _value(kind, value)
        before = number
    return b"".join((*parts, b"\0"))


def _value(kind: int, value: Any) -> bytes:
    if kind == TRUE:
        return b""
    if kind in {I32, I64}:
        return _varint(value << 1)  # zigzag; none of ours is negative
    if kind == BINARY:
        return b"".join((_varint(len(value)), value))
    if kind == STRUCT:
        return _record(value)
    of, items = value
    head = bytes((len(items) << 4 | of,)) if len(items) < 15 else bytes((0xF0 | of,)) + _varint(len(items))
    return head + b"".join(_value(of, item) for item in items)


def _varint(value: int) -> bytes:
    """Return seven bits a byte, the lowest first; all but the last have their highest bit set."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))
