"""Load a data set by the name of its layout."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from training.data.dataset import DataSet, DataSetError, SplitError
from training.data.folder import require_folder

Layout = Literal["market", "msmt17", "mars", "lsvid", "ilids", "people"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)


def load_dataset(layout: str, folder: Path, *, split: int = 0, checked: bool = True, learning: bool = True) -> DataSet:
    """Read identities, cameras and file names; images are not opened.

    A folder that claims to be a published data set must have the published counts. `msmt17`, `lsvid` and `ilids` claim
    it by their layout, `market` and `mars` by a folder name that contains `market` and `1501`, or is MARS; any other
    folder in these two namings is custom data, named after its folder. With `checked=False` nothing is claimed.
    `people` has one folder per person, and is never a published data set.

    Args:
        layout: One of LAYOUTS.
        folder: Folder that contains the layout's folders.
        split: Split of iLIDS-VID, 0 to 9; other layouts have a single split, 0.
        checked: Whether counts that differ from the published ones are an error.
        learning: Whether `market` and `people` must have a training set; the other layouts always must.

    Raises:
        DataSetError: The layout is unknown, or the folder cannot be used; the message says why.
    """
    from training.data.ilids import load_ilids
    from training.data.lsvid import load_lsvid
    from training.data.market import load_market
    from training.data.mars import load_mars
    from training.data.msmt17 import load_msmt17
    from training.data.person_folders import load_person_folders

    require_folder(folder)
    if layout == "ilids":
        return load_ilids(folder, split=split, checked=checked)
    loaders: dict[str, Callable[[], DataSet]] = {
        "market": partial(load_market, folder, checked=checked, learning=learning),
        "msmt17": partial(load_msmt17, folder, checked=checked),
        "mars": partial(load_mars, folder, checked=checked),
        "lsvid": partial(load_lsvid, folder, checked=checked),
        "people": partial(load_person_folders, folder, learning=learning),
    }
    if layout not in loaders:
        raise DataSetError(f"unknown layout {layout!r}: must be one of {', '.join(LAYOUTS)}")
    if split:
        raise SplitError(f"{layout} has a single split, 0, not {split}")
    return loaders[layout]()
