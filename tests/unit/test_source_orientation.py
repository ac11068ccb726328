"""Pictures stand upright, whoever says how they are turned: a container, the bitstream or EXIF."""

from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ingest.sources import jpeg
from reid_worker.upright import upright
from tests.mp4_tools import Movie, track_of, write_mp4
from tests.video_tools import CLOSED, Seen, see
from wire.orientation import ORIENTATIONS, UPRIGHT, matrix_of, of_matrix

RED, GREEN, BLUE, YELLOW = (0, 0, 255), (0, 255, 0), (255, 0, 0), (0, 255, 255)
# Of a picture that is red and green above, blue and yellow below: what is stored so that it stands upright when it is
# turned as the tag says (TIFF 6.0, Orientation).
STORED = {
    1: (RED, GREEN, BLUE, YELLOW),
    2: (GREEN, RED, YELLOW, BLUE),
    3: (YELLOW, BLUE, GREEN, RED),
    4: (BLUE, YELLOW, RED, GREEN),
    5: (RED, BLUE, GREEN, YELLOW),
    6: (GREEN, YELLOW, RED, BLUE),
    7: (YELLOW, GREEN, BLUE, RED),
    8: (BLUE, RED, YELLOW, GREEN),
}
MATRICES = {
    1: (1, 0, 0, 1),
    2: (-1, 0, 0, 1),
    3: (-1, 0, 0, -1),
    4: (1, 0, 0, -1),
    5: (0, 1, 1, 0),
    6: (0, 1, -1, 0),
    7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}
WIDTH, HEIGHT = 64, 48


