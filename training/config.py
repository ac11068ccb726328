"""What a training run is made of. A run is a small file of overrides over the defaults here (training/configs)."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from reid_worker.model.climb import CLIMB_BASE, CLIMB_TINY, Architecture
from training.memory import STRATEGIES


class ConfigError(Exception):
    """A training configuration cannot be used; the message names the key, the value and what is allowed."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One run. The defaults are the paper's video recipe (CLIMB-ReID, section 4.1) on generated people.

    Attributes:
        output: Folder of checkpoint, log and weights.
        cache: Folder of the rendered training crops, shared by runs.
        model: `climb-tiny`, `climb-tiny-64` (what it is grown from, see `grow`) or `climb-base`.
        clip: CLIP's weights for the encoder to begin from: `openai`, a file, or empty for none. Of `climb-base` only.
        initial: Weights to begin from, of the same sizes; a training state does not come with them.
        standardise: Share of a crop's own colour statistics taken out before the network, 0 to 1.
        seed: Of weights, sampling and augmentation.
        threads: CPU threads of torch.
        train_identities: People to learn from, Y.
        train_cameras: Cameras each of them is seen by, one tracklet each.
        rendered_scale: Size of the rendered crops, as a multiple of the network's, up to 256 px high.
        rendered_frames: Frames rendered of a tracklet to learn from; fewer leave time for more people.
        crops: `cached`, all rendered to learn from once, into `cache`; or `fresh`, rendered when they are looked at,
            other moments of the same people at the same cameras on every visit, so that 20 000 people need no disk.
        workers: Processes that render and augment the next batches meanwhile; 0 does it between two steps.
        sites: Groups of people who share their cameras that take turns in neighbouring batches where crops are fresh, 0
            for all: a place costs as much to draw as a tracklet, and a worker keeps the last 48 camera views.
        turns: Times that everybody of `sites` comes before the next, where crops are fresh; a person costs some to
            dress, too.
        test_identities: Other people, seen by other cameras, to judge by.
        test_cameras: Cameras each of those is seen by.
        augmentation: Strength of augmentation, 0 to 1.
        identities: Identities of a batch.
        tracklets: Tracklets of each identity, from different cameras where there are enough.
        cluster: Identities of a batch that share their cameras, where the data have such.
        frames: Frames of each tracklet once the temporal head trains.
        early_frames: Frames before that: the encoder learns more from other people than from other frames.
        early_scale: Size of the crops before that, as a share of the network's; a smaller picture is a cheaper lesson.
        full_size_from: Share of the run after which crops have their full size; at `temporal_from` at the latest.
        temporal_from: Share of the run after which the temporal head trains, 0 to 1.
        encoder_until: Share of the run after which only the temporal head learns: an encoder at rest costs a third.
        steps: Optimiser steps.
        minutes: Wall time at which the schedule ends if `steps` are not done; 0 is no limit. A run that the clock
            ended cannot be repeated to the bit.
        lr: Highest learning rate of AdamW.
        temporal_lr: Factor on the learning rate of the temporal head, which may start late.
        temporal_classifier_lr: Factor on the learning rate of the temporal classifier.
        drop_tokens: Share of the patch tokens that the encoder does not see before the temporal head trains, 0 to
            0.75: cheaper steps for somewhat less said by each (Li et al. 2023, FLIP, section 3.1).
        ema: Decay of a moving average of the weights, which is judged and kept instead of them; 0 keeps none.
        weight_decay: Of AdamW, on matrices only.
        warmup: Share of the run with a linearly rising learning rate.
        mmc: Weight of the memory loss.
        sequence_ce: Weight of the cross-entropy on the sequence feature.
        sequence_contrast: Weight of the contrastive loss on the sequence feature; the paper, starting from CLIP, has
            none.
        temporal_ce: Weight of the cross-entropy on the temporal feature.
        temporal_triplet: Weight of the triplet loss on the temporal feature.
        memories: What each of the P memories of an identity takes from a batch: `mean`, `hard`, `random`.
        memory_start: `fill`, from a look at the whole training set every `refresh_epochs` (the paper's), or `visit`,
            from the first batch with an identity, which is no class of the loss before.
        mmc_from: Share of the run after which the memory loss counts: memories of an untrained encoder say nothing.
        refresh_epochs: Epochs between two fillings of the memories from the whole training set.
        evaluate_every: Steps between two evaluations and checkpoints.
        resume: Go on from the checkpoint in `output`.
    """

    output: Path = Path("runs/climb-tiny")
    cache: Path = Path("runs/cache")
    model: str = "climb-tiny"
    clip: str = ""
    initial: Path | None = None
    standardise: float = 0.0
    seed: int = 0
    threads: int = 2
    train_identities: int = 2000
    train_cameras: int = 4
    rendered_scale: float = 2.0
    rendered_frames: int = 8
    crops: str = "cached"
    workers: int = 1
    sites: int = 12
    turns: int = 1
    test_identities: int = 100
    test_cameras: int = 3
    augmentation: float = 1.0
    identities: int = 4
    tracklets: int = 4
    cluster: int = 4
    frames: int = 8
    early_frames: int = 8
    early_scale: float = 1.0
    full_size_from: float = 1.0
    temporal_from: float = 0.0
    encoder_until: float = 1.0
    steps: int = 20000
    minutes: float = 0.0
    lr: float = 5e-6
    temporal_lr: float = 1.0
    temporal_classifier_lr: float = 10.0
    drop_tokens: float = 0.0
    ema: float = 0.0
    weight_decay: float = 5e-4
    warmup: float = 0.05
    mmc: float = 1.0
    sequence_ce: float = 0.25
    sequence_contrast: float = 0.0
    temporal_ce: float = 1.0
    temporal_triplet: float = 1.0
    memories: tuple[str, ...] = ("mean", "hard")
    memory_start: str = "fill"
    mmc_from: float = 0.0
    refresh_epochs: int = 1
    evaluate_every: int = 500
    resume: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigError for a value out of range."""
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, must be one of {sorted(allowed)}")
        if not self.memories or not set(self.memories) <= set(STRATEGIES):
            raise ConfigError(f"memories is {list(self.memories)}, must be some of {list(STRATEGIES)}")
        for names, low, high, reason in _RANGES:
            for name in names:
                if not low <= getattr(self, name) <= high:
                    raise ConfigError(f"{name} is {getattr(self, name)}, must be {reason}")
        self._check_order()

    def _check_order(self) -> None:
        """Raise ConfigError for values that do not go together."""
        if not 1 <= self.early_frames <= self.frames <= self.rendered_frames <= self.architecture.frames:
            rising = f"early_frames {self.early_frames}, frames {self.frames}, rendered_frames {self.rendered_frames}"
            raise ConfigError(f"{rising} must rise and be at most {self.architecture.frames}")
        if self.encoder_until < self.temporal_from:
            raise ConfigError(f"encoder_until is {self.encoder_until}, must be at least temporal_from")
        if self.clip and (self.architecture.stem != "patch" or self.initial is not None):
            raise ConfigError(f"clip is {self.clip!r}, must be empty for {self.model} and where initial is given")
        if self.identities > self.train_identities:
            raise ConfigError(f"identities is {self.identities}, must be at most train_identities")

    @property
    def architecture(self) -> Architecture:
        """The network of `model`."""
        return _MODELS[self.model]


_COUNTS = (
    "train_identities",
    "test_identities",
    "identities",
    "cluster",
    "frames",
    "steps",
    "evaluate_every",
    "threads",
    "turns",
)
_SHARES = ("full_size_from", "temporal_from", "encoder_until", "mmc_from", "warmup", "standardise", "augmentation")
_RANGES: tuple[tuple[tuple[str, ...], float, float, str], ...] = (
    (_COUNTS, 1, math.inf, "at least 1"),
    (("train_cameras", "test_cameras", "tracklets"), 2, math.inf, "at least 2: there is nothing to match"),
    (_SHARES, 0, 1, "0 to 1"),
    (("early_scale",), 0.25, 1, "0.25 to 1"),
    (("rendered_scale",), 1, 4, "1 to 4"),
    (("workers", "sites"), 0, math.inf, "at least 0"),
    (("drop_tokens",), 0, 0.75, "0 to 0.75"),
    (("ema",), 0, 0.9999, "0 to 0.9999"),
)
_MODELS = {
    "climb-tiny": CLIMB_TINY,
    "climb-tiny-64": replace(CLIMB_TINY, height=64, width=32, tower_width=128, layers=3, joint_width=128),
    "climb-base": CLIMB_BASE,
}
_CHOICES: dict[str, Collection[str]] = {
    "model": _MODELS,
    "crops": ("cached", "fresh"),
    "memory_start": ("fill", "visit"),
}
_TYPES: dict[str, Any] = {field.name: field.type for field in fields(TrainConfig)}


def load_config(path: Path | None, overrides: Sequence[str] = ()) -> TrainConfig:
    """Return the defaults, overridden by a YAML file, then by `key=value` texts.

    Raises:
        ConfigError: The file cannot be read, or a key or value is not known.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            loaded = yaml.safe_load(path.read_text())
        except (OSError, yaml.YAMLError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
        if not isinstance(loaded, dict):
            raise ConfigError(f"{path} must hold `key: value` lines")
        values |= {str(key): _parse(str(key), value) for key, value in loaded.items()}
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise ConfigError(f"{override!r} is no key=value")
        values[key] = _parse(key, yaml.safe_load(text))
    return replace(TrainConfig(), **values)


def _parse(key: str, value: object) -> object:
    """Return `value` in the type of the field `key`; whole numbers may stand for floats, 1e-3 may come as text."""
    if key not in _TYPES:
        raise ConfigError(f"unknown key {key!r}; known are {', '.join(_TYPES)}")
    wanted = _TYPES[key]
    if wanted in (Path, Path | None) and isinstance(value, str):
        return Path(value)
    if wanted is float and isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    if wanted == tuple[str, ...] and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if type(value) is wanted:
        return value
    raise ConfigError(f"{key} is {value!r}, must be {getattr(wanted, '__name__', wanted)}")
