"""Whatever is in a file of tracks, it is read or refused; how it is written does not change the score."""

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gallery.errors import ScoreError
from gallery.score import score_folder, score_site
from gallery.score.figures import figures_of
from gallery.score.mot import NO_BOXES, Boxes, read_boxes
from tests.score_tools import boxes

WITHOUT_RESET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

ROWS = st.lists(
    st.tuples(st.integers(1, 6), st.integers(0, 4), st.integers(-20, 60), st.integers(0, 60), st.integers(1, 40)),
    min_size=1,
    max_size=30,
    unique_by=lambda row: row[:2],
)


@WITHOUT_RESET
@given(data=st.binary(max_size=200) | st.text("0123456789.,;- \t\r\nenaif\ufeff#", max_size=200).map(str.encode))
def test_any_file_is_read_or_refused_with_its_name(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "cam.txt").write_bytes(data)
    try:
        boxes = read_boxes(tmp_path / "cam.txt")
    except ScoreError as error:
        said, boxes = str(error), NO_BOXES
    else:
        said = f"{tmp_path / 'cam.txt'}:"
    assert said.startswith(f"{tmp_path / 'cam.txt'}:")
    assert np.isfinite(boxes.boxes).all()
    assert (boxes.boxes[:, 2:] > 0).all()
    assert min(boxes.frames.min(initial=0), boxes.ids.min(initial=0)) >= 0


@WITHOUT_RESET
@given(
    truth=ROWS,
    tracks=ROWS,
    style=st.tuples(
        st.sampled_from([",", ", ", ";", "\t", " ", "   "]),
        st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
        st.sampled_from(["utf-8", "utf-8-sig"]),
    ),
    moved=st.integers(0, 1000),
    order=st.randoms(use_true_random=False),
)
def test_separators_line_ends_order_and_names_of_ids_do_not_change_the_score(
    truth: list[tuple[int, ...]],
    tracks: list[tuple[int, ...]],
    style: tuple[str, str, str],
    moved: int,
    order: Random,
    tmp_path: Path,
) -> None:
    def write(name: str, rows: list[tuple[int, ...]], style: tuple[str, str, str] = (",", "\n", "utf-8")) -> Path:
        separator, end, encoding = style
        path = tmp_path / name
        lines = [separator.join(map(str, (f, i, left, top, size, 2 * size, 1))) for f, i, left, top, size in rows]
        path.write_bytes("".join(line + end for line in lines).encode(encoding))
        return path

    plain = score_folder(write("t.txt", truth), write("r.txt", tracks))
    shuffled = list(tracks)
    order.shuffle(shuffled)
    renamed = [(frame, moved - identity + 4, *box) for frame, identity, *box in shuffled]
    other = score_folder(write("t.txt", truth, style), write("r.txt", renamed, style))
    assert other.overall.identity == plain.overall.identity


@WITHOUT_RESET
@given(
    rows=st.lists(st.tuples(st.integers(0, 9), *[st.decimals(1, 999, places=2)] * 4), min_size=1),
    width=st.integers(7, 10),
)
def test_plain_files_are_read_as_all_others(rows: list[tuple[Any, ...]], width: int, tmp_path: Path) -> None:
    """Numbers between commas are read at once, those between semicolons one by one."""
    lines = [(frame, number, *box, 1, -1, -1, -1)[:width] for number, (frame, *box) in enumerate(rows)]
    read = []
    for separator in (",", ", ", ";"):
        (tmp_path / "cam.txt").write_text("\n".join(separator.join(map(str, line)) for line in lines))
        read.append(read_boxes(tmp_path / "cam.txt"))
    assert [one.frames.tolist() for one in read] == [[line[0] for line in lines]] * 3
    for other in read[1:]:
        np.testing.assert_array_equal(read[0].boxes, other.boxes)
        assert (read[0].ids.tolist(), read[0].classes) == (other.ids.tolist(), other.classes)


Rows = list[tuple[int, int, int, int, int]]


def side(rows: Rows) -> Boxes:
    return boxes(*((frame, who, left, top, size, 2 * size) for frame, who, left, top, size in rows))


@given(cameras=st.lists(st.tuples(ROWS, ROWS), min_size=1, max_size=3))
def test_every_fraction_lies_between_0_and_1(cameras: list[tuple[Rows, Rows]]) -> None:
    truth = {f"cam{i}": side(rows) for i, (rows, _) in enumerate(cameras)}
    table = score_site(truth, {f"cam{i}": side(rows) for i, (_, rows) in enumerate(cameras)})
    for score in (table.overall, table.separate, *table.cameras.values()):
        figures = figures_of(score)
        assert figures.pop("MOTA") <= 1
        assert all(0 <= value <= 1 for value in figures.values() if isinstance(value, float))
        assert figures["CLR_TP"] + figures["CLR_FN"] == figures["IDTP"] + figures["IDFN"]
    for links in (table.links, *table.camera_links.values()):
        assert all(value is None or 0 <= value <= 1 for value in (links.precision, links.recall))


@given(cameras=st.lists(ROWS, min_size=1, max_size=3), moved=st.integers(0, 9))
def test_the_truth_under_any_numbers_is_perfect(cameras: list[Rows], moved: int) -> None:
    apart = [[(frame, who, left + 200 * who, top, size) for frame, who, left, top, size in rows] for rows in cameras]
    renamed = [[(frame, moved + 4 - who, left, top, size) for frame, who, left, top, size in rows] for rows in apart]
    truth, tracks = ({f"cam{i}": side(rows) for i, rows in enumerate(of)} for of in (apart, renamed))
    table = score_site(truth, tracks)
    for score in (table.overall, table.separate, *table.cameras.values()):
        figures = figures_of(score)
        assert {figures[name] for name in ("HOTA", "LocA", "ReID-HOTA", "IDF1", "MOTA", "MOTP")} == {1.0}
    assert (table.links.precision, table.links.recall) in {(1, 1), (None, None)}
    assert (table.merges, table.splits) == ((), ())
    assert (table.identification.false_negatives, table.identification.false_positives) == (0, 0)


@given(one=ROWS, other=ROWS)
def test_swapping_the_sides_swaps_precision_and_recall(one: Rows, other: Rows) -> None:
    here, there = (score_site({"a": side(a)}, {"a": side(b)}) for a, b in ((one, other), (other, one)))
    swapped = there.overall.identity
    assert (here.overall.identity.idp, here.overall.identity.idr) == (swapped.idr, swapped.idp)
