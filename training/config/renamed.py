"""Flat names of settings from before they were grouped, so that an error can give the new name."""

from types import MappingProxyType

_MOVED = {
    "run": "output resume seed device threads workers precision checkpoint_every tensorboard",
    "network": "model strides clip initial standardise",
    "data": "layout split checked",
    "synthetic": "cache crops train_identities train_cameras sites",
    "batch": "identities tracklets cluster frames",
    "optimiser": "weight_decay",
    "losses": "mmc mmc_from sequence_ce sequence_contrast sequence_triplet temporal_ce temporal_triplet memories",
    "schedule": "steps minutes epoch_steps milestones warmup early_frames early_scale full_size_from temporal_from "
    "encoder_until",
}
_RENAMED = {
    "checkpointing": "run.gradient_checkpointing",
    "compiled": "run.compile",
    "evaluate_every": "run.validate_every",
    "network_frames": "network.frames",
    "initial_head": "network.load_head",
    "data": "data.folder",
    "augment": "data.augmentation",
    "augmentation": "data.augmentation_strength",
    "first_person": "synthetic.first_identity",
    "test_identities": "synthetic.validation_identities",
    "test_cameras": "synthetic.validation_cameras",
    "rendered_scale": "synthetic.scale",
    "rendered_frames": "synthetic.frames",
    "turns": "synthetic.visits",
    "accumulate": "batch.chunks",
    "optimiser": "optimiser.name",
    "lr": "optimiser.learning_rate",
    "temporal_lr": "optimiser.temporal_lr_factor",
    "classifier_lr": "optimiser.classifier_lr_factor",
    "temporal_classifier_lr": "optimiser.temporal_classifier_lr_factor",
    "clip_norm": "optimiser.max_grad_norm",
    "ema": "optimiser.ema_decay",
    "memory_start": "losses.memory_init",
    "refresh_epochs": "losses.memory_refresh_epochs",
    "schedule": "schedule.decay",
    "warmup_from": "schedule.warmup_start",
    "drop_tokens": "schedule.patch_dropout",
}
RENAMED = MappingProxyType(
    {name: f"{group}.{name}" for group, names in _MOVED.items() for name in names.split()} | _RENAMED
)
"""`group.key` by former flat name."""
