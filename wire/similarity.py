"""What to expect of similarities before a site has data of its own."""

import msgspec


class SimilarityPrior(msgspec.Struct, frozen=True, kw_only=True):
    """The expected similarity of embeddings before a site has data of its own; measured once per set of weights.

    Attributes:
        same_mean, same_std: Mean and standard deviation of the cosine similarity, in [-1, 1], between a tracklet and
            the prototypes of the same person.
        different_mean, different_std: The same between different people.
    """

    same_mean: float
    same_std: float
    different_mean: float
    different_std: float

    def __post_init__(self) -> None:
        if not -1 <= self.different_mean < self.same_mean <= 1:
            raise ValueError(
                f"similarity prior: needs -1 <= different_mean < same_mean <= 1, got {self.different_mean} and "
                f"{self.same_mean}"
            )
        if not (0 < self.same_std <= 1 and 0 < self.different_std <= 1):
            raise ValueError(
                f"similarity prior: same_std and different_std must be in (0, 1], got {self.same_std} and "
                f"{self.different_std}"
            )
