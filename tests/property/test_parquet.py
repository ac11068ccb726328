"""Any table that is written as Parquet is read by Arrow's reader as it was."""

import io
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from gallery.parquet import Column, Kind, parquet_of

LARGEST = 2**63 - 1
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    "integer": st.integers(-LARGEST, LARGEST),
    "number": st.floats(allow_nan=False),
    "flag": st.booleans(),
    "text": st.text(st.characters(exclude_categories=["Cs"])),
    "time": st.integers(-(2**50), 2**50),
}
TYPES = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "text": pa.string(),
    "time": pa.timestamp("us", "UTC"),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Column], list[tuple[Any, ...]]]:
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=20))
    columns = [Column(f"{kind} {number}", kind) for number, kind in enumerate(kinds)]
    return columns, draw(st.lists(st.tuples(*(VALUES[kind] for kind in kinds)), max_size=20))


@given(tables())
def test_a_table_is_read_as_it_was_written(table: tuple[list[Column], list[tuple[Any, ...]]]) -> None:
    columns, rows = table

    found = parquet.read_table(io.BytesIO(parquet_of(columns, rows)))

    assert found.schema.names == [column.name for column in columns]
    assert found.schema.types == [TYPES[column.kind] for column in columns]
    for column in columns:
        values = found[column.name].cast(pa.int64()) if column.kind == "time" else found[column.name]
        assert values.to_pylist() == [row[columns.index(column)] for row in rows]


def test_a_text_that_is_no_unicode_is_written_all_the_same() -> None:
    found = parquet.read_table(io.BytesIO(parquet_of([Column("name", "text")], [("a\ud800",)])))
    assert found["name"].to_pylist() == ["a?"]


def test_a_long_table_is_read_whole() -> None:
    rows = [(number, number % 3 == 0) for number in range(10_001)]
    found = parquet.read_table(io.BytesIO(parquet_of([Column("n", "integer"), Column("f", "flag")], rows)))
    assert list(zip(found["n"].to_pylist(), found["f"].to_pylist(), strict=True)) == rows
