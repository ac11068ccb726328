"""Which row of a network's side information (SIE) belongs to which camera of a data set.

Weights know their cameras by place only. The released code numbers those of a data set from 0 in the order of the data
set's own numbers, all of which count from 1; a folder with a camera 0 counts from 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import DataSet, DataSetError, LabelledTracklet


@dataclass(frozen=True, slots=True)
class Side:
    """The cameras of a data set as rows of a network's side information.

    Attributes:
        cameras: Numbers of all cameras of the data set.
        known: Cameras of the network.
    """

    cameras: frozenset[int]
    known: int

    @classmethod
    def of(cls, sets: Sequence[DataSet], known: int) -> "Side":
        """Return the cameras of all parts of some data sets, for a network that knows so many."""
        parts = (part for one in sets for part in (one.train, one.query, one.gallery))
        return cls(frozenset(tracklet.camera for part in parts for tracklet in part), known)

    @property
    def first(self) -> int:
        """Number of the camera of row 0."""
        return 0 if 0 in self.cameras else 1

    @property
    def fits(self) -> bool:
        """Whether these may be the cameras that the network learnt: as many, numbered without a gap."""
        return self.known > 0 and self.cameras == set(range(self.first, self.first + self.known))

    def rows(self, tracklets: Sequence[LabelledTracklet]) -> NDArray[np.int64]:
        """Return the row of the camera of each tracklet `(n,)`.

        Raises:
            DataSetError: A camera has no row.
        """
        rows = np.array([one.camera for one in tracklets], np.int64) - self.first
        beyond = np.unique(rows[(rows < 0) | (rows >= self.known)]) + self.first
        if len(beyond):
            raise DataSetError(
                f"camera {beyond[0]} has no side information: the network knows {self.known} cameras, {self.first} to "
                f"{self.first + self.known - 1}. Evaluate with --cameras unknown, or train with network.cameras="
                f"{max(self.cameras) - self.first + 1}"
            )
        return rows
