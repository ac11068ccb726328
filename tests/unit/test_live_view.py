"""What a browser gets of a camera: a playable file of the same pictures at the same times."""

import asyncio
import io
import json
import threading
from collections.abc import Callable, Iterator, Sequence

import av
import msgspec
import numpy as np
import pytest
from PIL import Image, ImageOps

from gallery.live.feed import MAX_WAITING, Backlog, Item, LiveFeeds, PeopleInView, Viewer
from gallery.live.picture import PictureDecoder
from gallery.live.remux import NotPlayable, Remuxer, mime_of
from gallery.live.view import CameraView, Piece, Sent
from gallery.store.memory import MemoryStore
from reid_worker.upright import upright
from tests.conftest import wait_until
from tests.worker_tools import Video, number_of, numbered_image, packets
from wire import codec
from wire.bus import BOXES, FRAMES
from wire.byte_stream import ToAnnexB
from wire.memory import MemoryBus
from wire.messages import FrameChunk, SeenPeople
from wire.orientation import ORIENTATIONS, UPRIGHT, display_matrices, of_matrix

FPS = 10


@pytest.fixture(scope="module")
def video() -> Video:
    """Three groups of ten pictures with B-frames."""
    return packets([numbered_image(number) for number in range(30)], fps=FPS)


def with_start_codes(video: Video) -> Video:
    """Return the video as a network camera sends it: start codes, and parameter sets in the stream only."""
    to_annexb = ToAnnexB("h264", video.extradata)
    found = [
        msgspec.structs.replace(packet, data=to_annexb.convert(packet.data, keyframe=packet.keyframe))
        for packet in video.packets
    ]
    return Video(video.codec, b"", (video.height, video.width), found)


def played(data: bytes) -> list[tuple[int, float]]:
    """Return the number and the time of every picture of an MP4 file, in the order in which they are shown."""
    with av.open(io.BytesIO(data)) as file:
        return [(number_of(f.to_ndarray(format="bgr24")), float(f.pts * f.time_base)) for f in file.decode(video=0)]


def pieces(sent: Sequence[Sent]) -> bytes:
    return b"".join(one.data for one in sent if isinstance(one, Piece))


def kinds(sent: Sequence[Sent]) -> list[str]:
    return [one.kind if isinstance(one, Piece) else one["kind"] for one in sent]


def take_all(view: CameraView, items: Sequence[Item]) -> list[Sent]:
    return [sent for item in items for sent in view.take(item)]


@pytest.mark.parametrize("form", [lambda video: video, with_start_codes], ids=["lengths", "start codes"])
def test_the_file_shows_every_picture_at_its_time(form: Callable[[Video], Video], video: Video) -> None:
    chunks = form(video).chunks()[:-1]
    remuxer = Remuxer(chunks[0])

    data = b"".join(remuxer.add(chunk) for chunk in chunks)

    shown = played(data)[:28]  # the last packet, a picture between these and the newest, follows with the next chunk
    assert mime_of(data).startswith('video/mp4; codecs="avc1.')
    assert [number for number, _ in shown] == list(range(28))
    assert [seconds for _, seconds in shown] == pytest.approx([1 + number / FPS for number in range(28)], abs=1e-3)
    newest = max(chunks[1].packets, key=lambda packet: packet.pts_ns)
    assert remuxer.media_s(newest.pts_ns) == pytest.approx(1 + newest.pts_ns / 1e9, abs=1e-3)


def test_pictures_are_decoded_in_the_order_of_their_packets_and_never_after_they_are_shown(video: Video) -> None:
    chunks = video.chunks()[:-1]
    remuxer = Remuxer(chunks[0])
    data = b"".join(remuxer.add(chunk) for chunk in chunks)

    with av.open(io.BytesIO(data)) as file:
        times = [(packet.dts, packet.pts) for packet in file.demux(video=0) if packet.pts is not None]

    decoded = [dts for dts, _ in times]
    assert decoded == sorted(set(decoded))
    assert all(dts <= pts for dts, pts in times)


