"""Annotated videos: the right box on the right frame, and files that are complete or not there."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.errors import DeployError, RunError, UsageError
from deploy.local.outputs import check_outputs
from deploy.video import encode
from deploy.video.annotate import check_videos, write_videos
from deploy.video.encode import VideoFile, fitted
from deploy.video.frames import frames_of
from deploy.video.paint import Painter, colour_of
from deploy.video.shown import Overlay, Shown
from gallery.store.memory import MemoryStore
from gallery.tracks import Track
from ingest.config import IngestSettings
from tests.video_tools import write_numbered
from tests.worker_tools import number_of
from wire.messages import CameraSpec

S = 10**9


def spec(url: Path | str, **fields: object) -> CameraSpec:
    return CameraSpec(camera_id="door", site_id="site", url=str(url), start_ns=5 * S, **fields)  # type: ignore[arg-type]


def grey(height: int, width: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 90, np.uint8)


def track(frames: list[int], identity: int, left: float, *, score: float = 0.9) -> Track:
    numbers = np.array(frames, np.int64)
    boxes = np.tile(np.array([left, 10, left + 20, 60], np.float32), (len(frames), 1)) + numbers[:, None]
    people, scores = np.full(len(frames), identity, np.int64), np.full(len(frames), score, np.float32)
    return Track("door", numbers, 5 * S + numbers * S // 10, boxes.astype(np.float32), scores, people)


# Reading again


@pytest.mark.parametrize("options", [{}, {"bf": "3", "g": "12"}], ids=["in order", "reordered"])
def test_a_recording_is_read_again_with_the_numbers_and_times_of_the_run(
    options: dict[str, str], tmp_path: Path
) -> None:
    path = write_numbered(tmp_path / "door.mp4", range(1, 31), options=options)
    frames = list(frames_of(spec(path), IngestSettings()))
    assert [number_of(frame.image) for frame in frames] == [frame.number for frame in frames] == list(range(1, 31))
    assert [round((frame.time_ns - 5 * S) / 1e8) for frame in frames] == list(range(30))


def test_a_recording_that_breaks_off_ends_there(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "door.ts", range(1, 31), options={"g": "5"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 0 < len(list(frames_of(spec(path), IngestSettings()))) < 30


# What is shown


def test_everyone_is_shown_on_the_frames_they_were_seen_on() -> None:
    overlay = Overlay([track([2, 3], 7, 0), track([3, 4], 8, 100)])
    seen = {number: [one.identity for one in overlay.at(number, number * S // 10)] for number in range(1, 6)}
    assert seen == {1: [], 2: [7], 3: [7, 8], 4: [8], 5: []}


def test_of_two_boxes_of_one_person_the_more_confident_is_shown() -> None:
    (one,) = Overlay([track([1], 7, 0, score=0.4), track([1], 7, 50, score=0.8)]).at(1, S)
    assert one.box[0] == 51


def test_a_trail_follows_a_person_for_seconds_and_ends_where_they_were_away() -> None:
    overlay = Overlay([track([*range(1, 41), *range(60, 63)], 7, 0)])
    lengths = {
        number: len(people[0].trail) for number in range(1, 63) if (people := overlay.at(number, number * S // 10))
    }
    assert lengths[1] == 1
    assert lengths[20] == 20
    assert lengths[40] == 26  # 2.5 s
    assert lengths[60] == 1
    assert lengths[62] == 3


def test_colours_tell_people_apart_and_do_not_change() -> None:
    colours = np.array([colour_of(number) for number in range(1, 13)], float)
    apart = np.abs(colours[:, None] - colours[None]).sum(axis=2)[np.triu_indices(12, 1)]
    assert apart.min() > 40


@pytest.mark.parametrize("size", [(360, 640), (2160, 3840), (1920, 1080), (48, 64)])
def test_a_box_is_drawn_in_the_colour_of_its_person_at_any_size(size: tuple[int, int]) -> None:
    height, width = size
    image, box = grey(*size), (width * 0.3, height * 0.4, width * 0.5, height * 0.9)
    Painter(*size).paint(image, "door", S, [Shown(7, box, ((box[0], box[3]),))])
    middle = image[round(height * 0.65), round(box[0])]
    np.testing.assert_array_equal(middle, colour_of(7))


def test_a_person_at_the_border_keeps_a_number_inside_the_picture() -> None:
    image = grey(360, 640)
    Painter(360, 640).paint(image, "door", S, [Shown(7, (600.0, -30.0, 700.0, 200.0), ())])
    plate = np.all(image == colour_of(7), axis=2)
    assert plate[:24, 600:].sum() > 100


# Files


def written(path: Path) -> list[tuple[int, int, float]]:
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        return [(frame.height, frame.width, frame.time or 0.0) for frame in container.decode(video=0)]


def test_frames_keep_their_times_and_get_even_sides(tmp_path: Path) -> None:
    with VideoFile(tmp_path / "a.mp4") as video:
        for time_ns in (0, S // 10, S // 10, S, 3 * S):  # the third is no later than the second
            video.add(grey(49, 65), time_ns)
    frames = written(tmp_path / "a.mp4")
    assert [round(time, 3) for _, _, time in frames] == [0, 0.1, 1, 3]
    assert {(height, width) for height, width, _ in frames} == {(48, 64)}


def test_a_picture_of_another_size_is_fitted_in(tmp_path: Path) -> None:
    with VideoFile(tmp_path / "a.mp4") as video:
        video.add(grey(48, 64), 0)
        video.add(grey(96, 64), S)
    assert [(height, width) for height, width, _ in written(tmp_path / "a.mp4")] == [(48, 64)] * 2
    assert fitted(grey(96, 64), 48, 64)[24, 32].tolist() == [90] * 3
    assert fitted(grey(96, 64), 48, 64)[24, 2].tolist() == [0] * 3


def test_an_index_comes_first_so_that_a_browser_can_begin(tmp_path: Path) -> None:
    with VideoFile(tmp_path / "a.mp4") as video:
        video.add(grey(48, 64), 0)
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def _fails(video: VideoFile) -> None:
    video.add(grey(48, 64), 0)
    raise RuntimeError("in the middle")


def test_half_a_video_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("of the last run")
    with pytest.raises(RuntimeError), VideoFile(tmp_path / "a.mp4") as video:
        _fails(video)
    with VideoFile(tmp_path / "a.mp4") as video:
        video.add(grey(48, 64), 0)
        video.abandon()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_text() == "of the last run"


FILL = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from deploy.errors import RunError
from deploy.video.encode import VideoFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
rng = np.random.default_rng(0)
try:
    with VideoFile(Path(sys.argv[1])) as video:
        for number in range(40):
            video.add(rng.integers(0, 256, (240, 320, 3), dtype=np.uint8), number * 10**8)
except RunError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_is_named_with_the_remedy_and_nothing_remains(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILL, str(tmp_path / "a.mp4")]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]).stdout
    assert re.search(r"a\.mp4 was not written: files there cannot become that large; choose another folder", said), said
    assert list(tmp_path.iterdir()) == []


def test_a_build_without_an_encoder_is_named_before_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(encode, "ENCODERS", ("none-such",))
    with pytest.raises(RunError, match=r"no H\.264 encoder"):
        check_videos(tmp_path, [spec("door.mp4")])


# Before a run


def _file(folder: Path) -> tuple[Path, CameraSpec]:
    (folder / "file").write_text("")
    return folder / "file", spec("recordings/door.mp4")


@pytest.mark.parametrize(
    ("case", "said"),
    [
        pytest.param(lambda folder: (folder, spec("rtsp://camera/1")), "door has no end; record first", id="live"),
        pytest.param(lambda folder: (folder, spec("door.mp4", loop=True)), "door has no end", id="a loop"),
        pytest.param(
            lambda folder: (folder, spec(folder / "door.mp4")), "would replace the recording", id="the source"
        ),
        pytest.param(_file, "choose a writable folder", id="a file"),
    ],
)
def test_what_cannot_work_is_said_before_the_run(
    case: Callable[[Path], tuple[Path, CameraSpec]], said: str, tmp_path: Path
) -> None:
    folder, camera = case(tmp_path)
    with pytest.raises(DeployError, match=said):
        check_videos(folder, [camera])


def test_a_file_of_boxes_that_cannot_be_replaced_is_named_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "door.txt").mkdir()
    with pytest.raises(UsageError, match=r"--out .*door\.txt: exists and cannot be replaced; remove it"):
        check_outputs([spec("door.mp4")], tmp_path, None, every_frame=False)


def test_a_recording_that_is_gone_is_told_and_the_others_are_written(tmp_path: Path) -> None:
    here = write_numbered(tmp_path / "here.mp4", range(1, 11))
    cameras = [
        CameraSpec(camera_id="gone", site_id="site", url=str(tmp_path / "gone.mp4"), start_ns=5 * S),
        CameraSpec(camera_id="here", site_id="site", url=str(here), start_ns=5 * S),
    ]
    told: list[str] = []
    out = tmp_path / "out"
    out.mkdir()
    done = write_videos(MemoryStore("site"), cameras, out, 0, IngestSettings(), Event(), told.append)
    assert done == {"here": out / "here.mp4"}
    assert len(written(out / "here.mp4")) == 10
    assert any("gone: no video: " in line for line in told)


def test_a_stop_leaves_no_half_video(tmp_path: Path) -> None:
    here = write_numbered(tmp_path / "here.mp4", range(1, 11))
    stop = Event()
    stop.set()
    out = tmp_path / "out"
    out.mkdir()
    assert write_videos(MemoryStore("site"), [spec(here)], out, 0, IngestSettings(), stop, lambda _: None) == {}
    assert list(out.iterdir()) == []
