"""The reference for adaptation: labels of the tracklets it may train on, and the accuracy of its clusters."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training_tools import coloured_noise
from training.adapt.adapt import held_out_rows
from training.adapt.bench import SitePlan, grouping, named_people, write_site
from training.data.files import FileTracklets
from training.data.load import load_dataset
from training.data.write import MarsWriter

PEOPLE, CAMERAS, FRAMES, SEED = 8, 3, 2, 5


@pytest.fixture
def people(tmp_path: Path) -> FileTracklets:
    writer = MarsWriter(tmp_path / "site")
    for person in range(PEOPLE):
        for camera in range(CAMERAS):
            writer.add(list(coloured_noise(person, camera, 0, FRAMES, (32, 16))), person + 1, camera + 1, "train")
    for camera in range(CAMERAS):
        writer.add(list(coloured_noise(99, camera, 0, FRAMES, (32, 16))), 99, camera + 1, "query")
    return named_people(writer.finish(), SEED)


def test_only_tracklets_that_adaptation_may_train_on_are_labelled(people: FileTracklets) -> None:
    assert len(people.lengths) == PEOPLE * CAMERAS - len(held_out_rows(PEOPLE * CAMERAS, SEED))
    assert set(people.identities) == set(range(PEOPLE))
    counts = np.bincount(people.identities)
    assert counts.max() <= CAMERAS
    assert counts.sum() == len(people.lengths)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=30))
def test_true_clusters_are_all_right_and_finer_ones_find_less(names: list[int]) -> None:
    identities = np.array(names)
    truth = grouping(identities, identities)
    alone = grouping(np.full(len(names), -1), identities)
    everybody = grouping(np.zeros(len(names), np.int64), identities)
    repeated = len(set(names)) < len(names)
    assert (truth.right, truth.found) == (1.0, float(repeated))
    assert (alone.right, alone.found) == (1.0, 0.0)
    assert everybody.found == float(repeated)
    assert (everybody.right == 1.0) == (len(set(names)) == 1)


def test_a_site_is_written_once_with_strangers_on_the_same_cameras(tmp_path: Path) -> None:
    plan = SitePlan(people=2, held=1, cameras=2, frames=1)
    found = load_dataset("mars", write_site(tmp_path / "site", plan), checked=False)
    assert {one.identity for one in found.train}.isdisjoint({one.identity for one in found.query})
    assert {one.camera for one in found.train} == {one.camera for one in found.query}
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "site").rglob("*.jpg")}
    assert write_site(tmp_path / "site", plan) == tmp_path / "site"
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "site").rglob("*.jpg")} == before
