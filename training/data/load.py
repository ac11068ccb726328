"""Load a data set by the name of its layout."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from training.data.dataset import DataSet, DataSetError
from training.data.folder import require_folder

Layout = Literal["market", "msmt17", "mars", "lsvid", "ilids", "people"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)


def load_dataset(layout: str, folder: Path, *, split: int = 0, checked: bool = True, learning: bool = True) -> DataSet:
    """Read who is seen where; no image is opened.

    A set that is claimed to be a published one must have the published counts. `msmt17`, `lsvid` and `ilids` claim it
    by their layout, `market` and `mars` by a folder that is called Market-1501 (with whatever more) or MARS: any other
    folder in those two namings is somebody's own, and is named after its folder. `checked=False` claims nothing.
    `people` is one folder a person, and never a published set.

    Args:
        layout: One of LAYOUTS.
        folder: What the layout's folders lie in.
        split: Which of the ten splits of iLIDS-VID, from 0; other layouts have one.
        checked: Whether other counts than the published ones are an error.
        learning: Whether `market` and `people` must hold something to learn from; the other layouts always do.

    Raises:
        DataSetError: There is no such layout, or the folder cannot be used; the message says what is wrong with it.
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
        raise DataSetError(f"no layout is called {layout!r}: {', '.join(LAYOUTS)}")
    if split:
        raise DataSetError(f"{layout} has one split, not a split {split}")
    return loaders[layout]()
