"""One training step: encode, compute losses over the whole batch, update the network, then the memories.

Tracklets are encoded independently, so a batch may be encoded in parts, one after another or on several processes;
batch norms, losses and memories then see the whole batch (Gao et al. 2021, GradCache, section 3).
"""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from reid_worker.model.climb import Climb, Features, Pooled
from reid_worker.model.preprocess import Preprocessing
from training.average import move_average
from training.config import TrainConfig
from training.distributed import SINGLE, Distributed
from training.errors import TrainingError
from training.loader import Examples
from training.losses import Losses, climb_losses
from training.memory import move_rows, start_rows
from training.schedule import weights_at
from training.state import State

_SEED_STRIDE = 1_000_003  # more than a run has steps, so that no two seeds share a step's draws


@dataclass(frozen=True, slots=True)
class Encoding:
    """How tracklets are encoded: preprocessing, precision, whether the encoder trains and the temporal head is used."""

    preprocessing: Preprocessing
    precision: torch.dtype
    learning: bool
    temporal: bool


def train_step(
    state: State,
    examples: Examples,
    preprocessing: Preprocessing,
    config: TrainConfig,
    progress: float,
    group: Distributed = SINGLE,
) -> Losses:
    """Update the network with one batch, then the memories; return the losses before the update.

    Args:
        state: Updated in place.
        examples: This rank's share of the batch.
        preprocessing: Preprocessing of the run.
        config: Configuration of the run.
        progress: Completed fraction of the run, 0 to 1.
        group: The processes of the run.

    Raises:
        TrainingError: The loss is NaN or infinite.
    """
    weights = weights_at(config.losses, config.schedule, progress)
    precision = torch.bfloat16 if config.run.precision == "bfloat16" else torch.float32
    learning = progress < config.schedule.encoder_until
    how = Encoding(preprocessing, precision, learning, bool(weights.temporal_ce or weights.temporal_triplet))
    network = _ready(state, learning=learning)
    parts = _parts(examples, config.batch.chunks, state.memory.device)
    mine = _encoded(network, parts, how)
    batch = _leaves(mine, group)
    labels = group.gather(examples.labels.to(state.memory.device))
    features = network.normed(batch)
    start_rows(state.memory, features.sequence, labels)
    losses = climb_losses(features, labels, state.classifiers, state.memory, weights)
    if not math.isfinite(losses.total.item()):
        raise TrainingError(
            f"the loss is {losses.total.item()} at step {state.step}: lower optimiser.learning_rate (now "
            f"{config.optimiser.learning_rate}) and resume from the last checkpoint with run.resume=true"
        )
    state.optimiser.zero_grad(set_to_none=True)
    losses.total.backward()  # type: ignore[no-untyped-call]
    _backward_parts(network, parts, mine, _gradients(batch, group), how)
    group.add_gradients([*network.encoder_parameters(), *network.temporal.parameters()])
    if config.optimiser.max_grad_norm:
        nn.utils.clip_grad_norm_(network.parameters(), config.optimiser.max_grad_norm)
    state.optimiser.step()
    _update_memories(state, features, labels, config)
    return losses


def _ready(state: State, *, learning: bool) -> Climb:
    network = state.network.train()
    for body in (network.encoder, network.bottleneck, network.bottleneck_joint):
        body.train(learning)
    return network


