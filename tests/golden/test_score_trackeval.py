"""Our scores are those of TrackEval, the field's referee, to the last digit, also where boxes and scores are tied."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.errors import ScoreError
from gallery.score import Boxes, Score, overlap, score_folder, score_site
from gallery.score.figures import figures_of
from gallery.score.mot import read_boxes
from tests.score_tools import TrackRow, boxes, campus, shaken
from training.synthetic.site import write_site

trackeval = pytest.importorskip("trackeval", reason="TrackEval is not installed")

MEASURES = (
    trackeval.metrics.HOTA(),
    trackeval.metrics.CLEAR({"PRINT_CONFIG": False}),
    trackeval.metrics.Identity({"PRINT_CONFIG": False}),
)


def named(results: Mapping[str, Any]) -> dict[str, float]:
    """Return TrackEval's figures under the names that we have, too; curves over alpha as their means."""
    names = set(figures_of(score_site({"a": boxes((1, 1, 0, 0, 1, 1))}, {}).overall))
    return {name: float(np.mean(value)) for name, value in results.items() if name in names}


def ours(score: Score) -> dict[str, float]:
    return {name: value for name, value in figures_of(score).items() if not name.startswith("ReID-")}


def referee(truth: Mapping[str, Boxes], results: Mapping[str, Boxes]) -> dict[str, float]:
    """Return TrackEval's figures over cameras laid one after the other, so that a number is one person."""
    people, numbers = (np.unique(np.concatenate([one.ids for one in side.values()])) for side in (truth, results))
    frames: list[tuple[Any, Any, Any]] = []
    for camera, true in truth.items():
        for frame in np.union1d(true.frames, results[camera].frames):
            of = [side.chosen(side.frames == frame) for side in (true, results[camera])]
            ids = (np.searchsorted(people, of[0].ids), np.searchsorted(numbers, of[1].ids))
            frames.append((*ids, box_ious(of[0].boxes, of[1].boxes)))
    columns = dict(zip(("gt_ids", "tracker_ids", "similarity_scores"), zip(*frames, strict=True), strict=True))
    totals = {
        "num_timesteps": len(frames),
        "num_gt_dets": sum(map(len, columns["gt_ids"])),
        "num_tracker_dets": sum(map(len, columns["tracker_ids"])),
        "num_gt_ids": len(people),
        "num_tracker_ids": len(numbers),
    }
    return named({k: v for measure in MEASURES for k, v in measure.eval_sequence(columns | totals).items()})


def box_ious(one: Any, other: Any) -> Any:
    return trackeval.datasets.MotChallenge2DBox._calculate_box_ious(one, other, box_format="xywh")


def referee_of_files(truth: Path, results: Path, lengths: dict[str, int], benchmark: str) -> dict[str, float]:
    """Return what TrackEval says of `truth/SEQ/gt/gt.txt` and `results/ours/data/SEQ.txt`, read by itself."""
    config = {
        "GT_FOLDER": str(truth),
        "TRACKERS_FOLDER": str(results),
        "TRACKERS_TO_EVAL": ["ours"],
        "BENCHMARK": benchmark,
        "SKIP_SPLIT_FOL": True,
        "SEQ_INFO": lengths,
        "PRINT_CONFIG": False,
    }
    data = trackeval.datasets.MotChallenge2DBox(config)
    sequences = {
        name: data.get_preprocessed_seq_data(data.get_raw_seq_data("ours", name), "pedestrian") for name in lengths
    }
    found: dict[str, float] = {}
    for measure in MEASURES:
        each = {name: measure.eval_sequence(sequence) for name, sequence in sequences.items()}
        found |= named(measure.combine_sequences(each))
    return found


def test_one_camera_agrees_with_trackeval_on_a_real_tracker(shared_data: Path) -> None:
    folder = shared_data / "mot-tud-stadtmitte"
    truth, results = {"tud": read_boxes(folder / "gt.txt")}, {"tud": read_boxes(folder / "test.txt")}

    table = score_site(truth, results)

    assert ours(table.overall) == pytest.approx(referee(truth, results), abs=1e-12)
    assert ours(table.cameras["tud"]) == ours(table.separate) == ours(table.overall)
    assert 0.3 < table.overall.hota.hota < 0.95


