"""The command `climbtrack`. Heavy libraries are imported inside the commands, so that `--help` is quick."""

import sys
from collections.abc import Sequence

import typer

from deploy.cli_adapt import adapt
from deploy.cli_bench import app as bench
from deploy.cli_cameras import app as cameras
from deploy.cli_evaluate import evaluate
from deploy.cli_export import export
from deploy.cli_identities import app as identities
from deploy.cli_models import app as models
from deploy.cli_run import run
from deploy.cli_services import api, gallery, ingest, worker
from deploy.cli_synth import app as synth
from deploy.cli_tools import doctor, score, train
from deploy.cli_weights import convert
from deploy.errors import DeployError, RunError, UsageError
from wire.errors import SettingsError, WireError

app = typer.Typer(
    name="climbtrack",
    help="One identity per person, on every camera of a site, live.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (run, ingest, worker, gallery, api, train, evaluate, adapt, convert, export, score, doctor):
    app.command()(command)
GROUPS = ((cameras, "cameras"), (identities, "identities"), (models, "models"), (synth, "synth"), (bench, "bench"))
for group, name in GROUPS:
    app.add_typer(group, name=name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong use or setting."""
    try:
        app(args=arguments, prog_name="climbtrack")
    except SystemExit as ended:  # how typer ends, also for wrong options
        return ended.code if isinstance(ended.code, int) else 0
    except SettingsError as error:
        return _say(error, UsageError.exit_code)
    except DeployError as error:
        return _say(error, error.exit_code)
    except WireError as error:
        return _say(error, RunError.exit_code)
    return 0


def _say(error: Exception, code: int) -> int:
    print(f"climbtrack: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
