"""What is left out of a data set is counted and named, and a folder that is something else is recognised."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.dataset_tools import touch, write_ilids, write_lines, write_lsvid, write_market, write_mars, write_msmt17
from training.data.dataset import JUNK, DataSet, DataSetError, ImageFiles, LabelledTracklet
from training.data.files import FileTracklets
from training.data.hint import with_layout_hint
from training.data.load import LAYOUTS, load_dataset
from training.data.readable import readable_set
from training.data.remarks import remarks
from training.data.site import INDEX, read_site
from training.data.skipped import listing


def msmt17(folder: Path) -> Path:
    return write_msmt17(folder, "MSMT17_V2")


def counts(data: DataSet) -> list[list[tuple[int, int, int]]]:
    """Return identity, camera and number of images of every tracklet of the three parts."""
    return [[(t.identity, t.camera, len(t.paths)) for t in part] for part in (data.train, data.query, data.gallery)]


def rewrite(path: Path, change: Callable[[str], str], encoding: str = "utf-8") -> None:
    path.write_bytes(change(path.read_text("utf-8")).encode(encoding))


# Images


@pytest.mark.parametrize("ending", ["tif", "tiff", "TIF", "webp", "bmp", "jpeg", "JPG", "JPEG", "png", "PNG", "jfif"])
def test_images_of_every_common_ending_are_read(ending: str, tmp_path: Path) -> None:
    folder = write_market(tmp_path / "shop")
    for number, path in enumerate(sorted(folder.rglob("*_c*.jpg"))):
        path.with_suffix("").with_suffix(f".{ending}" if number % 2 else ".jpg").touch()
        if number % 2:
            path.unlink()
    assert counts(load_dataset("market", folder)) == counts(load_dataset("market", write_market(tmp_path / "other")))


def test_market_counts_and_names_skipped_files(tmp_path: Path) -> None:
    folder = write_market(tmp_path / "shop")
    train, query = folder / "bounding_box_train", folder / "query"
    touch(train / "-1_c1s1_000401_03.jpg", train / "0000_c1s1_000401_03.jpg", train / ".DS_Store", train / "notes.txt")
    touch(*(query / f"holiday{n}.jpg" for n in range(5)), query / "a.heic")
    said = remarks(load_dataset("market", folder))
    assert "train: skipped files that are not images (1): notes.txt" in said
    assert (
        "train: skipped images of junk (-1) and distractors (0000), which cannot be trained on (2): "
        "-1_c1s1_000401_03.jpg, 0000_c1s1_000401_03.jpg"
    ) in said
    assert "query: skipped files that are not images (1): a.heic" in said
    assert (
        "query: skipped images that are not named like 0002_c1s1_000451_03.jpg (5): holiday0.jpg, holiday1.jpg, "
        "holiday2.jpg and 2 more"
    ) in said
    assert "gallery: 1 of 5 are junk and are ignored" in said
    assert "gallery: 1 of 5 are distractors, which match no query" in said
    assert not any("Thumbs.db" in line or ".DS_Store" in line for line in said)


def test_a_gallery_of_one_person_is_remarked_on(tmp_path: Path) -> None:
    touch(tmp_path / "query" / one(1, 1), tmp_path / "bounding_box_test" / one(1, 2))
    said = remarks(load_dataset("market", tmp_path, learning=False))
    assert "gallery: it contains only identity 1, so every query matches trivially" in said


def test_what_lies_among_the_sequences_of_ilids_is_counted(tmp_path: Path) -> None:
    folder = write_ilids(tmp_path)
    touch(folder / "i-LIDS-VID" / "sequences" / "cam2" / "person005" / "copy.log")
    said = remarks(load_dataset("ilids", folder, checked=False))
    assert "cam2: skipped files that are not images (1): copy.log" in said


def test_a_clean_folder_is_not_remarked_on(tmp_path: Path) -> None:
    data = load_dataset("market", write_market(tmp_path / "shop"))
    assert data.skipped == ()


@pytest.mark.parametrize("part", ["query", "bounding_box_test", "bounding_box_train"])
def test_a_part_without_any_name_of_the_naming_is_refused_with_what_is_there(part: str, tmp_path: Path) -> None:
    folder = write_market(tmp_path / "shop")
    shutil.rmtree(folder / part)
    touch(folder / part / "holiday.jpg", folder / part / "0001" / "a.jpg")
    expected = (
        rf"{part} holds the folders 0001 and the files holiday.jpg, expected images named like 0002_c1s1_000451_03"
    )
    with pytest.raises(DataSetError, match=expected):
        load_dataset("market", folder)


def painted(folder: Path) -> Path:
    for path in folder.rglob("*.jpg"):
        Image.new("RGB", (8, 16), (9, 99, 200)).save(path)
    return folder


def test_images_that_cannot_be_read_are_left_out_before_a_run_depends_on_them(tmp_path: Path) -> None:
    folder = painted(write_mars(tmp_path / "films"))
    cut = folder / "bbox_train" / "0001" / "0001C1T0001F002.jpg"
    cut.write_bytes(cut.read_bytes()[:-20])
    lone = folder / "bbox_train" / "0003" / "0003C6T0003F001.jpg"
    lone.write_bytes(b"")
    data = readable_set(load_dataset("mars", folder))
    assert counts(data)[0] == [(1, 1, 2), (1, 2, 2)]
    (said,) = data.skipped
    assert said.startswith(f"train: skipped images that cannot be read (2): {cut} (")
    assert str(lone) in said
    for row, tracklet in enumerate(data.train):
        assert len(FileTracklets(data.train).read(row, np.arange(len(tracklet.paths)))) == len(tracklet.paths)


def test_queries_that_cannot_be_read_are_left_out_of_both_parts(tmp_path: Path) -> None:
    folder = painted(write_mars(tmp_path / "films"))
    (folder / "bbox_test" / "0004" / "0004C3T0005F001.jpg").write_bytes(b"")
    data = readable_set(load_dataset("mars", folder))
    assert [len(part) for part in counts(data)] == [3, 1, 5]


def test_where_nothing_can_be_read_the_reader_says_why(tmp_path: Path) -> None:
    data = readable_set(load_dataset("market", write_market(tmp_path / "shop")))
    assert len(data.train) == 3
    with pytest.raises(DataSetError, match="is broken"):
        FileTracklets(data.train).read(0, np.array([0]))


def test_what_lies_among_collected_tracklets_is_counted(tmp_path: Path) -> None:
    touch(*(tmp_path / "door" / "17" / name for name in ("1000.jpg", "200.tif", "notes.txt", "Thumbs.db")))
    touch(tmp_path / "door" / "lost.jpg", tmp_path / "alone.png")
    (tmp_path / "door" / "18").mkdir()
    site = read_site(tmp_path)
    assert [path.name for path in site.tracklets[0].paths] == ["200.tif", "1000.jpg"]
    assert site.remarks == (
        f"{tmp_path.name}: skipped images outside a tracklet's folder (1): alone.png",
        "door: skipped files that are not images (1): notes.txt",
        "door: skipped images outside a tracklet's folder (1): lost.jpg",
        "door: skipped tracklets without images (1): 18",
    )


@pytest.mark.parametrize(("write", "strange"), [(write_mars, "bbox_train/0001/x.jpg"), (write_market, None)])
def test_names_of_another_naming_among_collected_ones_are_counted(
    write: Callable[[Path], Path], strange: str | None, tmp_path: Path
) -> None:
    folder = write(tmp_path)
    touch(folder / (strange or "bounding_box_train/x.jpg"))
    site = read_site(folder)
    assert len(site.tracklets) == 3
    assert "images that are not named like" in site.remarks[0]
    assert site.remarks[0].endswith("(1): x.jpg")


# Lists

LISTS = {
    "msmt17": (msmt17, ["MSMT17_V2/list_train.txt", "MSMT17_V2/list_query.txt", "MSMT17_V2/list_gallery.txt"]),
    "lsvid": (write_lsvid, ["list_sequence/list_seq_train.txt", "list_sequence/list_seq_test.txt"]),
    "mars": (write_mars, ["info/train_name.txt", "info/test_name.txt"]),
}
CHANGES: dict[str, tuple[Callable[[str], str], str]] = {
    "a byte-order mark": (lambda text: text, "utf-8-sig"),
    "Windows line ends": (lambda text: text.replace("\n", "\r\n"), "utf-8"),
    "old Mac line ends": (lambda text: text.replace("\n", "\r"), "utf-8"),
    "blank lines": (lambda text: "\n" + text.replace("\n", "\n\n"), "utf-8"),
    "backslashes": (lambda text: text.replace("/", "\\"), "utf-8"),
    "./ in front": (lambda text: "".join(f"./{line}\n" for line in text.splitlines()), "utf-8"),
    ".\\ in front": (lambda text: "".join(f".\\{line}\n" for line in text.splitlines()).replace("/", "\\"), "utf-8"),
    "tabs": (lambda text: text.replace(" ", "\t"), "utf-8"),
    "commas": (lambda text: text.replace(" ", ","), "utf-8"),
    "all of Windows": (lambda text: text.replace("/", "\\").replace("\n", "\r\n"), "utf-8-sig"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("layout", LISTS)
def test_lists_are_read_as_other_systems_write_them(layout: str, change: str, tmp_path: Path) -> None:
    write, lists = LISTS[layout]
    whole = counts(load_dataset(layout, write(tmp_path / "whole"), checked=False))
    changed = write(tmp_path / "changed")
    for path in lists:
        rewrite(changed / path, *CHANGES[change])
    data = load_dataset(layout, changed, checked=False)
    assert counts(data) == whole
    assert all(path.exists() for part in (data.train, data.query, data.gallery) for t in part for path in t.paths)


def test_names_of_mars_may_have_their_folder_in_front(tmp_path: Path) -> None:
    folder = write_mars(tmp_path)
    add = lambda text: "".join(f"bbox_train/{name[:4]}/{name}\n" for name in text.split())  # noqa: E731
    rewrite(folder / "info" / "train_name.txt", add)
    assert counts(load_dataset("mars", folder))[0] == [(1, 1, 3), (1, 2, 2), (3, 6, 1)]


def test_lists_of_msmt17_may_have_the_half_in_front(tmp_path: Path) -> None:
    folder = msmt17(tmp_path)
    add = lambda text: "".join(f"mask_test_v2/{line}\n" for line in text.splitlines())  # noqa: E731
    rewrite(folder / "MSMT17_V2" / "list_query.txt", add)
    assert counts(load_dataset("msmt17", folder, checked=False))[1] == [(0, 1, 1), (1, 2, 1)]


def test_missing_tracklets_of_lsvid_are_counted(tmp_path: Path) -> None:
    folder = write_lsvid(tmp_path)
    for path in (folder / "tracklet_train" / "0000").iterdir():
        path.unlink()
    with pytest.raises(DataSetError, match=r"tracklet_train/0000 has no images 0000_0000\*; 2 of the 3 tracklets"):
        load_dataset("lsvid", folder, checked=False)


def test_a_name_in_another_encoding_is_shown_as_its_bytes() -> None:
    assert listing([os.fsdecode(b"t\xfcr.jpg")]) == "t\\udcfcr.jpg"


@pytest.mark.parametrize("layout", LISTS)
def test_a_list_in_another_encoding_is_refused_with_file_line_and_remedy(layout: str, tmp_path: Path) -> None:
    write, lists = LISTS[layout]
    folder = write(tmp_path)
    rewrite(folder / lists[0], lambda text: text, "utf-16")
    with pytest.raises(DataSetError, match=rf"{Path(lists[0]).name}:1: the file is UTF-16, not UTF-8.*iconv"):
        load_dataset(layout, folder, checked=False)


def test_missing_files_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    folder = write_mars(tmp_path)
    shutil.rmtree(folder / "bbox_test" / "0002")
    expected = r"6 of 12 images listed in test_name.txt are missing: 0002/0002C1T0003F001.jpg, .* and 3 more"
    with pytest.raises(DataSetError, match=expected):
        load_dataset("mars", folder)


def test_an_index_of_windows_is_read(tmp_path: Path) -> None:
    touch(tmp_path / "door" / "17" / "a.jpg", tmp_path / "door" / "18" / "a.jpg")
    lines = [{"folder": f"door\\{number}", "camera": "door"} for number in (17, 18)]
    (tmp_path / INDEX).write_bytes("\r\n".join(json.dumps(line) for line in lines).encode("utf-8-sig"))
    assert [len(one.paths) for one in read_site(tmp_path).tracklets] == [1, 1]


def test_folders_that_an_index_names_and_are_missing_are_counted(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "1.jpg")
    write_lines(tmp_path / INDEX, ["", *(json.dumps({"folder": name, "camera": "c"}) for name in "abcdef")])
    expected = r"tracklets.jsonl, line 3: .*b cannot be read; 5 of the 6 .* missing \(b, c, d and 2 more\)"
    with pytest.raises(DataSetError, match=expected):
        read_site(tmp_path)


# Folders that are something else


@pytest.mark.parametrize(
    ("layout", "write", "given", "said"),
    [
        pytest.param("market", write_market, "..", "one folder deeper: --data .*shop", id="the parent of market"),
        pytest.param("market", write_market, "query", "part of a data set: --data .*shop$", id="a part of market"),
        pytest.param("market", write_market, "bounding_box_train", "part of a data set: --data .*shop$", id="train"),
        pytest.param("mars", write_mars, "bbox_train/0001", "part of a data set: --data .*shop$", id="a part of mars"),
        pytest.param("mars", write_market, ".", "looks like --layout market", id="market taken for mars"),
        pytest.param("market", write_mars, ".", "looks like --layout mars", id="mars taken for market"),
        pytest.param("msmt17", msmt17, "MSMT17_V2/mask_test_v2", "part of a data set", id="a part of msmt17"),
        pytest.param("ilids", write_ilids, "..", "one folder deeper: --data .*shop", id="the parent of ilids"),
    ],
)
def test_the_message_about_a_wrong_folder_suggests_the_right_one(
    layout: str, write: Callable[[Path], Path], given: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "shop").mkdir()
    folder = (write(tmp_path / "shop") / given).resolve()
    with pytest.raises(DataSetError, match=said), with_layout_hint(layout, folder, options=("--layout ", "--data ")):
        load_dataset(layout, folder, checked=False)


def test_a_folder_of_people_is_recognised(tmp_path: Path) -> None:
    touch(tmp_path / "anna" / "1.jpg", tmp_path / "bert" / "1.jpg")
    with (
        pytest.raises(DataSetError, match=r"looks like data\.layout=people"),
        with_layout_hint("market", tmp_path, options=("data.layout=", "data.folder=")),
    ):
        load_dataset("market", tmp_path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_message_about_an_unrelated_folder_says_what_was_expected_and_found(layout: str, tmp_path: Path) -> None:
    touch(tmp_path / "holiday" / "notes.txt", tmp_path / "list.txt")
    there = "holds the folders holiday and the files list.txt"
    with pytest.raises(DataSetError, match=there) as caught, with_layout_hint(layout, tmp_path, options=("", "")):
        load_dataset(layout, tmp_path)
    assert ("expected" if layout == "people" else f"The layout {layout} has ") in str(caught.value)


def test_the_message_about_an_archive_says_to_unpack_it(tmp_path: Path) -> None:
    touch(tmp_path / "Market-1501.zip")
    with pytest.raises(DataSetError, match="is a file, expected a folder: unpack it"):
        load_dataset("market", tmp_path / "Market-1501.zip")


def test_an_empty_folder_is_told_what_is_expected_and_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"expected CAMERA/TRACKLET/\*\.jpg.*, but .* holds nothing"):
        read_site(tmp_path)


@pytest.mark.parametrize(
    ("given", "said"),
    [("..", "one folder deeper, in .*shop"), ("bounding_box_train", "a part of .*shop: use that folder")],
)
def test_tracklets_around_a_folder_are_found(given: str, said: str, tmp_path: Path) -> None:
    folder = write_market(tmp_path / "shop") / given
    with pytest.raises(DataSetError, match=said):
        read_site(folder.resolve())


# Queries nobody can find


def one(identity: int, camera: int) -> str:
    return f"{identity:04d}_c{camera}s1_000001_01.jpg"


@pytest.mark.parametrize("learning", [True, False])
@pytest.mark.parametrize(
    ("gallery", "said"),
    [
        pytest.param([one(3, 1), one(4, 2)], r"no identity in common \(1, 2 against 3, 4\)", id="other people"),
        pytest.param([one(1, 1), one(2, 1)], "no query has a match from another camera", id="the same camera"),
    ],
)
def test_queries_that_nobody_can_find_are_refused_before_anything_is_embedded(
    gallery: list[str], said: str, learning: bool, tmp_path: Path
) -> None:
    touch(*(tmp_path / "query" / one(who, 1) for who in (1, 2)), *(tmp_path / "bounding_box_test" / n for n in gallery))
    touch(tmp_path / "bounding_box_train" / one(8, 1))
    with pytest.raises(DataSetError, match=said):
        load_dataset("market", tmp_path, learning=learning)


def test_junk_is_not_a_common_identity(tmp_path: Path) -> None:
    touch(tmp_path / "query" / "-1_c1s1_000001_01.jpg", tmp_path / "bounding_box_test" / "-1_c2s1_000001_01.jpg")
    with pytest.raises(DataSetError, match="no identity in common"):
        load_dataset("market", tmp_path, learning=False)


def test_tracklets_given_as_paths_lose_their_broken_images_too(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    Image.new("RGB", (4, 4)).save(tmp_path / "b.jpg")
    mixed = LabelledTracklet((tmp_path / "a.jpg", tmp_path / "b.jpg"), JUNK, 0)
    data = readable_set(DataSet("x", (), (), (mixed, LabelledTracklet(ImageFiles(str(tmp_path), ("b.jpg",)), 1, 1))))
    assert [tuple(t.paths) for t in data.gallery] == [(tmp_path / "b.jpg",)] * 2
