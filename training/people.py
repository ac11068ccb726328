"""Whom a run learns from and whom it is judged by: generated people, nobody on both sides."""

from collections.abc import Callable

from reid_worker.model.climb import Architecture
from training.config import TrainConfig
from training.crops import CropPlan, CropSet, Render, RenderedTracklets, load_crops

_TEST_SEEDS = 400_000  # people and cameras to judge by start here: no run trains on as many
_SITE_PEOPLE = 24  # people who share their cameras, so that the background tells nobody apart
_VIEWS = 96  # camera views kept, and four times as many people: of the sites in turn and of the next ones

Report = Callable[[str], None]


def generated_people() -> Render:
    """Return the generator of people; its compiler is only loaded where people are rendered."""
    from training.synthetic.people import PeopleGenerator

    return PeopleGenerator(keep=_VIEWS).tracklet


def training_people(config: TrainConfig, render: Render, report: Report) -> CropSet | RenderedTracklets:
    """Return the people to learn from: `config.crops` says whether all of them are rendered now."""
    size = _rendered_size(config.architecture, config.rendered_scale)
    people, cameras = config.train_identities, config.train_cameras
    name = f"train-{people}x{cameras}-{size[0]}x{size[1]}"
    plan = CropPlan(name, 0, people, 0, cameras, _SITE_PEOPLE, config.rendered_frames, size)
    if config.crops == "fresh":
        return RenderedTracklets(plan, render)
    return load_crops(plan, render, config.cache, report=report)


def held_out_people(config: TrainConfig, render: Render, report: Report) -> CropSet:
    """Return the people to judge by, seen by other cameras, in whole tracklets whatever is rendered to learn from."""
    size = _rendered_size(config.architecture, config.rendered_scale)
    people, cameras, first = config.test_identities, config.test_cameras, _TEST_SEEDS
    name = f"test-{people}x{cameras}-{size[0]}x{size[1]}"
    frames = config.architecture.frames
    plan = CropPlan(name, first, people, first, cameras, _SITE_PEOPLE, frames, size)
    return load_crops(plan, render, config.cache, report=report)


def _rendered_size(a: Architecture, scale: float) -> tuple[int, int]:
    """Return `scale` times the network's size, as real crops are larger too, but no more than 256 px high."""
    scale = min(scale, 256 / a.height)
    return round(a.height * scale), round(a.width * scale)
