"""What a moment of a run asks for: how far it is, what to look at, how fast to learn, which losses count."""

import math
from dataclasses import dataclass

from training.config import TrainConfig
from training.losses import LossWeights


def progress_of(config: TrainConfig, step: int, elapsed_s: float) -> float:
    """Return the share of the run that is done, 0 to 1, by steps or by the clock, whichever is further."""
    by_clock = elapsed_s / (60 * config.minutes) if config.minutes else 0.0
    return max(step / config.steps, by_clock)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a step looks at: frames of a tracklet, `(H, W)` of a crop, px, and the share of patch tokens left out."""

    frames: int
    size: tuple[int, int]
    dropped: float = 0.0


def lesson_at(config: TrainConfig, progress: float) -> Lesson:
    """Return what to look at: little of many people first, whole tracklets once the temporal head trains."""
    a = config.architecture
    if progress >= config.temporal_from:
        return Lesson(config.frames, (a.height, a.width))
    scale = 1.0 if progress >= config.full_size_from else config.early_scale
    return Lesson(config.early_frames, (round(a.height * scale), round(a.width * scale)), config.drop_tokens)


def rate_at(config: TrainConfig, progress: float) -> float:
    """Return the factor on the learning rate: linear up to 1, then half a cosine down to 0, or steps of a tenth."""
    if progress < config.warmup:
        done = max(progress, 1e-3 * config.warmup) / config.warmup
        return config.warmup_from + (1 - config.warmup_from) * done
    if config.schedule == "milestones":
        return float(0.1 ** sum(progress >= milestone for milestone in config.milestones))
    if config.warmup == 1:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - config.warmup) / (1 - config.warmup))))


def weights_at(config: TrainConfig, progress: float) -> LossWeights:
    """Return the factors of the losses at a moment of the run."""
    with_head = progress >= config.temporal_from
    learning = progress < config.encoder_until
    return LossWeights(
        mmc=config.mmc if learning and progress >= config.mmc_from else 0.0,
        sequence_ce=config.sequence_ce if learning else 0.0,
        sequence_contrast=config.sequence_contrast if learning else 0.0,
        sequence_triplet=config.sequence_triplet if learning else 0.0,
        temporal_ce=config.temporal_ce if with_head else 0.0,
        temporal_triplet=config.temporal_triplet if with_head else 0.0,
    )
