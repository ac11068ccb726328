"""Two tiny runs end with the same weights as before settings were grouped (revision ca3127a)."""

import hashlib
from pathlib import Path

import pytest
from torch import Tensor

from tests.training_tools import coloured_noise, logged, small_config
from training import logs
from training.checkpoint import Checkpoint, load_checkpoint
from training.train import run_training

CACHED = ("schedule.steps=6", "run.seed=3")
FRESH = (
    *("schedule.steps=6", "run.seed=5", "synthetic.crops=fresh", "losses.memory_init=visit", "optimiser.ema_decay=0.9"),
    *("schedule.patch_dropout=0.5", "batch.chunks=2", "optimiser.name=sgd", "optimiser.learning_rate=1e-2"),
    *(
        "schedule.decay=milestones",
        "schedule.milestones=[0.4, 0.8]",
        "schedule.warmup=0.2",
        "schedule.warmup_start=0.1",
    ),
    *("optimiser.max_grad_norm=1", "losses.memories=[mean, random, hard]", "data.augmentation_strength=0.3"),
    *("network.standardise=0.8", "losses.sequence_triplet=0.5", "losses.mmc_from=0.3", "optimiser.weight_decay=0.05"),
    *("optimiser.temporal_lr_factor=2", "optimiser.classifier_lr_factor=3"),
)
RUNS = {
    CACHED: (
        [4.36002, 6.71198, 7.78071, 22.9177, 8.04968, 10.1083],
        "baed3579fe37843f97f68c5cd5e0e7d5b62b70d84b1b2228da72108f99f4160f",
    ),
    FRESH: (
        [4.81689, 11.3735, 11.1484, 9.50195, 11.746, 9.33432],
        "14c5f22fa878783213e8ebcfa7ef8c44b3668b42d54468ece9a12ac96e118902",
    ),
}


def digest(checkpoint: Checkpoint) -> str:
    found = hashlib.sha256()
    parts: list[dict[str, Tensor]] = [checkpoint.network, checkpoint.classifiers]
    parts += [{"memory": checkpoint.memory}, checkpoint.average]
    for part in parts:
        for name in sorted(part):
            found.update(name.encode())
            found.update(part[name].contiguous().numpy().tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("changes", RUNS, ids=["cached", "fresh"])
def test_the_same_seed_gives_the_same_weights_as_before(
    changes: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bits depend on the CPU's instructions and on torch: if losses differ in the sixth digit, bits are not compared.

    The first loss precedes any growth of rounding errors; it must agree everywhere.
    """
    losses, bits = RUNS[changes]
    monkeypatch.setattr(logs, "EVERY", 1)
    config = small_config(tmp_path / "run", *changes)
    run_training(config, render=coloured_noise)
    found = logged(config, "total")
    assert found[0] == pytest.approx(losses[0], rel=1e-5)
    if found == losses:
        assert digest(load_checkpoint(config.run.output / "checkpoint.pt")) == bits
