"""The people a run trains and validates on, generated or from a data set; the two sets are disjoint."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reid_worker.model.climb import Architecture
from training.config import TrainConfig
from training.data.crops import CropPlan, CropSet, Render, RenderedTracklets, Tracklets, load_crops

_VALIDATION_SEEDS = 400_000  # validation people and cameras start here: no run trains on as many
_SITE_PEOPLE = 24  # people who share their cameras, so that the background does not identify them
_VIEWS = 96  # cached camera views, and four times as many people: those of the current and the next sites

_MANY_IMAGES = 20_000  # checking more takes long enough to need a message

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """People to validate on: every query is ranked against the gallery; the same object twice ranks all against all."""

    query: Tracklets
    gallery: Tracklets


def generated_people(assets: Path | None = None) -> Render:
    """Return the generator of people; its compiler is only loaded if people are rendered.

    With packed `assets`, every second site has realistic people.

    Raises:
        DataSetError: The assets are absent or incomplete.
    """
    from training.synthetic.people import PeopleGenerator

    if assets is None:
        return PeopleGenerator(keep=_VIEWS).tracklet
    from training.realistic.people import every_second_site

    return every_second_site(PeopleGenerator(keep=_VIEWS), assets, keep=_VIEWS)


def people_of(config: TrainConfig, render: Render | None, log: Log) -> tuple[Tracklets, HeldOut]:
    """Return the people to train on and those to validate on.

    Raises:
        DataSetError: The data set is missing or incomplete.
    """
    if config.data.folder:
        return _people_of_data_set(config, log)
    held_out = held_out_people(config, render or generated_people(), log)
    render = render or generated_people(config.synthetic.assets)
    return training_people(config, render, log), HeldOut(held_out, held_out)


def training_people(config: TrainConfig, render: Render, log: Log) -> CropSet | RenderedTracklets:
    """Return generated people to train on; `synthetic.crops` determines whether all are rendered now."""
    source = config.synthetic
    size = _rendered_size(config.network.architecture, source.scale)
    people, cameras, first = source.train_identities, source.train_cameras, source.first_identity
    name = f"train-{people}x{cameras}-{size[0]}x{size[1]}" + (f"-{first}" if first else "")
    name += "-realistic" if source.assets else ""
    plan = CropPlan(name, first, people, first, cameras, _SITE_PEOPLE, source.frames, size)
    if source.crops == "fresh":
        return RenderedTracklets(plan, render)
    return load_crops(plan, render, source.cache, report=log, processes=_renderers(config))


def held_out_people(config: TrainConfig, render: Render, log: Log) -> CropSet:
    """Return generated people to validate on: other cameras, and whole tracklets whatever training uses."""
    source = config.synthetic
    size = _rendered_size(config.network.architecture, source.scale)
    people, cameras, first = source.validation_identities, source.validation_cameras, _VALIDATION_SEEDS
    name = f"test-{people}x{cameras}-{size[0]}x{size[1]}"
    frames = config.network.architecture.frames
    plan = CropPlan(name, first, people, first, cameras, _SITE_PEOPLE, frames, size)
    return load_crops(plan, render, source.cache, report=log, processes=_renderers(config))


def _renderers(config: TrainConfig) -> int:
    """Return how many processes render before the first step, when the main process is idle."""
    return config.run.workers + 1 if config.run.workers else 0


def _people_of_data_set(config: TrainConfig, log: Log) -> tuple[Tracklets, HeldOut]:
    from training.data.files import FileTracklets
    from training.data.hint import with_layout_hint
    from training.data.load import load_dataset
    from training.data.readable import readable_set
    from training.data.remarks import remarks
    from training.data.side import Side

    data = config.data
    assert data.folder is not None
    assert data.layout is not None
    with with_layout_hint(data.layout, data.folder, options=("data.layout=", "data.folder=")):
        found = load_dataset(data.layout, data.folder, split=data.split, checked=data.checked)
    if (images := found.images) > _MANY_IMAGES:
        log(f"{found.name}: checking all {images} images once, so that a broken one cannot end the run")
    found = readable_set(found)
    side = Side.of([found], config.network.cameras)
    train_rows, query_rows, gallery_rows = (
        side.rows(part) if side.known else None for part in (found.train, found.query, found.gallery)
    )
    train = FileTracklets.for_training(found.train, train_rows)
    log(
        f"{found.name}: {len(found.train)} tracklets of {int(train.identities.max()) + 1} people to train on, "
        f"{len(found.query)} queries in a gallery of {len(found.gallery)} to validate on"
    )
    for remark in remarks(found):
        log(remark)
    query = FileTracklets(found.query, side_rows=query_rows)
    return train, HeldOut(query, FileTracklets(found.gallery, side_rows=gallery_rows))


def _rendered_size(a: Architecture, scale: float) -> tuple[int, int]:
    """Return `scale` times the network's size, as real crops are larger too, but no more than 256 px high."""
    scale = min(scale, 256 / a.height)
    return round(a.height * scale), round(a.width * scale)
