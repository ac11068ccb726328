"""Warnings about data sets that are valid but unusual."""

from collections import Counter
from collections.abc import Sequence

from training.data.dataset import DISTRACTOR, JUNK, DataSet, LabelledTracklet

NUMBERED_APART = ("MSMT17_V1", "MSMT17_V2", "LS-VID")  # in their lists, a number means two people


def remarks(data: DataSet) -> tuple[str, ...]:
    """Return a sentence for each property that makes training or evaluation less useful than the counts suggest."""
    found = (_lone(data.train), _shared(data), _absent_cameras(data), _nobody(data), _without_match(data))
    return (*data.skipped, *(sentence for sentences in found for sentence in sentences))


def _lone(train: Sequence[LabelledTracklet]) -> list[str]:
    images: Counter[int] = Counter()
    seen: set[tuple[int, int]] = set()
    for tracklet in train:
        images[tracklet.identity] += len(tracklet.paths)
        seen.add((tracklet.identity, tracklet.camera))
    one_image = [who for who, count in images.items() if count == 1]
    cameras = Counter(who for who, _ in seen)
    one_camera = [who for who, count in cameras.items() if count == 1 and images[who] > 1]
    said = []
    if one_image:
        said.append(
            f"train: {len(one_image)} of {len(images)} identities have one image, the first is {one_image[0]}: they "
            "only serve as negatives"
        )
    if one_camera and len({tracklet.camera for tracklet in train}) > 1:
        said.append(
            f"train: {len(one_camera)} of {len(images)} identities were seen by only one camera, the first is "
            f"{one_camera[0]}: they provide no matches across cameras"
        )
    return said


def _shared(data: DataSet) -> list[str]:
    if data.name in NUMBERED_APART:
        return []
    judged = {one.identity for one in data.query}
    shared = sorted({one.identity for one in data.train} & judged)
    if not shared:
        return []
    return [
        f"train and query: {len(shared)} of {len(judged)} identities are in both, the first is {shared[0]}: if they "
        "are the same people, the figures are those of people who were learnt by heart"
    ]


def _absent_cameras(data: DataSet) -> list[str]:
    parts = {"train": data.train, "query": data.query, "gallery": data.gallery}
    cameras = {name: {tracklet.camera for tracklet in part} for name, part in parts.items()}
    judged = cameras["query"] | cameras["gallery"]
    said = [
        f"{name}: no image of camera {_listing(absent)}"
        for name, others in (("train", judged), ("gallery", cameras["query"] if len(judged) > 2 else set[int]()))
        if (absent := others - cameras[name])
    ]
    if fresh := cameras["train"] - judged:
        said.append(f"query and gallery: no image of camera {_listing(fresh)}, which train has")
    return said


def _nobody(data: DataSet) -> list[str]:
    counts = Counter(tracklet.identity for tracklet in data.gallery)
    kinds = ((JUNK, "junk and are ignored"), (DISTRACTOR, "distractors, which match no query"))
    said = [f"gallery: {counts[who]} of {len(data.gallery)} are {what}" for who, what in kinds if counts[who]]
    if len(people := counts.keys() - {JUNK}) == 1:
        said.append(f"gallery: it contains only identity {people.pop()}, so every query matches trivially")
    return said


def _without_match(data: DataSet) -> list[str]:
    seen: dict[int, set[int]] = {}
    for tracklet in data.gallery:
        if tracklet.identity >= 0:
            seen.setdefault(tracklet.identity, set()).add(tracklet.camera)
    lost = sum(1 for query in data.query if not seen.get(query.identity, set()) - {query.camera})
    if not lost:
        return []
    return [f"query: {lost} of {len(data.query)} have no match in another camera and are excluded"]


def _listing(cameras: set[int]) -> str:
    return ", ".join(str(camera) for camera in sorted(cameras))
