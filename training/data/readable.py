"""Exclude unreadable images before a run starts, so that one damaged file cannot end it after hours."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from training.data.dataset import DataSet, ImageFiles, LabelledTracklet
from training.data.pixels import why_broken
from training.data.site import Collected
from training.data.skipped import Skipped

_THREADS = 8  # reading waits for the disk, and Pillow releases Python's lock while decoding
_Tracklet = TypeVar("_Tracklet", LabelledTracklet, Collected)

Faults = dict[int, str]
"""Why images of a tracklet cannot be read, by index."""


def readable_set(data: DataSet) -> DataSet:
    """Return a data set without its unreadable images, which are reported in its remarks."""
    skipped = Skipped()
    known: dict[int, Faults] = {}  # in MARS the gallery contains the queries, which need not be read twice
    train = readable(data.train, "train", skipped, known)
    query = readable(data.query, "query", skipped, known)
    gallery = readable(data.gallery, "gallery", skipped, known)
    return replace(data, train=train, query=query, gallery=gallery, skipped=(*data.skipped, *skipped.remarks()))


def readable(
    tracklets: Sequence[_Tracklet], part: str, skipped: Skipped, known: dict[int, Faults] | None = None
) -> tuple[_Tracklet, ...]:
    """Return tracklets without their unreadable images, dropping those that become empty.

    If nothing at all can be read, everything is kept, so that the first read reports the cause.

    Args:
        tracklets: Tracklets to check.
        part: Part of the data set, for the remarks.
        skipped: Collects the images left out.
        known: Faults of tracklets checked before, by `id`; extended by this call.
    """
    known = {} if known is None else known
    fresh = [one for one in tracklets if id(one) not in known]
    with ThreadPoolExecutor(_THREADS) as pool:
        known.update(zip(map(id, fresh), pool.map(_faults, fresh), strict=True))
    kept = tuple(left for one in tracklets if (left := _without(one, known[id(one)])) is not None)
    if not kept:
        return tuple(tracklets)
    broken = [f"{one.paths[place]} ({why})" for one in tracklets for place, why in known[id(one)].items()]
    skipped.add(part, "images that cannot be read", broken)
    return kept


def _faults(one: LabelledTracklet | Collected) -> Faults:
    return {place: why for place, path in enumerate(one.paths) if (why := why_broken(path)) is not None}


def _without(one: _Tracklet, places: Collection[int]) -> _Tracklet | None:
    if not places:
        return one
    if len(places) == len(one.paths):
        return None
    return replace(one, paths=_paths_without(one.paths, places))


def _paths_without(paths: Sequence[Path], places: Collection[int]) -> Sequence[Path]:
    if isinstance(paths, ImageFiles):
        names = tuple(name for place, name in enumerate(paths.names) if place not in places)
        return ImageFiles(paths.folder, names)
    return tuple(path for place, path in enumerate(paths) if place not in places)
