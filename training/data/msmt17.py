"""MSMT17 (Wei et al., Person Transfer GAN to Bridge Domain Gap for Person Re-Identification, CVPR 2018).

    MSMT17_V1/{train,test}/0000/0000_000_01_0303morning_0008_0.jpg                    identity 0, camera 1
    MSMT17_V2/{mask_train_v2,mask_test_v2}/0000/0000_000_01_0303morning_0008_0_ex.jpg  the same with blurred faces
    {list_train,list_val,list_query,list_gallery}.txt                                 lines `0000/NAME.jpg 0`

The training set is list_train and list_val together, as for the published figures; the two share their identities.
"""

from pathlib import Path

from training.data.dataset import DataSet, DataSetError, ImageFiles, LabelledTracklet
from training.data.folder import Line, path_and_label, read_lines, require_images
from training.data.published import Part, Published, verified

_VERSIONS = {"MSMT17_V1": ("train", "test"), "MSMT17_V2": ("mask_train_v2", "mask_test_v2")}


def load_msmt17(folder: Path, *, checked: bool = True) -> DataSet:
    """Read MSMT17, whose version follows from the folder names; `folder` is the data set's or its parent.

    Raises:
        DataSetError: There is no version or more than one, a list or an image is missing, a line is malformed, or a
            count differs from the published one.
    """
    root, version = _found(folder)
    train, test = _VERSIONS[version]
    learnt = _part(root, train, "list_train.txt") + _part(root, train, "list_val.txt")
    parts = DataSet(folder.name, learnt, _part(root, test, "list_query.txt"), _part(root, test, "list_gallery.txt"))
    return verified(root, parts, published(version), claim="its layout" if checked else None)


def published(version: str) -> Published:
    """Return the counts of a version: they are the same, since V2 only blurs faces."""
    return Published(
        version,
        train=Part(1_041, None, 32_621),
        query=Part(3_060, None, 11_659),
        gallery=Part(3_060, None, 82_161),
        cameras=15,
    )


def _found(folder: Path) -> tuple[Path, str]:
    """Return the folder of the lists and the version."""
    roots = [(folder, version) for version in _VERSIONS] + [(folder / version, version) for version in _VERSIONS]
    found = [(root, version) for root, version in roots if all((root / half).is_dir() for half in _VERSIONS[version])]
    if len(found) > 1:
        raise DataSetError(f"{folder} holds {' and '.join(version for _, version in found)}: choose the folder of one")
    if not found:
        raise DataSetError(f"{folder} holds neither train and test (V1) nor mask_train_v2 and mask_test_v2 (V2)")
    return found[0]


def _part(root: Path, half: str, of: str) -> tuple[LabelledTracklet, ...]:
    rows = [_parsed(line, root / of, half) for line in read_lines(root / of)]
    require_images(root / half, ((where, (name,)) for where, name, _ in rows), source=of)
    return tuple(
        LabelledTracklet(ImageFiles(str(root / half / where), (name,)), identity, int(name.split("_")[2]))
        for where, name, identity in rows
    )


def _parsed(line: Line, source: Path, half: str) -> tuple[str, str, int]:
    """Parse folder, name and identity of a line; some copies prefix the name of the half."""
    path, identity = path_and_label(line.text) or ("", 0)
    where, _, name = path.removeprefix(f"{half}/").rpartition("/")
    fields = name.split("_")
    if len(fields) < 4 or not fields[2].isdecimal():
        raise DataSetError(
            f"{source}: {line.text!r} is not like '0000/0000_000_01_0303morning_0008_0.jpg 0', camera third (line "
            f"{line.number})"
        )
    return where, name, identity
