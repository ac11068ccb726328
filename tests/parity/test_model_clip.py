"""Our visual tower equals open_clip's class, parameter for parameter and number for number."""

import warnings

import torch
from torch import nn

from reid_worker.model.clip import QuickGELU, VisualTower, resize_positions


def test_tower_equals_open_clip_with_the_same_weights() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what open_clip's own dependencies say at import is not ours to fix
        from open_clip.transformer import VisionTransformer
    torch.manual_seed(0)
    theirs = VisionTransformer(
        32, 8, width=48, layers=2, heads=4, mlp_ratio=4.0, output_dim=24, act_layer=QuickGELU, output_tokens=True
    ).eval()
    ours = VisualTower(nn.Conv2d(3, 48, 8, stride=8, bias=False), (4, 4), width=48, layers=2, heads=4, joint=24).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        joint, patches = theirs(images)
        out = ours(images)
    torch.testing.assert_close(out.joint, joint, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out.patches, patches, rtol=1e-4, atol=1e-5)


def test_resizing_positions_to_the_same_grid_changes_nothing() -> None:
    positions = torch.randn(1 + 4 * 3, 5)
    torch.testing.assert_close(resize_positions(positions, (4, 3), (4, 3)), positions)


def test_resizing_positions_keeps_the_class_position_and_constant_grids() -> None:
    positions = torch.cat([torch.full((1, 5), 7.0), torch.full((4, 5), 2.0)])
    resized = resize_positions(positions, (2, 2), (8, 4))
    assert resized.shape == (33, 5)
    assert torch.equal(resized[0], positions[0])
    torch.testing.assert_close(resized[1:], torch.full((32, 5), 2.0))


def test_tower_takes_images_of_another_size_than_it_was_made_for() -> None:
    torch.manual_seed(0)
    tower = VisualTower(nn.Conv2d(3, 16, 8, stride=8, bias=False), (4, 2), width=16, layers=1, heads=2, joint=8)
    assert tower(torch.randn(2, 3, 16, 8)).patches.shape == (2, 2, 16)
