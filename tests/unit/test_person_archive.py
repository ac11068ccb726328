"""Everything about one person as a ZIP file: clips in which nobody else can be recognised, and what is not there."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from zipfile import ZipFile

import av
import msgspec
import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from deploy.errors import UsageError
from deploy.person_archive import write_archive
from deploy.video.others import HELD_NS, Others
from gallery.api.app import create_app
from gallery.api.identities.archive import Contents
from gallery.config import ApiSettings
from gallery.recording.config import RecordingSettings
from gallery.store.memory import MemoryStore
from gallery.store.said import Erasure, Seen, StoredWord
from gallery.store.store import Identity, StoredTracklet, Write
from tests.unit.test_api_recordings import Listed, handle
from tests.worker_tools import START_NS, Video, packets
from wire.memory import MemoryBus
from wire.messages import FrameChunk, Tracklet, Word

SECOND = 10**9
HEIGHT, WIDTH = 128, 320
MINE, THEIRS = (16, 16, 80, 112), (200, 16, 264, 112)  # boxes, xyxy px


def checks(height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """Return a picture that is full of detail everywhere: fields of 8 px."""
    rows, columns = np.indices((height, width)) // 8
    return np.repeat(((rows + columns) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)


def detail(image: NDArray[np.uint8], box: Sequence[int]) -> float:
    """Return how many of the fields' edges are left in the middle of a box, in [0, 1]."""
    left, top, right, bottom = box
    inside = image[top + 8 : bottom - 8, left + 8 : right - 8, 1].astype(int)
    return float(np.mean(np.abs(np.diff(inside, axis=1)) > 60) / (1 / 8))


