"""Whatever is in a file of tracks, it is read or refused; how it is written does not change the score."""

from pathlib import Path
from random import Random

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gallery.errors import ScoreError
from gallery.score import score_folder
from gallery.score.mot import NO_BOXES, read_boxes

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
