"""What the authors of a data set say it holds. A set has a published name only where these are its counts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.data.dataset import DataSet, DataSetError, LabelledTracklet
from training.data.skipped import listing

Tracklets = Sequence[LabelledTracklet]


@dataclass(frozen=True, slots=True)
class Part:
    """Counts of one part; None where nothing is published. Junk and distractors are no identities."""

    identities: int | None
    tracklets: int | None
    images: int | None


@dataclass(frozen=True, slots=True)
class Published:
    """A data set's name and counts; `images` counts all files, `cameras` those of all parts."""

    name: str
    train: Part
    query: Part
    gallery: Part
    cameras: int
    images: int | None = None


def concluded(folder: Path, parts: DataSet, published: Published, *, claim: str | None) -> DataSet:
    """Return the parts under the published name if they have the published counts, else under the folder's.

    Args:
        folder: Where they were read.
        parts: The three parts; their name says what the folder calls them.
        published: What the authors say.
        claim: What says that it is the published set, so that other counts are an error; None if nothing does.

    Raises:
        DataSetError: A part is empty, no query has a match, or the set is claimed to be the published one and has
            other counts.
    """
    wrong = mismatches(usable(folder, parts), published)
    if not wrong:
        return replace(parts, name=published.name)
    if claim:
        raise DataSetError(
            f"{folder}: {claim} says that it is {published.name}, but {'; '.join(wrong)}. Copy it again, or name "
            "what is another set otherwise"
        )
    return parts


def usable(folder: Path, parts: DataSet, *, learning: bool = True) -> DataSet:
    """Return the parts if something can be learnt from them, and something be judged by.

    Args:
        folder: Where they were read.
        parts: The three parts.
        learning: Whether there must be something to learn from.

    Raises:
        DataSetError: A part is empty, or no query has its identity under another camera of the gallery.
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
            f"{folder}: the gallery shows nobody of the queries under another camera than theirs, so nobody can be "
            "found: what the query's own camera saw does not count"
        )
    return parts


def mismatches(parts: DataSet, published: Published) -> tuple[str, ...]:
    """Return each count that differs from the published one, as a sentence."""
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
    return tuple(f"{name}: found {n}, published are {m}" for name, n, m in found if m is not None and n != m)
