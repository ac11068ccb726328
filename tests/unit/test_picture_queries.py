"""Pictures that people search with: which are read, who is found in them, and what is refused."""

import io
import struct
import zlib
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from reid_worker.detectors.detection import Detections
from reid_worker.errors import EmbeddingError, PictureError
from reid_worker.picture import MAX_SIDE_PX, decoded
from reid_worker.picture_queries import answered
from wire import codec
from wire.bus import QUERY_ANSWERS, TRACKLETS
from wire.messages import LookalikeQuery, PictureQuery, QueryAnswer
from wire.queries import MAX_QUERIED

HALF_RED = np.zeros((40, 80, 3), np.uint8)  # RGB, its left half red
HALF_RED[:, :40] = (255, 0, 0)


def encoded(image: NDArray[np.uint8], kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, kind, **options)
    return out.getvalue()


class Stills:
    """A pipeline that finds people where the test says, and embeds everybody alike."""

    model_id = "m"

    def __init__(self, *boxes: tuple[float, float, float, float, float], broken: bool = False) -> None:
        rows = np.array(boxes, np.float32).reshape(-1, 5)
        self._found = Detections(rows[:, :4], rows[:, 4])
        self._broken = broken
        self.seen: list[tuple[int, ...]] = []

    def detect_still(self, image: NDArray[np.uint8]) -> Detections:
        self.seen.append(image.shape[:2])
        return self._found

    def embed_stills(self, people: Sequence[NDArray[np.uint8]]) -> NDArray[np.float16]:
        if self._broken:
            raise EmbeddingError("the network returned NaN")
        return np.tile(np.array([1, 0], np.float16), (len(people), 1))


def ask(pipeline: Stills, picture: bytes) -> LookalikeQuery | QueryAnswer:
    query = PictureQuery(query_id="q", asker="me", site_id="site", time_ns=1, picture=picture, limit=7)
    sent = answered(query, pipeline)
    message = codec.decode(codec.encode(sent.message))
    assert isinstance(message, LookalikeQuery | QueryAnswer)
    assert (sent.topic, sent.key) == (
        (QUERY_ANSWERS.name, "me") if isinstance(message, QueryAnswer) else (TRACKLETS.name, "site")
    )
    return message


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_read_as_bgr(kind: str) -> None:
    image = decoded(encoded(HALF_RED, kind))
    assert image.shape == (40, 80, 3)
    assert np.abs(image[20, 20].astype(int) - (0, 0, 255)).max() < 12
    assert image[20, 60].max() < 12


def test_a_grey_picture_of_16_bits_is_as_light_as_it_is() -> None:
    half_light = np.zeros((40, 80), np.uint16)
    half_light[:, :40] = 0x8040
    out = io.BytesIO()
    Image.fromarray(half_light).save(out, "PNG")

    image = decoded(out.getvalue())

    assert image[20, 20].tolist() == [0x80] * 3
    assert image[20, 60].tolist() == [0] * 3


def test_a_picture_that_a_phone_took_sideways_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decoded(encoded(HALF_RED, "JPEG", exif=exif)).shape == (80, 40, 3)


def test_what_is_transparent_is_white() -> None:
    image = np.zeros((10, 10, 4), np.uint8)
    assert decoded(encoded(image)).min() == 255


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "I;16"])
def test_grey_indexed_and_printed_pictures_are_read(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (30, 20)).save(out, "JPEG" if mode == "CMYK" else "PNG")
    assert decoded(out.getvalue()).shape == (20, 30, 3)


def test_a_large_picture_is_shrunk() -> None:
    assert decoded(encoded(np.zeros((3000, 4000, 3), np.uint8), "JPEG")).shape == (1440, MAX_SIDE_PX, 3)


