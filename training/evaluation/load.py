"""Load the splits of a data set to judge by."""

from pathlib import Path

from training.data.dataset import DataSet
from training.data.hint import hinted
from training.data.ilids import SPLITS
from training.data.load import load_dataset


def splits_of(layout: str, folder: Path, *, split: int | None = None, checked: bool = True) -> list[DataSet]:
    """Return the one split that most data sets have, or the ten of iLIDS-VID, whose results are averaged.

    A folder of one's own need not hold anything to learn from.

    Raises:
        DataSetError: The folder cannot be used; says which layout it looks like, if another.
    """
    numbers = range(SPLITS) if split is None and layout == "ilids" else [split or 0]
    with hinted(layout, folder, options=("--layout ", "--data ")):
        return [load_dataset(layout, folder, split=number, checked=checked, learning=False) for number in numbers]
