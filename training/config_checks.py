"""What the values of a training configuration may be, each for itself and together."""

import math
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from reid_worker.model.climb import CLIMB_BASE, CLIMB_TINY, Architecture
from training.memory import STRATEGIES

if TYPE_CHECKING:
    from training.config import TrainConfig

MODELS = {
    "climb-tiny": CLIMB_TINY,
    "climb-tiny-64": replace(CLIMB_TINY, height=64, width=32, tower_width=128, layers=3, joint_width=128),
    "climb-base": CLIMB_BASE,
}
_LAYOUTS = ("market", "msmt17", "mars", "lsvid", "ilids")
_CHOICES: dict[str, Collection[str]] = {
    "model": MODELS,
    "device": ("auto", "cpu", "cuda"),
    "precision": ("float32", "bfloat16"),
    "layout": ("", *_LAYOUTS),
    "crops": ("cached", "fresh"),
    "augment": ("ours", "paper"),
    "optimiser": ("adamw", "adam", "sgd"),
    "schedule": ("cosine", "milestones"),
    "memory_start": ("fill", "visit"),
}
_COUNTS = (
    "threads",
    "accumulate",
    "checkpoint_every",
    "evaluate_every",
    "turns",
    "test_identities",
    "cluster",
    "frames",
    "steps",
    "refresh_epochs",
)
_SHARES = (
    "standardise",
    "augmentation",
    "full_size_from",
    "temporal_from",
    "encoder_until",
    "warmup",
    "warmup_from",
    "mmc_from",
)
_RANGES: tuple[tuple[tuple[str, ...], float, float, str], ...] = (
    (_COUNTS, 1, math.inf, "at least 1"),
    (
        ("train_cameras", "test_cameras", "identities", "tracklets"),
        2,
        math.inf,
        "at least 2: there is nothing to match",
    ),
    (_SHARES, 0, 1, "0 to 1"),
    (("early_scale",), 0.25, 1, "0.25 to 1"),
    (("rendered_scale",), 1, 4, "1 to 4"),
    (("network_frames", "workers", "sites", "epoch_steps", "minutes", "clip_norm"), 0, math.inf, "at least 0"),
    (("drop_tokens",), 0, 0.75, "0 to 0.75"),
    (("ema",), 0, 0.9999, "0 to 0.9999"),
    (("first_person",), 0, 300_000, "0 to 300000: people to judge by come after"),
    (("train_identities",), 1, 100_000, "1 to 100000"),
    (("split",), 0, 9, "0 to 9"),
)


class ConfigError(Exception):
    """A training configuration cannot be used; the message names the key, the value and what is allowed."""


def check(config: "TrainConfig") -> None:
    """Raise ConfigError for a value out of range, or values that do not go together."""
    for name, allowed in _CHOICES.items():
        if getattr(config, name) not in allowed:
            raise ConfigError(f"{name} is {getattr(config, name)!r}, must be one of {sorted(allowed)}")
    if not config.memories or not set(config.memories) <= set(STRATEGIES):
        raise ConfigError(f"memories is {list(config.memories)}, must be some of {list(STRATEGIES)}")
    for names, low, high, reason in _RANGES:
        for name in names:
            if not low <= getattr(config, name) <= high:
                raise ConfigError(f"{name} is {getattr(config, name)}, must be {reason}")
    _check_network(config)
    _check_lessons(config)


def architecture_of(config: "TrainConfig") -> Architecture:
    """Return the network of `model`, with the frames and strides of a run."""
    model = MODELS[config.model]
    frames = config.network_frames or model.frames
    strides = config.strides or tuple(s for s in model.strides if s <= frames)
    return replace(model, frames=frames, strides=strides, project=model.project and frames > 1)


def _check_network(config: "TrainConfig") -> None:
    model = MODELS[config.model]
    try:
        architecture_of(config)
    except ValueError as error:
        raise ConfigError(
            f"strides is {list(config.strides)} and network_frames {config.network_frames}: {error}"
        ) from error
    if config.clip and (model.stem != "patch" or config.initial is not None):
        raise ConfigError(f"clip is {config.clip!r}, must be empty for {config.model} and where initial is given")
    if config.layout and not config.data:
        raise ConfigError(f"data is empty, must be the folder of the data set, which is laid out as {config.layout}")
    if config.data and not config.layout:
        raise ConfigError(f"layout is empty, must be how {config.data} is laid out: one of {list(_LAYOUTS)}")


def _check_lessons(config: "TrainConfig") -> None:
    most = config.architecture.frames
    rendered = most if config.data else config.rendered_frames
    if not 1 <= config.early_frames <= config.frames <= rendered <= most:
        rising = f"early_frames {config.early_frames}, frames {config.frames}, rendered_frames {config.rendered_frames}"
        raise ConfigError(f"{rising} must rise and be at most {most}")
    if config.encoder_until < config.temporal_from:
        raise ConfigError(f"encoder_until is {config.encoder_until}, must be at least temporal_from")
    if config.identities > config.train_identities and not config.data:
        raise ConfigError(f"identities is {config.identities}, must be at most train_identities")
    if list(config.milestones) != sorted(config.milestones) or not all(0 < m < 1 for m in config.milestones):
        raise ConfigError(f"milestones is {list(config.milestones)}, must be rising shares between 0 and 1")
