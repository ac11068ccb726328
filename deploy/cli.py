"""The command `climbtrack`. Heavy libraries are imported inside the commands, so that `--help` is quick."""

import sys
from collections.abc import Sequence

import typer

from deploy import cli_bench, cli_cameras, cli_identities, cli_run, cli_services, cli_tools
from deploy.errors import DeployError
from wire.errors import SettingsError, WireError
from wire.process import EXIT_DONE, EXIT_FAILED, EXIT_USAGE

app = typer.Typer(
    name="climbtrack",
    help="One identity per person, on every camera of a site, live.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(cli_run.run)
for service in (cli_services.ingest, cli_services.worker, cli_services.gallery, cli_services.api):
    app.command()(service)
app.add_typer(cli_cameras.app, name="cameras")
app.add_typer(cli_identities.app, name="identities")
app.add_typer(cli_tools.synth, name="synth")
app.command("train")(cli_tools.train)
app.command("score")(cli_tools.score)
app.command("doctor")(cli_tools.doctor)
app.add_typer(cli_bench.app, name="bench")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong use or setting."""
    try:
        app(args=arguments, prog_name="climbtrack")
    except SystemExit as ended:  # how typer ends, also for wrong options
        return ended.code if isinstance(ended.code, int) else EXIT_DONE
    except SettingsError as error:
        return _say(error, EXIT_USAGE)
    except DeployError as error:
        return _say(error, error.exit_code)
    except WireError as error:
        return _say(error, EXIT_FAILED)
    return EXIT_DONE


def _say(error: Exception, code: int) -> int:
    print(f"climbtrack: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
