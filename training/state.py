"""Everything that changes during a run: its initial state, and how it is checkpointed and restored."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reid_worker.model.climb import Climb, without_cameras
from reid_worker.model.clip_weights import load_clip_tower
from reid_worker.model.tensors import put_tensors
from reid_worker.model.weights import load_weights
from training.average import copied
from training.checkpoint import Checkpoint, CheckpointError
from training.config import OptimiserConfig, TrainConfig
from training.config.renamed import RENAMED
from training.losses import Classifiers

_SGD_MOMENTUM = 0.9


@dataclass(slots=True, eq=False)
class State:
    """Everything that changes during a run and is checkpointed.

    Attributes:
        average: Moving average of the network's state; empty if the run keeps none.
        elapsed_s: Duration of the run so far, including validation.
        best_map: Best held-out mAP so far, -1 before the first validation.
        validated_step: Steps completed at the last validation, -1 before the first.
        validated_s: `elapsed_s` at the last validation, or when the run was resumed.
    """

    network: Climb
    classifiers: Classifiers
    optimiser: torch.optim.Optimizer
    memory: Tensor
    average: dict[str, Tensor]
    step: int = 0
    elapsed_s: float = 0.0
    best_map: float = -1.0
    validated_step: int = -1
    validated_s: float = 0.0


def start(config: TrainConfig, identities: int, device: torch.device | None = None) -> State:
    """Return the state of a run before its first step, for a number of training identities.

    Raises:
        WeightsError: The initial weights cannot be used.
    """
    torch.manual_seed(config.run.seed)
    a, optimiser = config.network.architecture, config.optimiser
    network = Climb(a)
    if config.network.clip:
        load_clip_tower(network.encoder, config.network.clip)
    elif config.network.initial is not None:
        _start_from(network, config.network.initial, with_head=config.network.load_head)
    classifiers = Classifiers(a.tower_width + a.joint_width, a.tower_width, identities)
    network.encoder.recomputed = config.run.gradient_checkpointing
    network.to(device)
    classifiers.to(device)
    memory = torch.zeros(len(config.losses.memories), identities, a.tower_width + a.joint_width, device=device)
    average = copied(network) if optimiser.ema_decay else {}
    return State(network, classifiers, _optimiser(optimiser, network, classifiers), memory, average)


def _start_from(network: Climb, path: Path, *, with_head: bool) -> None:
    """Load initial weights; vectors of other cameras are averaged, and those of the run's cameras start afresh."""
    weights, own = load_weights(path).network, network.state_dict()
    if weights.architecture.cameras != network.architecture.cameras:
        weights = without_cameras(weights)
    given = {name: t for name, t in weights.state_dict().items() if with_head or "temporal" not in name}
    begun = {name for name in own.keys() - given.keys() if name == "side" or (not with_head and "temporal" in name)}
    put_tensors(network, given | {name: own[name] for name in begun}, path, f"the run's {network.architecture.name}")


def _optimiser(config: OptimiserConfig, network: Climb, classifiers: Classifiers) -> torch.optim.Optimizer:
    head = (network.temporal, network.bottleneck_temporal)
    body = (nn.ParameterList(network.encoder_parameters()), network.bottleneck, network.bottleneck_joint)
    groups = [
        *_groups(body, 1.0, config.weight_decay),
        *_groups(head, config.temporal_lr_factor, config.weight_decay),
        *_groups([classifiers.sequence], config.classifier_lr_factor, 0.0),
        *_groups([classifiers.temporal], config.temporal_classifier_lr_factor, 0.0),
    ]
    if config.name == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=_SGD_MOMENTUM)
    kind = torch.optim.Adam if config.name == "adam" else torch.optim.AdamW
    return kind(groups, lr=config.learning_rate)


def _groups(modules: Sequence[nn.Module], scale: float, weight_decay: float) -> list[dict[str, Any]]:
    """Return parameter groups with `scale` on the learning rate; norms and biases have no weight decay."""
    learned = [p for module in modules for p in module.parameters() if p.requires_grad]
    matrices = {"params": [p for p in learned if p.ndim > 1], "scale": scale, "weight_decay": weight_decay}
    vectors = {"params": [p for p in learned if p.ndim <= 1], "scale": scale, "weight_decay": 0.0}
    return [group for group in (matrices, vectors) if group["params"]]


def restore(state: State, checkpoint: Checkpoint, run: dict[str, str]) -> None:
    """Load a checkpoint into a fresh state; `run` holds the settings that must not have changed.

    Raises:
        CheckpointError: The checkpoint is of a run with other classes, sizes or settings.
    """
    before = {RENAMED.get(key, key): value for key, value in checkpoint.run.items()}
    other = [f"{key} was {old} and is {run[key]}" for key, old in before.items() if run.get(key, old) != old]
    if other:
        raise CheckpointError(
            f"the checkpoint is of another run: {'; '.join(other)}. Resume it with the same settings, or start a new "
            "run in another run.output"
        )
    try:
        state.network.load_state_dict(checkpoint.network)
        state.classifiers.load_state_dict(checkpoint.classifiers)
        state.optimiser.load_state_dict(checkpoint.optimiser)
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"the checkpoint is of another network, or of other people: {error}") from error
    if checkpoint.memory.shape != state.memory.shape or checkpoint.average.keys() != state.average.keys():
        raise CheckpointError(
            f"the checkpoint has memories of {tuple(checkpoint.memory.shape)}, the run of {tuple(state.memory.shape)}; "
            f"and {len(checkpoint.average)} averaged tensors for {len(state.average)}"
        )
    device = state.memory.device
    state.memory = checkpoint.memory.to(device)
    state.average = {name: tensor.to(device) for name, tensor in checkpoint.average.items()}
    state.step, state.elapsed_s, state.best_map = checkpoint.step, checkpoint.elapsed_s, checkpoint.best_map
    state.validated_step = checkpoint.step if checkpoint.validated_step is None else checkpoint.validated_step
    state.validated_s = checkpoint.elapsed_s


def snapshot(state: State, run: dict[str, str]) -> Checkpoint:
    """Return everything that `restore` needs."""
    return Checkpoint(
        step=state.step,
        elapsed_s=state.elapsed_s,
        best_map=state.best_map,
        network=state.network.state_dict(),
        classifiers=state.classifiers.state_dict(),
        optimiser=state.optimiser.state_dict(),
        memory=state.memory,
        average=state.average,
        run=run,
        validated_step=state.validated_step,
    )