def test_motion_jpeg_is_no_file_but_pictures(video: Video) -> None:
    film = packets([numbered_image(number) for number in range(6)], codec="mjpeg")

    with pytest.raises(NotPlayable, match="motion JPEG"):
        Remuxer(film.chunks()[0])
    sent = take_all(CameraView(), film.chunks())
    assert kinds(sent)[:3] == ["pictures", "picture", "jpeg"]
    assert pieces(sent)[:2] == b"\xff\xd8"


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("codec", ["libx264", "mjpeg"])
def test_rotated_video_is_shown_upright(codec: str, orientation: int) -> None:
    film = packets([numbered_image(number) for number in range(6)], codec=codec)
    chunks = [msgspec.structs.replace(chunk, orientation=orientation) for chunk in film.chunks()[:-1]]
    wide, high = (320, 64) if orientation < 5 else (64, 320)

    begun, *_, picture = take_all(CameraView(pictures=True), chunks)

    assert isinstance(begun, dict)
    assert isinstance(picture, Piece)
    assert (begun["width"], begun["height"]) == (wide, high)
    with Image.open(io.BytesIO(picture.data)) as shown:
        seen = np.asarray(ImageOps.exif_transpose(shown).convert("RGB"), np.uint8)
    assert min(
        (float(np.abs(upright(numbered_image(number), orientation).astype(int) - seen).mean()), number)
        for number in range(6)
    ) < (12, 6)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_file_states_how_it_is_rotated(video: Video, orientation: int) -> None:
    chunks = [msgspec.structs.replace(chunk, orientation=orientation) for chunk in video.chunks()[:-1]]
    data = pieces(take_all(CameraView(), chunks))

    with av.open(io.BytesIO(data)) as file:
        matrices = display_matrices(next(file.decode(video=0)))
    assert [of_matrix(matrix) for matrix in matrices] == ([] if orientation == UPRIGHT else [orientation])


def test_a_stream_whose_rotation_changes_begins_another_file(video: Video) -> None:
    first, second = (
        msgspec.structs.replace(chunk, orientation=n) for chunk, n in zip(video.chunks()[::2], (1, 6), strict=False)
    )

    assert kinds(take_all(CameraView(), [first, second])).count("video") == 2


def test_a_jpeg_that_is_broken_and_rotated_is_left_out() -> None:
    assert PictureDecoder("mjpeg", b"", 6).latest([b"\xff\xd8\xff"]) is None


def test_a_stream_without_parameter_sets_is_not_playable_and_is_said_so(video: Video) -> None:
    broken = [replace_data(chunk, b"\x00\x00\x00\x01\x65garbage") for chunk in with_bare_extradata(video).chunks()[:-1]]

    assert "unplayable" in kinds(take_all(CameraView(), broken))


def with_bare_extradata(video: Video) -> Video:
    return Video(video.codec, b"", (video.height, video.width), video.packets)


def replace_data(chunk: FrameChunk, data: bytes) -> FrameChunk:
    changed = tuple(msgspec.structs.replace(packet, data=data) for packet in chunk.packets)
    return msgspec.structs.replace(chunk, packets=changed)


def test_hevc_is_named_as_browsers_want_it() -> None:
    main, high = (bytes([1, tier]) + (0x60000000).to_bytes(4) + bytes([0xB0, 0, 0, 0, 0, 0, 93]) for tier in (1, 0x21))

    # ISO/IEC 14496-15, E.3: profile, its compatibility flags in reverse, tier and level, constraints
    assert mime_of(b"....hvcC" + main) == 'video/mp4; codecs="hev1.1.6.L93.B0"'
    assert mime_of(b"....hvcC" + high) == 'video/mp4; codecs="hev1.1.6.H93.B0"'


def test_a_viewer_begins_with_a_keyframe_and_goes_on_with_one_after_a_gap(video: Video) -> None:
    chunks = video.chunks()  # two chunks a group

    sent = take_all(CameraView(), [chunks[1], chunks[2], chunks[5], *chunks[4:6]])

    begins = [place for place, kind in enumerate(kinds(sent)) if kind == "video"]
    files = [sent[begins[0] : begins[1]], sent[begins[1] :]]
    assert [played(pieces(file))[0][0] for file in files] == [10, 20]


def test_another_stream_begins_another_file(video: Video) -> None:
    sent = take_all(CameraView(), [*video.chunks()[:2], *video.chunks(stream="s2")[:2]])

    assert kinds(sent).count("video") == kinds(sent).count("type") == 2


def test_a_file_is_playable_though_its_first_chunk_has_one_picture_only(video: Video) -> None:
    first, second = video.chunks()[:2]
    alone = msgspec.structs.replace(first, packets=first.packets[:1])
    rest = msgspec.structs.replace(first, seq=1, packets=first.packets[1:])

    sent = take_all(CameraView(), [alone, rest, msgspec.structs.replace(second, seq=2)])

    told = kinds(sent)
    assert told.count("type") == 1
    assert told.index("video") < told.index("type") < told.index("mp4")


def test_the_end_of_a_stream_and_its_reason_are_told(video: Video) -> None:
    end = msgspec.structs.replace(video.chunks()[-1], reason="the camera was removed")

    assert take_all(CameraView(), [*video.chunks()[:-1], end])[-1] == {
        "kind": "ended",
        "reason": "the camera was removed",
    }


