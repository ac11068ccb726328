"""MOTChallenge text in practice: which rows are accepted, and which are rejected with file and line."""

from pathlib import Path

import pytest

from gallery.errors import ScoreError
from gallery.score.mot import NO_CLASS, Boxes, read_boxes

ROW = "3,7,10.5,20,30,40,1"
CLASSED = "{},{},10,20,30,40,{},{},1.0"


def read(tmp_path: Path, text: str) -> Boxes:
    (tmp_path / "cam.txt").write_text(text, encoding="utf-8", newline="")
    return read_boxes(tmp_path / "cam.txt")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("3,7,10.5,20,30,40,1,-1,-1,-1", id="commas"),
        pytest.param("3, 7, 10.5, 20, 30, 40, 1, -1, -1, -1", id="commas and spaces"),
        pytest.param("3 7 10.5 20 30 40 1 -1 -1 -1", id="spaces"),
        pytest.param("  3   7  10.5  20  30 40 1", id="aligned by spaces"),
        pytest.param("3\t7\t10.5\t20\t30\t40\t1", id="tabs"),
        pytest.param("3;7;10.5;20;30;40;1", id="semicolons"),
        pytest.param("3,7,10.5,20,30,40,1,", id="a comma at the end"),
        pytest.param("3,7,10.5,20,30,40,1,,,", id="as wide as the widest row of a spreadsheet"),
        pytest.param('"3","7","10.5","20","30","40","1"', id="quotes"),
        pytest.param("3,7,10.5,20,30,40,1,-1,-1,-1,a_note,ü", id="words behind the columns"),
        pytest.param("3,7,10.5,20,30,40,1,4.4852,5.5016,0", id="world coordinates"),
        pytest.param("3,7,10.5,20,30,40,1,4,5,0", id="whole world coordinates"),
        pytest.param("3,7,10.5,20,30,40,1,0,0,0", id="zeros instead of -1"),
        pytest.param("3,7,10.5,20,30,40,1,0,0", id="nine columns of zeros"),
        pytest.param("3.0,7.0,10.5,20,30,40,1", id="whole numbers with a point"),
        pytest.param("3.000000e+00,7e0,1.05e1,2e1,3e1,4e1,1e0", id="as numpy writes them"),
        pytest.param("\n\n3,7,10.5,20,30,40,1\n\n", id="blank lines"),
        pytest.param("# frame,id\n% a\n// b\n3,7,10.5,20,30,40,1\n", id="comments"),
        pytest.param("frame,id,x,y,w,h,conf\n3,7,10.5,20,30,40,1\n", id="a header"),
        pytest.param("Frame;Track_ID;bb_left;bb_top;bb_width;bb_height;Conf\n3;7;10.5;20;30;40;1", id="another one"),
        pytest.param("\ufeff3,7,10.5,20,30,40,1\r\n", id="from Windows"),
        pytest.param("3,7,10.5,20,30,40,1\r", id="from an old Mac"),
    ],
)
def test_one_row_is_read_however_it_is_written(text: str, tmp_path: Path) -> None:
    boxes = read(tmp_path, text)
    assert (boxes.frames.tolist(), boxes.ids.tolist()) == ([3], [7])
    assert boxes.boxes.tolist() == [[10.5, 20, 30, 40]]
    assert boxes.counted.tolist() == [True]
    assert boxes.people.tolist() == [True]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("3,7,nan,20,30,40,1", "left is nan, which is not a finite number", id="nan"),
        pytest.param("3,7,10,20,30,40,NaN", "confidence is nan", id="NaN as confidence"),
        pytest.param("3,7,10,20,30,inf,1", "height is inf", id="inf"),
        pytest.param("3,7,10,-Infinity,30,40,1", "top is -inf", id="-Infinity"),
        pytest.param("3,7,10,20,30,40,1,-1,nan,-1", "column 9 is nan", id="nan where nothing is read"),
        pytest.param("3,7,1e300,20,30,40,1", "left is 1e.300, which is too large", id="1e300 px"),
        pytest.param("3,7,10,20,1e999,40,1", "width is inf", id="more than a float holds"),
        pytest.param("3,7,1e8,20,30,40,1", "left is 100000000, more than any picture has", id="1e8 px"),
        pytest.param("3,7,10,20,30,40,1e300", "confidence is 1e.300, which is too large", id="confidence 1e300"),
        pytest.param("1e300,7,10,20,30,40,1", "frame is 1e.300, which is too large", id="frame 1e300"),
        pytest.param("3,1e300,10,20,30,40,1", "id is 1e.300, which is too large", id="id 1e300"),
        pytest.param("3,0x1F,10,20,30,40,1", "could not convert id '0x1F' to a number", id="hexadecimal"),
        pytest.param("3,1_000,10,20,30,40,1", "could not convert id '1_000'", id="an underscore"),
        pytest.param("3,٣,10,20,30,40,1", "could not convert id '٣'", id="another script's digit"),
        pytest.param("3,7,,20,30,40,1", "left is empty", id="an empty field"),
        pytest.param("3\t7\t\t20\t30\t40\t1", "left is empty", id="an empty field between tabs"),
        pytest.param(",7,10,20,30,40,1", "frame is empty", id="an empty frame"),
        pytest.param("3;7;10,5;20;30;40;1", "could not convert left '10,5'.*decimals with a point", id="decimal comma"),
        pytest.param("3 7 10,5 20 30 40 1", "could not convert frame '3 7 10'", id="decimal commas between spaces"),
        pytest.param("3|7|10|20|30|40|1", "could not convert frame", id="another separator"),
        pytest.param("3,person,10,20,30,40,1", "could not convert id 'person'", id="a word"),
        pytest.param("3,7,10,20,30,40", "expected at least 7 columns .*, got 6", id="six columns"),
        pytest.param("3,7,10,20,30,40,", "expected at least 7 columns .*, got 6", id="six and a comma"),
        pytest.param("3", "expected at least 7 columns .*, got 1", id="one column"),
        pytest.param("3.5,7,10,20,30,40,1", "frame is 3.5, which is not a whole number", id="half a frame"),
        pytest.param("3,7.5,10,20,30,40,1", "id is 7.5, which is not a whole number", id="half an id"),
        pytest.param("-3,7,10,20,30,40,1", "frame is -3, but must not be negative", id="a negative frame"),
        pytest.param("3,-1,10,20,30,40,1", "id is -1, .*: rows without an identity are detections", id="id -1"),
        pytest.param("3,7,10,20,0,40,1", "width is 0, but must be more than 0", id="no width"),
        pytest.param("3,7,10,20,30,-40,1", "height is -40", id="a negative height"),
        pytest.param("1,1,9,9,9,9,1", "id 1 appears twice in frame 1, first in line 2", id="an id twice in a frame"),
        pytest.param("frame,id,x,y,w,h,conf", "could not convert frame 'frame'", id="a header in the middle"),
    ],
)
def test_what_is_not_a_row_is_refused_with_file_and_line(line: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match=rf"cam\.txt:4: {said}"):
        read(tmp_path, f"# first\n1,1,0,0,10,20,1\n\n{line}\n5,5,0,0,10,20,1\n")


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("frame,id,x1,y1,x2,y2,conf", id="corners instead of sizes"),
        pytest.param("id,frame,x,y,w,h,conf", id="another order"),
        pytest.param(",frame,id,x,y,w,h,conf", id="a column for the row"),
        pytest.param("frame,id", id="two columns"),
        pytest.param("Labels of the lab", id="prose"),
    ],
)
def test_a_header_of_other_columns_is_refused_with_the_expected_ones(header: str, tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match=r"cam\.txt:1: .*frame,id,left,top,width,height,confidence: rearrange"):
        read(tmp_path, f"{header}\n{ROW}\n")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        pytest.param("class", "column 7 is 'class'", id="a class in the place of the confidence"),
        pytest.param("class,conf", "column 7 is 'class'", id="class and confidence the other way round"),
        pytest.param("conf,visibility,class", "column 8 is 'visibility'", id="visibility and class too"),
        pytest.param("conf,jersey", "column 8 is 'jersey'", id="numbers that would be classes"),
    ],
)
def test_a_header_tells_what_follows_the_box(names: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match=rf"cam\.txt:1: {said}, but must be the confidence \(7\), the class"):
        read(tmp_path, f"frame,id,x,y,w,h,{names}\n3,7,10,20,30,40,0,3,1\n")


