"""Results of a queue of training runs: one JSON line per completed run, and a table that compares them."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from training.config import TrainConfig
from training.recipes.queue_file import Queue, QueueError

RESULTS = "results.jsonl"
_WITHOUT_EFFECT = ("run.output", "run.resume", "run.checkpoint_every", "run.tensorboard", "synthetic.cache")

Row = dict[str, Any]


def results(output: Path) -> list[Row]:
    """Return the rows of the completed runs of a queue.

    Raises:
        QueueError: The file cannot be read.
    """
    path = output / RESULTS
    try:
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    except (OSError, ValueError) as error:
        raise QueueError(f"{path} cannot be read ({error}): repair it, or move it away to do all runs again") from error


def table(queue: Queue, rows: Sequence[Row]) -> str:
    """Return mean ± spread over seeds by run and setting, with mAP against the baseline paired by seed, per cent."""
    head = ["run", "seeds", "minutes"]
    for setting in queue.settings:
        head += [f"{setting} mAP", "rank-1", "against the first"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    names = list(dict.fromkeys(run.name for run in queue.runs))
    for name in names:
        of_run = [row for row in rows if row["run"] == name]
        if not of_run:
            continue
        cells = [name, str(len(of_run)), _spread([row["minutes"] for row in of_run])]
        for setting in queue.settings:
            first = _by_seed(rows, names[0], setting, "mAP")
            found = _by_seed(rows, name, setting, "mAP")
            gains = [value - first[seed] for seed, value in found.items() if seed in first and name != names[0]]
            ranks = _by_seed(rows, name, setting, "rank1")
            cells += [_spread(list(found.values())), _spread(list(ranks.values())), _spread(gains, "+")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def append(path: Path, row: Row) -> None:
    """Add a line after the complete ones."""
    complete = results(path.parent)
    partial = path.with_suffix(".partial")
    partial.write_text("".join(json.dumps(one) + "\n" for one in [*complete, row]))
    partial.replace(path)


def _by_seed(rows: Sequence[Row], name: str, setting: str, figure: str) -> dict[int, float]:
    return {row["seed"]: row["figures"][setting][figure] for row in rows if row["run"] == name}


def _spread(values: Sequence[float], sign: str = "") -> str:
    if not values:
        return ""
    mean = f"{np.mean(values):{sign}.1f}"
    return f"{mean} ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else mean


def comparable(config: TrainConfig) -> dict[str, str]:
    """Return the settings that decide a run's result, by `group.key`."""
    groups = asdict(config)
    flat = {f"{group}.{key}": str(value) for group, keys in groups.items() for key, value in keys.items()}
    return {key: value for key, value in flat.items() if key not in _WITHOUT_EFFECT}