def stored(name: str, box: Sequence[int], first_s: float, last_s: float, identity: int | None) -> StoredTracklet:
    """Return a tracklet with ten boxes a second, in seconds after the start of the video."""
    times = START_NS + (np.arange(round(first_s * 10), round(last_s * 10) + 1) * SECOND // 10).astype(np.int64)
    n = len(times)
    made = Tracklet(
        tracklet_id=name,
        camera_id="door",
        site_id="site",
        revision=0,
        closed=True,
        times_ns=times,
        frames=np.arange(1, n + 1),
        boxes=np.tile(np.array(box, np.float32), (n, 1)),
        scores=np.full(n, 0.9, np.float32),
        embedding=np.full(16, 0.25, np.float16),
        model_id="m",
        quality=0.8,
        frames_used=1,
        crop=b"jpeg",
        width=WIDTH,
        height=HEIGHT,
    )
    return StoredTracklet(made, identity, 0.9, None)


@pytest.fixture(scope="module")
def video() -> Video:
    """Four seconds, ten pictures a second, a keyframe a second."""
    return packets([checks()] * 40)


@pytest.fixture
def store() -> MemoryStore:
    """Person 1 from 1.2 s to 2.8 s, and somebody undecided from 2.0 s on."""
    rows = [stored("door/s1/1.0/0", MINE, 1.2, 2.8, 1), stored("door/s1/2.0/0", THEIRS, 2.0, 2.8, None)]
    person = Identity(1, START_NS + 12 * SECOND // 10, START_NS + 28 * SECOND // 10, ("door",), 1, name="=1+1")
    made = MemoryStore("site")
    made.write(Write(0, START_NS, 2, tracklets=rows, crops={"door/s1/1.0/0": b"jpeg"}, identities=[person]))
    return made


@pytest.fixture
def settings(tmp_path: Path) -> RecordingSettings:
    return RecordingSettings(cameras="all", folder=tmp_path / "recordings", min_free_gb=0)


def recorded(settings: RecordingSettings, store: MemoryStore, chunks: Sequence[FrameChunk]) -> None:
    handle(settings, store, Listed(door=None), chunks)


def exported(store: MemoryStore, out: Path, settings: RecordingSettings | None) -> Contents:
    return write_archive(store, 1, out, settings, lambda _: None, surroundings=True)


def clip_of(out: Path, contents: Contents) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield the pictures of the only clip with their seconds after its begin."""
    (clip,) = contents.clips
    with ZipFile(out) as archive, av.open(io.BytesIO(archive.read(clip.file))) as file:
        for frame in file.decode(video=0):
            yield frame.time or 0.0, frame.to_ndarray(format="bgr24")


def test_a_clip_shows_the_person_and_of_everybody_else_only_blocks_at_the_recordings_times(
    tmp_path: Path, store: MemoryStore, settings: RecordingSettings, video: Video
) -> None:
    recorded(settings, store, video.chunks())
    contents = exported(store, tmp_path / "one.zip", settings)
    shown = list(clip_of(tmp_path / "one.zip", contents))
    assert [round(at_s, 3) for at_s, _ in shown] == [n / 10 for n in range(17)]
    assert contents.clips[0].first == "1970-01-01T00:16:41.200Z"
    for at_s, image in shown:
        assert np.abs(image.astype(int) - checks())[16:112, 16:80].mean() < 12  # but for what encoding twice costs
        assert detail(image, MINE) > 0.8
        assert (detail(image, THEIRS) < 0.2) == (1.2 + at_s >= 2.0 - HELD_NS / SECOND)
    assert any("not blurred" in remark for remark in contents.remarks)


def test_unless_the_surroundings_are_asked_for_nothing_is_left_but_the_person(
    tmp_path: Path, store: MemoryStore, settings: RecordingSettings, video: Video
) -> None:
    recorded(settings, store, video.chunks())
    contents = write_archive(store, 1, tmp_path / "one.zip", settings, lambda _: None)
    for _, image in clip_of(tmp_path / "one.zip", contents):
        assert detail(image, MINE) > 0.8
        assert detail(image, (112, 0, WIDTH, HEIGHT)) < 0.1  # also before anybody was tracked there


def test_pictures_that_are_rotated_have_their_boxes_where_people_are(
    tmp_path: Path, store: MemoryStore, settings: RecordingSettings
) -> None:
    lying = packets([np.ascontiguousarray(checks(WIDTH, HEIGHT))] * 40)
    recorded(settings, store, [msgspec.structs.replace(one, orientation=6) for one in lying.chunks()])
    contents = exported(store, tmp_path / "one.zip", settings)
    for _, image in clip_of(tmp_path / "one.zip", contents):
        assert image.shape == (HEIGHT, WIDTH, 3)
        assert detail(image, THEIRS) < 0.2
        assert detail(image, MINE) > 0.8


def hidden(rows: Sequence[StoredTracklet], at_s: float) -> NDArray[np.bool_]:
    """Return which columns of the middle row are blocks at a time."""
    image = checks()
    Others(rows, 1, HEIGHT, WIDTH, surroundings=True).hide(image, START_NS + round(at_s * SECOND))
    return np.asarray((image[64] != checks()[64]).any(axis=1))


def test_between_two_boxes_everything_is_hidden_that_somebody_may_have_walked_through() -> None:
    walk = [
        stored("door/s1/2.0/0", (0, 16, 40, 112), 1, 1, 2),
        stored("door/s1/2.0/1", (240, 16, 280, 112), 2.5, 2.5, 2),
    ]
    assert hidden(walk, 1.7)[:280].all()
    assert not hidden(walk, 1.7)[300:].any()
    assert hidden(walk, 2.5)[240:280].all()


def test_a_person_is_never_hidden_by_their_own_boxes_and_nobody_long_before_and_after_theirs() -> None:
    assert not hidden([stored("door/s1/1.0/0", MINE, 1, 2, 1)], 1.5).any()
    other = [stored("door/s1/2.0/0", THEIRS, 3, 4, 2)]
    assert [bool(hidden(other, at_s).any()) for at_s in (1.9, 2.1, 3.5, 4.9, 5.1)] == [False, True, True, True, False]


def test_an_archive_has_visits_safe_from_formulas_sightings_and_crops(tmp_path: Path, store: MemoryStore) -> None:
    exported(store, tmp_path / "one.zip", None)
    with ZipFile(tmp_path / "one.zip") as archive:
        (visit,) = csv.DictReader(io.StringIO(archive.read("visits.csv").decode()))
        (sighting,) = map(json.loads, archive.read("sightings.jsonl").splitlines())
        about = json.loads(archive.read("about.json"))
        assert [archive.read(name) for name in archive.namelist() if name.startswith("crops/")] == [b"jpeg"]
    assert (visit["name"], visit["camera_id"], visit["seconds"]) == ("'=1+1", "door", "1.6")
    assert sighting["boxes"][0] == list(MINE)
    assert len(sighting["times"]) == len(sighting["boxes"]) == 17
    assert (about["identity"], about["clips"]) == (1, [])
    assert (tmp_path / "one.zip").stat().st_mode & 0o077 == 0


def test_the_api_returns_what_the_command_writes(tmp_path: Path, store: MemoryStore) -> None:
    exported(store, tmp_path / "one.zip", None)
    bus = MemoryBus()
    with TestClient(create_app(store, bus, ApiSettings())) as client:
        answer, nobody = client.get("/v1/identities/1/export"), client.get("/v1/identities/9/export")
        (deed,) = [one for one in client.get("/v1/audit").json()["entries"] if one["what"] == "exported a person"]
    bus.close()

    with ZipFile(tmp_path / "one.zip") as written, ZipFile(io.BytesIO(answer.content)) as sent:
        assert sent.namelist() == written.namelist()
        assert [sent.read(name) for name in sent.namelist() if name != "about.json"] == [
            written.read(name) for name in written.namelist() if name != "about.json"
        ]
    assert answer.headers["content-disposition"] == 'attachment; filename="person-1.zip"'
    assert deed["identities"] == [1]
    assert nobody.status_code == 404


def test_without_recordings_there_is_an_archive_without_clips_that_says_why(
    tmp_path: Path, store: MemoryStore, settings: RecordingSettings
) -> None:
    contents = exported(store, tmp_path / "one.zip", settings)
    assert "recording.cameras" in contents.remarks[0]
    settings.folder.mkdir()
    assert "nothing of it was recorded" in exported(store, tmp_path / "two.zip", settings).remarks[0]


def test_a_time_that_may_show_an_erased_person_whose_recordings_are_still_there_is_left_out(
    tmp_path: Path, store: MemoryStore, settings: RecordingSettings, video: Video
) -> None:
    recorded(settings, store, video.chunks())
    seen = Seen("door", START_NS - 2 * SECOND, START_NS)
    word = Word(word_id="w", site_id="site", kind="erase", author="me", time_ns=START_NS, identity_id=2)
    erasure = Erasure(START_NS, (2,), "", tracklets=1, crops=1, prototypes=1, events=0, words=0, seen=(seen,))
    store.write(Write(1, START_NS, 3, words=[StoredWord(word, 2, erasure=erasure)]))
    contents = exported(store, tmp_path / "one.zip", settings)
    assert not contents.clips
    assert "erased" in contents.remarks[0]


@pytest.mark.parametrize(
    ("number", "name", "words"),
    [
        (9, "one.zip", "no person 9"),
        (1, "there.zip", "is there already"),
        (1, "no/one.zip", "choose a writable folder"),
    ],
)
def test_what_cannot_be_exported_is_refused_and_leaves_nothing(
    tmp_path: Path, store: MemoryStore, number: int, name: str, words: str
) -> None:
    (tmp_path / "there.zip").write_text("of the last time")
    with pytest.raises(UsageError, match=words):
        write_archive(store, number, tmp_path / name, None, lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["there.zip"]
    assert (tmp_path / "there.zip").read_text() == "of the last time"


def test_a_full_disk_leaves_nothing(tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ZipFile, "writestr", full)
    with pytest.raises(OSError, match="No space"):
        exported(store, tmp_path / "one.zip", None)
    assert not list(tmp_path.iterdir())
