"""Suggest the right layout or folder when a data set cannot be read as specified."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.data.dataset import DataSetError, SplitError
from training.data.folder import contents, folder_names
from training.data.load import Layout
from training.data.person_folders import are_person_folders

# Contents unique to each layout; the first match is suggested.
_SIGNS: tuple[tuple[Layout, tuple[str, ...]], ...] = (
    ("ilids", ("i-LIDS-VID",)),
    ("lsvid", ("tracklet_test",)),
    ("msmt17", ("list_query.txt",)),
    ("mars", ("bbox_test", "info")),
    ("market", ("query", "bounding_box_test")),
)
_PARTS: dict[str, str] = {
    "ilids": "i-LIDS-VID and 'train-test people splits'",
    "lsvid": "tracklet_train, tracklet_test, list_sequence and test/data",
    "msmt17": "MSMT17_V1 or MSMT17_V2, or the halves and lists inside it,",
    "mars": "bbox_train, bbox_test and info",
    "market": "bounding_box_train, query and bounding_box_test",
}
_LEVELS = 2  # parts of a data set are at most this deep: bbox_train/0001


@contextmanager
def with_layout_hint(layout: str, folder: Path, *, options: tuple[str, str]) -> Iterator[None]:
    """Add a hint about the likely layout or folder to a DataSetError.

    Args:
        layout: The layout given by the user.
        folder: The folder.
        options: The option prefixes for specifying a layout and a folder, for the hint.

    Raises:
        DataSetError: The original error, with the hint.
    """
    try:
        yield
    except SplitError:
        raise
    except DataSetError as error:
        if hint := _hint(layout, folder, *options):
            stop = "" if str(error).endswith((".", "?")) else "."
            raise DataSetError(f"{error}{stop} {hint}") from error
        raise


def looks_like(folder: Path) -> Layout | None:
    """Return the layout that a folder's contents match, if any."""
    for layout, names in _SIGNS:
        if all((folder / name).exists() for name in names):
            return layout
    return "people" if are_person_folders(folder) else None


def _hint(layout: str, folder: Path, layout_is: str, folder_is: str) -> str:
    if not folder.is_dir():
        return ""
    for outer in folder.resolve().parents[:_LEVELS]:
        if any(all((outer / name).exists() for name in names) for one, names in _SIGNS if one == layout):
            return f"It looks like a part of a data set: {folder_is}{outer}"
    if (found := looks_like(folder)) not in {None, layout}:
        return f"{folder} looks like {layout_is}{found}"
    if found is None:
        inside = [folder / name for name in folder_names(folder) if looks_like(folder / name) == layout]
        if inside:
            return f"It looks like the data set is one folder deeper: {folder_is}{inside[0]}"
        return f"The layout {layout} has {_PARTS[layout]}; {contents(folder)}" if layout in _PARTS else ""
    return ""
