"""Groups of a run's settings, one class each. The defaults are the paper's video recipe, on generated people."""

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

ModelName = Literal["climb-tiny", "climb-tiny-4", "climb-tiny-64", "climb-base"]
MODELS: dict[ModelName, Architecture] = {
    "climb-tiny": CLIMB_TINY,
    "climb-tiny-4": replace(CLIMB_TINY, layers=4),
    "climb-tiny-64": replace(CLIMB_TINY, height=64, width=32, tower_width=128, layers=3, joint_width=128),
    "climb-base": CLIMB_BASE,
}


def model_of(architecture: Architecture) -> ModelName | None:
    """Return the name of the model with these sizes, whatever ranks; None if there is none."""
    same = (name for name, model in MODELS.items() if replace(model, ranking=architecture.ranking) == architecture)
    return next(same, None)


@dataclass(frozen=True, slots=True, config=GROUP)
class RunConfig:
    """Where a run writes, on what it runs, and how often it saves and validates.

    Attributes:
        output: Folder for checkpoint, logs and weights.
        resume: Resume from the checkpoint in `output`.
        seed: Seed of weights, sampling and augmentation.
        device: `auto` is the GPU if there is one.
        threads: CPU threads of torch.
        workers: Processes that prepare the next batches in parallel; 0 prepares each between two steps.
        precision: Precision of everything except features and losses, which stay float32. In bfloat16 a step
            takes about half the time on a CPU with AMX (Intel Xeon since 2023).
        gradient_checkpointing: Keep only the inputs of transformer layers for the backward pass; recompute the rest.
        compile: Compile the encoder with torch.compile; the first steps then take minutes.
        checkpoint_every: Steps between two checkpoints.
        validate_every: Steps between two validations, each after a checkpoint.
        validate_minutes: Maximum minutes between two validations; 0 is no limit.
        validate_first: Validate before the first step too, so that the initial weights are the first to be saved.
        save_precision: Precision of saved weights; float16 files are half as large.
        tensorboard: Write TensorBoard files beside the CSV log.
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
        model: Sizes of the network; `climb-tiny-64` is what `climb-tiny-4` is grown from, and that what `climb-tiny`
            is deepened from (`training.recipes.grow`).
        frames: T; 0 for the model's. With 1, for images, the temporal head has no layer after it, as in the released
            image weights.
        strides: Fragment lengths of the temporal head; empty for the model's.
        clip: CLIP weights to initialise the encoder from: `openai`, or a file. Only for `climb-base`.
        initial: Weights of the same sizes to start from, without an optimiser state.
        load_head: Whether to load the temporal head from `initial` too; if not, its strides may differ.
        standardise: Fraction of a crop's colour statistics that is removed before the network, 0 to 1.
        resize: How crops are resized, `area` or `bicubic` as in the released code.
        cameras: Cameras of the data set that get a learned vector each (SIE), as in the paper's MSMT17 model; 0 for
            none. At deployment, where cameras are unknown, their mean is used.
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
        """Reject a network that cannot be built, and weights that do not fit it."""
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
        """The preprocessing of a crop before the network."""
        a = self.architecture
        return Preprocessing(a.height, a.width, standardise=self.standardise, filter=self.resize)


@dataclass(frozen=True, slots=True, config=GROUP)
class DataConfig:
    """A data set to train on, and augmentation; generated people are `synthetic`.

    Attributes:
        folder: Folder of the data set; None for generated people.
        layout: Layout of the data set's files.
        split: Split of `ilids`, 0 to 9.
        checked: Whether counts that differ from the published ones are an error; false for a part of a data set.
        augmentation: `ours`: differences between cameras, lenses and detectors; `paper`: flip, shift, erasing.
        augmentation_strength: Strength of `ours`, 0 to 1.
    """

    folder: Path | None = None
    layout: Layout | None = None
    split: Annotated[Whole, Field(ge=0, le=9)] = 0
    checked: Flag = True
    augmentation: Literal["ours", "paper"] = "ours"
    augmentation_strength: Share = 1.0

    def __post_init__(self) -> None:
        """Reject a folder without a layout, and a layout without a folder."""
        if self.layout and self.folder is None:
            raise ValueError(f"data.folder is missing: give the folder of the data set in the layout {self.layout}")
        if self.folder is not None and not self.layout:
            raise ValueError(f"data.layout is missing: give the layout of {self.folder}")


@dataclass(frozen=True, slots=True, config=GROUP)
class BatchConfig:
    """The composition of a batch.

    Attributes:
        identities: Identities per batch, over all processes.
        tracklets: Tracklets of each identity, from different cameras if there are enough.
        cluster: Identities of a batch that share their cameras, if the data allow it.
        frames: Frames of each tracklet once the temporal head trains; see `schedule.early_frames`.
        chunks: Parts in which a batch is encoded, one after another, to save memory; the losses are still those of the
            whole batch (Gao et al. 2021, GradCache, section 3). Only a convolution stem normalises per part.
    """

    identities: Several = 4
    tracklets: Several = 4
    cluster: Count = 4
    frames: Count = 8
    chunks: Count = 1


@dataclass(frozen=True, slots=True, config=GROUP)
class OptimiserConfig:
    """How the weights are updated.

    Attributes:
        name: `sgd` has a momentum of 0.9.
        learning_rate: Peak of the schedule.
        temporal_lr_factor: Factor on the learning rate of the temporal head, which may start late.
        classifier_lr_factor: Factor on the learning rate of the classifier on the sequence feature.
        temporal_classifier_lr_factor: Factor on the learning rate of the classifier on the temporal feature.
        weight_decay: Weight decay, on matrices only.
        max_grad_norm: Gradients are clipped to this norm; 0 disables it. The norm of a first batch can be huge; that of
            a healthy run from scratch stays below 5.
        ema_decay: Decay of a moving average of the weights, which is validated and saved in their place; 0 for none.
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
    """Weights of the losses (CLIMB-ReID, eq. 11; 0 leaves one out), and the memories of the memory loss.

    Attributes:
        mmc: Weight of the memory loss (Multi-Memory Collaboration).
        mmc_from: Fraction of the run after which the memory loss is used: memories of an untrained encoder are useless.
        sequence_ce: Weight of the cross-entropy on the sequence feature.
        sequence_contrast: Weight of the supervised contrastive loss on the sequence feature; the paper, starting from
            CLIP, has none.
        sequence_triplet: Weight of the triplet loss on the sequence feature; the paper's baseline has it.
        temporal_ce: Weight of the cross-entropy on the temporal feature.
        temporal_triplet: Weight of the triplet loss on the temporal feature.
        memories: What each of the P memories of an identity takes from a batch.
        memory_init: `fill`: from a pass over the whole training set every `memory_refresh_epochs` (the paper's);
            `visit`: from the first batch with an identity, which is not a class of the loss until then.
        memory_refresh_epochs: Epochs between two passes that fill the memories from the whole training set.
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
    """How long a run takes, and what changes during it; fractions of the run are 0 to 1.

    Attributes:
        steps: Optimiser steps.
        minutes: Wall time at which the run ends if `steps` are not done; 0 is no limit. A run ended by
            the clock is not reproducible bit for bit.
        epoch_steps: Steps that make an epoch; 0 for once through all identities.
        decay: Decay of the learning rate: `cosine` down to 0, or a tenth at each of the `milestones`.
        milestones: Fractions of the run, increasing.
        warmup: Fraction of the run with a linearly rising learning rate.
        warmup_start: Fraction of the learning rate that the warm-up starts from.
        early_frames: Frames of a tracklet before the temporal head trains: the encoder learns more from more people
            than from more frames.
        early_scale: Size of the crops until `full_size_from`, as a fraction of the network's: smaller ones cost less.
        full_size_from: Fraction of the run after which crops have their full size; at `temporal_from` at the latest.
        temporal_from: Fraction of the run after which the temporal head trains.
        encoder_until: Fraction of the run after which only the temporal head trains: a frozen encoder costs a third.
        patch_dropout: Fraction of patch tokens hidden from the encoder before the temporal head trains, 0 to 0.75:
            steps are cheaper but each teaches somewhat less (Li et al. 2023, FLIP, section 3.1).
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
        """Reject stages that do not follow each other."""
        if self.encoder_until < self.temporal_from:
            raise ValueError(
                f"schedule.encoder_until is {self.encoder_until}, must be at least schedule.temporal_from, "
                f"{self.temporal_from}: nothing would train in between"
            )
        if list(self.milestones) != sorted(self.milestones) or not all(0 < m < 1 for m in self.milestones):
            raise ValueError(f"schedule.milestones is {list(self.milestones)}, must increase between 0 and 1")
