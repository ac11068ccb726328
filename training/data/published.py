"""Published counts of data sets. A data set gets its published name only if its counts match."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.data.dataset import DataSet, DataSetError, LabelledTracklet
from training.data.skipped import listing

Tracklets = Sequence[LabelledTracklet]


@dataclass(frozen=True, slots=True)
class Part:
    """Counts of one part; None if unpublished. Junk and distractors are not identities."""

    identities: int | None
    tracklets: int | None
    images: int | None


@dataclass(frozen=True, slots=True)
class Published:
    """A data set's name and counts; `images` counts all files, `cameras` the cameras of all parts."""

    name: str
    train: Part
    query: Part
    gallery: Part
    cameras: int
    images: int | None = None


def verified(folder: Path, parts: DataSet, published: Published, *, claim: str | None) -> DataSet:
    """Return the parts under the published name if the counts match, else under the folder's name.

    Args:
        folder: Folder of the data set.
        parts: The three parts, named after the folder.
        published: Published counts.
        claim: What claims that this is the published data set, which makes different counts an error; None if nothing.

    Raises:
        DataSetError: A part is empty, no query has a match, or the data set is claimed to be the published one but has
            different counts.
    """
    wrong = mismatches(require_usable(folder, parts), published)
    if not wrong:
        return replace(parts, name=published.name)
    if claim:
        raise DataSetError(
            f"{folder}: {claim} says that it is {published.name}, but {'; '.join(wrong)}. Copy it again, or "
            "rename the folder if it is a different data set"
        )
    return parts


def require_usable(folder: Path, parts: DataSet, *, learning: bool = True) -> DataSet:
    """Return the parts if they can be used for training and evaluation.

    Args:
        folder: Folder of the data set.
        parts: The three parts.
        learning: Whether there must be a training set.

    Raises:
        DataSetError: A part is empty, or no query has its identity in the gallery under another camera.
    """
    for name, part in (("train", parts.train), ("query", parts.query), ("gallery", parts.gallery)):
        if not part and (learning or name != "train"):
            raise DataSetError(f"{folder}: {name} has no images of people: is the data set copied in full?")
    asked, searched = ({one.identity for one in part if one.identity >= 0} for part in (parts.query, parts.gallery))
    if not asked & searched:
        raise DataSetError(
            f"{folder}: query and gallery have no identity in common ({listing(sorted(asked))} against "
            f"{listing(sorted(searched))}), so nobody can be found: do they belong to the same data set?"
        )
    seen = {(one.identity, one.camera) for one in parts.gallery}
    cameras = {camera for _, camera in seen}
    if not any((one.identity, other) in seen for one in parts.query for other in cameras - {one.camera}):
        raise DataSetError(
            f"{folder}: no query has a match from another camera in the gallery, so nobody can be found: items "
            "from the query's own camera are ignored"
        )
    return parts


def mismatches(parts: DataSet, published: Published) -> tuple[str, ...]:
    """Return a sentence for each count that differs from the published one."""
    everything = (parts.train, parts.query, parts.gallery)
    cameras = {tracklet.camera for part in everything for tracklet in part}
    files = {id(tracklet): len(tracklet.paths) for part in everything for tracklet in part}  # queries may be in both
    found: list[tuple[str, int, int | None]] = [
        ("cameras", len(cameras), published.cameras),
        ("images", sum(files.values()), published.images),
    ]
    counts = (published.train, published.query, published.gallery)
    for name, part, count in zip(("train", "query", "gallery"), everything, counts, strict=True):
        found += [
            (f"{name} identities", len({t.identity for t in part if t.identity >= 0}), count.identities),
            (f"{name} tracklets", len(part), count.tracklets),
            (f"{name} images", sum(len(t.paths) for t in part), count.images),
        ]
    return tuple(f"{name}: found {n}, published {m}" for name, n, m in found if m is not None and n != m)
