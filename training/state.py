"""Everything that changes during a run: how it starts, and how it goes into a checkpoint and comes back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from reid_worker.model.climb import Climb
from reid_worker.model.clip_weights import load_clip_tower
from reid_worker.model.weights import load_weights
from training.average import copied
from training.checkpoint import Checkpoint, CheckpointError
from training.config import TrainConfig
from training.losses import Classifiers

_SGD_MOMENTUM = 0.9


@dataclass(slots=True, eq=False)
class State:
    """Everything that changes during a run, and is in its checkpoint; `average` is empty where a run keeps none."""

    network: Climb
    classifiers: Classifiers
    optimiser: torch.optim.Optimizer
    memory: Tensor
    average: dict[str, Tensor]
    step: int = 0
    elapsed_s: float = 0.0
    best_map: float = -1.0


def start(config: TrainConfig, identities: int, device: torch.device | None = None) -> State:
    """Return the state of a run over some identities before its first step.

    Raises:
        WeightsError: What it should begin from cannot be used.
    """
    torch.manual_seed(config.seed)
    a = config.architecture
    network = Climb(a)
    if config.clip:
        load_clip_tower(network.encoder, config.clip)
    elif config.initial is not None:
        _begin_from(network, load_weights(config.initial).network, with_head=config.initial_head)
    classifiers = Classifiers(a.tower_width + a.joint_width, a.tower_width, identities)
    network.encoder.recomputed = config.checkpointing
    network.to(device)
    classifiers.to(device)
    memory = torch.zeros(len(config.memories), identities, a.tower_width + a.joint_width, device=device)
    optimiser = _optimiser(config, network, classifiers)
    return State(network, classifiers, optimiser, memory, copied(network) if config.ema else {})


def _begin_from(network: Climb, weights: Climb, *, with_head: bool) -> None:
    state = weights.state_dict()
    if not with_head:
        own = network.state_dict()
        state = {name: own[name] if "temporal" in name else state[name] for name in own}
    network.load_state_dict(state)


def _optimiser(config: TrainConfig, network: Climb, classifiers: Classifiers) -> torch.optim.Optimizer:
    head = (network.temporal, network.bottleneck_temporal)
    body = (network.encoder, network.bottleneck, network.bottleneck_joint)
    groups = [
        *_groups(body, 1.0, config.weight_decay),
        *_groups(head, config.temporal_lr, config.weight_decay),
        *_groups([classifiers.sequence], config.classifier_lr, 0.0),
        *_groups([classifiers.temporal], config.temporal_classifier_lr, 0.0),
    ]
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=_SGD_MOMENTUM)
    kind = torch.optim.Adam if config.optimiser == "adam" else torch.optim.AdamW
    return kind(groups, lr=config.lr)


def _groups(modules: Sequence[nn.Module], scale: float, weight_decay: float) -> list[dict[str, Any]]:
    """Return parameter groups with `scale` on the learning rate; decay pulls on matrices, not on norms and biases."""
    learned = [p for module in modules for p in module.parameters() if p.requires_grad]
    matrices = {"params": [p for p in learned if p.ndim > 1], "scale": scale, "weight_decay": weight_decay}
    vectors = {"params": [p for p in learned if p.ndim <= 1], "scale": scale, "weight_decay": 0.0}
    return [group for group in (matrices, vectors) if group["params"]]


def restore(state: State, checkpoint: Checkpoint, run: dict[str, str]) -> None:
    """Put a checkpoint into a fresh state of `run`, which is a value of everything that must not change.

    Raises:
        CheckpointError: It is of a run of other classes, sizes or settings.
    """
    other = [
        f"{key} was {old} and is {run.get(key)}" for key, old in checkpoint.run.items() if run.get(key, old) != old
    ]
    if other:
        raise CheckpointError(
            f"the checkpoint is of another run: {'; '.join(other)}. Go on with its settings, or begin anew elsewhere"
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
    )
