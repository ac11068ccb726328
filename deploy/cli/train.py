"""`climbtrack train`: train weights."""

import json

import typer

from deploy.cli.options import Changes, Json, Recipe, recipe_and_changes
from deploy.errors import RunError, UsageError


def train(
    config: Recipe = None,
    overrides: Changes = None,
    as_json: Json = False,
) -> None:
    """Train CLIMB on generated people or on a data set."""
    from training.checkpoint import CheckpointError
    from training.config import ConfigError, load_config
    from training.data.dataset import DataSetError
    from training.errors import TrainingError
    from training.train import run_training

    try:
        result = run_training(load_config(*recipe_and_changes(config, overrides)), on_signals=True)
    except (ConfigError, CheckpointError, DataSetError) as error:
        raise UsageError(str(error)) from error
    except TrainingError as error:
        raise RunError(str(error)) from error
    said = {
        "weights": str(result.weights),
        "best_map": result.best_map,
        "steps": result.steps,
        "loss": result.loss,
        "end": result.end,
    }
    typer.echo(json.dumps(said) if as_json else f"{result.weights}: held-out mAP {result.best_map:.3f}")
