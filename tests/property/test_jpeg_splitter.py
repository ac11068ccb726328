"""However a stream of pictures is cut into pieces, the same pictures come out."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ingest.sources.splitter import JpegSplitter
from tests.ingest_tools import jpeg_of

PICTURES = [jpeg_of(number, 16, 16) for number in range(4)]
BETWEEN = st.sampled_from(
    [b"", b"\r\n", b"\r\n--frame\r\nContent-Length: 7\r\n\r\n", b"\xff", b"\xff\xd8", b"\x00" * 9]
)


@given(between=st.lists(BETWEEN, min_size=4, max_size=4), cuts=st.lists(st.integers(1, 700), max_size=40))
def test_pictures_do_not_depend_on_how_they_arrive(between: Sequence[bytes], cuts: Sequence[int]) -> None:
    data = b"".join(gap + picture for gap, picture in zip(between, PICTURES, strict=True))
    splitter = JpegSplitter()
    found: list[bytes] = []
    for size in [*cuts, len(data)]:
        found += splitter.feed(data[:size])
        data = data[size:]

    assert found == PICTURES
