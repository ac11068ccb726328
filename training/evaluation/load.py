"""Find the data set that a folder is meant to be, and say what else it looks like."""

from pathlib import Path

from training.data.dataset import DataSet, DataSetError
from training.data.ilids import SPLITS
from training.data.load import Layout, load_dataset
from training.data.market import load_market

# What only a folder of this layout has; the first that fits is named.
_SIGNS: tuple[tuple[Layout, tuple[str, ...]], ...] = (
    ("ilids", ("i-LIDS-VID",)),
    ("lsvid", ("tracklet_test",)),
    ("msmt17", ("list_query.txt",)),
    ("mars", ("bbox_test", "info")),
    ("market", ("query", "bounding_box_test")),
)


def splits_of(layout: str, folder: Path, *, split: int | None = None, checked: bool = True) -> list[DataSet]:
    """Return the one split that most data sets have, or the ten of iLIDS-VID, whose results are averaged.

    A folder in Market1501's naming need not hold anything to learn from.

    Raises:
        DataSetError: The folder cannot be used; says which layout it looks like, if another.
    """
    try:
        if layout == "market" and not split and folder.is_dir():
            return [load_market(folder, checked=checked, learning=False)]
        if split is not None or layout != "ilids":
            return [load_dataset(layout, folder, split=split or 0, checked=checked)]
        return [load_dataset(layout, folder, split=number, checked=checked) for number in range(SPLITS)]
    except DataSetError as error:
        if hint := _hint(layout, folder):
            raise DataSetError(f"{error}{hint}") from error
        raise


def looks_like(folder: Path) -> Layout | None:
    """Return the layout whose folders and files lie in a folder, if any."""
    for layout, names in _SIGNS:
        if all((folder / name).exists() for name in names):
            return layout
    return None


def _hint(layout: str, folder: Path) -> str:
    if not folder.is_dir():
        return ""
    if (found := looks_like(folder)) not in {None, layout}:
        return f". {folder} looks like --layout {found}"
    if found is None:
        inside = sorted(path for path in folder.iterdir() if path.is_dir() and looks_like(path) == layout)
        if inside:
            return f". It looks like the data set lies one folder deeper: --data {inside[0]}"
    return ""
