"""Tracklets whose crops are image files, read on demand."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import DataSetError, LabelledTracklet
from training.data.pixels import read_pixels


class FileTracklets:
    """Tracklets of a data set for training and evaluation (`training.data.crops.Tracklets`).

    Only file names are held in memory.
    """

    def __init__(
        self,
        tracklets: Sequence[LabelledTracklet],
        identities: NDArray[np.int64] | None = None,
        side_rows: NDArray[np.int64] | None = None,
    ) -> None:
        """Wrap tracklets, with optional labels `(n,)` replacing the data set's, and rows of side information `(n,)`."""
        self._tracklets = tracklets
        own = np.array([tracklet.identity for tracklet in tracklets], np.int64)
        self.identities = own if identities is None else identities
        self.cameras = np.array([tracklet.camera for tracklet in tracklets], np.int64)
        self.side_rows = side_rows
        self.lengths = np.array([len(tracklet.paths) for tracklet in tracklets], np.int64)

    @classmethod
    def for_training(
        cls, tracklets: Sequence[LabelledTracklet], side_rows: NDArray[np.int64] | None = None
    ) -> "FileTracklets":
        """Return tracklets with consecutive labels from 0, in order of the data set's numbers.

        Raises:
            DataSetError: There are no tracklets, or some are junk or distractors.
        """
        return cls(tracklets, labels_from_zero(tracklets), side_rows)

    def read(self, row: int, frames: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """Return the crops `(H, W, 3)` RGB of tracklet `row` at indices `frames`; sizes may differ between crops.

        Raises:
            DataSetError: An image is missing or broken.
        """
        paths = self._tracklets[row].paths
        return [read_pixels(paths[frame]) for frame in frames]


def labels_from_zero(tracklets: Sequence[LabelledTracklet]) -> NDArray[np.int64]:
    """Return labels `(n,)` from 0 to Y - 1 for tracklets of Y identities, in order of the data set's numbers.

    Raises:
        DataSetError: There are no tracklets, or some are junk or distractors.
    """
    own = np.array([tracklet.identity for tracklet in tracklets], np.int64)
    if len(own) == 0 or own.min() < 0:
        raise DataSetError(
            f"{len(own)} tracklets, {int((own < 0).sum())} of them junk or distractors: nothing to train on"
        )
    return np.asarray(np.unique(own, return_inverse=True)[1], np.int64)
