"""Load the splits of a data set for evaluation."""

from pathlib import Path

from training.data.dataset import DataSet
from training.data.hint import with_layout_hint
from training.data.ilids import SPLITS
from training.data.load import load_dataset


def splits_of(layout: str, folder: Path, *, split: int | None = None, checked: bool = True) -> list[DataSet]:
    """Return the single split of most data sets, or the ten of iLIDS-VID, whose results are averaged.

    Custom folders need no training set.

    Raises:
        DataSetError: The folder cannot be used; the message suggests another layout if one matches.
    """
    numbers = range(SPLITS) if split is None and layout == "ilids" else [split or 0]
    with with_layout_hint(layout, folder, options=("--layout ", "--data ")):
        return [load_dataset(layout, folder, split=number, checked=checked, learning=False) for number in numbers]
