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
from training.checkpoint import Checkpoint
from training.config import TrainConfig
from training.losses import Classifiers


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


def start(config: TrainConfig) -> State:
    """Return the state of a run before its first step.

    Raises:
        WeightsError: What it should begin from cannot be used.
    """
    torch.manual_seed(config.seed)
    a = config.architecture
    network = Climb(a)
    if config.clip:
        load_clip_tower(network.encoder, config.clip)
    elif config.initial is not None:
        network.load_state_dict(load_weights(config.initial).network.state_dict())
    classifiers = Classifiers(a.tower_width + a.joint_width, a.tower_width, config.train_identities)
    head = (network.temporal, network.bottleneck_temporal)
    body = (network.encoder, network.bottleneck, network.bottleneck_joint)
    groups = [
        *_groups(body, 1.0, config.weight_decay),
        *_groups(head, config.temporal_lr, config.weight_decay),
        *_groups([classifiers.sequence], 1.0, 0.0),
        *_groups([classifiers.temporal], config.temporal_classifier_lr, 0.0),
    ]
    memory = torch.zeros(len(config.memories), config.train_identities, a.tower_width + a.joint_width)
    return State(
        network, classifiers, torch.optim.AdamW(groups, lr=config.lr), memory, copied(network) if config.ema else {}
    )


def _groups(modules: Sequence[nn.Module], scale: float, weight_decay: float) -> list[dict[str, Any]]:
    """Return parameter groups with `scale` on the learning rate; decay pulls on matrices, not on norms and biases."""
    learned = [p for module in modules for p in module.parameters() if p.requires_grad]
    matrices = {"params": [p for p in learned if p.ndim > 1], "scale": scale, "weight_decay": weight_decay}
    vectors = {"params": [p for p in learned if p.ndim <= 1], "scale": scale, "weight_decay": 0.0}
    return [group for group in (matrices, vectors) if group["params"]]


def restore(state: State, checkpoint: Checkpoint) -> None:
    """Put a checkpoint into a fresh state."""
    state.network.load_state_dict(checkpoint.network)
    state.classifiers.load_state_dict(checkpoint.classifiers)
    state.optimiser.load_state_dict(checkpoint.optimiser)
    state.memory, state.average = checkpoint.memory, checkpoint.average
    state.step, state.elapsed_s, state.best_map = checkpoint.step, checkpoint.elapsed_s, checkpoint.best_map


def snapshot(state: State) -> Checkpoint:
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
    )
