"""Read the truth of the cameras of a site."""

from collections.abc import Callable, Collection
from pathlib import Path

from gallery.errors import ScoreError
from gallery.score.mot import Boxes, read_boxes
from gallery.score.sequences import find_sequences


def read_truth(given: Path, cameras: Collection[str], report: Callable[[str], None]) -> dict[str, Boxes]:
    """Return the boxes of people of those cameras that have a truth.

    Args:
        given: Folder or file, as `score` takes it.
        cameras: The cameras of the site.
        report: Called with a message if a camera has no truth.

    Raises:
        ScoreError: It cannot be read, or is of other cameras.
    """
    found = find_sequences(given)
    if not cameras:
        raise ScoreError(f"the site has no tracklets to hold against {given}: those seen before the retention are gone")
    files = dict(found.files)
    if found.alone and len(cameras) == 1:  # of one camera, the name need not match
        files = dict(zip(cameras, files.values(), strict=True))
    without = sorted(set(cameras) - set(files))
    if len(without) == len(cameras):
        raise ScoreError(
            f"{given} has the truth of {_listed(files)}, but the site's cameras are {_listed(cameras)}: name the files "
            "like the cameras"
        )
    if without:
        report(f"{given}: no truth for {_listed(without)}; their matches are left out")
    return {camera: read_boxes(path, report) for camera, path in sorted(files.items()) if camera in cameras}


def _listed(names: Collection[str]) -> str:
    some = sorted(names)
    return ", ".join(some[:5]) + (f" and {len(some) - 5} more" if len(some) > 5 else "")
