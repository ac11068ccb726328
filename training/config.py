"""What a training run is made of. A run is a small file of overrides over the defaults here (training/configs)."""

from dataclasses import dataclass
from pathlib import Path

from reid_worker.model.climb import Architecture
from training.config_checks import architecture_of, check


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One run. The defaults are the paper's video losses (CLIMB-ReID, section 4.1) on generated people.

    Where it goes, and on what:

    Attributes:
        output: Folder of checkpoint, logs and weights.
        resume: Go on from the checkpoint in `output`.
        seed: Of weights, sampling and augmentation.
        device: `auto`, the GPU where there is one; `cpu`; `cuda`.
        threads: CPU threads of torch.
        workers: Processes that read or render and augment the next batches meanwhile; 0 does it between two steps.
        precision: `float32`, or `bfloat16` for all but features and losses.
        checkpointing: Keep only the input of every transformer layer for the gradient and compute the rest again.
        accumulate: Parts that a batch is encoded in, one after the other; the losses are those of the whole batch
            all the same (Gao et al. 2021, GradCache, section 3). Only a convolution stem normalises by part.
        compiled: Let torch.compile make the encoder faster; the first steps then take minutes.
        checkpoint_every: Steps between two checkpoints.
        evaluate_every: Steps between two evaluations, each with a checkpoint.
        tensorboard: Write TensorBoard's files beside the CSV log.

    The network:
        model: `climb-tiny`, `climb-tiny-64` (what it is grown from, see `grow`) or `climb-base`.
        network_frames: T, that of the model where 0; 1 for images, whose temporal head has no layer after it, as in the
            released image weights.
        strides: Fragment lengths of the temporal head, those of the model where empty.
        clip: CLIP's weights for the encoder to begin from: `openai`, a file, or empty for none. Of `climb-base` only.
        initial: Weights to begin from, of the same sizes; a training state does not come with them.
        initial_head: Whether the temporal head comes with `initial`; if not, it may have other strides.
        standardise: Share of a crop's own colour statistics taken out before the network, 0 to 1.

    Whom it learns from:
        data: Folder of a data set; empty for generated people.
        layout: `market`, `msmt17`, `mars`, `lsvid` or `ilids`, where there is `data`.
        split: Of `ilids`, 0 to 9.
        checked: Whether other counts than the published ones are an error; false for a part of a data set.
        cache: Folder of the rendered crops, shared by runs.
        crops: `cached`, all rendered to learn from once, into `cache`; or `fresh`, rendered when they are looked at,
            other moments of the same people at the same cameras on every visit, so that 20 000 people need no disk.
        first_person: Seed of the first generated person and camera to learn from: runs that are apart know nobody of
            each other.
        train_identities: Generated people to learn from, Y.
        train_cameras: Cameras each of them is seen by, one tracklet each.
        rendered_scale: Size of the rendered crops, as a multiple of the network's, up to 256 px high.
        rendered_frames: Frames rendered of a tracklet to learn from; fewer leave time for more people.
        sites: Groups of people who share their cameras that take turns in neighbouring batches where crops are fresh, 0
            for all: a place costs as much to draw as a tracklet, and a worker keeps the last 96 camera views.
        turns: Times that everybody of `sites` comes before the next, where crops are fresh; a person costs some to
            dress, too.
        test_identities: Other generated people, seen by other cameras, to judge by.
        test_cameras: Cameras each of those is seen by.
        augment: `ours`, what other cameras, lenses and detectors make of a tracklet, or `paper`: flip, shift, erasing.
        augmentation: Strength of ours, 0 to 1.

    A batch:
        identities: Identities of a batch, over all processes.
        tracklets: Tracklets of each identity, from different cameras where there are enough.
        cluster: Identities of a batch that share their cameras, where the data have such.
        frames: Frames of each tracklet once the temporal head trains.
        early_frames: Frames before that: the encoder learns more from other people than from other frames.
        early_scale: Size of the crops before that, as a share of the network's; a smaller picture is a cheaper lesson.
        full_size_from: Share of the run after which crops have their full size; at `temporal_from` at the latest.
        temporal_from: Share of the run after which the temporal head trains, 0 to 1.
        encoder_until: Share of the run after which only the temporal head learns: an encoder at rest costs a third.
        drop_tokens: Share of the patch tokens that the encoder does not see before the temporal head trains, 0 to
            0.75: cheaper steps for somewhat less said by each (Li et al. 2023, FLIP, section 3.1).

    How it learns:
        steps: Optimiser steps.
        epoch_steps: Steps that count as an epoch; 0 until everybody came once.
        minutes: Wall time at which the schedule ends if `steps` are not done; 0 is no limit. A run that the clock
            ended cannot be repeated to the bit.
        optimiser: `adamw`, `adam`, or `sgd` with momentum 0.9.
        lr: Highest learning rate.
        temporal_lr: Factor on the learning rate of the temporal head, which may start late.
        classifier_lr: Factor on the learning rate of the sequence classifier.
        temporal_classifier_lr: Factor on the learning rate of the temporal classifier.
        weight_decay: On matrices only.
        clip_norm: Largest norm of a gradient; 0 leaves it. That of a first batch can be huge, that of a healthy run
            from scratch stays below 5.
        schedule: `cosine` down to 0, or `milestones`.
        milestones: Shares of the run after which the learning rate is a tenth of what it was.
        warmup: Share of the run with a linearly rising learning rate.
        warmup_from: What it rises from, as a share.
        ema: Decay of a moving average of the weights, which is judged and kept instead of them; 0 keeps none.

    Losses:
        mmc: Weight of the memory loss.
        sequence_ce: Weight of the cross-entropy on the sequence feature.
        sequence_contrast: Weight of the contrastive loss on the sequence feature; the paper, starting from CLIP, has
            none.
        sequence_triplet: Weight of the triplet loss on the sequence feature; the paper's baseline has it.
        temporal_ce: Weight of the cross-entropy on the temporal feature.
        temporal_triplet: Weight of the triplet loss on the temporal feature.
        memories: What each of the P memories of an identity takes from a batch: `mean`, `hard`, `random`.
        memory_start: `fill`, from a look at the whole training set every `refresh_epochs` (the paper's), or `visit`,
            from the first batch with an identity, which is no class of the loss before.
        mmc_from: Share of the run after which the memory loss counts: memories of an untrained encoder say nothing.
        refresh_epochs: Epochs between two fillings of the memories from the whole training set.
    """

    output: Path = Path("runs/climb-tiny")
    resume: bool = False
    seed: int = 0
    device: str = "auto"
    threads: int = 2
    workers: int = 1
    precision: str = "float32"
    checkpointing: bool = False
    accumulate: int = 1
    compiled: bool = False
    checkpoint_every: int = 500
    evaluate_every: int = 500
    tensorboard: bool = False

    model: str = "climb-tiny"
    network_frames: int = 0
    strides: tuple[int, ...] = ()
    clip: str = ""
    initial: Path | None = None
    initial_head: bool = True
    standardise: float = 0.0

    data: str = ""
    layout: str = ""
    split: int = 0
    checked: bool = True
    cache: Path = Path("runs/cache")
    crops: str = "cached"
    first_person: int = 0
    train_identities: int = 2000
    train_cameras: int = 4
    rendered_scale: float = 2.0
    rendered_frames: int = 8
    sites: int = 12
    turns: int = 1
    test_identities: int = 100
    test_cameras: int = 3
    augment: str = "ours"
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
    drop_tokens: float = 0.0

    steps: int = 20000
    epoch_steps: int = 0
    minutes: float = 0.0
    optimiser: str = "adamw"
    lr: float = 5e-6
    temporal_lr: float = 1.0
    classifier_lr: float = 1.0
    temporal_classifier_lr: float = 10.0
    weight_decay: float = 5e-4
    clip_norm: float = 5.0
    schedule: str = "cosine"
    milestones: tuple[float, ...] = (0.5, 0.8333)
    warmup: float = 0.05
    warmup_from: float = 0.0
    ema: float = 0.0

    mmc: float = 1.0
    sequence_ce: float = 0.25
    sequence_contrast: float = 0.0
    sequence_triplet: float = 0.0
    temporal_ce: float = 1.0
    temporal_triplet: float = 1.0
    memories: tuple[str, ...] = ("mean", "hard")
    memory_start: str = "fill"
    mmc_from: float = 0.0
    refresh_epochs: int = 1

    def __post_init__(self) -> None:
        """Raise ConfigError for a value out of range."""
        check(self)

    @property
    def architecture(self) -> Architecture:
        """The network of `model`, with the frames and strides of this run."""
        return architecture_of(self)
