"""What a training run asks of the generator: how many people, seen by how many cameras, rendered when and how large."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from training.ranges import GROUP, Count, CountOrNone, Real, Several, Whole


@dataclass(frozen=True, slots=True, config=GROUP)
class SyntheticSource:
    """Generated people to learn from and to validate on; unused where a run learns from a data set.

    Attributes:
        cache: Folder of the rendered crops, shared by runs.
        crops: `cached`: all crops to learn from are rendered once, into `cache`; `fresh`: crops are rendered when they
            are needed, other moments of the same people at the same cameras on every visit, without a cache.
        first_identity: Seed of the first identity and camera to learn from; runs with disjoint ranges share nobody.
        train_identities: Identities to learn from, Y.
        train_cameras: Cameras that see each of them, one tracklet each.
        validation_identities: Other identities, seen by other cameras, that the run is validated on.
        validation_cameras: Cameras that see each of those.
        scale: Size of the rendered crops as a multiple of the network's input, up to 256 px high.
        frames: Frames rendered of a tracklet to learn from; fewer leave time for more people.
        sites: Groups of people with the same cameras that take turns in neighbouring batches where crops are `fresh`,
            0 for all: a place costs as much to render as a tracklet, and a worker keeps the last 96 camera views.
        visits: How often each identity of those sites comes before the next sites, where crops are `fresh`.
    """

    cache: Path = Path("runs/cache")
    crops: Literal["cached", "fresh"] = "cached"
    first_identity: Annotated[Whole, Field(ge=0, le=300_000)] = 0  # identities to validate on come after
    train_identities: Annotated[Whole, Field(ge=1, le=100_000)] = 2000
    train_cameras: Several = 4
    validation_identities: Count = 100
    validation_cameras: Several = 3
    scale: Annotated[Real, Field(ge=1, le=4)] = 2.0
    frames: Count = 8
    sites: CountOrNone = 12
    visits: Count = 1
