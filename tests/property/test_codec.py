"""Every message survives the wire, and no bytes whatever break a reader with anything but a `DecodeError`."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from wire import codec
from wire.bounds import Bounds
from wire.camera_tests import FirstPictures
from wire.errors import DecodeError
from wire.messages import (
    AnyMessage,
    CameraHealth,
    CameraProgress,
    CameraSpec,
    CameraTest,
    CameraTested,
    DeadLetter,
    FrameChunk,
    IdentityEvent,
    LookalikeQuery,
    Packet,
    PictureQuery,
    QueryAnswer,
    SeenPeople,
    Tracklet,
    WeightsChoice,
    Word,
    WorkerState,
)
from wire.queries import Lookalike
from wire.similarity import SimilarityPrior
from wire.tracklet import Look
from wire.tracklet_id import TrackletId

NAMES = st.text("abcXYZ019", min_size=1, max_size=32).map(lambda text: text + "._-")
TEXT = st.text(max_size=40)
TAGS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)
BYTES = st.binary(max_size=200)
TIMES = st.integers(0, 2**62)
COUNTS = st.integers(0, 2**40)
SHARES = st.floats(0, 1)
BOUNDS = st.none() | st.builds(Bounds, hosts=st.lists(TEXT).map(tuple), folders=st.lists(TEXT).map(tuple))
MODES = st.sampled_from(["latency", "complete"])


@st.composite
def looks(draw: st.DrawFn) -> Look:
    vector = np.asarray(draw(st.lists(st.floats(0.1, 1), min_size=1, max_size=16)))
    embedding = (vector / np.linalg.norm(vector)).astype(np.float16)
    prior = SimilarityPrior(same_mean=0.75, same_std=0.25, different_mean=0.125, different_std=0.5)
    return Look(embedding=embedding, model_id="2/" + draw(TEXT), prior=draw(st.sampled_from([None, prior])))


@st.composite
def tracklets(draw: st.DrawFn) -> Tracklet:
    n = draw(st.integers(1, 8))
    vector = np.asarray(draw(st.lists(st.floats(0.1, 1), min_size=1, max_size=16)))
    numbers = st.floats(-1e4, 1e4, width=32)
    name = TrackletId(draw(NAMES), draw(st.text(min_size=1, max_size=40)), *(draw(COUNTS) for _ in range(3)))
    return Tracklet(
        tracklet_id=str(name),
        camera_id=name.camera_id,
        site_id=draw(NAMES),
        revision=draw(COUNTS),
        closed=draw(st.booleans()),
        times_ns=np.cumsum(draw(arrays.arrays(np.int64, n, elements=st.integers(1, 2**40)))),
        frames=draw(arrays.arrays(np.int64, n, elements=st.integers(1, 2**40))),
        boxes=draw(arrays.arrays(np.float32, (n, 4), elements=numbers)),
        scores=draw(arrays.arrays(np.float32, n, elements=st.floats(0, 1, width=32))),
        embedding=(vector / np.linalg.norm(vector)).astype(np.float16),
        model_id="1/" + draw(TEXT),
        shadow=draw(st.none() | looks()),
        quality=draw(SHARES),
        frames_used=draw(COUNTS),
        crop=draw(BYTES),
        width=draw(COUNTS),
        height=draw(COUNTS),
        traceparent=draw(TEXT),
    )


@st.composite
def seen_people(draw: st.DrawFn) -> SeenPeople:
    n, people = draw(st.integers(0, 8)), draw(st.integers(1, 3))
    numbers = st.floats(-1e4, 1e4, width=32)
    return SeenPeople(
        camera_id=draw(NAMES),
        site_id=draw(NAMES),
        stream_id=draw(TEXT),
        width=draw(st.integers(1, 8000)),
        height=draw(st.integers(1, 8000)),
        until_ns=draw(TIMES),
        tracklet_ids=tuple(draw(st.lists(TEXT, min_size=people, max_size=people))),
        times_ns=np.sort(draw(arrays.arrays(np.int64, n, elements=TIMES))),
        which=draw(arrays.arrays(np.int64, n, elements=st.integers(0, people - 1))),
        boxes=draw(arrays.arrays(np.float32, (n, 4), elements=numbers)),
    )


@st.composite
def lookalike_queries(draw: st.DrawFn) -> LookalikeQuery:
    n, d = draw(st.integers(0, 4)), draw(st.integers(1, 8))
    vectors = draw(arrays.arrays(np.float64, (n, d), elements=st.floats(0.1, 1)))
    return LookalikeQuery(
        query_id=draw(TEXT),
        asker=draw(TEXT),
        site_id=draw(NAMES),
        time_ns=draw(TIMES),
        model_id=draw(TEXT),
        camera_id=draw(TEXT),
        embeddings=(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16),
        boxes=draw(arrays.arrays(np.float32, (n, 4), elements=st.floats(-1e4, 1e4, width=32))),
        scores=draw(arrays.arrays(np.float32, n, elements=st.floats(0, 1, width=32))),
        width=draw(COUNTS),
        height=draw(COUNTS),
        limit=draw(COUNTS),
    )


@st.composite
def query_answers(draw: st.DrawFn) -> QueryAnswer:
    n = draw(st.integers(0, 4))
    alike = st.lists(st.builds(Lookalike, COUNTS, SHARES, SHARES, SHARES), max_size=3).map(tuple)
    return QueryAnswer(
        query_id=draw(TEXT),
        asker=draw(TEXT),
        boxes=draw(arrays.arrays(np.float32, (n, 4), elements=st.floats(-1e4, 1e4, width=32))),
        scores=draw(arrays.arrays(np.float32, n, elements=st.floats(0, 1, width=32))),
        width=draw(COUNTS),
        height=draw(COUNTS),
        lookalikes=tuple(draw(st.lists(alike, min_size=n, max_size=n))),
        known=draw(COUNTS),
        problem=draw(TEXT),
    )


MESSAGES: dict[str, st.SearchStrategy[Any]] = {
    "CameraSpec": st.builds(
        CameraSpec,
        camera_id=NAMES,
        site_id=NAMES,
        url=st.text(min_size=1, max_size=40),
        enabled=st.booleans(),
        analysed_fps=st.floats(0.1, 240),
        mode=MODES,
        clock_offset_ms=st.floats(-1e6, 1e6),
        start_ns=st.none() | TIMES,
        realtime=st.booleans(),
        loop=st.booleans(),
        tags=st.dictionaries(TAGS, TAGS, max_size=4),
        bounds=BOUNDS,
    ),
    "CameraHealth": st.builds(
        CameraHealth,
        camera_id=NAMES,
        state=TEXT,
        cause=TEXT,
        reconnects=COUNTS,
        time_ns=TIMES,
        site_privacy=st.sampled_from([None, "full", "blurred", "embeddings"]),
    ),
    "SeenPeople": seen_people(),
    "PictureQuery": st.builds(
        PictureQuery, query_id=TEXT, asker=TEXT, site_id=NAMES, time_ns=TIMES, picture=BYTES, limit=COUNTS
    ),
    "LookalikeQuery": lookalike_queries(),
    "QueryAnswer": query_answers(),
    "Word": st.builds(
        Word,
        word_id=st.text(min_size=1, max_size=40),
        kind=st.sampled_from(
            ["name", "tag", "hide", "merge", "split", "move", "confirm", "different", "erase", "undo"]
        ),
        site_id=NAMES,
        author=TAGS,
        time_ns=TIMES,
        identity_id=COUNTS,
        others=st.lists(COUNTS, max_size=4).map(tuple),
        tracklets=st.lists(TEXT, max_size=4).map(tuple),
        to=st.none() | COUNTS,
        name=TAGS,
        tags=st.lists(TAGS, max_size=4).map(tuple),
        hidden=st.booleans(),
        picture_of=COUNTS,
        undoes=TEXT,
    ),
    "CameraTest": st.builds(CameraTest, query_id=TEXT, asker=TEXT, time_ns=TIMES, url=TEXT, bounds=BOUNDS),
    "CameraTested": st.builds(
        CameraTested,
        query_id=TEXT,
        asker=TEXT,
        first=st.none()
        | st.builds(
            FirstPictures,
            codec=st.sampled_from(["h264", "hevc", "mjpeg"]),
            width=COUNTS,
            height=COUNTS,
            extradata=BYTES,
            packets=st.lists(BYTES, max_size=4).map(tuple),
            fps=SHARES,
            orientation=st.integers(1, 8),
        ),
        waited_ms=COUNTS,
        problem=TEXT,
    ),
    "FrameChunk": st.builds(
        FrameChunk,
        camera_id=NAMES,
        site_id=NAMES,
        stream_id=st.text(min_size=1, max_size=40),
        seq=COUNTS,
        codec=st.sampled_from(["h264", "hevc", "mjpeg"]),
        width=st.integers(1, 8000),
        height=st.integers(1, 8000),
        extradata=BYTES,
        packets=st.lists(
            st.builds(Packet, pts_ns=TIMES, time_ns=TIMES, keyframe=st.booleans(), data=BYTES), min_size=1, max_size=4
        ).map(tuple),
        first_index=COUNTS,
        dropped_before=COUNTS,
        ended=st.booleans(),
        reason=TEXT,
        mode=MODES,
        traceparent=TEXT,
    ),
    "Tracklet": tracklets(),
    "WeightsChoice": st.builds(WeightsChoice, site_id=NAMES, use=st.text(min_size=1, max_size=40), time_ns=TIMES),
    "CameraProgress": st.builds(
        CameraProgress,
        camera_id=NAMES,
        site_id=NAMES,
        stream_id=TEXT,
        time_ns=TIMES,
        frames=COUNTS,
        analysed=COUNTS,
        dropped=COUNTS,
        tracklets=COUNTS,
        mode=MODES,
        ended=st.booleans(),
        reason=TEXT,
        round_ns=TIMES,
    ),
    "IdentityEvent": st.builds(
        IdentityEvent,
        event_id=TEXT,
        kind=st.sampled_from(["created", "matched", "updated", "merged", "split", "expired", "erased"]),
        site_id=NAMES,
        identity_id=COUNTS,
        previous_ids=st.lists(COUNTS, max_size=4).map(tuple),
        tracklet_id=TEXT,
        camera_id=NAMES,
        probability=SHARES,
        reason=TEXT,
        time_ns=TIMES,
    ),
    "WorkerState": st.builds(
        lambda blob, whole, **fields: WorkerState(ended=not blob, blob=blob, whole=whole and not blob, **fields),
        camera_id=NAMES,
        site_id=NAMES,
        stream_id=TEXT,
        next_offset=COUNTS,
        blob=BYTES,
        whole=st.booleans(),
    ),
    "DeadLetter": st.builds(
        DeadLetter, topic=TEXT, partition=st.integers(0, 1000), offset=COUNTS, key=TEXT, reason=TEXT, value=BYTES
    ),
}
ANY_MESSAGE = st.one_of(list(MESSAGES.values()))


def assert_equal(one: msgspec.Struct, other: msgspec.Struct) -> None:
    assert type(one) is type(other)
    for field in msgspec.structs.fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, np.ndarray):
            assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape)
            assert np.array_equal(mine, theirs)
        elif field.name == "packets":
            assert [msgspec.structs.astuple(packet) for packet in mine] == [
                msgspec.structs.astuple(packet) for packet in theirs
            ]
        elif isinstance(mine, Look):
            assert_equal(mine, theirs)
        else:
            assert mine == theirs, field.name


def test_every_message_has_a_strategy() -> None:
    assert set(MESSAGES) == {kind.__name__ for kind in AnyMessage.__args__}


@pytest.mark.parametrize("kind", MESSAGES)
@given(data=st.data())
def test_a_message_comes_back_equal(kind: str, data: st.DataObject) -> None:
    message = data.draw(MESSAGES[kind])

    assert_equal(message, codec.decode(codec.encode(message)))


@given(ANY_MESSAGE)
def test_encoding_is_deterministic(message: AnyMessage) -> None:
    data = codec.encode(message)

    assert codec.encode(codec.decode(data)) == data


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_a_decode_error(data: bytes) -> None:
    for candidate in (data, bytes((codec.SCHEMA_VERSION,)) + data):
        try:
            codec.decode(candidate)
        except DecodeError:
            continue


@given(ANY_MESSAGE, st.data())
def test_damaged_messages_raise_nothing_but_a_decode_error(message: AnyMessage, data: st.DataObject) -> None:
    encoded = bytearray(codec.encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        codec.decode(bytes(encoded[: data.draw(st.integers(0, len(encoded)))]))
    except DecodeError:
        return


@given(st.integers(0, 255).filter(lambda version: version != codec.SCHEMA_VERSION), BYTES)
def test_another_schema_version_is_refused_by_its_number(version: int, content: bytes) -> None:
    with pytest.raises(DecodeError, match=f"schema version {version}, this reader supports {codec.SCHEMA_VERSION}"):
        codec.decode(bytes((version,)) + content)


@given(ANY_MESSAGE)
def test_a_message_of_a_newer_writer_with_more_fields_is_understood(message: AnyMessage) -> None:
    raw = msgspec.msgpack.decode(codec.encode(message)[1:])
    newer = bytes((codec.SCHEMA_VERSION,)) + msgspec.msgpack.encode(raw | {"a_field_of_tomorrow": [1, 2]})

    assert_equal(message, codec.decode(newer))


@given(tracklets(), st.sampled_from(["times_ns", "frames", "boxes", "scores", "embedding"]), st.data())
def test_an_array_of_another_type_shape_or_size_is_refused(tracklet: Tracklet, name: str, data: st.DataObject) -> None:
    raw = msgspec.msgpack.decode(codec.encode(tracklet)[1:])
    dtype, shape, content = raw[name]
    raw[name] = data.draw(
        st.sampled_from(
            [
                ["|u1", shape, content],
                ["nonsense", shape, content],
                [dtype, [99, 99], content],
                [dtype, shape, content[:-1]],
                [dtype, shape],
                "text",
                None,
            ]
        )
    )

    with pytest.raises(DecodeError):
        codec.decode(bytes((codec.SCHEMA_VERSION,)) + msgspec.msgpack.encode(raw))