def _parts(examples: Examples, count: int, device: torch.device) -> list[Examples]:
    """Return the batch in up to `count` parts of whole tracklets, on the device."""
    n = len(examples.lengths)
    edges = [n * i // count for i in range(count + 1)]
    starts = [sum(examples.lengths[:edge]) for edge in edges]
    whole = [i for i in range(count) if edges[i] < edges[i + 1]]
    return [
        Examples(
            examples.crops[starts[i] : starts[i + 1]].to(device),
            examples.lengths[edges[i] : edges[i + 1]],
            examples.labels[edges[i] : edges[i + 1]],
            None if examples.kept is None else examples.kept[starts[i] : starts[i + 1]].to(device),
            None if examples.cameras is None else examples.cameras[edges[i] : edges[i + 1]],
        )
        for i in whole
    ]


def _encoded(network: Climb, parts: list[Examples], how: Encoding) -> Pooled:
    """Return the pooled features of all parts; they carry a graph for the backward pass only if there is one part."""
    if len(parts) == 1:
        return _pooled(network, parts[0], how)
    with torch.no_grad(), _still_statistics(network):
        pooled = [_pooled(network, part, how) for part in parts]
    temporal = [one.temporal for one in pooled if one.temporal is not None]
    return Pooled(
        torch.cat([one.cls_token for one in pooled]),
        torch.cat([one.joint for one in pooled]),
        torch.cat(temporal) if temporal else None,
    )


def _pooled(network: Climb, part: Examples, how: Encoding) -> Pooled:
    kind = part.crops.device.type
    lower = torch.autocast(kind, how.precision, enabled=how.precision is not torch.float32)
    with _attention(kind, how.precision), lower:
        with torch.set_grad_enabled(how.learning and torch.is_grad_enabled()):
            tokens = network.encode(how.preprocessing.scale(part.crops), part.lengths, part.cameras, part.kept)
        pooled = network.pooled(tokens, temporal=how.temporal)
    return Pooled(
        pooled.cls_token.float(), pooled.joint.float(), None if pooled.temporal is None else pooled.temporal.float()
    )


def _attention(kind: str, precision: torch.dtype) -> AbstractContextManager[None]:
    """Return the context of plain matrix products where fused attention is slow: in bfloat16 on a CPU.

    Its backward pass over the few tokens of a crop takes a fifth of a step there.
    """
    plain = kind == "cpu" and precision is torch.bfloat16
    return sdpa_kernel(SDPBackend.MATH) if plain else nullcontext()


def _leaves(mine: Pooled, group: Distributed) -> Pooled:
    """Return the pooled features of all ranks as leaves of a new graph."""

    def leaf(tensor: Tensor) -> Tensor:
        return group.gather(tensor).detach().requires_grad_()

    return Pooled(leaf(mine.cls_token), leaf(mine.joint), None if mine.temporal is None else leaf(mine.temporal))


def _gradients(batch: Pooled, group: Distributed) -> list[Tensor | None]:
    """Return the gradients of this rank's share of the batch, in the order of the fields."""
    leaves = _tensors(batch)
    return [None if leaf is None or leaf.grad is None else leaf.grad[group.share(len(leaf))] for leaf in leaves]


def _backward_parts(
    network: Climb, parts: list[Examples], mine: Pooled, gradients: list[Tensor | None], how: Encoding
) -> None:
    """Propagate the gradients of pooled features to the encoder, part by part."""
    if len(parts) == 1:
        _backward(mine, gradients)
        return
    start = 0
    for part in parts:
        stop = start + len(part.lengths)
        _backward(_pooled(network, part, how), [None if g is None else g[start:stop] for g in gradients])
        start = stop


def _backward(pooled: Pooled, gradients: list[Tensor | None]) -> None:
    pairs = [
        (tensor, gradient)
        for tensor, gradient in zip(_tensors(pooled), gradients, strict=True)
        if tensor is not None and gradient is not None and tensor.requires_grad
    ]
    if pairs:
        torch.autograd.backward([tensor for tensor, _ in pairs], [gradient for _, gradient in pairs])


def _tensors(pooled: Pooled) -> list[Tensor | None]:
    return [getattr(pooled, field.name) for field in fields(pooled)]


@contextmanager
def _still_statistics(network: nn.Module) -> Iterator[None]:
    """Keep running statistics from counting the same batch twice."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def _update_memories(state: State, features: Features, labels: Tensor, config: TrainConfig) -> None:
    draws = torch.Generator().manual_seed(config.run.seed * _SEED_STRIDE + state.step)
    move_rows(state.memory, features.sequence, labels, config.losses.memories, draws)
    if config.optimiser.ema_decay:
        move_average(state.average, state.network, config.optimiser.ema_decay, state.step)
