"""Settings of generated training people: how many, seen by how many cameras, rendered when and how large."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from training.ranges import GROUP, Count, CountOrNone, Real, Several, Whole


@dataclass(frozen=True, slots=True, config=GROUP)
class SyntheticSource:
    """Generated people to train and validate on; unused if a run trains on a data set.

    Attributes:
        cache: Folder of rendered crops, shared by runs.
        crops: `cached`: all training crops are rendered once, into `cache`; `fresh`: crops are rendered when needed,
            at different moments of the same people and cameras on every visit, without a cache.
        first_identity: Seed of the first training identity and camera; runs with disjoint ranges share no people.
        train_identities: Training identities, Y.
        train_cameras: Cameras that see each of them, one tracklet each.
        validation_identities: Other identities, seen by other cameras, to validate on.
        validation_cameras: Cameras that see each of those.
        scale: Size of the rendered crops as a multiple of the network's input, up to 256 px high.
        frames: Frames rendered per training tracklet; fewer leave time for more people.
        sites: Groups of people with the same cameras that consecutive batches draw from if crops are `fresh`, 0 for
            all: a place costs as much to render as a tracklet, and a worker caches the last 96 camera views.
        assets: Packed assets of realistic people (`python -m training.realistic.pack`), who are every second site's;
            None for the usual people alone.
        visits: How often each identity of those sites is drawn before the next sites follow, if crops are `fresh`.
        lanes: Parts of the sites that batches are drawn from in turn if crops are `fresh`: as many as `run.workers`,
            so that each process draws places and people of its own part, and those once.
    """

    cache: Path = Path("runs/cache")
    crops: Literal["cached", "fresh"] = "cached"
    first_identity: Annotated[Whole, Field(ge=0, le=300_000)] = 0  # validation identities come after
    train_identities: Annotated[Whole, Field(ge=1, le=100_000)] = 2000
    train_cameras: Several = 4
    validation_identities: Count = 100
    validation_cameras: Several = 3
    scale: Annotated[Real, Field(ge=1, le=4)] = 2.0
    frames: Count = 8
    sites: CountOrNone = 12
    assets: Path | None = None
    visits: Count = 1
    lanes: Count = 1