@pytest.mark.parametrize("side", [7_000, 60_000])
def test_a_picture_that_would_take_too_much_memory_is_refused_before_it_is_decoded(side: int) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    with pytest.raises(PictureError, match="more than 40 million pixels"):
        decoded(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "not a JPEG, PNG or WebP"),
        (b"<html>", "not a JPEG, PNG or WebP"),
        (encoded(HALF_RED, "GIF"), "not a JPEG, PNG or WebP"),
        (encoded(HALF_RED, "BMP"), "not a JPEG, PNG or WebP"),
        (encoded(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8))[:5000], "damaged"),
        (encoded(HALF_RED, "JPEG")[:300], "damaged|not a JPEG"),
        (encoded(HALF_RED, "WEBP")[:30], "damaged|not a JPEG"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(data: bytes, told: str) -> None:
    with pytest.raises(PictureError, match=told):
        decoded(data)


def test_the_people_of_a_picture_are_embedded_the_largest_first() -> None:
    found = ask(Stills((60, 5, 70, 25, 0.9), (5, 5, 25, 38, 0.8), (40, 0, 44, 9, 0.3)), encoded(HALF_RED))
    assert isinstance(found, LookalikeQuery)
    assert found.boxes.tolist() == [[5, 5, 25, 38], [60, 5, 70, 25]]
    assert found.scores.tolist() == pytest.approx([0.8, 0.9])
    assert (found.width, found.height, found.limit, found.model_id, found.camera_id) == (80, 40, 7, "m", "")
    assert found.embeddings.tolist() == [[1, 0], [1, 0]]


def test_of_a_crowd_the_largest_are_searched_for() -> None:
    crowd = [(float(x), 0.0, x + 2.0, 10.0 + x, 0.9) for x in range(MAX_QUERIED + 4)]
    found = ask(Stills(*crowd), encoded(HALF_RED))
    assert found.boxes[:, 0].tolist() == list(range(MAX_QUERIED + 3, 3, -1))


def test_somebody_cut_out_is_looked_at_with_a_frame_around_and_found_where_they_are() -> None:
    stills = Stills((30, 40, 70, 115, 0.9))  # in the framed picture: 40 px more on each side
    found = ask(stills, encoded(np.zeros((80, 40, 3), np.uint8)))
    assert stills.seen == [(160, 120)]
    assert found.boxes.tolist() == [[0, 0, 30, 75]]


def test_a_tall_picture_without_anybody_is_taken_as_one_person() -> None:
    stills = Stills()
    found = ask(stills, encoded(np.zeros((80, 40, 3), np.uint8)))
    assert stills.seen == [(160, 120), (80, 40)]
    assert (found.boxes.tolist(), found.scores.tolist()) == ([[0, 0, 40, 80]], [0])


def test_a_wide_picture_without_anybody_is_refused() -> None:
    found = ask(Stills(), encoded(HALF_RED))
    assert isinstance(found, QueryAnswer)
    assert "nobody was found" in found.problem


def test_a_picture_that_cannot_be_read_is_refused() -> None:
    found = ask(Stills(), b"nothing")
    assert isinstance(found, QueryAnswer)
    assert "not a JPEG" in found.problem


def test_a_picture_on_which_the_network_fails_costs_an_answer_and_not_the_worker() -> None:
    found = ask(Stills((5, 5, 25, 38, 0.8), broken=True), encoded(HALF_RED))
    assert isinstance(found, QueryAnswer)
    assert "NaN" in found.problem


def test_a_crop_is_embedded_as_one_of_a_track_would_be() -> None:
    tall = np.random.default_rng(1).integers(0, 255, (600, 300, 3), np.uint8)
    shapes: list[tuple[int, ...]] = []

    class Looking(Stills):
        def embed_stills(self, people: Sequence[NDArray[np.uint8]]) -> NDArray[np.float16]:
            shapes.extend(person.shape for person in people)
            return super().embed_stills(people)

    ok, png = cv2.imencode(".png", tall)
    assert ok
    ask(Looking((300, 300, 600, 900, 0.9)), png.tobytes())
    assert shapes == [(256, 128, 3)]