@pytest.mark.parametrize(
    "names", ["conf,class,visibility", "score,x,y,z", "Confidence,unused,unused,unused,team", "conf,,,"]
)
def test_columns_behind_the_box_may_have_any_of_their_usual_names(names: str, tmp_path: Path) -> None:
    assert read(tmp_path, f"frame,id,x,y,w,h,{names}\n3,7,10,20,30,40,1\n").ids.tolist() == [7]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("0 1 Pedestrian 0 0 -1.6 1 2 3 4 1.5 0.5 0.8 1 2 3 0.1", "KITTI's tracking labels", id="KITTI"),
        pytest.param("1 2001 2 1080 1920 WSV:2d1o", "MOTS text, whose rows are masks", id="MOTS"),
        pytest.param("0 0.5 0.5 0.1 0.25 7", "YOLO's labels, in fractions of the picture", id="YOLO"),
        pytest.param('{"images": [], "annotations": []}', "JSON", id="COCO"),
        pytest.param('[\n {"frame": 1}\n]', "JSON", id="a list in JSON"),
        pytest.param('<?xml version="1.0"?>\n<annotations/>', "XML", id="CVAT"),
    ],
)
def test_another_format_of_tracks_is_called_by_its_name(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match=rf"cam\.txt:1: this looks like {said}; convert it to MOTChallenge text"):
        read(tmp_path, text)


