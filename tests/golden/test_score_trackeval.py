"""Our identity scores are those of TrackEval, the field's referee."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from gallery.errors import ScoreError
from gallery.score import score_folder, score_site
from gallery.score.mot import Boxes, read_boxes
from gallery.score.overlap import overlap

trackeval = pytest.importorskip("trackeval", reason="TrackEval is not installed")


def referee(truth: dict[str, Boxes], results: dict[str, Boxes]) -> tuple[float, float, float]:
    """Return IDF1, IDP and IDR of TrackEval over cameras laid one after the other, so that a number is one person."""
    gt_ids, tracker_ids, similarities = [], [], []
    people = sorted({int(i) for boxes in truth.values() for i in boxes.ids})
    numbers = sorted({int(i) for boxes in results.values() for i in boxes.ids})
    for camera, boxes in truth.items():
        for frame in range(1, int(max(boxes.frames.max(), results[camera].frames.max(initial=1))) + 1):
            true = boxes.chosen(boxes.frames == frame)
            found = results[camera].chosen(results[camera].frames == frame)
            gt_ids.append(np.searchsorted(people, true.ids))
            tracker_ids.append(np.searchsorted(numbers, found.ids))
            similarities.append(overlap(true.boxes, found.boxes))
    score = trackeval.metrics.Identity({"THRESHOLD": 0.5, "PRINT_CONFIG": False}).eval_sequence(
        {
            "num_tracker_dets": sum(map(len, tracker_ids)),
            "num_gt_dets": sum(map(len, gt_ids)),
            "num_gt_ids": len(people),
            "num_tracker_ids": len(numbers),
            "gt_ids": gt_ids,
            "tracker_ids": tracker_ids,
            "similarity_scores": similarities,
        }
    )
    return float(score["IDF1"]), float(score["IDP"]), float(score["IDR"])


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
    metric = trackeval.metrics.Identity({"THRESHOLD": 0.5, "PRINT_CONFIG": False})
    each = {}
    for sequence in lengths:
        raw = data.get_raw_seq_data("ours", sequence)
        each[sequence] = metric.eval_sequence(data.get_preprocessed_seq_data(raw, "pedestrian"))
    return {name: float(value) for name, value in metric.combine_sequences(each).items()}


def shaken(truth: Boxes, seed: int) -> Boxes:
    """Return results made of the truth: boxes moved and dropped, numbers swapped halfway."""
    rng = np.random.default_rng(seed)
    kept = truth.chosen(rng.random(len(truth.ids)) < 0.8)
    late = kept.frames > np.median(kept.frames)
    ids = np.where(late, kept.ids.max() + 1 - kept.ids, kept.ids) + 10 * (rng.random() < 0.3)
    return Boxes(
        kept.frames, ids, kept.boxes + rng.normal(0, 0.12, kept.boxes.shape) * kept.boxes[:, 2:3], kept.counted
    )


def test_one_camera_agrees_with_trackeval_on_a_real_tracker(shared_data: Path) -> None:
    folder = shared_data / "mot-tud-stadtmitte"
    truth, results = {"tud": read_boxes(folder / "gt.txt")}, {"tud": read_boxes(folder / "test.txt")}

    ours = score_site(truth, results).overall.identity

    assert (ours.idf1, ours.idp, ours.idr) == pytest.approx(referee(truth, results), abs=1e-12)
    assert 0.3 < ours.idf1 < 0.95


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

    theirs = referee_of_files(truth, results, {"TUD-Stadtmitte": 179}, "MOT15")
    assert set(table.cameras) == {"TUD-Stadtmitte"}
    assert (table.overall.identity.idf1, table.overall.identity.idp, table.overall.identity.idr) == pytest.approx(
        (theirs["IDF1"], theirs["IDP"], theirs["IDR"]), abs=1e-12
    )


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

    ours = score_folder(tmp_path / "gt", tmp_path / "results" / "ours").separate.identity

    theirs = referee_of_files(tmp_path / "gt", tmp_path / "results", lengths, "MOT17")
    assert (ours.true_positives, ours.false_positives, ours.false_negatives) == (
        theirs["IDTP"],
        theirs["IDFP"],
        theirs["IDFN"],
    )
    assert 0.1 < ours.idf1 < 0.95


@pytest.mark.parametrize("seed", range(5))
def test_four_cameras_agree_with_trackeval(shared_data: Path, seed: int) -> None:
    paths = sorted((shared_data / "lab-4cam" / "gt").glob("cam*.txt"))
    truth = {path.stem: read_boxes(path) for path in paths}
    truth = {camera: boxes.chosen(boxes.counted) for camera, boxes in truth.items()}
    results = {camera: shaken(boxes, seed * 10 + i) for i, (camera, boxes) in enumerate(truth.items())}

    ours = score_site(truth, results).overall.identity

    assert (ours.idf1, ours.idp, ours.idr) == pytest.approx(referee(truth, results), abs=1e-12)


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
