"""Two tracks on one person, and two people seen at one time."""

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from gallery.decision.parts import is_part_of
from gallery.decision.together import together
from tests.gallery_tools import START, S, tracklet
from wire.messages import Tracklet

BODY = (100.0, 50.0, 160.0, 250.0)


def boxed(name: str, *boxes: tuple[float, float, float, float], first_s: float = 0.0) -> Tracklet:
    """Return a tracklet with these boxes, the last one in all remaining frames of three seconds."""
    sent = tracklet(name, first_s, first_s + 3)
    filled: NDArray[np.float32] = np.array([*boxes, *[boxes[-1]] * (len(sent.times_ns) - len(boxes))], np.float32)
    return replace(sent, boxes=filled)


@pytest.mark.parametrize(
    ("other", "part"),
    [
        pytest.param((105.0, 52.0, 155.0, 150.0), True, id="the upper half of a body"),
        pytest.param((90.0, 40.0, 200.0, 300.0), True, id="a body and what it carries"),
        pytest.param((400.0, 50.0, 460.0, 250.0), False, id="somebody elsewhere"),
        pytest.param((140.0, 50.0, 200.0, 250.0), False, id="somebody half hidden"),
        pytest.param(BODY, False, id="equal boxes, which no detector keeps"),
    ],
)
def test_a_box_inside_another_is_a_part_of_it(other: tuple[float, float, float, float], *, part: bool) -> None:
    one, two = boxed("a/s/1.0/0", BODY), boxed("a/s/2.0/0", other)

    assert is_part_of(one, two) == is_part_of(two, one) == part
    assert together(one, two, START + 10 * S) == ("no" if part else "yes")


def test_two_people_who_cross_are_two() -> None:
    apart, inside = (300.0, 50.0, 350.0, 250.0), (105.0, 52.0, 155.0, 200.0)

    assert not is_part_of(boxed("a/s/1.0/0", BODY), boxed("a/s/2.0/0", apart, apart, apart, inside))
    assert is_part_of(boxed("a/s/1.0/0", BODY), boxed("a/s/2.0/0", apart, apart, inside))


def test_without_a_common_frame_time_alone_tells() -> None:
    one, other = boxed("a/s/1.0/0", BODY), boxed("a/s/2.0/0", BODY)
    between = replace(other, times_ns=other.times_ns + S // 10)

    assert together(one, between, START + 10 * S) == "yes"


def test_frames_that_only_one_has_do_not_matter() -> None:
    half = boxed("a/s/2.0/0", (105.0, 52.0, 155.0, 150.0), first_s=0.4)
    odd = replace(
        half,
        times_ns=half.times_ns[::2],
        frames=half.frames[::2],
        boxes=half.boxes[::2],
        scores=half.scores[::2],
    )

    assert is_part_of(boxed("a/s/1.0/0", BODY), odd)
