"""Train the weights that climbtrack ships from scratch: all parts of their recipe, one after another.

    python -m training.recipes.release OUT [--pace 1.0] [--assets PEOPLE.npz] [group.key=value ...]

Completed parts are kept: the same command resumes after an interruption. The clock ends the parts, so two runs agree
in accuracy, not bit for bit. Parts with realistic people need their packed assets (`training.realistic.pack`), and are
left out without them.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.checkpoint import load_checkpoint
from training.config import TrainConfig, changed, load_config
from training.data.crops import Render
from training.recipes.grow import grow_file
from training.schedule import progress_of
from training.train import CHECKPOINT, run_training

CONFIGS = Path(__file__).parents[1] / "configs"


@dataclass(frozen=True, slots=True)
class Part:
    """One run of the recipe.

    Attributes:
        config: Name of a file in training/configs.
        changes: `group.key=value` overrides of it.
        grown: Whether it starts from the previous part's weights grown to twice the width, or deepened.
        realistic: Whether every second site has realistic people, whose packed assets it needs.
    """

    config: str
    changes: tuple[str, ...] = ()
    grown: bool = False
    realistic: bool = False


FOUR = "network.model=climb-tiny-4"
CLIMB_TINY = (
    Part("climb_tiny"),
    Part("climb_tiny_128", ("schedule.minutes=15",), grown=True),
    Part("climb_tiny_128_more"),
    Part("climb_tiny_128_head"),
    Part("climb_tiny_street"),
    Part("climb_tiny_street_full"),
    Part("climb_tiny_street_head"),
    Part("climb_tiny_varied"),
    Part(
        "climb_tiny_street_head",
        ("synthetic.first_identity=40000", "data.augmentation_strength=0.5", "batch.cluster=8", "schedule.minutes=10"),
    ),
    Part("climb_tiny_realistic", (FOUR, "synthetic.train_identities=1800", "schedule.minutes=22"), realistic=True),
    Part("climb_tiny_realistic", (FOUR, "run.seed=1", "schedule.minutes=39", "losses.mmc_from=0.1"), realistic=True),
    Part(
        "climb_tiny_realistic",
        (
            *("run.seed=5", "synthetic.first_identity=270000", "synthetic.train_identities=6500"),
            *("schedule.steps=100000", "schedule.minutes=136", "schedule.warmup=0.03", "losses.mmc_from=0.1"),
        ),
        grown=True,
        realistic=True,
    ),
)


def release(
    parts: Sequence[Part], out: Path, *, pace: float = 1.0, changes: Sequence[str] = (), render: Render | None = None
) -> Path:
    """Run the parts that are not complete yet, each from the previous weights; return the last weights.

    Args:
        parts: The recipe.
        out: Folder of the runs; `part-N.safetensors` in it are the weights of a completed part.
        pace: Factor on the minutes of every part.
        changes: `group.key=value` overrides of every part.
        render: Renders the people; None for the default generator.

    Raises:
        TrainingError, CheckpointError, ConfigError, DataSetError: A part cannot continue; the message gives the cause.
    """
    if not parts:
        raise ValueError("a recipe needs at least one part")
    before: Path | None = None
    for number, part in enumerate(parts, 1):
        done = out / f"part-{number}.safetensors"
        if not done.exists():
            folder = out / f"part-{number}"
            folder.mkdir(parents=True, exist_ok=True)
            config = _config(part, folder, _start_from(part, folder, before), changes)
            config = changed(config, {"schedule.minutes": config.schedule.minutes * pace})
            best = folder / "best.safetensors"
            _copy_whole(best if _ended(config) else run_training(config, render=render).weights, done)
        before = done
    assert before is not None, "there was a part"
    return before


def _start_from(part: Part, folder: Path, before: Path | None) -> Path | None:
    """Return the weights a part starts from, grown into its folder if it needs that; None for the first."""
    if before is None or not part.grown:
        return before
    grown = folder / "grown.safetensors"
    grow_file(before, grown)
    return grown


def _config(part: Part, folder: Path, initial: Path | None, changes: Sequence[str]) -> TrainConfig:
    """Return the run of a part, which resumes from a checkpoint if there is one."""
    where = [f"run.output={folder}", f"synthetic.cache={folder.parent / 'cache'}"]
    if initial is not None:
        where.append(f"network.initial={initial}")
    if (folder / CHECKPOINT).exists():
        where.append("run.resume=true")
    return load_config(CONFIGS / f"{part.config}.yaml", [*part.changes, *changes, *where])


def _ended(config: TrainConfig) -> bool:
    """Return whether the checkpoint of a run is its final one: an interruption may come right after it."""
    if not config.run.resume:
        return False
    last = load_checkpoint(config.run.output / CHECKPOINT)
    validated = last.validated_step in (None, last.step)
    return validated and progress_of(config.schedule, last.step, last.elapsed_s) >= 1


def _copy_whole(source: Path, target: Path) -> None:
    """Copy a file so that the target is complete or absent."""
    partial = target.with_suffix(".partial")
    shutil.copyfile(source, partial)
    partial.replace(target)


def possible(parts: Sequence[Part], assets: Path | None) -> tuple[Part, ...]:
    """Return the parts that can be run: without packed assets only those without realistic people."""
    if assets is None:
        return tuple(part for part in parts if not part.realistic)
    told = f"synthetic.assets={assets}"
    return tuple(replace(part, changes=(*part.changes, told)) if part.realistic else part for part in parts)


def main(arguments: Sequence[str]) -> None:
    """Train climb-tiny, and print the path of its weights."""
    parser = argparse.ArgumentParser(
        prog="python -m training.recipes.release", description="Train the shipped weights again from scratch."
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--pace", type=float, default=1.0, help="factor on the minutes of every part")
    parser.add_argument(
        "--assets", type=Path, help="packed assets of realistic people; without, the last three parts are left out"
    )
    parser.add_argument("changes", nargs="*", metavar="group.key=value", help="settings that override every part")
    options = parser.parse_intermixed_args(arguments)
    if options.pace <= 0:
        parser.error(f"--pace {options.pace}: must be above 0")
    parts = possible(CLIMB_TINY, options.assets)
    sys.stdout.write(f"{release(parts, options.out, pace=options.pace, changes=options.changes)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