def test_motchallenge_folders_score_as_trackeval_reads_them(shared_data: Path, tmp_path: Path) -> None:
    """MOT15: world coordinates behind the confidence, and results without one."""
    source = shared_data / "mot-tud-stadtmitte"
    truth, results = tmp_path / "gt", tmp_path / "results"
    for path, name in (
        (truth / "TUD-Stadtmitte" / "gt" / "gt.txt", "gt.txt"),
        (results / "ours" / "data" / "TUD-Stadtmitte.txt", "test.txt"),
    ):
        path.parent.mkdir(parents=True)
        shutil.copyfile(source / name, path)

    table = score_folder(truth, results / "ours")

    assert set(table.cameras) == {"TUD-Stadtmitte"}
    theirs = referee_of_files(truth, results, {"TUD-Stadtmitte": 179}, "MOT15")
    assert ours(table.overall) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_classes_count_as_in_trackeval(shared_data: Path, tmp_path: Path, seed: int) -> None:
    """MOT17: every other true person becomes some other class, or is not considered, for a part of the time."""
    rng = np.random.default_rng(seed)
    lengths = {}
    for source in sorted((shared_data / "lab-4cam" / "gt").glob("cam*.txt")):
        true = read_boxes(source)
        found = shaken(true, seed)
        classes = np.where(true.frames // 20 % 2, rng.integers(1, 14, true.frames.max() + 1)[true.frames], 1)
        considered = rng.random(len(classes)) < 0.9
        sequence = tmp_path / "gt" / source.stem / "gt"
        sequence.mkdir(parents=True)
        (tmp_path / "results" / "ours" / "data").mkdir(parents=True, exist_ok=True)
        columns = [true.frames, true.ids, *true.boxes.T, considered, classes, np.ones(len(classes))]
        np.savetxt(sequence / "gt.txt", np.stack(columns, axis=1), delimiter=",", fmt="%.10g")
        columns = [found.frames, found.ids, *found.boxes.T, np.ones(len(found.ids)), -np.ones(len(found.ids))]
        tracks = tmp_path / "results" / "ours" / "data" / f"{source.stem}.txt"
        np.savetxt(tracks, np.stack(columns, axis=1), delimiter=",", fmt="%.10g")
        lengths[source.stem] = int(max(true.frames.max(), found.frames.max()))

    separate = score_folder(tmp_path / "gt", tmp_path / "results" / "ours").separate

    theirs = referee_of_files(tmp_path / "gt", tmp_path / "results", lengths, "MOT17")
    assert ours(separate) == pytest.approx(theirs, abs=1e-12)
    assert 0.1 < separate.identity.idf1 < 0.95


def assert_agrees(truth: Mapping[str, Boxes], results: Mapping[str, Boxes]) -> None:
    table = score_site(truth, results)
    assert ours(table.overall) == pytest.approx(referee(truth, results), abs=1e-12)
    for camera, score in table.cameras.items():
        alone = referee({camera: truth[camera]}, {camera: results[camera]})
        assert ours(score) == pytest.approx(alone, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_four_cameras_agree_with_trackeval(shared_data: Path, seed: int) -> None:
    paths = sorted((shared_data / "lab-4cam" / "gt").glob("cam*.txt"))
    truth = {path.stem: read_boxes(path) for path in paths}
    truth = {camera: boxes.chosen(boxes.counted) for camera, boxes in truth.items()}
    assert_agrees(truth, {camera: shaken(boxes, seed * 10 + i) for i, (camera, boxes) in enumerate(truth.items())})


def test_a_crowd_on_four_cameras_agrees_with_trackeval(shared_data: Path) -> None:
    truth = campus(shared_data / "campus-gt", frames=250)
    assert_agrees(truth, {camera: shaken(boxes, i) for i, (camera, boxes) in enumerate(truth.items())})


def test_a_generated_site_agrees_with_trackeval(tmp_path: Path) -> None:
    site = write_site(tmp_path, seed=12, cameras=2, people=8, seconds=3)
    truth = {name: read_boxes(tmp_path / "gt" / f"{name}.txt") for name in site.cameras}
    truth = {name: boxes.chosen(boxes.counted) for name, boxes in truth.items()}
    assert_agrees(truth, {name: shaken(boxes, i) for i, (name, boxes) in enumerate(truth.items())})


def tied_rows(max_ids: int) -> st.SearchStrategy[list[TrackRow]]:
    """Return rows on a coarse grid, so that boxes, overlaps and whole associations are often equal."""
    frame, identity, place, size = st.integers(1, 5), st.integers(1, max_ids), st.integers(0, 3), st.integers(1, 2)
    row = st.tuples(frame, identity, place, place, size, size)
    return st.lists(row, min_size=1, max_size=40, unique_by=lambda row: row[:2])


@given(
    sides=st.lists(
        st.tuples(tied_rows(3), tied_rows(3)) | st.tuples(tied_rows(12), tied_rows(12)), min_size=1, max_size=3
    )
)
def test_scenes_full_of_ties_agree_with_trackeval(sides: list[tuple[list[TrackRow], list[TrackRow]]]) -> None:
    truth = {f"cam{i}": boxes(*rows) for i, (rows, _) in enumerate(sides)}
    assert_agrees(truth, {f"cam{i}": boxes(*rows) for i, (_, rows) in enumerate(sides)})


@given(rows=st.tuples(tied_rows(6), tied_rows(6)))
def test_overlaps_are_those_of_trackeval(rows: tuple[list[TrackRow], list[TrackRow]]) -> None:
    one, other = (boxes(*side).boxes / 7 for side in rows)
    np.testing.assert_array_equal(overlap(one, other), box_ious(one, other))


def test_the_truth_itself_scores_one(shared_data: Path, tmp_path: Path) -> None:
    truth = tmp_path / "gt"
    truth.mkdir()
    for path in (shared_data / "lab-4cam" / "gt").glob("cam*.txt"):
        shutil.copyfile(path, truth / path.name)

    table = score_folder(truth, truth)

    assert table.overall.identity.idf1 == 1.0
    assert table.overall.identity.true_positives == 2813
    assert table.people == {1: 1, 2: 2, 3: 3}


def write(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row},-1,-1,-1\n" for row in rows), encoding="utf-8")


def test_a_person_with_another_number_in_every_camera_counts_in_one_of_them_only(tmp_path: Path) -> None:
    for camera, number in (("a", 7), ("b", 8)):
        write(tmp_path / "gt" / f"{camera}.txt", "1,1,0,0,10,20,1", "2,1,0,0,10,20,1")
        write(tmp_path / "out" / f"{camera}.txt", f"1,{number},0,0,10,20,0.9", f"2,{number},0,0,10,20,0.9")

    table = score_folder(tmp_path / "gt", tmp_path / "out")

    assert (table.overall.identity.idf1, table.overall.identity.true_positives) == (0.5, 2)
    assert [score.identity.idf1 for score in table.cameras.values()] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("result", "idf1"),
    [
        pytest.param("1,2,100,0,10,20,0.9", 1.0, id="on the region: neither right nor wrong"),
        pytest.param("1,2,300,0,10,20,0.9", 2 / 3, id="elsewhere: wrong"),
    ],
)
def test_a_result_on_an_ignored_region_does_not_count(tmp_path: Path, result: str, idf1: float) -> None:
    write(tmp_path / "gt" / "a.txt", "1,1,0,0,10,20,1", "1,9,100,0,10,20,0")
    write(tmp_path / "out" / "a.txt", "1,1,0,0,10,20,0.9", result)

    assert score_folder(tmp_path / "gt", tmp_path / "out").overall.identity.idf1 == pytest.approx(idf1)


def test_a_camera_without_results_has_found_nobody(tmp_path: Path) -> None:
    write(tmp_path / "gt" / "a.txt", "1,1,0,0,10,20,1")
    (tmp_path / "out").mkdir()

    table = score_folder(tmp_path / "gt", tmp_path / "out")

    assert (table.overall.identity.idf1, table.overall.identity.false_negatives, table.numbers) == (0.0, 1, 0)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        pytest.param("1,1,0,0,10", "a.txt:1: expected at least 7", id="too short"),
        pytest.param("1,one,0,0,10,20,1", "a.txt:1: could not convert", id="no number"),
        pytest.param(
            "1,1,0,0,10,20,1\n1,1,5,5,10,20,1", "id 1 appears twice in frame 1, first in line 1", id="twice in a frame"
        ),
    ],
)
def test_what_is_no_result_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    (tmp_path / "gt").mkdir()
    (tmp_path / "gt" / "a.txt").write_text(line, encoding="utf-8")

    with pytest.raises(ScoreError, match=complaint):
        score_folder(tmp_path / "gt", tmp_path / "gt")


def test_missing_folders_and_cameras_without_truth_are_named(tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match="nowhere does not exist"):
        score_folder(tmp_path / "nowhere", tmp_path)
    write(tmp_path / "gt" / "a.txt", "1,1,0,0,10,20,1")
    write(tmp_path / "out" / "b.txt", "1,1,0,0,10,20,1")
    with pytest.raises(ScoreError, match="no truth for b"):
        score_folder(tmp_path / "gt", tmp_path / "out")
