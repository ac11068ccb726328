"""Settings of a training run: groups (`groups`), rules across groups (`run`), files and overrides (`read`)."""

from training.config.groups import (
    BatchConfig,
    DataConfig,
    LossConfig,
    NetworkConfig,
    OptimiserConfig,
    RunConfig,
    ScheduleConfig,
)
from training.config.read import ConfigError, changed, load_config
from training.config.run import TrainConfig

__all__ = [
    "BatchConfig",
    "ConfigError",
    "DataConfig",
    "LossConfig",
    "NetworkConfig",
    "OptimiserConfig",
    "RunConfig",
    "ScheduleConfig",
    "TrainConfig",
    "changed",
    "load_config",
]
