"""Growing a network: every feature is kept, twice."""

from dataclasses import replace

import pytest
import torch

from reid_worker.model.climb import Architecture, Climb
from training.recipes.grow import deepen, grow

SMALL = Architecture(
    height=32, width=16, tower_width=32, layers=1, heads=2, joint_width=16, frames=2, strides=(1, 2), state=4
)
CROPS = torch.rand(4, 3, 32, 16, generator=torch.Generator().manual_seed(0))


def network(seed: int) -> Climb:
    torch.manual_seed(seed)
    return Climb(SMALL).eval()


@pytest.mark.parametrize("layers", [1, 2])
def test_a_grown_network_has_every_value_twice(layers: int) -> None:
    small = network(0)
    grown = grow(small, replace(SMALL, tower_width=64, joint_width=32, layers=layers))
    with torch.no_grad():
        before, after = small.ragged(CROPS, [2, 2]), grown.ragged(CROPS, [2, 2])
    cls_token, joint = torch.tensor_split(before.sequence, [32], dim=1)
    expected = torch.cat([cls_token, cls_token, joint, joint], dim=1)
    torch.testing.assert_close(after.sequence, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(after.temporal, before.temporal.repeat(1, 2), rtol=1e-4, atol=1e-5)


def test_equal_channels_of_a_grown_network_have_different_gradients() -> None:
    grown = grow(network(0), replace(SMALL, tower_width=64, joint_width=32)).train()
    grown.sequence_feature(grown.encode(CROPS, [2, 2]))[0].sum().backward()  # type: ignore[no-untyped-call]
    gradient = grown.encoder.get_parameter("transformer.resblocks.0.mlp.c_fc.weight").grad
    assert gradient is not None
    first, second = torch.tensor_split(gradient, 2)
    assert not torch.allclose(first, second, rtol=0.1)


def test_a_grown_network_takes_larger_crops() -> None:
    grown = grow(network(0), replace(SMALL, height=64, width=32, tower_width=64, joint_width=32))
    assert grown.encode(torch.rand(2, 3, 64, 32), [2]).encoded.patches.shape == (2, 8, 64)


def test_sizes_that_do_not_double_are_refused() -> None:
    with pytest.raises(ValueError, match="not twice as wide"):
        grow(network(0), replace(SMALL, tower_width=48, joint_width=24))


def test_a_deepened_network_has_the_same_features_at_first_and_can_learn_others() -> None:
    shallow = network(0)
    deep = deepen(shallow, 3)
    with torch.no_grad():
        before, after = shallow.ragged(CROPS, [2, 2]), deep.ragged(CROPS, [2, 2])
    torch.testing.assert_close(after.sequence, before.sequence)
    torch.testing.assert_close(after.temporal, before.temporal)
    deep.train().sequence_feature(deep.encode(CROPS, [2, 2]))[0].sum().backward()  # type: ignore[no-untyped-call]
    gradient = deep.encoder.get_parameter("transformer.resblocks.2.mlp.c_proj.weight").grad
    assert gradient is not None
    assert gradient.abs().max() > 0


def test_no_layer_is_taken_away() -> None:
    with pytest.raises(ValueError, match="of 1 layers cannot be deepened to 0"):
        deepen(network(0), 0)
