"""The shipped weights come from one command, which resumes where it stopped."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reid_worker.model.climb import CLIMB_TINY as SIZES
from reid_worker.model.weights import load_weights
from tests.training_tools import coloured_noise
from training.config import ConfigError, load_config
from training.recipes.release import CLIMB_TINY, CONFIGS, Part, main, possible, release

CHANGES = [
    *(
        "run.threads=1",
        "run.workers=0",
        "run.device=cpu",
        "run.compile=false",
        "schedule.steps=2",
        "schedule.minutes=0",
        "run.checkpoint_every=1",
    ),
    *(
        "synthetic.train_identities=8",
        "synthetic.train_cameras=2",
        "synthetic.validation_identities=4",
        "synthetic.validation_cameras=2",
    ),
    *("batch.identities=4", "batch.tracklets=2", "batch.cluster=2", "batch.frames=2", "synthetic.frames=2"),
]
PARTS = (
    Part("climb_tiny"),
    Part("climb_tiny_128", grown=True),
    Part("climb_tiny_varied", ("run.seed=3",)),
    Part("climb_tiny_varied", ("network.model=climb-tiny",), grown=True),
)


def nobody(*_: object) -> NDArray[np.uint8]:
    raise AssertionError("rendered again")


def test_parts_run_in_order_and_completed_ones_are_kept(tmp_path: Path) -> None:
    out = tmp_path / "weights"

    # When only the first two parts were run, then all, then all again
    release(PARTS[:2], out, changes=CHANGES, render=coloured_noise)
    first_two = [(out / f"part-{n}.safetensors").stat().st_mtime_ns for n in (1, 2)]
    last = release(PARTS, out, changes=CHANGES, render=coloured_noise)
    again = release(PARTS, out, changes=CHANGES, render=nobody)

    # Then nothing was run twice, and the last weights are of the shipped sizes
    assert [(out / f"part-{n}.safetensors").stat().st_mtime_ns for n in (1, 2)] == first_two
    assert again == last
    assert load_weights(last).network.architecture == SIZES


def test_a_part_that_ended_just_before_an_interruption_is_not_an_error(tmp_path: Path) -> None:
    weights = release(PARTS[:1], tmp_path, changes=CHANGES, render=coloured_noise)
    before = weights.read_bytes()
    weights.unlink()  # as if killed right after the last checkpoint
    assert release(PARTS[:1], tmp_path, changes=CHANGES, render=nobody).read_bytes() == before


def test_parts_with_realistic_people_are_run_only_with_their_assets() -> None:
    without, given = possible(CLIMB_TINY, None), possible(CLIMB_TINY, Path("people.npz"))
    assert not any(part.realistic for part in without)
    assert len(given) == len(CLIMB_TINY) > len(without)
    assert all(("synthetic.assets=people.npz" in part.changes) is part.realistic for part in given)


def test_a_key_that_no_run_has_is_an_error_before_anything_is_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nonsense"):
        main([str(tmp_path), "--pace", "0.5", "nonsense=1"])


@pytest.mark.parametrize("part", CLIMB_TINY, ids=lambda part: part.config)
def test_every_part_of_the_shipped_recipe_is_a_run(part: Part) -> None:
    assert load_config(CONFIGS / f"{part.config}.yaml", part.changes).schedule.steps > 0
