"""The name of a tracklet comes apart into exactly what it was built from, whatever cameras and streams are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.tracklet_id import TrackletId

CAMERAS = st.text(min_size=1, max_size=12).filter(lambda text: "/" not in text)
STREAMS = st.text(min_size=1, max_size=12) | st.text("/.0 1\n", min_size=1, max_size=6)
NUMBERS = st.integers(0, 10**18 - 1)
IDS = st.builds(TrackletId, CAMERAS, STREAMS, NUMBERS, NUMBERS, NUMBERS)


@given(IDS)
def test_what_is_written_is_read_back(name: TrackletId) -> None:
    assert TrackletId.parse(str(name)) == name


@given(IDS, IDS)
def test_different_tracklets_have_different_names(one: TrackletId, other: TrackletId) -> None:
    assert (str(one) == str(other)) == (one == other)


@given(st.text(max_size=30) | st.text("/.01 a", max_size=12))
def test_any_text_is_a_name_or_an_error_that_shows_it(text: str) -> None:
    try:
        name = TrackletId.parse(text)
    except ValueError as error:
        assert repr(text) in str(error)  # noqa: PT017 - most texts are not names, some are
    else:
        assert TrackletId.parse(str(name)) == name


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("door/5f2a-0/7.1/2", ("door", "5f2a-0", 7, 1, 2), id="an ordinary one"),
        pytest.param("door/s1/7/0", ("door", "s1", 7, 0, 0), id="written before tracks had legs"),
        pytest.param("door/a/b/7.0/0", ("door", "a/b", 7, 0, 0), id="a stream with a slash"),
        pytest.param("door//7.0/0/1.0/0", ("door", "/7.0/0", 1, 0, 0), id="a stream that looks like one"),
        pytest.param("Tür 1.0/s\n1/7.0/0", ("Tür 1.0", "s\n1", 7, 0, 0), id="other characters"),
    ],
)
def test_a_name_comes_apart_into(text: str, parts: tuple[str, str, int, int, int]) -> None:
    assert TrackletId.parse(text) == TrackletId(*parts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "door",
        "door/s/7.0",
        "/s/7.0/0",
        "door//7.0/0",
        "door/s/7.0/-1",
        "door/s/7.0/0x",
        "door/s/7./0",
        "door/s/٣.0/0",
        "door/s/07.0/0",
        "door/s/7.0/0\n",
        "door/s/" + "9" * 5000 + ".0/0",
    ],
)
def test_what_is_not_the_name_of_a_tracklet_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"tracklet id must be camera/stream/track\.leg/part"):
        TrackletId.parse(text)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        pytest.param(("a/b", "s", 0, 0, 0), "without '/', got 'a/b'", id="a camera with a slash"),
        pytest.param(("", "s", 0, 0, 0), "camera_id must be at least one", id="no camera"),
        pytest.param(("a", "", 0, 0, 0), "stream_id must not be empty", id="no stream"),
        pytest.param(("a", "s", 0, -1, 0), "must not be negative, got 0, -1, 0", id="a negative leg"),
    ],
)
def test_a_name_that_could_not_be_read_back_is_not_built(parts: tuple[str, str, int, int, int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        TrackletId(*parts)


def test_only_parts_of_one_leg_of_one_stream_are_one_person_by_construction() -> None:
    name = TrackletId("door", "s", 7, 1, 0)

    assert name.is_same_leg(TrackletId("door", "s", 7, 1, 3))
    others = (("gate", "s", 7, 1), ("door", "t", 7, 1), ("door", "s", 8, 1), ("door", "s", 7, 0))
    assert not any(name.is_same_leg(TrackletId(*other, 0)) for other in others)