def test_every_piece_is_preceded_by_the_capture_time_of_its_newest_picture(video: Video) -> None:
    chunks = video.chunks()[:4]
    sent = take_all(CameraView(), chunks)

    clocks = [one for one in sent if not isinstance(one, Piece) and one["kind"] == "clock"]
    newest = [max(chunk.packets, key=lambda packet: packet.pts_ns) for chunk in chunks]
    media_s = [1 + packet.pts_ns / 1e9 for packet in newest]
    assert [clock["time_ms"] for clock in clocks] == [packet.time_ns // 1_000_000 for packet in newest]
    assert [clock["media_s"] for clock in clocks] == pytest.approx(media_s, abs=1e-3)


def test_boxes_are_told_with_the_numbers_of_people() -> None:
    (told,) = CameraView().take(PeopleInView(seen_people(), {"door/s1/1.0/0": 7}))

    assert not isinstance(told, Piece)
    assert json.loads(json.dumps(told)) == {
        "kind": "people",
        "width": 320,
        "height": 64,
        "until_ms": 90,
        "identities": {"door/s1/1.0/0": 7},
        "boxes": [[50, "door/s1/1.0/0", 1.0, 2.0, 11.0, 22.0], [60, "door/s1/2.0/0", 3.0, 4.0, 13.0, 24.5]],
    }


def seen_people() -> SeenPeople:
    return SeenPeople(
        camera_id="door",
        site_id="site",
        stream_id="s1",
        width=320,
        height=64,
        until_ns=90_000_000,
        tracklet_ids=("door/s1/1.0/0", "door/s1/2.0/0"),
        times_ns=np.array([50_000_000, 60_000_000], np.int64),
        which=np.array([0, 1], np.int64),
        boxes=np.array([[1, 2, 11, 22], [3, 4, 13, 24.5]], np.float32),
    )


def test_what_is_kept_for_new_viewers_starts_with_a_keyframe_and_is_bounded(video: Video) -> None:
    chunks = video.chunks()
    backlog, small = Backlog(), Backlog(max_bytes=sum(len(packet.data) for packet in chunks[0].packets))

    for chunk in chunks[1:4]:
        backlog.add(chunk)
    for chunk in chunks[:2]:
        small.add(chunk)

    assert [chunk.seq for chunk in backlog.chunks] == [2, 3]
    assert small.chunks == []  # a group that does not fit is of no use in part


@pytest.fixture
def feeds(video: Video) -> Iterator[tuple[LiveFeeds, MemoryBus]]:
    bus = MemoryBus()
    yield LiveFeeds(bus, MemoryStore("site")), bus
    bus.close()


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "live-door"]


def test_viewers_share_one_reader_which_ends_with_the_last(feeds: tuple[LiveFeeds, MemoryBus], video: Video) -> None:
    live, bus = feeds
    chunks = video.chunks()
    first: list[Item] = []
    second: list[Item] = []
    offer_first, offer_second = first.append, second.append

    live.join("door", offer_first)
    for chunk in chunks[:3]:
        bus.producer().send(FRAMES.name, "door", codec.encode(chunk))
    bus.producer().send(FRAMES.name, "hall", codec.encode(video.chunks(camera="hall")[0]))
    bus.producer().send(BOXES.name, "door", codec.encode(seen_people()))
    wait_until(lambda: len(first) == 4)
    live.join("door", offer_second)

    assert len(readers()) == 1
    assert [item.seq for item in second if isinstance(item, FrameChunk)] == [2]  # from the last keyframe on
    live.leave("door", offer_first)
    live.leave("door", offer_second)
    wait_until(lambda: not readers())


def test_hostile_lengths_are_passed_on_and_never_loop() -> None:
    convert = ToAnnexB("h264", b"\x01\x64\x00\x28\xff\xe1\x00\x02ab\x01\x00\x01c").convert

    assert convert(b"\xff\xff\xff\xffx", keyframe=False).endswith(b"x")
    assert convert(b"\x00\x00\x00\x00", keyframe=True).startswith(b"\x00\x00\x00\x01ab\x00\x00\x00\x01c")


def test_a_viewer_of_many_cameras_gets_what_is_kept_of_each(video: Video) -> None:
    async def watched() -> int:
        viewer = Viewer(asyncio.get_running_loop(), 60)
        for camera in range(60):
            for chunk in video.chunks():
                viewer.offer(camera, chunk)
        await asyncio.sleep(0)
        return viewer.waiting()

    chunks = len(video.chunks())
    assert asyncio.run(watched()) == 60 * chunks > MAX_WAITING


def test_a_viewer_that_is_too_slow_loses_the_oldest(video: Video) -> None:
    async def first() -> Item:
        viewer = Viewer(asyncio.get_running_loop(), 1)
        for number in range(MAX_WAITING + 5):
            viewer.offer(0, msgspec.structs.replace(video.chunks()[0], seq=number))
        await asyncio.sleep(0)
        return (await viewer.next())[1]

    oldest = asyncio.run(first())
    assert isinstance(oldest, FrameChunk)
    assert oldest.seq == 5
