"""Tracklets whose crops are image files, read when they are asked for."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import DataSetError, LabelledTracklet
from training.data.pixels import read_pixels


class FileTracklets:
    """Tracklets of a data set as training and evaluation read them (`training.data.crops.Tracklets`).

    Only names are held in memory.
    """

    def __init__(
        self,
        tracklets: Sequence[LabelledTracklet],
        identities: NDArray[np.int64] | None = None,
        side_rows: NDArray[np.int64] | None = None,
    ) -> None:
        """Take tracklets, labels `(n,)` to use in place of the data set's own, and rows of side information `(n,)`."""
        self._tracklets = tracklets
        own = np.array([tracklet.identity for tracklet in tracklets], np.int64)
        self.identities = own if identities is None else identities
        self.cameras = np.array([tracklet.camera for tracklet in tracklets], np.int64)
        self.side_rows = side_rows
        self.lengths = np.array([len(tracklet.paths) for tracklet in tracklets], np.int64)

    @classmethod
    def to_learn(
        cls, tracklets: Sequence[LabelledTracklet], side_rows: NDArray[np.int64] | None = None
    ) -> "FileTracklets":
        """Return tracklets with labels from 0 without gaps, in order of the data set's numbers.

        Raises:
            DataSetError: There are no tracklets, or junk or distractors among them.
        """
        return cls(tracklets, labels_from_zero(tracklets), side_rows)

    def read(self, row: int, frames: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """Return crops `(H, W, 3)` RGB of tracklet `row` by their places in it; sizes may differ between crops.

        Raises:
            DataSetError: An image is missing or broken.
        """
        paths = self._tracklets[row].paths
        return [read_pixels(paths[frame]) for frame in frames]


def labels_from_zero(tracklets: Sequence[LabelledTracklet]) -> NDArray[np.int64]:
    """Return labels `(n,)` 0 to Y - 1 of tracklets of Y identities, in order of the data set's numbers.

    Raises:
        DataSetError: There are no tracklets, or junk or distractors among them.
    """
    own = np.array([tracklet.identity for tracklet in tracklets], np.int64)
    if len(own) == 0 or own.min() < 0:
        raise DataSetError(f"{len(own)} tracklets, {int((own < 0).sum())} of them of nobody: nothing to learn from")
    return np.asarray(np.unique(own, return_inverse=True)[1], np.int64)
