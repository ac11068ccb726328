"""What a run is built from its configuration: device, preprocessing, sampler, and what a resumed run must share."""

import torch

from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import load_weights
from training.config import TrainConfig
from training.data.crops import RenderedTracklets, Tracklets
from training.errors import TrainingError
from training.sampler import BatchPlan, IdentitySampler


def device_of(config: TrainConfig) -> torch.device:
    """Return where the network of a run is.

    Raises:
        TrainingError: A GPU is wanted and there is none.
    """
    device = config.run.device
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("run.device is cuda, and torch finds no GPU: set run.device=cpu, or install torch for CUDA")
    on_gpu = device != "cpu" and torch.cuda.is_available()
    return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")


_SAME = (
    *("run.seed", "network.model", "network.strides", "network.cameras", "data.layout", "data.split"),
    *("synthetic.crops", "synthetic.train_identities", "synthetic.train_cameras"),
    *("optimiser.name", "batch.identities", "batch.tracklets", "losses.memories"),
)


def identity_of(config: TrainConfig) -> dict[str, str]:
    """Return what must be the same for whoever resumes a run, by `group.key`."""
    values = {}
    for key in _SAME:
        group, _, name = key.partition(".")
        value = getattr(getattr(config, group), name)
        values[key] = "" if value is None else str(value)
    return values


def preprocessing_of(config: TrainConfig) -> Preprocessing:
    """Return the preprocessing that the weights of this run will carry."""
    return config.network.preprocessing


def initial_remark(config: TrainConfig) -> str | None:
    """Return what to know of the initial weights: that they learnt from crops prepared in another way."""
    if config.network.initial is None:
        return None
    before, now = load_weights(config.network.initial).preprocessing, preprocessing_of(config)
    if before == now:
        return None
    return (
        f"{config.network.initial} learnt from crops prepared by {before}, this run prepares them by {now}: "
        "see network.resize and network.standardise"
    )


def sampler_of(config: TrainConfig, people: Tracklets) -> IdentitySampler:
    """Return what draws the batches of a run.

    Raises:
        TrainingError: There are fewer people than a batch has.
    """
    fresh = isinstance(people, RenderedTracklets)
    batch = config.batch
    plan = BatchPlan(
        batch.identities,
        batch.tracklets,
        batch.cluster,
        sites=config.synthetic.sites if fresh else 0,
        visits=config.synthetic.visits if fresh else 1,
    )
    try:
        return IdentitySampler(people.identities, people.cameras, plan, seed=config.run.seed)
    except ValueError as error:
        raise TrainingError(f"{error}: lower batch.identities") from error
