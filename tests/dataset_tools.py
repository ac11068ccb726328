"""Miniature data sets in the folders, names, lists and tables of the published ones; images hold no pixels."""

from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat


def touch(*paths: Path) -> None:
    """Make empty files and the folders they lie in."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write_lines(path: Path, lines: list[str]) -> None:
    """Write a list, one entry a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def write_market(folder: Path) -> Path:
    """Write 2 people to learn from (one with a single image), and 2 to judge by, junk and a distractor beside them."""
    touch(
        *(folder / "bounding_box_train" / name for name in ("0002_c1s1_000451_03.jpg", "0002_c3s1_000551_01.jpg")),
        *(
            folder / "bounding_box_train" / name
            for name in ("0007_c2s3_070952_01.jpg", "._0007_c2s3_070952_01.jpg", "Thumbs.db")
        ),
        *(folder / "query" / name for name in ("0001_c1s1_001051_00.jpg", "0003_c2s1_000151_00.jpg")),
        *(folder / "bounding_box_test" / name for name in ("0001_c2s1_000301_01.jpg", "0001_c1s1_001076_02.jpg")),
        *(folder / "bounding_box_test" / name for name in ("0003_c3s1_000176_01.jpg", "-1_c1s1_000401_03.jpg")),
        *(folder / "bounding_box_test" / name for name in ("0000_c1s1_000151_01.jpg", "Thumbs.db")),
    )
    return folder


def write_msmt17(folder: Path, version: str) -> Path:
    """Write 2 people to learn from, one image of each held out, and 2 to judge by, into a folder of that name."""
    train, test, end = ("train", "test", "") if version == "MSMT17_V1" else ("mask_train_v2", "mask_test_v2", "_ex")
    root = folder / version
    lists = {
        "list_train.txt": (train, [("0000", 0, 1), ("0001", 1, 15)]),
        "list_val.txt": (train, [("0000", 7, 4), ("0001", 8, 4)]),
        "list_query.txt": (test, [("0000", 0, 1), ("0001", 1, 2)]),
        "list_gallery.txt": (test, [("0000", 5, 2), ("0001", 6, 1), ("0001", 7, 2)]),
    }
    for name, (half, images) in lists.items():
        paths = [f"{who}/{who}_{n:03d}_{camera:02d}_0303morning_0008_0{end}.jpg" for who, n, camera in images]
        touch(*(root / half / path for path in paths))
        write_lines(root / name, [f"{path} {int(path[:4])}" for path in paths])
    return folder


def write_mars(folder: Path) -> Path:
    """Write tracklets of 2 people to learn from, and of 2, junk and a distractor to judge by; rows 3 and 5 search."""
    halves = {
        "train": [("0001", 1, 3), ("0001", 2, 2), ("0003", 6, 1)],
        "test": [("00-1", 1, 2), ("0000", 2, 1), ("0002", 1, 2), ("0002", 5, 4), ("0004", 3, 1), ("0004", 1, 2)],
    }
    for half, tracklets in halves.items():
        names: list[str] = []
        rows = []
        for number, (who, camera, frames) in enumerate(tracklets, start=1):
            tracklet = [f"{who}C{camera}T{number:04d}F{frame:03d}.jpg" for frame in range(1, frames + 1)]
            touch(*(folder / f"bbox_{half}" / who / name for name in tracklet))
            rows.append([len(names) + 1, len(names) + frames, -1 if who == "00-1" else int(who), camera])
            names += tracklet
        write_lines(folder / "info" / f"{half}_name.txt", names)
        savemat(folder / "info" / f"tracks_{half}_info.mat", {f"track_{half}_info": np.array(rows, np.int32)})
    savemat(folder / "info" / "query_IDX.mat", {"query_IDX": np.array([[3, 5]], np.uint16)})
    return folder


def write_lsvid(folder: Path, *, inside_info: bool = False) -> Path:
    """Write 2 people to learn from and 2 to judge by, seen by cameras 1, 13 and 15; lines 1 and 4 are queries."""
    inside = folder / "info" if inside_info else folder
    halves = {
        "train": [("0000", 0, 1, 2), ("0000", 1, 13, 3), ("0001", 0, 15, 2)],
        "test": [("0000", 0, 1, 2), ("0000", 1, 13, 1), ("0001", 0, 15, 2), ("0001", 1, 1, 12)],
    }
    for half, tracklets in halves.items():
        lines = []
        for who, number, camera, frames in tracklets:
            at = folder / f"tracklet_{half}" / who
            touch(*(at / f"{who}_{number:04d}_{camera:02d}_{frame:07d}.jpg" for frame in range(0, 3 * frames, 3)))
            lines.append(f"tracklet_{half}/{who}/{who}_{number:04d} {int(who)}")
        write_lines(inside / "list_sequence" / f"list_seq_{half}.txt", lines)
    table = (inside if inside_info else folder / "test") / "data" / "info_test.mat"
    table.parent.mkdir(parents=True)
    with h5py.File(table, "w", userblock_size=512) as file:  # MATLAB 7.3 is HDF5 behind a header of its own
        file["query"] = np.array([[1.0], [4.0]])  # stored by columns: MATLAB's 1 x 2
        file["info_test"] = np.zeros((4, 4))
    with table.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Apr  1 12:00:00 2019 HDF5 schema 1.00 .")
    return folder


def write_ilids(folder: Path) -> Path:
    """Write 4 people, numbered with gaps, seen by both cameras, and three splits."""
    for camera in ("cam1", "cam2"):
        for who in (1, 2, 5, 319):
            at = folder / "i-LIDS-VID" / "sequences" / camera / f"person{who:03d}"
            touch(*(at / f"{camera}_person{who:03d}_{frame:05d}.png" for frame in (317, 318)))
    splits = folder / "train-test people splits"
    splits.mkdir()
    table = np.array([[1, 2, 3, 4], [4, 2, 1, 3], [3, 4, 2, 1]], np.uint16)
    savemat(splits / "train_test_splits_ilidsvid.mat", {"ls_set": table})
    return folder
