"""The moving average of a network's weights, which is validated and saved if a run has one."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def move_average(average: dict[str, Tensor], network: nn.Module, decay: float, step: int) -> None:
    """Move an average towards a network, in place: a <- d a + (1 - d) w (Polyak and Juditsky 1992, section 2).

    Args:
        average: State of a network, by name; running statistics are averaged too, so that they fit the weights.
        network: The network after the update of `step`, 0-based.
        decay: d, 0 to 1; smaller during the first steps, so that the initial weights are soon forgotten.
        step: Steps completed before.
    """
    share = 1 - min(decay, (1 + step) / (10 + step))
    state = network.state_dict()
    floats = [name for name, tensor in average.items() if tensor.is_floating_point()]
    torch._foreach_lerp_([average[name] for name in floats], [state[name] for name in floats], share)
    for name in average.keys() - floats:
        average[name].copy_(state[name])


def copied(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a network's state, to start an average from."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
