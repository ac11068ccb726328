"""Build the parts of a run from its configuration: device, preprocessing, sampler, and the settings fixed on resume."""

import torch

from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import load_weights
from training.config import TrainConfig
from training.config.groups import MODELS
from training.data.crops import RenderedTracklets, Tracklets
from training.errors import TrainingError
from training.sampler import BatchPlan, IdentitySampler


def device_of(config: TrainConfig) -> torch.device:
    """Return the device of the network.

    Raises:
        TrainingError: A GPU is requested but not available.
    """
    device = config.run.device
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("run.device is cuda, but torch finds no GPU: set run.device=cpu, or install torch for CUDA")
    on_gpu = device != "cpu" and torch.cuda.is_available()
    return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")


_FIXED = (
    *("run.seed", "network.model", "network.strides", "network.cameras", "data.layout", "data.split"),
    *("synthetic.crops", "synthetic.train_identities", "synthetic.train_cameras", "synthetic.lanes"),
    *("optimiser.name", "batch.identities", "batch.tracklets", "losses.memories"),
)


def fixed_settings(config: TrainConfig) -> dict[str, str]:
    """Return the settings that must not change when a run is resumed, by `group.key`."""
    values = {}
    for key in _FIXED:
        group, _, name = key.partition(".")
        value = getattr(getattr(config, group), name)
        values[key] = "" if value is None else str(value)
    return values


def preprocessing_of(config: TrainConfig) -> Preprocessing:
    """Return the preprocessing that is stored with the weights of this run."""
    return config.network.preprocessing


def initial_warning(config: TrainConfig) -> str | None:
    """Return a warning if the initial weights were trained with different preprocessing, otherwise None."""
    if config.network.initial is None:
        return None
    before, now = load_weights(config.network.initial).preprocessing, preprocessing_of(config)
    if before == now:
        return None
    return (
        f"{config.network.initial} was trained with preprocessing {before}, but this run uses {now}: "
        "see network.resize and network.standardise"
    )


_SIZES = ("stem", "patch", "tower_width", "layers", "heads", "joint_width")  # others can differ: see `state.start`


def check_initial(config: TrainConfig) -> None:
    """Check that the network can start from its initial weights, before people are rendered for it.

    Raises:
        TrainingError: They are of a network of other sizes.
        WeightsError: They cannot be read.
    """
    path = config.network.initial
    if path is None:
        return
    wanted, given = config.network.architecture, load_weights(path).network.architecture
    other = [size for size in _SIZES if getattr(given, size) != getattr(wanted, size)]
    if other:
        have, want = (", ".join(f"{size} {getattr(one, size)}" for size in other) for one in (given, wanted))
        models = (name for name, one in MODELS.items() if all(getattr(one, s) == getattr(given, s) for s in _SIZES))
        remedy = next((f"set network.model={name}" for name in models), "start from weights of its own kind")
        raise TrainingError(f"{path} has {have}, but {config.network.model} has {want}: {remedy}")


def sampler_of(config: TrainConfig, people: Tracklets) -> IdentitySampler:
    """Return the batch sampler of a run.

    Raises:
        TrainingError: There are fewer people than a batch needs.
    """
    fresh = isinstance(people, RenderedTracklets)
    batch = config.batch
    plan = BatchPlan(
        batch.identities,
        batch.tracklets,
        batch.cluster,
        sites=config.synthetic.sites if fresh else 0,
        visits=config.synthetic.visits if fresh else 1,
        lanes=config.synthetic.lanes if fresh else 1,
    )
    try:
        return IdentitySampler(people.identities, people.cameras, plan, seed=config.run.seed)
    except ValueError as error:
        raise TrainingError(f"{error}: lower batch.identities") from error
