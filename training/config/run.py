"""One training run: all groups of its settings, and the rules across groups."""

from dataclasses import field

from pydantic.dataclasses import dataclass

from training.config.groups import (
    BatchConfig,
    DataConfig,
    LossConfig,
    NetworkConfig,
    OptimiserConfig,
    RunConfig,
    ScheduleConfig,
)
from training.ranges import GROUP
from training.synthetic.source import SyntheticSource


@dataclass(frozen=True, slots=True, config=GROUP)
class TrainConfig:
    """One run. Recipes (training/configs) hold only what differs from the defaults.

    Attributes:
        run: Where it writes and on what it runs.
        network: Sizes and initial weights.
        data: Data set and augmentation.
        synthetic: Generated people, if there is no data set.
        batch: Composition of a batch.
        optimiser: How the weights are updated.
        losses: Weights of the losses.
        schedule: Duration, and what changes during the run.
    """

    run: RunConfig = field(default_factory=RunConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    data: DataConfig = field(default_factory=DataConfig)
    synthetic: SyntheticSource = field(default_factory=SyntheticSource)
    batch: BatchConfig = field(default_factory=BatchConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)

    def __post_init__(self) -> None:
        """Reject batches that do not fit the network or the generated people."""
        most = self.network.architecture.frames
        early, frames = self.schedule.early_frames, self.batch.frames
        rendered = most if self.data.folder else self.synthetic.frames
        if not early <= frames <= rendered <= most:
            rising = f"schedule.early_frames {early}, batch.frames {frames}, synthetic.frames {self.synthetic.frames}"
            raise ValueError(f"{rising} must not decrease, and must be at most {most}, the network's frames")
        if self.network.cameras and self.data.folder is None:
            raise ValueError(
                f"network.cameras is {self.network.cameras}, but generated people are seen by ever new cameras: set it "
                "to 0, or give data.folder"
            )
        if self.data.folder is None and self.batch.identities > self.synthetic.train_identities:
            raise ValueError(
                f"batch.identities is {self.batch.identities}, must be at most synthetic.train_identities, "
                f"{self.synthetic.train_identities}"
            )
