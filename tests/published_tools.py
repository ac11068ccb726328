"""A checkpoint in the layout that the authors of CLIMB-ReID published, small and with random numbers."""

import math

from torch import Generator, Tensor, manual_seed, ones, rand, randn, tensor

WIDTH, JOINT, PATCH, ROWS, COLUMNS, LAYERS, HEADS = 128, 24, 4, 4, 2, 2, 2
STATE, KERNEL, INNER, RANK, ATTENTION = 16, 4, 256, 8, 192
SIZE = (ROWS * PATCH, COLUMNS * PATCH)  # of a crop, px


def published_checkpoint(*, cameras: int = 0, prefix: str = "") -> dict[str, Tensor]:
    """Return what training saved: the network, classifiers, and parts that nothing uses."""
    manual_seed(11)
    tensors = _tower() | _norms() | _head()
    if cameras:
        tensors["cv_embed"] = randn(cameras, WIDTH)
    tensors["classifier.weight"] = randn(10, WIDTH + JOINT)
    tensors["classifier2.weight"] = randn(10, WIDTH)
    return {prefix + name: value for name, value in tensors.items()}


def crops(count: int) -> Tensor:
    """Return preprocessed crops `(count, 3, *SIZE)`."""
    return randn(count, 3, *SIZE, generator=Generator().manual_seed(4))


def _matrix(rows: int, columns: int) -> Tensor:
    return randn(rows, columns) / math.sqrt(columns)


def _layer_norm(name: str) -> dict[str, Tensor]:
    return {f"{name}.weight": 1 + 0.2 * randn(WIDTH), f"{name}.bias": 0.2 * randn(WIDTH)}


def _linear(name: str, rows: int, columns: int) -> dict[str, Tensor]:
    return {f"{name}.weight": _matrix(rows, columns), f"{name}.bias": 0.1 * randn(rows)}


def _tower() -> dict[str, Tensor]:
    tensors = {
        "class_embedding": randn(WIDTH),
        "positional_embedding": randn(ROWS * COLUMNS + 1, WIDTH),
        "proj": _matrix(WIDTH, JOINT),
        "conv1.weight": randn(WIDTH, 3, PATCH, PATCH) * 0.2,
    } | _layer_norm("ln_pre")
    for layer in range(LAYERS):
        block = f"transformer.resblocks.{layer}"
        tensors |= {
            f"{block}.attn.in_proj_weight": _matrix(3 * WIDTH, WIDTH),
            f"{block}.attn.in_proj_bias": 0.1 * randn(3 * WIDTH),
        }
        tensors |= _linear(f"{block}.attn.out_proj", WIDTH, WIDTH) | _layer_norm(f"{block}.ln_1")
        tensors |= _linear(f"{block}.mlp.c_fc", 4 * WIDTH, WIDTH) | _linear(f"{block}.mlp.c_proj", WIDTH, 4 * WIDTH)
        tensors |= _layer_norm(f"{block}.ln_2")
    return {f"image_encoder.{name}": value for name, value in (tensors | _layer_norm("ln_post")).items()}


def _norms() -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name, width in (("bottleneck", WIDTH), ("bottleneck_proj", JOINT), ("bottleneck_proj_sp", WIDTH)):
        tensors |= {
            f"{name}.weight": 1 + 0.2 * randn(width),
            f"{name}.bias": 0.1 * randn(width),
            f"{name}.running_mean": 0.3 * randn(width),
            f"{name}.running_var": 0.5 + rand(width),
            f"{name}.num_batches_tracked": tensor(700),
        }
    return tensors


def _direction(name: str, suffix: str) -> dict[str, Tensor]:
    return {
        f"{name}.conv1d{suffix}.weight": 0.5 * randn(INNER, 1, KERNEL),
        f"{name}.conv1d{suffix}.bias": 0.1 * randn(INNER),
        f"{name}.x_proj{suffix}.weight": _matrix(RANK + 2 * STATE, INNER),
        f"{name}.dt_proj{suffix}.weight": _matrix(INNER, RANK),
        f"{name}.dt_proj{suffix}.bias": randn(INNER) - 2,
        f"{name}.A{suffix}_log": rand(INNER, STATE),
        f"{name}.D{suffix}": ones(INNER) + 0.2 * randn(INNER),
    }


def _mamba(name: str) -> dict[str, Tensor]:
    ends = {f"{name}.in_proj.weight": _matrix(2 * INNER, WIDTH), f"{name}.out_proj.weight": _matrix(WIDTH, INNER)}
    return ends | _direction(name, "")


def _head() -> dict[str, Tensor]:
    tensors = _layer_norm("sp_mamba_bi.0") | _mamba("sp_mamba_bi.1") | _direction("sp_mamba_bi.1", "_b")
    tensors |= _layer_norm("sp_mamba_raw.0") | _mamba("sp_mamba_raw.1")
    tensors |= _layer_norm("norm2_mamba") | _layer_norm("norm3_mamba")
    return tensors | _linear("sp_attention.0", ATTENTION, WIDTH) | _linear("sp_attention.2", 1, ATTENTION)
