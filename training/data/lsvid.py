"""LS-VID (Li et al., Global-Local Temporal Representations for Video Person Re-Identification, ICCV 2019).

    tracklet_{train,val,test}/0000/0000_0001_13_0000123.jpg   camera third
    list_sequence/list_seq_{train,val,test}.txt               lines `tracklet_train/0000/0000_0001 0`: the prefix of the
                                                              tracklet's file names, and the identity
    test/data/info_test.mat                                   MATLAB 7.3; query: 1-based line numbers of the queries in
                                                              list_seq_test

Some loaders expect `list_sequence` and `data` in a folder `info`; both locations are supported. As in MARS, the gallery
is all of list_seq_test. The 200 identities of list_seq_val are used for neither training nor testing.
"""

from bisect import bisect_left
from pathlib import Path

from training.data.dataset import DataSet, DataSetError, ImageFiles, LabelledTracklet
from training.data.folder import image_names, path_and_label, read_lines, read_table
from training.data.published import Part, Published, verified
from training.data.skipped import listing

LSVID = Published(
    "LS-VID",
    train=Part(842, 2_831, 550_419),
    query=Part(None, 3_504, None),
    gallery=Part(2_730, 11_333, 2_277_075),
    cameras=15,
)


def load_lsvid(folder: Path, *, checked: bool = True) -> DataSet:
    """Read LS-VID.

    Raises:
        DataSetError: A list, a table, its variable or a tracklet is missing, a line is malformed, a tracklet spans two
            cameras, or a count differs from the published one.
    """
    lists = _first(folder / "list_sequence", folder / "info" / "list_sequence")
    table = _first(folder / "test" / "data" / "info_test.mat", folder / "info" / "data" / "info_test.mat")
    train, test = _part(folder, lists / "list_seq_train.txt"), _part(folder, lists / "list_seq_test.txt")
    places = read_table(table, "query").ravel()
    if places.min() < 1 or places.max() > len(test):
        raise DataSetError(f"{table} names tracklets {places.min()} to {places.max()} of {len(test)}")
    parts = DataSet(folder.name, train, tuple(test[place - 1] for place in places), test)
    return verified(folder, parts, LSVID, claim="its layout" if checked else None)


def _first(path: Path, otherwise: Path) -> Path:
    return otherwise if otherwise.exists() and not path.exists() else path


def _part(root: Path, lines: Path) -> tuple[LabelledTracklet, ...]:
    names: dict[str, list[str]] = {}
    items: list[LabelledTracklet] = []
    missing: list[str] = []
    for line in read_lines(lines):
        path, identity = path_and_label(line.text) or ("", 0)
        where, _, prefix = path.rpartition("/")
        if not where:
            raise DataSetError(
                f"{lines}: {line.text!r} is not like 'tracklet_train/0000/0000_0001 0' (line {line.number})"
            )
        if where not in names:
            names[where] = image_names(root / where)
        if not (files := _beginning_with(prefix, names[where])):
            missing.append(f"{where}/{prefix}")
            continue
        items.append(LabelledTracklet(ImageFiles(str(root / where), files), identity, _camera(root / where, files)))
    if missing:
        where, _, prefix = missing[0].rpartition("/")
        raise DataSetError(
            f"{root / where} has no images {prefix}*; {len(missing)} of the {len(missing) + len(items)} tracklets in "
            f"{lines.name} are missing ({listing(missing)}): copy the data set again"
        )
    return tuple(items)


def _beginning_with(prefix: str, names: list[str]) -> tuple[str, ...]:
    """Return the names with a prefix from a sorted list."""
    first = bisect_left(names, prefix)
    last = bisect_left(names, prefix + "\U0010ffff", lo=first)
    return tuple(names[first:last])


def _camera(folder: Path, files: tuple[str, ...]) -> int:
    cameras = {tuple(name.split("_")[2:3]) for name in (files[0], files[-1])}
    camera = next(iter(cameras))
    if len(cameras) > 1 or not (camera and camera[0].isdecimal()):
        raise DataSetError(
            f"{folder}: {files[0]} to {files[-1]} are not from one camera, third as in 0000_0001_13_0000123.jpg"
        )
    return int(camera[0])
