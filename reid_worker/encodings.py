"""What networks say of single crops, kept with the crops: about half of those of an emission were in the one before.

Encoding crops is most of an embedding's work, and does not depend on what other crops a tracklet has.
"""

from collections.abc import Sequence
from typing import Any, Protocol
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from reid_worker.crops import Cutout

MOST_BYTES = 64 * 1024 * 1024  # 1900 crops of the shipped network, 160 of one with the size of CLIP's ViT-B/16


class CropEncoder(Protocol):
    """The part of a network that looks at one crop at a time."""

    model_id: str

    def encode(self, crops: Sequence[NDArray[np.uint8]]) -> Sequence[Any]:
        """Return an array of its own for each RGB crop, with `nbytes`, on whatever device."""


class Encodings:
    """The encodings that crops keep, of all cameras and networks of a worker. For one thread at a time.

    A crop that is dropped takes its own along. Beyond a number of bytes, the oldest are forgotten, and made again when
    they are needed.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: list[tuple[ref[Cutout], str, int]] = []  # oldest first

    def of(self, network: CropEncoder, tracklets: Sequence[Sequence[Cutout]]) -> list[list[Any]]:
        """Return what a network says of each crop of each tracklet; only unknown ones are encoded."""
        name = network.model_id
        crops = {id(crop): crop for tracklet in tracklets for crop in tracklet}
        missing = [crop for crop in crops.values() if name not in crop.encodings]
        found = network.encode([crop.rgb() for crop in missing]) if missing else []
        for crop, encoding in zip(missing, found, strict=True):
            crop.encodings[name] = encoding
            self._kept.append((ref(crop), name, encoding.nbytes))
            self._bytes += encoding.nbytes
        known = [[crop.encodings[name] for crop in tracklet] for tracklet in tracklets]
        if self._bytes > self._most_bytes:
            self._shrink()
        return known

    def _shrink(self) -> None:
        """Forget the oldest encodings, until they take three quarters of what they may: not again for every crop."""
        alive = [(crop, name, size) for kept, name, size in self._kept if (crop := kept()) and name in crop.encodings]
        self._bytes, gone = sum(size for _, _, size in alive), 0
        while self._bytes > 0.75 * self._most_bytes:
            crop, name, size = alive[gone]
            del crop.encodings[name]
            self._bytes -= size
            gone += 1
        self._kept = [(ref(crop), name, size) for crop, name, size in alive[gone:]]
