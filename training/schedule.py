"""The schedule of a run: progress, input size, learning rate and loss weights at a given step."""

import math
from dataclasses import dataclass

from training.config import LossConfig, ScheduleConfig, TrainConfig
from training.losses import LossWeights


def progress_of(schedule: ScheduleConfig, step: int, elapsed_s: float) -> float:
    """Return the completed fraction of the run, 0 to 1, by steps or by the clock, whichever is larger."""
    by_clock = elapsed_s / (60 * schedule.minutes) if schedule.minutes else 0.0
    return max(step / schedule.steps, by_clock)


@dataclass(frozen=True, slots=True)
class Stage:
    """Input of a step: frames of a tracklet, `(H, W)` of a crop in px, and the fraction of patch tokens dropped."""

    frames: int
    size: tuple[int, int]
    dropped: float = 0.0


def stage_at(config: TrainConfig, progress: float) -> Stage:
    """Return the input size: little of many people first, whole tracklets once the temporal head trains."""
    a, schedule = config.network.architecture, config.schedule
    if progress >= schedule.temporal_from:
        return Stage(config.batch.frames, (a.height, a.width))
    scale = 1.0 if progress >= schedule.full_size_from else schedule.early_scale
    return Stage(schedule.early_frames, (round(a.height * scale), round(a.width * scale)), schedule.patch_dropout)


def rate_at(schedule: ScheduleConfig, progress: float) -> float:
    """Return the factor on the learning rate: linear warm-up to 1, then half a cosine to 0, or drops to a tenth."""
    if progress < schedule.warmup:
        done = max(progress, 1e-3 * schedule.warmup) / schedule.warmup
        return schedule.warmup_start + (1 - schedule.warmup_start) * done
    if schedule.decay == "milestones":
        return float(0.1 ** sum(progress >= milestone for milestone in schedule.milestones))
    if schedule.warmup == 1:
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - schedule.warmup) / (1 - schedule.warmup))))


def weights_at(losses: LossConfig, schedule: ScheduleConfig, progress: float) -> LossWeights:
    """Return the weights of the losses at a given progress."""
    with_head = progress >= schedule.temporal_from
    learning = progress < schedule.encoder_until
    return LossWeights(
        mmc=losses.mmc if learning and progress >= losses.mmc_from else 0.0,
        sequence_ce=losses.sequence_ce if learning else 0.0,
        sequence_contrast=losses.sequence_contrast if learning else 0.0,
        sequence_triplet=losses.sequence_triplet if learning else 0.0,
        temporal_ce=losses.temporal_ce if with_head else 0.0,
        temporal_triplet=losses.temporal_triplet if with_head else 0.0,
    )
