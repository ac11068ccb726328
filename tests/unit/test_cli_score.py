"""`climbtrack score`: figures as JSON, what is adjusted and said, and what is refused with exit code 2."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.main import main

PERFECT = {"IDF1": 1.0, "IDP": 1.0, "IDR": 1.0}
Told = tuple[int, dict[str, Any], str]


def walk(first: int = 1, number: int = 1, *, frames: int = 10, left: int = 0, more: str = ",-1,-1,-1") -> str:
    """Return rows of somebody who walks by half a body width a frame."""
    return "".join(f"{first + n},{number},{left + 20 * n},0,40,100,1{more}\n" for n in range(frames))


@pytest.fixture
def score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """Write truth and tracks by camera, score them, and return exit code, JSON and what was said."""

    def run(truth: dict[str, str], tracks: dict[str, str], *words: str) -> Told:
        for side, files in (("gt", truth), ("out", tracks)):
            (tmp_path / side).mkdir()
            for name, text in files.items():
                (tmp_path / side / f"{name}.txt").write_text(text)
        code = main(["score", "--truth", str(tmp_path / "gt"), "--tracks", str(tmp_path / "out"), "--json", *words])
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if out else {}, " ".join(err.split())

    return run


def fractions(figures: dict[str, float]) -> dict[str, float]:
    return {name: figures[name] for name in PERFECT}


def test_json_has_fractions_over_all_cameras_and_of_each(score: Callable[..., Told]) -> None:
    both = {"a": walk(), "b": walk()}
    code, said, err = score(both, {"a": walk(number=7), "b": walk(number=8)})
    assert (code, err) == (0, "")
    assert fractions(said["all"]) == {"IDF1": 0.5, "IDP": 0.5, "IDR": 0.5}
    assert fractions(said["separate"]) == PERFECT
    assert {name: fractions(one) for name, one in said["cameras"].items()} == {"a": PERFECT, "b": PERFECT}
    assert [said["all"][name] for name in ("IDTP", "IDFP", "IDFN")] == [10, 10, 10]


@pytest.mark.parametrize("option", ["--tracks", "--result"])
def test_tracks_and_result_are_one_option(option: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(walk())
    assert main(["score", "--truth", str(tmp_path), option, str(tmp_path)]) == 0


def test_the_figures_are_explained_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text(walk())
    assert main(["score", "--truth", str(tmp_path), "--tracks", str(tmp_path)]) == 0
    assert "IDF1 is 1.00 over all cameras; 1.00 is perfect." in capsys.readouterr().out


def test_truth_saved_on_windows_is_read(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared_data.parent / "cases" / "score-encodings" / "bom"
    assert main(["score", "--truth", str(folder / "gt"), "--tracks", str(folder / "res"), "--json"]) == 0
    assert fractions(json.loads(capsys.readouterr().out)["all"]) == PERFECT


def test_truth_in_utf_16_is_refused_with_file_line_and_remedy(
    shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared_data.parent / "cases" / "score-encodings" / "utf16"
    assert main(["score", "--truth", str(folder / "gt"), "--tracks", str(folder / "res"), "--json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "cam.txt:1: the file is UTF-16" in said.err
    assert "iconv -f UTF-16 -t UTF-8" in said.err


@pytest.mark.parametrize("side", ["truth", "tracks"])
def test_an_invalid_number_is_rejected_on_either_side(side: str, score: Callable[..., Told]) -> None:
    wrong = walk() + "99,1,nan,0,40,100,1\n"
    truth, tracks = (wrong, walk()) if side == "truth" else (walk(), wrong)
    code, _, err = score({"a": truth}, {"a": tracks})
    assert code == 2
    assert "a.txt:11: left is nan" in err


def test_other_classes_are_not_people_on_either_side(score: Callable[..., Told]) -> None:
    cars = walk(number=2, left=500, more=",3,1.0")
    code, said, err = score({"a": walk(more=",1,1.0") + cars}, {"a": walk(more=",1,1.0") + cars})
    assert code == 0
    assert fractions(said["all"]) == PERFECT
    assert "a.txt: 10 boxes of classes other than people (column 8) were left out" in err


@pytest.mark.parametrize(
    ("truth", "tracks", "said"),
    [
        pytest.param(
            0,
            1,
            "from 0 in the truth (a) and from 1 in the tracks: 1 was subtracted from the frames of the tracks.",
            id="the truth",
        ),
        pytest.param(
            1,
            0,
            "from 0 in the tracks (a) and from 1 in the truth: 1 was added to the frames of the tracks.",
            id="the tracks",
        ),
        pytest.param(0, 0, "", id="both"),
        pytest.param(1, 1, "", id="neither"),
    ],
)
def test_frames_counted_from_0_are_noticed_and_aligned(
    truth: int, tracks: int, said: str, score: Callable[..., Told]
) -> None:
    code, figures, err = score({"a": walk(truth)}, {"a": walk(tracks)})
    assert code == 0
    assert fractions(figures["all"]) == PERFECT
    assert said in err
    assert bool(said) == bool(err)


def test_a_camera_where_nobody_was_in_frame_0_is_aligned_as_the_others(score: Callable[..., Told]) -> None:
    truth, tracks = {"a": walk(0), "b": walk(40)}, {"a": walk(1), "b": walk(41)}
    assert fractions(score(truth, tracks)[1]["all"]) == PERFECT


def test_tracks_that_missed_frame_0_are_not_moved_away_from_the_truth(score: Callable[..., Told]) -> None:
    """Both count from 0, but the tracker found nobody in the first three frames."""
    _, figures, err = score({"a": walk(0)}, {"a": "".join(walk(0).splitlines(keepends=True)[3:])})
    assert fractions(figures["all"])["IDP"] == 1
    assert "except in a, which fits better as it is" in err


@pytest.mark.parametrize(
    ("words", "idf1"),
    [
        pytest.param(["--truth-first-frame", "0"], 1.0, id="the truth counts from 0, though nobody was there"),
        pytest.param(["--truth-first-frame", "0", "--tracks-first-frame", "0"], 0.0, id="both do"),
        pytest.param(["--tracks-first-frame", "0"], 0.0, id="the tracks do"),
        pytest.param([], 0.0, id="nothing is said"),
    ],
)
def test_first_frames_can_be_given(words: list[str], idf1: float, score: Callable[..., Told]) -> None:
    fast = "".join(f"{{}},1,{90 * n},0,40,100,1\n" for n in range(5))
    truth, tracks = fast.format(*range(5, 10)), fast.format(*range(6, 11))
    assert score({"a": truth}, {"a": tracks}, *words)[1]["all"]["IDF1"] == pytest.approx(idf1)


def test_cameras_without_results_are_named(score: Callable[..., Told]) -> None:
    code, said, err = score({"a": walk(), "b": walk(number=2)}, {"a": walk()})
    assert code == 0
    assert said["all"]["IDR"] == 0.5
    assert "no results for b; everyone there counts as missed" in err


@pytest.mark.parametrize(
    ("truth", "tracks", "said"),
    [
        pytest.param({}, {"a": walk()}, "gt holds no tracks", id="no truth"),
        pytest.param({"a": ""}, {"a": walk()}, "nothing to score: its files are empty", id="an empty truth"),
        pytest.param(
            {"a": walk(more=",3,1")}, {"a": walk()}, "all 10 rows have a confidence of 0 .* or a class", id="only cars"
        ),
        pytest.param({"a": walk()}, {"b": walk()}, "no truth for b.txt, only for a", id="another camera"),
    ],
)
def test_what_cannot_be_scored_ends_with_2(
    truth: dict[str, str], tracks: dict[str, str], said: str, score: Callable[..., Told]
) -> None:
    code, _, err = score(truth, tracks)
    assert code == 2
    assert re.search(said, err)


def test_every_measure_is_in_the_json_by_its_standard_name(score: Callable[..., Told]) -> None:
    both = {"a": walk(), "b": walk()}
    said = score(both, {"a": walk(number=7), "b": walk(number=8)})[1]
    apart = {"HOTA": 0.5**0.5, "DetA": 1.0, "AssA": 0.5, "LocA": 1.0, "MOTA": 0.95, "MOTP": 1.0, "IDSW": 1, "Frag": 0}
    assert {name: said["all"][name] for name in apart} == pytest.approx(apart)
    perfect = dict.fromkeys(("HOTA", "DetA", "AssA", "ReID-HOTA", "MOTA"), 1.0) | {"IDSW": 0, "Frag": 0}
    for name in ("a", "b"):
        assert {measure: said["cameras"][name][measure] for measure in perfect} == perfect
    assert said["links"] == {"precision": 0.0, "recall": 0.0, "true": 1, "claimed": 0}


def test_links_and_confusions_are_in_the_json(score: Callable[..., Told]) -> None:
    truth = {"a": walk(1, 1) + walk(101, 2), "b": walk(201, 1)}
    tracks = {"a": walk(1, 7) + walk(101, 7), "b": walk(201, 8)}
    said = score(truth, tracks, "--fps", "10")[1]
    assert said["camera_links"] == [{"cameras": ["a", "b"], "precision": 0.0, "recall": 0.0, "true": 1, "claimed": 0}]
    assert said["times_in"] == "seconds"
    assert said["merges"] == [
        {
            "number": 7,
            "wrong_boxes": 10,
            "people": [
                {"person": 1, "boxes": 10, "spans": [{"camera": "a", "first": 0.0, "last": 0.9, "boxes": 10}]},
                {"person": 2, "boxes": 10, "spans": [{"camera": "a", "first": 10.0, "last": 10.9, "boxes": 10}]},
            ],
        }
    ]
    assert [(one["person"], [part["number"] for part in one["numbers"]]) for one in said["splits"]] == [(1, [7, 8])]
    assert (said["identification"]["FNIR"], said["identification"]["FPIR"]) == (1.0, 0.5)


def test_the_frame_rate_is_read_from_the_sequence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gt" / "SEQ" / "gt").mkdir(parents=True)
    (tmp_path / "gt" / "SEQ" / "gt" / "gt.txt").write_text(walk(41))
    (tmp_path / "gt" / "SEQ" / "seqinfo.ini").write_text("[Sequence]\nname=SEQ\nframeRate=20\n")
    (tmp_path / "SEQ.txt").write_text(walk(41, 7, frames=5) + walk(46, 8, frames=5, left=100))
    assert main(["score", "--truth", str(tmp_path / "gt"), "--tracks", str(tmp_path / "SEQ.txt")]) == 0
    assert "person 1 has number 7 (SEQ 2.0-2.2 s) and number 8 (SEQ 2.2-2.5 s)" in capsys.readouterr().out


def test_times_are_frames_if_one_camera_has_no_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for camera in ("a", "b"):
        (tmp_path / camera / "gt").mkdir(parents=True)
        (tmp_path / camera / "gt" / "gt.txt").write_text(walk())
    (tmp_path / "a" / "seqinfo.ini").write_text("[Sequence]\nframeRate=20\n")
    assert main(["score", "--truth", str(tmp_path), "--tracks", str(tmp_path), "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["times_in"] == "frames"
    assert "no seqinfo.ini has the frame rate of b: give it with --fps" in said.err


@pytest.mark.parametrize(
    ("ini", "unit"),
    [
        pytest.param("[Sequence]\nframeRate=0\n", "frames", id="zero"),
        pytest.param("[Sequence]\nframeRate=fast\n", "frames", id="no number"),
        pytest.param("frameRate=20\n", "frames", id="no section"),
        pytest.param("[Sequence]\nframeRate=29.97\n", "seconds", id="a fraction"),
        pytest.param("\ufeff[Sequence]\r\nframeRate=25\r\n", "seconds", id="from Windows"),
    ],
)
def test_a_broken_frame_rate_is_none(ini: str, unit: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "SEQ" / "gt").mkdir(parents=True)
    (tmp_path / "SEQ" / "gt" / "gt.txt").write_text(walk())
    (tmp_path / "SEQ" / "seqinfo.ini").write_text(ini)
    assert main(["score", "--truth", str(tmp_path / "SEQ"), "--tracks", str(tmp_path / "SEQ"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["times_in"] == unit


@pytest.mark.parametrize(
    ("tracks", "said"),
    [
        pytest.param(
            walk(501),
            "a: truth and tracks have no frame in common (1-10 and 501-510), so nobody is found there. Are they of the "
            "same recording, at the same frame rate?",
            id="other frames",
        ),
        pytest.param(
            walk(left=900),
            "a: no box of the tracks overlaps a true one by half, so nobody is found there (the largest "
            "overlap is 0.00). Are both left, top, width and height in pixels of the same video?",
            id="other places",
        ),
        pytest.param("", "", id="nobody found at all"),
    ],
)
def test_a_camera_where_nothing_matches_is_suspicious(tracks: str, said: str, score: Callable[..., Told]) -> None:
    code, figures, err = score({"a": walk(), "b": walk()}, {"a": tracks, "b": walk()})
    assert code == 0
    assert said in err
    assert bool(said) == bool(err)
    assert figures["cameras"]["a"]["HOTA"] == 0.0


def test_a_truth_of_every_tenth_frame_is_pointed_out(score: Callable[..., Told]) -> None:
    labelled = "".join(walk(frames=41).splitlines(keepends=True)[::10])
    code, said, err = score({"a": labelled}, {"a": walk(frames=41)})
    assert code == 0
    assert said["all"]["CLR_FP"] == 36
    assert "a: the truth has only every 10th frame, so 36 boxes of the tracks in other frames count as wrong" in err


def test_a_truth_of_a_part_of_the_video_is_pointed_out(score: Callable[..., Told]) -> None:
    code, said, err = score({"a": walk(11)}, {"a": walk(frames=40, left=-200)})
    assert (code, said["all"]["CLR_TP"], said["all"]["CLR_FP"]) == (0, 10, 30)
    assert "a: the truth has people in frames 11-20, and 30 boxes of the tracks are outside" in err


def test_the_table_fits_a_terminal_of_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for side, number in (("gt", 0), ("out", 100)):
        (tmp_path / side).mkdir()
        for camera in ("entrance", "loading-dock"):
            rows = [walk(1 + 20 * person, person + number * (camera < "f"), frames=20) for person in range(12)]
            (tmp_path / side / f"{camera}.txt").write_text("".join(rows))
    assert main(["score", "--truth", str(tmp_path / "gt"), "--tracks", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].split() == ["camera", "HOTA", "DetA", "AssA", "IDF1", "IDP", "IDR", "MOTA", "IDSW", "Frag"]
    assert "  and 10 more, which --json lists" in lines


def test_pictures_are_written_and_named(score: Callable[..., Told], tmp_path: Path) -> None:
    code, said, _ = score({"a": walk()}, {"a": walk()}, "--pictures", str(tmp_path / "page.html"))
    assert code == 0
    assert said["pictures"] == str(tmp_path / "page.html")
    assert "Who was taken for whom" in (tmp_path / "page.html").read_text()


def test_pictures_that_cannot_be_written_are_refused(score: Callable[..., Told], tmp_path: Path) -> None:
    code, said, err = score({"a": walk()}, {"a": walk()}, "--pictures", str(tmp_path / "no" / "page.html"))
    assert (code, said) == (2, {})
    assert "No such file or directory; give a file that can be written" in err
