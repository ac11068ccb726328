"""Data sets in the layouts people have on disk: what is read, and what is said where something is wrong."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.io import savemat

from tests.dataset_tools import touch, write_ilids, write_lines, write_lsvid, write_market, write_mars, write_msmt17
from training.data.dataset import DISTRACTOR, JUNK, DataSetError, LabelledTracklet
from training.data.folder import read_table
from training.data.load import LAYOUTS, load_dataset
from training.data.published import Part, Published, verified
from training.data.remarks import remarks
from training.data.write import MarketWriter, MarsWriter

WRITERS: dict[str, Callable[[Path], Path]] = {
    "market": write_market,
    "msmt17": lambda folder: write_msmt17(folder, "MSMT17_V2"),
    "mars": write_mars,
    "lsvid": write_lsvid,
    "ilids": write_ilids,
}


def _said(tracklets: tuple[LabelledTracklet, ...]) -> list[tuple[int, int, int]]:
    """Return identity, camera and number of images of each tracklet."""
    return [(tracklet.identity, tracklet.camera, len(tracklet.paths)) for tracklet in tracklets]


def _image(value: int) -> NDArray[np.uint8]:
    return np.full((16, 8, 3), value, np.uint8)


def test_market_names_tell_identity_camera_junk_and_distractors(tmp_path: Path) -> None:
    data = load_dataset("market", write_market(tmp_path / "shop"))
    assert data.name == "shop"
    assert _said(data.train) == [(2, 1, 1), (2, 3, 1), (7, 2, 1)]
    assert _said(data.query) == [(1, 1, 1), (3, 2, 1)]
    assert sorted(_said(data.gallery)) == [(DISTRACTOR, 1, 1), (JUNK, 1, 1), (1, 1, 1), (1, 2, 1), (3, 3, 1)]
    assert data.train[1].paths[0] == tmp_path / "shop" / "bounding_box_train" / "0002_c3s1_000551_01.jpg"


@pytest.mark.parametrize("version", ["MSMT17_V1", "MSMT17_V2"])
@pytest.mark.parametrize("inside", [False, True], ids=["the set itself", "what the set lies in"])
def test_msmt17_detects_its_version_and_trains_on_train_and_val(version: str, inside: bool, tmp_path: Path) -> None:
    folder = write_msmt17(tmp_path, version)
    data = load_dataset("msmt17", folder if inside else folder / version, checked=False)
    assert _said(data.train) == [(0, 1, 1), (1, 15, 1), (0, 4, 1), (1, 4, 1)]
    assert _said(data.query) == [(0, 1, 1), (1, 2, 1)]
    assert _said(data.gallery) == [(0, 2, 1), (1, 1, 1), (1, 2, 1)]
    assert data.train[0].paths[0].parent.parent.name == ("train" if version == "MSMT17_V1" else "mask_train_v2")
    assert all(path.exists() for tracklet in (*data.train, *data.gallery) for path in tracklet.paths)


def test_msmt17_requires_a_choice_between_two_versions(tmp_path: Path) -> None:
    write_msmt17(write_msmt17(tmp_path, "MSMT17_V1"), "MSMT17_V2")
    with pytest.raises(DataSetError, match="MSMT17_V1 and MSMT17_V2: choose the folder of one"):
        load_dataset("msmt17", tmp_path)


def test_the_mars_gallery_is_all_tracklets_including_the_queries(tmp_path: Path) -> None:
    data = load_dataset("mars", write_mars(tmp_path / "films"))
    assert _said(data.train) == [(1, 1, 3), (1, 2, 2), (3, 6, 1)]
    assert _said(data.query) == [(2, 1, 2), (4, 3, 1)]
    everything = [(JUNK, 1, 2), (DISTRACTOR, 2, 1), (2, 1, 2), (2, 5, 4), (4, 3, 1), (4, 1, 2)]
    assert _said(data.gallery) == everything
    assert [path.name for path in data.gallery[3].paths[1:3]] == ["0002C5T0004F002.jpg", "0002C5T0004F003.jpg"]
    assert all(path.exists() for tracklet in (*data.train, *data.gallery) for path in tracklet.paths)


@pytest.mark.parametrize("inside_info", [False, True], ids=["as published", "as other loaders want it"])
def test_lsvid_reads_sequences_and_matlabs_newer_table(inside_info: bool, tmp_path: Path) -> None:
    data = load_dataset("lsvid", write_lsvid(tmp_path, inside_info=inside_info), checked=False)
    assert _said(data.train) == [(0, 1, 2), (0, 13, 3), (1, 15, 2)]
    assert _said(data.query) == [(0, 1, 2), (1, 1, 12)]
    assert _said(data.gallery) == [(0, 1, 2), (0, 13, 1), (1, 15, 2), (1, 1, 12)]
    frames = [path.name for path in data.gallery[3].paths]
    assert frames == sorted(frames)
    assert all(path.exists() for tracklet in (*data.train, *data.gallery) for path in tracklet.paths)


def test_ilids_tests_on_the_first_half_of_a_split_and_trains_on_the_second(tmp_path: Path) -> None:
    data = load_dataset("ilids", write_ilids(tmp_path), split=1, checked=False)
    assert _said(data.train) == [(1, 1, 2), (1, 2, 2), (5, 1, 2), (5, 2, 2)]
    assert _said(data.query) == [(2, 1, 2), (319, 1, 2)]
    assert _said(data.gallery) == [(2, 2, 2), (319, 2, 2)]


def test_ilids_lists_the_existing_splits(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="has splits 0 to 2, not 3"):
        load_dataset("ilids", write_ilids(tmp_path), split=3, checked=False)


@pytest.mark.parametrize(("layout", "writer"), [("market", MarketWriter), ("mars", MarsWriter)])
def test_what_is_written_is_read(layout: str, writer: type[MarketWriter] | type[MarsWriter], tmp_path: Path) -> None:
    made = writer(tmp_path / "made")
    made.add([_image(1), _image(2)], 10_001, 12, "train")
    made.add([_image(3)], 4, 1, "query")
    made.add([_image(4)], JUNK, 2, "gallery")
    made.add([_image(5)], DISTRACTOR, 2, "gallery")
    made.add([_image(6)], 4, 2, "gallery")
    data = load_dataset(layout, made.finish())
    assert {(tracklet.identity, tracklet.camera) for tracklet in data.train} == {(10_001, 12)}
    assert _said(data.query) == [(4, 1, 1)]
    assert {tracklet.identity for tracklet in data.gallery} == {JUNK, DISTRACTOR, 4}


@pytest.mark.parametrize(
    ("layout", "folder", "expected"),
    [
        pytest.param("market", "Market-1501-v15.09.15", "train images: found 3, published 12936", id="market"),
        pytest.param("msmt17", "any", "gallery identities: found 2, published 3060", id="msmt17"),
        pytest.param("mars", "MARS", "gallery tracklets: found 6, published 12180", id="mars"),
        pytest.param("lsvid", "any", "cameras: found 3, published 15", id="lsvid"),
        pytest.param("ilids", "any", "images: found 16, published 42460", id="ilids"),
    ],
)
def test_a_claimed_data_set_with_different_counts_is_rejected_with_each_of_them(
    layout: str, folder: str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / folder).mkdir()
    claimed = WRITERS[layout](tmp_path / folder)
    with pytest.raises(DataSetError, match=expected):
        load_dataset(layout, claimed)
    assert load_dataset(layout, claimed, checked=False).name == folder


def test_a_set_of_the_published_counts_has_the_published_name_wherever_it_lies(tmp_path: Path) -> None:
    read = load_dataset("mars", write_mars(tmp_path / "films"))
    counts = Published("TINY", Part(2, 3, 6), Part(2, 2, 3), Part(2, 6, 12), cameras=5, images=18)
    assert verified(tmp_path, read, counts, claim=None).name == "TINY"


@pytest.mark.parametrize(
    ("layout", "removed", "expected"),
    [
        pytest.param("market", "query", "query cannot be read", id="half a market"),
        pytest.param("msmt17", "MSMT17_V2/mask_test_v2", "neither train and test", id="half an msmt17"),
        pytest.param("msmt17", "MSMT17_V2/list_val.txt", "list_val.txt cannot be read", id="msmt17 without a list"),
        pytest.param("msmt17", "MSMT17_V2/mask_train_v2/0001", "1 of 2 images listed in list_train.txt", id="a person"),
        pytest.param("mars", "info", "train_name.txt cannot be read", id="mars without info"),
        pytest.param("mars", "info/query_IDX.mat", "query_IDX.mat is missing", id="mars without queries"),
        pytest.param("mars", "bbox_test/0002", "6 of 12 images listed in test_name.txt are missing", id="half a mars"),
        pytest.param("mars", "bbox_test/0002/0002C5T0004F003.jpg", "1 of 12 images listed in", id="one image of mars"),
        pytest.param("lsvid", "test", "info_test.mat is missing", id="lsvid without a table"),
        pytest.param("lsvid", "tracklet_test/0001", "tracklet_test/0001 cannot be read", id="half an lsvid"),
        pytest.param("ilids", "i-LIDS-VID/sequences/cam2/person005", "person005 and others", id="a camera without one"),
        pytest.param("ilids", "train-test people splits", "ilidsvid.mat is missing", id="ilids without splits"),
    ],
)
def test_a_half_copied_set_says_what_is_missing(layout: str, removed: str, expected: str, tmp_path: Path) -> None:
    folder = WRITERS[layout](tmp_path)
    shutil.rmtree(folder / removed) if (folder / removed).is_dir() else (folder / removed).unlink()
    with pytest.raises(DataSetError, match=expected):
        load_dataset(layout, folder, checked=False)


def _tracklet_of_two_people(folder: Path) -> None:
    names = (folder / "info" / "train_name.txt").read_text().split()
    names[1] = "0003C6T0003F001.jpg"
    write_lines(folder / "info" / "train_name.txt", names)


@pytest.mark.parametrize(
    ("layout", "spoil", "expected"),
    [
        pytest.param(
            "msmt17",
            lambda folder: write_lines(folder / "MSMT17_V2" / "list_query.txt", ["0000/0000.jpg"]),
            "list_query.txt: '0000/0000.jpg' is not like",
            id="a line",
        ),
        pytest.param(
            "msmt17",
            lambda folder: (folder / "MSMT17_V2" / "list_gallery.txt").write_text("\n"),
            "list_gallery.txt is empty",
            id="an empty list",
        ),
        pytest.param(
            "mars", _tracklet_of_two_people, "lines 1 to 3 .* are not one tracklet of identity 1", id="a list"
        ),
        pytest.param(
            "mars",
            lambda folder: savemat(folder / "info" / "query_IDX.mat", {"queries": np.ones((1, 2))}),
            "query_IDX.mat has no variable query_IDX, only queries",
            id="a variable",
        ),
        pytest.param(
            "mars",
            lambda folder: savemat(folder / "info" / "query_IDX.mat", {"query_IDX": np.array([[7]])}),
            "names tracklets 7 to 7 of 6",
            id="a query that is not there",
        ),
        pytest.param(
            "mars",
            lambda folder: savemat(
                folder / "info" / "tracks_train_info.mat", {"track_train_info": np.array([[1, 9, 1, 1]])}
            ),
            "a tracklet spans lines 1 to 9 of train_name.txt, which has 6",
            id="a table of another list",
        ),
        pytest.param(
            "lsvid",
            lambda folder: write_lines(
                folder / "list_sequence" / "list_seq_train.txt", ["tracklet_train/0000/0000_0009 0"]
            ),
            "has no images 0000_0009",
            id="a tracklet",
        ),
        pytest.param(
            "lsvid",
            lambda folder: write_lines(folder / "list_sequence" / "list_seq_train.txt", ["tracklet_train/0000/0000 0"]),
            "are not from one camera",
            id="a tracklet of two cameras",
        ),
        pytest.param(
            "lsvid",
            lambda folder: (folder / "test" / "data" / "info_test.mat").write_bytes(b"MATLAB 7.3 MAT-file, cut off"),
            "info_test.mat is not a MATLAB 7.3 file, or is broken",
            id="a newer table cut off",
        ),
        pytest.param(
            "lsvid",
            lambda folder: savemat(folder / "test" / "data" / "info_test.mat", {"info_test": np.ones((4, 4))}),
            "has no variable query, only info_test",
            id="a newer table saved as an older one, without its variable",
        ),
        pytest.param(
            "ilids",
            lambda folder: savemat(
                folder / "train-test people splits" / "train_test_splits_ilidsvid.mat", {"ls_set": np.ones((10, 4))}
            ),
            "split 0 does not list each of the 4 people exactly once",
            id="a split",
        ),
    ],
)
def test_inconsistent_files_are_named(
    layout: str, spoil: Callable[[Path], object], expected: str, tmp_path: Path
) -> None:
    folder = WRITERS[layout](tmp_path)
    spoil(folder)
    with pytest.raises(DataSetError, match=expected):
        load_dataset(layout, folder, checked=False)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_missing_folder_is_named(layout: str, tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="nowhere does not exist"):
        load_dataset(layout, tmp_path / "nowhere")


@pytest.mark.parametrize(("layout", "folder"), [("market", "market"), ("mars", "mars-of-mine")])
def test_a_custom_folder_may_be_named_almost_like_a_published_data_set(
    layout: str, folder: str, tmp_path: Path
) -> None:
    (tmp_path / folder).mkdir()
    assert load_dataset(layout, WRITERS[layout](tmp_path / folder)).name == folder


def test_the_message_about_an_unknown_layout_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="unknown layout 'duke': must be one of market, msmt17, mars, lsvid, ilids"):
        load_dataset("duke", tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_a_broken_table_is_a_data_set_error_and_nothing_else(data: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "table.mat"
    savemat(path, {"ls_set": np.arange(1, 41).reshape(4, 10)}, do_compression=data.draw(st.booleans()))
    whole = path.read_bytes()
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))] + data.draw(st.binary(max_size=20))
    path.write_bytes(cut)
    with suppress(DataSetError):
        read_table(path, "ls_set")


def test_people_who_are_learnt_and_judged_are_remarked_on(tmp_path: Path) -> None:
    folder = write_market(tmp_path / "shop")
    apart = load_dataset("market", folder)
    touch(folder / "bounding_box_train" / "0003_c1s1_000151_00.jpg")
    shared = [line for line in remarks(load_dataset("market", folder)) if line.startswith("train and query:")]
    assert shared == [
        "train and query: 1 of 2 identities are in both, the first is 3: if they are the same people, "
        "the figures are those of people who were learnt by heart"
    ]
    assert not [line for line in remarks(apart) if line.startswith("train and query:")]


def test_remarks_say_what_training_and_ranking_cannot_use(tmp_path: Path) -> None:
    data = load_dataset("market", write_market(tmp_path / "shop"))
    touch(
        tmp_path / "shop" / "query" / "0009_c2s1_000151_00.jpg", tmp_path / "shop" / "query" / "0009_c5s1_000151_00.jpg"
    )
    more = load_dataset("market", tmp_path / "shop")
    assert [line for line in remarks(data) if line.startswith("train:")] == [
        "train: 1 of 2 identities have one image, the first is 7: they only serve as negatives"
    ]
    assert "gallery: no image of camera 5" in remarks(more)
    assert "query: 2 of 4 have no match in another camera and are excluded" in remarks(more)
