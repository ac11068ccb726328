"""A generated site: playable videos, and ground truth that matches them to the pixel."""

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.cameras import chosen_cameras
from training.synthetic.people import FIRST_SITE_IDENTITY
from training.synthetic.site import FPS, SiteSummary, film_station, write_site
from training.synthetic.world import build_world


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> SiteSummary:
    return write_site(tmp_path_factory.mktemp("site"), seed=4, cameras=2, people=8, seconds=3)


def rows(summary: SiteSummary, name: str) -> NDArray[np.float64]:
    return np.loadtxt(summary.out / "gt" / f"{name}.txt", delimiter=",", ndmin=2)


def test_every_camera_has_a_video_of_the_promised_length(site: SiteSummary) -> None:
    for name in site.cameras:
        with av.open(str(site.out / f"{name}.mp4")) as video:
            assert video.streams.video[0].codec_context.name == "h264"
            assert video.streams.video[0].average_rate == FPS
            assert sum(1 for _ in video.decode(video=0)) == site.frames == 3 * FPS


def test_the_site_file_is_a_configuration_that_reads_all_of_every_video(site: SiteSummary) -> None:
    cameras = chosen_cameras([], site.out / "site.yaml")
    assert [(one.camera_id, one.url) for one in cameras] == [(n, str(site.out / f"{n}.mp4")) for n in site.cameras]
    assert all(Path(one.url).is_file() and one.mode == "complete" for one in cameras)


def test_truth_lies_inside_the_frame_and_names_people_of_the_site(site: SiteSummary) -> None:
    counted = 0
    for name in site.cameras:
        table = rows(site, name)
        assert table.shape[1] == 10
        assert ((table[:, 0] >= 1) & (table[:, 0] <= site.frames)).all()
        assert ((table[:, 1] >= 1) & (table[:, 1] <= 8)).all()
        assert (table[:, 2:4] >= 0).all()
        assert (table[:, 2] + table[:, 4] <= 640).all()
        assert (table[:, 3] + table[:, 5] <= 360).all()
        assert set(table[:, 6]) <= {0.0, 1.0}
        assert (table[:, 7:] == -1).all()
        counted += int(table[:, 6].sum())
    assert counted == site.boxes > 0


def test_nobody_is_twice_in_a_frame_or_in_two_rooms_at_once(site: SiteSummary) -> None:
    seen = [(int(r[0]), int(r[1])) for name in site.cameras for r in rows(site, name)]
    assert len(seen) == len(set(seen))


def test_a_box_covers_what_changed_in_the_picture_and_not_more() -> None:
    world = build_world(4, 2, 8, 3.0)
    frames = [next(film_station(world, k, [0.0], 4)) for k in range(2)]
    counted = [(k, b) for k, frame in enumerate(frames) for b in frame.boxes if b.counted]
    assert counted
    empty = [next(film_station(build_world(4, 2, 1, 3.0), k, [0.0], 4)) for k in range(2)]
    for k, b in counted:
        change = np.abs(frames[k].image.astype(int) - empty[k].image).max(2) > 14
        inside = change[b.top : b.top + b.height, b.left : b.left + b.width]
        assert inside.mean() > 0.2
        assert inside[:, :4].any()
        assert inside[:, -4:].any()


def test_the_same_seed_writes_the_same_files(site: SiteSummary, tmp_path: Path) -> None:
    again = write_site(tmp_path, seed=4, cameras=2, people=8, seconds=3)
    for name in site.cameras:
        for file in (f"{name}.mp4", f"gt/{name}.txt"):
            assert (again.out / file).read_bytes() == (site.out / file).read_bytes()


def test_another_seed_writes_another_site(site: SiteSummary, tmp_path: Path) -> None:
    other = write_site(tmp_path, seed=5, cameras=1, people=8, seconds=1)
    assert (other.out / "lobby.mp4").read_bytes() != (site.out / "lobby.mp4").read_bytes()


def test_of_a_site_that_was_here_before_nothing_is_left(tmp_path: Path) -> None:
    before = write_site(tmp_path, seed=4, cameras=2, people=2, seconds=1)
    now = write_site(tmp_path, seed=4, cameras=1, people=2, seconds=1)
    assert len(before.cameras) == 2
    (name,) = now.cameras
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {f"{name}.mp4", f"gt/{name}.txt", "site.yaml"}


@pytest.mark.parametrize("text", ["site: mall\ncameras: {door: {url: door.mp4}}\n", "cameras: [", "- 1\n", ""])
def test_a_site_file_of_somebodys_own_is_never_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "site.yaml").write_text(text)
    (tmp_path / "door.mp4").write_text("a film")
    with pytest.raises(FileExistsError, match=r"site\.yaml is not of a generated site, and would be replaced"):
        write_site(tmp_path, seed=4, cameras=1, people=1, seconds=1)
    assert (tmp_path / "site.yaml").read_text() == text
    assert (tmp_path / "door.mp4").read_text() == "a film"


def test_progress_rises_to_one(tmp_path: Path) -> None:
    told: list[float] = []
    write_site(tmp_path, seed=1, cameras=1, people=1, seconds=2, progress=told.append)
    assert told == sorted(told)
    assert told[0] == 0.0
    assert told[-1] == 1.0


def test_people_walk_through_several_rooms() -> None:
    world = build_world(2, 3, 6, 60.0)
    assert all(len({v.station for v in r.visits}) >= 2 for r in world.residents if r.visits[0].times_s[-1] < 50)
    for resident in world.residents:
        times = np.concatenate([v.times_s for v in resident.visits])
        assert (np.diff(times) > 0).all()


def test_a_stride_never_jumps() -> None:
    resident = build_world(2, 2, 1, 60.0).residents[0]
    moments = [resident.at(t) for t in np.arange(0, 60, 0.1)]
    for before, after in pairwise(moments):
        if before and after and before[0] == after[0]:
            assert np.hypot(after[1].x - before[1].x, after[1].y - before[1].y) < 0.2


def test_site_identities_are_kept_apart_from_training() -> None:
    assert FIRST_SITE_IDENTITY == 1_000_000


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        pytest.param("seed", -1, "0..9223372036854775807", id="negative seed"),
        pytest.param("cameras", 0, "1..64", id="no camera"),
        pytest.param("people", 1001, "1..1000", id="too many people"),
        pytest.param("seconds", 0.5, "1..86400", id="too short"),
    ],
)
def test_a_bad_argument_is_named_with_what_is_allowed(tmp_path: Path, name: str, value: float, allowed: str) -> None:
    arguments: dict[str, float] = {"seed": 1, name: value}
    with pytest.raises(ValueError, match=f"{name} must be {allowed}, got {value}"):
        write_site(tmp_path, **arguments)  # type: ignore[arg-type]  # one of them is wrong on purpose
