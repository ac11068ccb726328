"""The groups of a run's settings, one class each. The defaults are the paper's video recipe on generated people."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from reid_worker.model.climb import CLIMB_BASE, CLIMB_TINY, Architecture
from reid_worker.model.preprocess import Filter, Preprocessing
from training.data.load import Layout
from training.memory import Strategy
from training.ranges import (
    GROUP,
    Count,
    CountOrNone,
    Factor,
    Flag,
    Processes,
    Processors,
    Real,
    Several,
    Share,
    Whole,
)

ModelName = Literal["climb-tiny", "climb-tiny-64", "climb-base"]
MODELS: dict[ModelName, Architecture] = {
    "climb-tiny": CLIMB_TINY,
    "climb-tiny-64": replace(CLIMB_TINY, height=64, width=32, tower_width=128, layers=3, joint_width=128),
    "climb-base": CLIMB_BASE,
}


def model_of(architecture: Architecture) -> ModelName | None:
    """Return which model has these sizes, None where none has."""
    return next((name for name, model in MODELS.items() if model == architecture), None)


@dataclass(frozen=True, slots=True, config=GROUP)
class RunConfig:
    """Where a run goes, on what it runs, and how often it saves and validates.

    Attributes:
        output: Folder of checkpoint, logs and weights.
        resume: Go on from the checkpoint in `output`.
        seed: Of weights, sampling and augmentation.
        device: `auto` is the GPU where there is one.
        threads: CPU threads of torch.
        workers: Processes that read or render and augment the next batches meanwhile; 0 makes each between two steps.
        precision: Of everything but features and losses, which stay float32.
        gradient_checkpointing: Keep only the inputs of transformer layers for the backward pass; recompute the rest.
        compile: Compile the encoder with torch.compile; the first steps then take minutes.
        checkpoint_every: Steps between two checkpoints.
        validate_every: Steps between two validations, each after a checkpoint.
        validate_minutes: Minutes after which a run validates in any case; 0 is no limit.
        validate_first: Validate before the first step, too: the initial weights are then the first to be kept.
        save_precision: Of the weights that are kept; float16 files are half as large.
        tensorboard: Write TensorBoard's files beside the CSV log.
    """

    output: Path = Path("runs/climb-tiny")
    resume: Flag = False
    seed: Annotated[Whole, Field(ge=0, le=2**32 - 1)] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Processors = 2
    workers: Processes = 1
    precision: Literal["float32", "bfloat16"] = "float32"
    gradient_checkpointing: Flag = False
    compile: Flag = False
    checkpoint_every: Count = 500
    validate_every: Count = 500
    validate_minutes: Factor = 0.0
    validate_first: Flag = False
    save_precision: Literal["float32", "float16"] = "float32"
    tensorboard: Flag = False


@dataclass(frozen=True, slots=True, config=GROUP)
class NetworkConfig:
    """The network, and the weights it starts from.

    Attributes:
        model: Sizes of the network; `climb-tiny-64` is what `climb-tiny` is grown from (`training.recipes.grow`).
        frames: T, that of the model where 0; 1 for images, whose temporal head has no layer after it, as in the
            released image weights.
        strides: Fragment lengths of the temporal head, those of the model where empty.
        clip: CLIP's weights for the encoder to start from: `openai`, or a file. Of `climb-base` only.
        initial: Weights of the same sizes to start from; the optimiser's state does not come with them.
        load_head: Whether the temporal head comes from `initial` too; if not, it may have other strides.
        standardise: Share of a crop's own colour statistics that is removed before the network, 0 to 1.
        resize: How crops are resized, `area` or `bicubic` as in the released code.
        cameras: Cameras of the data set that get a learned vector each (SIE), as in the paper's MSMT17 model; 0 for
            none. At deployment, where cameras are unknown, their mean stands in.
        side_coefficient: Factor on those vectors (SIE_COE).
    """

    model: ModelName = "climb-tiny"
    frames: CountOrNone = 0
    strides: tuple[Count, ...] = ()
    clip: str | None = None
    initial: Path | None = None
    load_head: Flag = True
    standardise: Share = 0.0
    resize: Filter = "area"
    cameras: CountOrNone = 0
    side_coefficient: Factor = 1.0

    def __post_init__(self) -> None:
        """Refuse a network that cannot be built, and weights that do not fit it."""
        try:
            _ = self.architecture
        except ValueError as error:
            raise ValueError(
                f"network.strides is {list(self.strides)} and network.frames {self.frames}: {error}"
            ) from error
        if self.clip and self.initial is not None:
            raise ValueError(f"network.clip is {self.clip!r} and network.initial {self.initial}: give only one")
        if self.clip and MODELS[self.model].stem != "patch":
            raise ValueError(f"network.clip is {self.clip!r}, but CLIP's weights do not fit {self.model}: leave it out")

    @property
    def architecture(self) -> Architecture:
        """The sizes of `model`, with the frames and strides of this run."""
        model = MODELS[self.model]
        frames = self.frames or model.frames
        strides = self.strides or tuple(s for s in model.strides if s <= frames)
        return replace(
            model,
            frames=frames,
            strides=strides,
            project=model.project and frames > 1,
            cameras=self.cameras,
            side_coefficient=self.side_coefficient if self.cameras else 1.0,
        )

    @property
    def preprocessing(self) -> Preprocessing:
        """What happens to a crop before the network."""
        a = self.architecture
        return Preprocessing(a.height, a.width, standardise=self.standardise, filter=self.resize)


@dataclass(frozen=True, slots=True, config=GROUP)
class DataConfig:
    """A data set to learn from, and augmentation; generated people are `synthetic`.

    Attributes:
        folder: Of the data set; generated people where there is none.
        layout: Of the data set's files.
        split: Of `ilids`, 0 to 9.
        checked: Whether counts other than the published ones are an error; false for a part of a data set.
        augmentation: `ours`: the differences between cameras, lenses and detectors; `paper`: flip, shift, erasing.
        augmentation_strength: Of ours, 0 to 1.
    """

    folder: Path | None = None
    layout: Layout | None = None
    split: Annotated[Whole, Field(ge=0, le=9)] = 0
    checked: Flag = True
    augmentation: Literal["ours", "paper"] = "ours"
    augmentation_strength: Share = 1.0

    def __post_init__(self) -> None:
        """Refuse a folder without a layout, and a layout without a folder."""
        if self.layout and self.folder is None:
            raise ValueError(f"data.folder is missing: give the folder of the data set in the layout {self.layout}")
        if self.folder is not None and not self.layout:
            raise ValueError(f"data.layout is missing: say how {self.folder} is laid out")


@dataclass(frozen=True, slots=True, config=GROUP)
class BatchConfig:
    """What a batch is made of.

    Attributes:
        identities: Identities of a batch, over all processes.
        tracklets: Tracklets of each identity, from different cameras where there are enough.
        cluster: Identities of a batch that share their cameras, where the data have such.
        frames: Frames of each tracklet once the temporal head trains; see `schedule.early_frames`.
        chunks: Parts that a batch is encoded in, one after the other, to save memory; the losses are still those of the
            whole batch (Gao et al. 2021, GradCache, section 3). Only a convolution stem normalises by part.
    """

    identities: Several = 4
    tracklets: Several = 4
    cluster: Count = 4
    frames: Count = 8
    chunks: Count = 1


@dataclass(frozen=True, slots=True, config=GROUP)
class OptimiserConfig:
    """How the weights move.

    Attributes:
        name: `sgd` has a momentum of 0.9.
        learning_rate: The highest of the schedule.
        temporal_lr_factor: Times the learning rate, for the temporal head, which may start late.
        classifier_lr_factor: Times the learning rate, for the classifier on the sequence feature.
        temporal_classifier_lr_factor: Times the learning rate, for the classifier on the temporal feature.
        weight_decay: On matrices only.
        max_grad_norm: Gradients are clipped to this norm; 0 leaves them. That of a first batch can be huge, that of a
            healthy run from scratch stays below 5.
        ema_decay: Decay of a moving average of the weights, which is validated and kept instead of them; 0 for none.
    """

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: Factor = 5e-6
    temporal_lr_factor: Factor = 1.0
    classifier_lr_factor: Factor = 1.0
    temporal_classifier_lr_factor: Factor = 10.0
    weight_decay: Factor = 5e-4
    max_grad_norm: Factor = 5.0
    ema_decay: Annotated[Real, Field(ge=0, le=0.9999)] = 0.0


@dataclass(frozen=True, slots=True, config=GROUP)
class LossConfig:
    """Weights of the losses (CLIMB-ReID, eq. 11; 0 leaves one out), and the memories of the first.

    Attributes:
        mmc: Of the memory loss (Multi-Memory Collaboration).
        mmc_from: Share of the run after which the memory loss counts: memories of an untrained encoder say nothing.
        sequence_ce: Of the cross-entropy on the sequence feature.
        sequence_contrast: Of the supervised contrastive loss on the sequence feature; the paper, starting from CLIP,
            has none.
        sequence_triplet: Of the triplet loss on the sequence feature; the paper's baseline has it.
        temporal_ce: Of the cross-entropy on the temporal feature.
        temporal_triplet: Of the triplet loss on the temporal feature.
        memories: What each of the P memories of an identity takes from a batch.
        memory_init: `fill`: from a pass over the whole training set every `memory_refresh_epochs` (the paper's);
            `visit`: from the first batch with an identity, which is not a class of the loss before.
        memory_refresh_epochs: Epochs between two fillings of the memories from the whole training set.
    """

    mmc: Factor = 1.0
    mmc_from: Share = 0.0
    sequence_ce: Factor = 0.25
    sequence_contrast: Factor = 0.0
    sequence_triplet: Factor = 0.0
    temporal_ce: Factor = 1.0
    temporal_triplet: Factor = 1.0
    memories: Annotated[tuple[Strategy, ...], Field(min_length=1)] = ("mean", "hard")
    memory_init: Literal["fill", "visit"] = "fill"
    memory_refresh_epochs: Count = 1


@dataclass(frozen=True, slots=True, config=GROUP)
class ScheduleConfig:
    """How long a run takes, and what changes on the way; shares of the run are 0 to 1.

    Attributes:
        steps: Optimiser steps.
        minutes: Wall time at which the run ends if `steps` are not done; 0 is no limit. A run that the clock ended
            cannot be repeated to the bit.
        epoch_steps: Steps that count as an epoch; 0 until every identity came once.
        decay: Of the learning rate: `cosine` down to 0, or a tenth at each of the `milestones`.
        milestones: Shares of the run, rising.
        warmup: Share of the run with a linearly rising learning rate.
        warmup_start: Share of the learning rate that it rises from.
        early_frames: Frames of a tracklet before the temporal head trains: the encoder learns more from other people
            than from other frames.
        early_scale: Size of the crops until `full_size_from`, as a share of the network's: smaller ones cost less.
        full_size_from: Share of the run after which crops have their full size; at `temporal_from` at the latest.
        temporal_from: Share of the run after which the temporal head trains.
        encoder_until: Share of the run after which only the temporal head trains: a frozen encoder costs a third.
        patch_dropout: Share of the patch tokens that the encoder does not see before the temporal head trains, 0 to
            0.75: cheaper steps that each teach somewhat less (Li et al. 2023, FLIP, section 3.1).
    """

    steps: Count = 20000
    minutes: Factor = 0.0
    epoch_steps: CountOrNone = 0
    decay: Literal["cosine", "milestones"] = "cosine"
    milestones: tuple[Share, ...] = (0.5, 0.8333)
    warmup: Share = 0.05
    warmup_start: Share = 0.0
    early_frames: Count = 8
    early_scale: Annotated[Real, Field(ge=0.25, le=1)] = 1.0
    full_size_from: Share = 1.0
    temporal_from: Share = 0.0
    encoder_until: Share = 1.0
    patch_dropout: Annotated[Real, Field(ge=0, le=0.75)] = 0.0

    def __post_init__(self) -> None:
        """Refuse stages that do not follow each other."""
        if self.encoder_until < self.temporal_from:
            raise ValueError(
                f"schedule.encoder_until is {self.encoder_until}, must be at least schedule.temporal_from, "
                f"{self.temporal_from}: nothing would train in between"
            )
        if list(self.milestones) != sorted(self.milestones) or not all(0 < m < 1 for m in self.milestones):
            raise ValueError(f"schedule.milestones is {list(self.milestones)}, must be rising shares between 0 and 1")
