"""Chunks of any packets: nothing lost, nothing twice, limits kept."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from ingest.chunker import LIVE_CHUNK_NS, Chunker, Stream
from ingest.source import VideoFormat
from tests.ingest_tools import spec_of
from wire.messages import MAX_CHUNK_BYTES, MAX_CHUNK_NS, Codec, FrameChunk, Packet

MS = 1_000_000
FILE, LIVE = "x", "rtsp://camera/x"
one_packet = st.builds(
    Packet,
    pts_ns=st.integers(-500, 20_000).map(lambda ms: ms * MS),
    time_ns=st.integers(0, 10**18),
    keyframe=st.booleans(),
    data=st.sampled_from([0, 1, 3000, 300_000, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES + 1]).map(bytes),
)
some_packets = st.lists(one_packet, max_size=60)
codecs = st.sampled_from(["h264", "hevc", "mjpeg"])
urls = st.sampled_from([FILE, LIVE])


def chunks_of(packets: list[Packet], codec: Codec, url: str = FILE) -> list[FrameChunk]:
    chunker = Chunker(Stream(spec_of(url), "stream-0", VideoFormat(codec, 64, 48, b"extra"), "full"))
    cut = [chunk for packet in packets for chunk in chunker.add(packet)]
    return [*cut, chunker.end("over")]


@given(packets=some_packets, codec=codecs, url=urls)
def test_every_packet_is_in_exactly_one_chunk_in_order(packets: list[Packet], codec: Codec, url: str) -> None:
    sent = [packet for chunk in chunks_of(packets, codec, url) for packet in chunk.packets]

    assert [id(packet) for packet in sent] == [id(packet) for packet in packets]


@given(packets=some_packets, codec=codecs, url=urls)
def test_no_chunk_is_longer_than_half_a_second_or_larger_than_900_kb(
    packets: list[Packet], codec: Codec, url: str
) -> None:
    for chunk in chunks_of(packets, codec, url):
        if len(chunk.packets) > 1:
            times = [packet.pts_ns for packet in chunk.packets]
            assert max(times) - min(times) < (LIVE_CHUNK_NS if url == LIVE else MAX_CHUNK_NS)
            assert sum(len(packet.data) for packet in chunk.packets) <= MAX_CHUNK_BYTES


@given(packets=some_packets, codec=st.sampled_from(["h264", "hevc"]), url=urls)
def test_a_keyframe_begins_its_chunk(packets: list[Packet], codec: Codec, url: str) -> None:
    for chunk in chunks_of(packets, codec, url):
        assert not any(packet.keyframe for packet in chunk.packets[1:])


@given(packets=some_packets, codec=codecs, url=urls)
def test_chunks_are_numbered_and_know_their_first_packet(packets: list[Packet], codec: Codec, url: str) -> None:
    chunks = chunks_of(packets, codec, url)

    assert [chunk.seq for chunk in chunks] == list(range(len(chunks)))
    for chunk, after in itertools.pairwise(chunks):
        assert after.first_index == chunk.first_index + len(chunk.packets)


@given(packets=some_packets, codec=codecs, url=urls)
def test_only_the_last_chunk_ends_the_stream(packets: list[Packet], codec: Codec, url: str) -> None:
    *others, last = chunks_of(packets, codec, url)

    assert (last.ended, last.reason) == (True, "over")
    assert not any(chunk.ended or not chunk.packets for chunk in others)


@given(packets=some_packets, codec=codecs)
def test_a_chunk_is_cut_only_where_the_next_packet_does_not_fit(packets: list[Packet], codec: Codec) -> None:
    chunks = chunks_of(packets, codec)

    for chunk, after in itertools.pairwise(chunks):
        if not after.packets:
            continue
        together = [*chunk.packets, after.packets[0]]
        times = [packet.pts_ns for packet in together]
        assert (
            (after.packets[0].keyframe and codec != "mjpeg")
            or max(times) - min(times) >= MAX_CHUNK_NS
            or sum(len(packet.data) for packet in together) > MAX_CHUNK_BYTES
        )


@given(fps=st.integers(1, 120), count=st.integers(2, 60))
def test_a_steady_live_camera_waits_for_no_packet_that_does_not_fit_any_more(fps: int, count: int) -> None:
    chunker = Chunker(Stream(spec_of(LIVE), "stream-0", VideoFormat("h264", 64, 48, b""), "full"))
    packets = [Packet(n * 1_000_000_000 // fps, 0, n == 0, b"x") for n in range(count)]

    waiting: list[Packet] = []
    for packet in packets:
        sent = sum(len(chunk.packets) for chunk in chunker.add(packet))
        waiting = [*waiting, packet][sent:]
        if packet is not packets[0] and waiting:
            next_ns = packet.pts_ns + 1_000_000_000 // fps
            assert next_ns - waiting[0].pts_ns < LIVE_CHUNK_NS
