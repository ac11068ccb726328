"""Regions and masks of a camera: bad polygons are refused with the reason, and only people who stand inside count."""

from pathlib import Path

import numpy as np
import pytest

from deploy.cameras import configured_cameras
from reid_worker.attention import within
from reid_worker.detectors.detection import Detections
from wire import codec
from wire.areas import Polygon, covers
from wire.errors import SettingsError
from wire.messages import CameraSpec

LEFT: Polygon = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
SCREEN: Polygon = ((0.1, 0.1), (0.3, 0.1), (0.3, 0.5), (0.1, 0.5))
HOOK: Polygon = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.8, 1.0), (0.8, 0.2), (0.0, 0.2))
NAN = float("nan")


def _spec(regions: tuple[Polygon, ...] = (), ignore: tuple[Polygon, ...] = ()) -> CameraSpec:
    return CameraSpec(camera_id="door", site_id="home", url="door.mp4", regions=regions, ignore=ignore)


@pytest.mark.parametrize(
    ("polygon", "reason"),
    [
        pytest.param((), "has 0 corners; three are the fewest", id="no corner"),
        pytest.param(((0.0, 0.0), (1.0, 1.0)), "has 2 corners; three are the fewest", id="a line"),
        pytest.param(((0.0, 0.0), (640.0, 0.0), (640.0, 480.0)), r"corner at \[640, 0\].*divide pixels", id="pixels"),
        pytest.param(((0.0, 0.0), (1.0, 0.0), (1.0, -0.1)), r"corner at \[1, -0.1\]", id="outside"),
        pytest.param(((0.0, 0.0), (1.0, 0.0), (1.0, NAN)), r"corner at \[1, nan\]", id="not a number"),
        pytest.param(((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)), "encloses no area", id="all on a line"),
        pytest.param(((0.2, 0.2),) * 4, "encloses no area", id="a point"),
        pytest.param(((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)), "crosses itself", id="an hourglass"),
        pytest.param(tuple((n / 99, n * n / 9801) for n in range(99)), "has 99 corners; at most 64", id="too many"),
    ],
)
@pytest.mark.parametrize("key", ["regions", "ignore"])
def test_a_bad_polygon_is_refused_with_its_number_and_the_reason(key: str, polygon: Polygon, reason: str) -> None:
    with pytest.raises(ValueError, match=rf"camera door: {key}: polygon 2 .*{reason}"):
        _spec(**{key: (LEFT, polygon)})


def test_too_many_polygons_are_refused() -> None:
    with pytest.raises(ValueError, match="camera door: ignore: at most 32 polygons are allowed, got 33"):
        _spec(ignore=(LEFT,) * 33)


def test_areas_survive_the_wire() -> None:
    sent = _spec(regions=(LEFT, HOOK), ignore=(SCREEN,))
    received = codec.decode(codec.encode(sent))
    assert isinstance(received, CameraSpec)
    assert (received.regions, received.ignore) == (sent.regions, sent.ignore)


def test_areas_are_read_from_a_configuration(tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    config.write_text(
        "cameras:\n  door:\n    url: door.mp4\n    detail: auto\n    regions: [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]\n"
    )
    door = configured_cameras(config)["door"]
    assert (door.detail, door.regions, door.ignore) == ("auto", (LEFT,), ())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("ignore: [[[0, 0], [640, 0], [640, 480]]]", "divide pixels", id="pixels"),
        pytest.param("regions: [[0, 0], [1, 0], [1, 1]]", "regions", id="one polygon without its brackets"),
        pytest.param("regions: [[[0, 0, 1], [1, 0], [1, 1]]]", "regions", id="three numbers a corner"),
        pytest.param("detail: best", "detail", id="no such detail"),
    ],
)
def test_a_bad_area_in_a_configuration_names_the_camera(tmp_path: Path, line: str, reason: str) -> None:
    config = tmp_path / "site.yaml"
    config.write_text(f"cameras:\n  door:\n    url: door.mp4\n    {line}\n")
    with pytest.raises(SettingsError, match=rf"cameras\.door.*{reason}"):
        configured_cameras(config)


@pytest.mark.parametrize(
    ("polygon", "point", "inside"),
    [
        pytest.param(LEFT, (0.25, 0.5), True, id="in a box"),
        pytest.param(LEFT, (0.75, 0.5), False, id="beside it"),
        pytest.param(HOOK, (0.9, 0.9), True, id="in the short arm of a hook"),
        pytest.param(HOOK, (0.5, 0.9), False, id="between its arms"),
        pytest.param(HOOK[::-1], (0.9, 0.9), True, id="listed the other way round"),
    ],
)
def test_covers_is_right_for_shapes_that_are_not_convex(
    polygon: Polygon,
    point: tuple[float, float],
    inside: bool,
) -> None:
    assert covers(polygon, point) is inside


def test_people_count_by_where_they_stand() -> None:
    """In 200 x 100 px: one stands left, one right, one is on a screen, and one's feet are cut off by the border."""
    boxes = np.array([[60, 40, 80, 95], [150, 40, 170, 95], [30, 15, 45, 40], [5, 60, 25, 100]], np.float32)
    found = Detections(boxes, np.array([0.9, 0.8, 0.7, 0.6], np.float32))

    def standing(regions: tuple[Polygon, ...], ignore: tuple[Polygon, ...]) -> list[float]:
        return [float(score) for score in within(found, 100, 200, regions, ignore).scores]

    assert standing((), ()) == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert standing((LEFT,), ()) == pytest.approx([0.9, 0.7, 0.6])
    assert standing((), (SCREEN,)) == pytest.approx([0.9, 0.8, 0.6])
    assert standing((LEFT,), (SCREEN,)) == pytest.approx([0.9, 0.6])