def test_a_skipped_header_is_reported(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "cam.txt").write_text(f"frame,id,x,y,w,h,conf\n{ROW}\n")
    read_boxes(tmp_path / "cam.txt", said.append)
    assert said == [f"{tmp_path / 'cam.txt'}:1: skipped the header"]


def test_the_first_wrong_line_is_named_whatever_is_wrong_with_it(tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match=r"cam\.txt:2: height is 0"):
        read(tmp_path, "1,1,0,0,10,20,1\n2,1,0,0,10,0,1\n3,1,nan,0,10,20,1\n")


def test_class_1_is_a_person_and_3_to_13_are_not(tmp_path: Path) -> None:
    boxes = read(tmp_path, "".join(CLASSED.format(1, number, 1, number) + "\n" for number in range(1, 14)))
    assert boxes.ids[boxes.counted].tolist() == [1]
    assert boxes.ids[boxes.people].tolist() == [1]
    assert boxes.ids[boxes.neutral].tolist() == [2, 7, 8, 12]


def test_a_person_who_is_not_considered_does_not_count_and_is_not_neutral_either(tmp_path: Path) -> None:
    boxes = read(tmp_path, "\n".join([CLASSED.format(1, 1, 0, 1), CLASSED.format(1, 2, 1, 1)]))
    assert (boxes.counted.tolist(), boxes.neutral.tolist()) == ([False, True], [False, False])


def test_rows_without_a_class_among_others_are_people(tmp_path: Path) -> None:
    boxes = read(tmp_path, "\n".join([CLASSED.format(1, 1, 1, NO_CLASS), CLASSED.format(1, 2, 1, 3)]))
    assert boxes.counted.tolist() == [True, False]


def test_ten_columns_may_have_classes_too(tmp_path: Path) -> None:
    boxes = read(tmp_path, "1,1,0,0,10,20,1,1,0.5,-1\n1,2,0,0,10,20,1,3,1,-1\n")
    assert boxes.counted.tolist() == [True, False]


def test_a_class_that_motchallenge_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match=r"cam\.txt:2: class 0 is not one of MOTChallenge's: 1 is a person"):
        read(tmp_path, "\n".join([CLASSED.format(1, 1, 1, 2), CLASSED.format(1, 2, 1, 0)]))


def test_large_ids_are_kept_exactly(tmp_path: Path) -> None:
    assert read(tmp_path, "1,9007199254740991,0,0,10,20,1").ids.tolist() == [2**53 - 1]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    assert len(read(tmp_path, "").ids) == 0
