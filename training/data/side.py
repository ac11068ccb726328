"""Map the cameras of a data set to rows of a network's side information (SIE).

Weights identify their cameras only by index. The released code numbers a data set's cameras from 0 in the order of the
data set's numbers, all of which start at 1; a folder with a camera 0 starts at 0.
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
        cameras: Numbers of all cameras in the data set.
        known: Number of cameras the network knows.
    """

    cameras: frozenset[int]
    known: int

    @classmethod
    def of(cls, sets: Sequence[DataSet], known: int) -> "Side":
        """Return the cameras in all parts of the data sets, for a network with `known` cameras."""
        parts = (part for one in sets for part in (one.train, one.query, one.gallery))
        return cls(frozenset(tracklet.camera for part in parts for tracklet in part), known)

    @property
    def first(self) -> int:
        """Camera number of row 0."""
        return 0 if 0 in self.cameras else 1

    @property
    def fits(self) -> bool:
        """Whether these can be the cameras the network was trained on: the same number of them, without gaps."""
        return self.known > 0 and self.cameras == set(range(self.first, self.first + self.known))

    def rows(self, tracklets: Sequence[LabelledTracklet]) -> NDArray[np.int64]:
        """Return the row of each tracklet's camera `(n,)`.

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