def corners(*colours: tuple[int, int, int], width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Return a BGR picture with these colours at top left, top right, bottom left and bottom right."""
    image = np.zeros((height, width, 3), np.uint8)
    for place, colour in enumerate(colours):
        rows, columns = slice(height // 2 * (place // 2), None), slice(width // 2 * (place % 2), None)
        image[rows, columns] = colour
    return image


def stored(orientation: int) -> NDArray[np.uint8]:
    turned = orientation >= 5
    width, height = (HEIGHT, WIDTH) if turned else (WIDTH, HEIGHT)
    return corners(*STORED[orientation], width=width, height=height)


def stands_upright(image: NDArray[np.uint8]) -> bool:
    wanted = corners(*STORED[UPRIGHT]).astype(int)
    return image.shape == wanted.shape and float(np.abs(image.astype(int) - wanted).mean()) < 12


def video(path: Path, image: NDArray[np.uint8], frames: int = 12, codec: str = "libx264", **options: Any) -> Path:
    with av.open(str(path), "w") as opened:
        stream = opened.add_stream(codec, rate=10, options=options or CLOSED)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv420p"
        for place in range(frames):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts = place
            opened.mux(stream.encode(frame))
        opened.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_turning_makes_what_is_stored_upright(orientation: int) -> None:
    assert np.array_equal(upright(stored(orientation), orientation), corners(*STORED[UPRIGHT]))


def test_an_upright_picture_is_not_copied() -> None:
    image = corners(*STORED[UPRIGHT])

    assert upright(image, UPRIGHT) is image


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_display_matrix_turns_a_video(orientation: int, tmp_path: Path) -> None:
    description, samples = track_of(video(tmp_path / "plain.mp4", stored(orientation)))
    path = write_mp4(tmp_path / "turned.mp4", Movie([description], samples, matrix=MATRICES[orientation]))

    seen = see(path)

    assert len(seen.frames) == 12
    assert all(stands_upright(frame.image) for frame in seen.frames)
    assert {chunk.orientation for chunk in seen.chunks} == {orientation}


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        pytest.param((65536, 0, 0, 65536), 1, id="as it is"),
        pytest.param((0, 40000, -40000, 0), 6, id="scaled"),
        pytest.param((20000, 60000, -60000, 20000), 6, id="71 degrees are nearest to 90"),
        pytest.param((0, 0, 0, 0), 1, id="nothing is shown"),
    ],
)
def test_a_matrix_is_the_nearest_of_eight_orientations(matrix: tuple[int, int, int, int], expected: int) -> None:
    a, b, c, d = matrix
    assert of_matrix(np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32).tobytes()) == expected


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_matrix_of_an_orientation_shows_the_whole_picture_where_it_is_upright(orientation: int) -> None:
    a, b, _, c, d, _, x, y, _ = matrix_of(orientation, WIDTH, HEIGHT)

    shown = {((a * p + c * q + x) >> 16, (b * p + d * q + y) >> 16) for p in (0, WIDTH) for q in (0, HEIGHT)}
    wide, high = (WIDTH, HEIGHT) if orientation < 5 else (HEIGHT, WIDTH)
    assert shown == {(0, 0), (wide, 0), (0, high), (wide, high)}
    assert of_matrix(np.array(matrix_of(orientation, WIDTH, HEIGHT), np.int32).tobytes()) == orientation


def test_a_matrix_of_another_size_turns_nothing() -> None:
    assert of_matrix(b"") == UPRIGHT


def test_what_is_decoded_by_ingest_is_turned_as_well(tmp_path: Path) -> None:
    path = tmp_path / "turned.mp4"
    with av.open(str(path), "w") as opened:
        stream = opened.add_stream("mpeg4", rate=10, options={"qscale": "2"})
        stream.height, stream.width = stored(8).shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.set_display_rotation(90)
        for _ in range(5):
            opened.mux(stream.encode(av.VideoFrame.from_ndarray(stored(8), format="bgr24")))
        opened.mux(stream.encode(None))

    seen = see(path)

    assert len(seen.frames) == 5
    assert all(stands_upright(frame.image) for frame in seen.frames)


def with_orientation_in_the_bitstream(path: Path, parts: list[tuple[int, str]]) -> Path:
    """Write a transport stream of parts, each stored in an orientation and with that display orientation message."""
    with av.open(str(path), "w") as opened:
        out, after = None, 0
        for number, (orientation, message) in enumerate(parts):
            source = video(path.with_name(f"part{number}.ts"), stored(orientation), g="50", bf="2")
            with av.open(str(source)) as container:
                stream = container.streams.video[0]
                out = out or opened.add_stream_from_template(stream)
                told = BitStreamFilterContext(f"h264_metadata=display_orientation={message}", stream)
                last = after
                for packet in container.demux(stream):
                    for item in told.filter(packet if packet.size else None):
                        assert item.pts is not None
                        assert item.dts is not None
                        item.pts, item.dts, item.stream = item.pts + after, item.dts + after, out
                        last = max(last, item.pts)
                        opened.mux(item)
                after = last + round(0.1 * 90_000)
    return path


def test_an_orientation_in_the_bitstream_holds_until_a_keyframe_says_otherwise(tmp_path: Path) -> None:
    parts = [(6, "insert:rotate=270"), (1, "remove"), (8, "insert:rotate=90")]

    seen = see(with_orientation_in_the_bitstream(tmp_path / "camera.ts", parts))

    assert len(seen.frames) == 36
    assert [number for number, frame in enumerate(seen.frames) if not stands_upright(frame.image)] == []


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def picture_file(path: Path, orientation: int) -> Path:
    Image.fromarray(stored(orientation)[..., ::-1].copy()).save(path, exif=exif(orientation), quality=95)
    return path


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif_turns_pictures_in_a_folder(suffix: str, orientation: int, tmp_path: Path) -> None:
    picture_file(tmp_path / f"1.{suffix}", orientation)

    (frame,) = see(tmp_path).frames

    assert stands_upright(frame.image)


def test_pictures_turned_one_by_one_keep_their_numbers(tmp_path: Path) -> None:
    for number, orientation in enumerate([1, 6, 6, 3], 1):
        picture_file(tmp_path / f"{number}.jpg", orientation)

    seen = see(tmp_path)

    assert seen.numbers == [1, 2, 3, 4]
    assert all(stands_upright(frame.image) for frame in seen.frames)


def test_a_jpeg_itself_stays_untouched(tmp_path: Path) -> None:
    path = picture_file(tmp_path / "1.jpg", 6)

    seen: Seen = see(tmp_path)

    assert [packet.data for chunk in seen.chunks for packet in chunk.packets] == [path.read_bytes()]


@pytest.mark.parametrize("order", [b"II", b"MM"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_orientation_in_a_jpeg_is_what_another_reader_says(order: bytes, orientation: int) -> None:
    tags = Image.Exif()
    tags.endian = "<" if order == b"II" else ">"
    tags[0x0112] = orientation
    tags[0x010F] = "a maker"
    file = BytesIO()
    Image.new("RGB", (16, 8)).save(file, "JPEG", exif=tags)
    header = jpeg.header_of(file.getvalue())

    assert header is not None
    assert header.orientation == orientation
    turned = ImageOps.exif_transpose(Image.open(file))
    assert turned.size == (header.size if orientation < 5 else header.size[::-1])


@pytest.mark.parametrize("cut", [8, 12, 20, 24])
def test_broken_exif_is_as_good_as_none(cut: int) -> None:
    segment = exif(6)[:cut]
    data = b"\xff\xd8\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment
    header = jpeg.header_of(data + b"\xff\xc0\x00\x11\x08\x00\x08\x00\x10\x03")

    assert header is not None
    assert (header.size, header.orientation) == ((16, 8), UPRIGHT)
