"""The `climbtrack` command. Heavy libraries are imported inside the subcommands, so that `--help` is fast."""

import errno
import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from deploy.cli.adapt import adapt
from deploy.cli.audit import audit
from deploy.cli.bench import app as bench
from deploy.cli.calibrate import calibrate
from deploy.cli.cameras import app as cameras
from deploy.cli.cluster import app as cluster
from deploy.cli.convert import convert
from deploy.cli.doctor import doctor
from deploy.cli.evaluate import evaluate
from deploy.cli.export import export
from deploy.cli.gallery import app as gallery
from deploy.cli.identities import app as identities
from deploy.cli.kafka import kafka
from deploy.cli.models import app as models
from deploy.cli.plan import plan
from deploy.cli.run import run
from deploy.cli.score import score
from deploy.cli.services import alerts, api, ingest, recorder, worker
from deploy.cli.synth import app as synth
from deploy.cli.topics import app as topics
from deploy.cli.train import train
from deploy.cli.users import app as users
from deploy.errors import DeployError, RunError, UsageError
from wire.errors import SettingsError, WireError
from wire.mask import mask_url, scrub
from wire.metrics import installed_version

PANELS: dict[str, tuple[Callable[..., None] | typer.Typer, ...]] = {
    "Follow people": (run, identities, cameras, models, doctor),
    "The same on many machines, over Kafka and Redis": (
        *(ingest, worker, gallery, alerts, recorder, api),
        *(kafka, topics, cluster, plan),
    ),
    "Who may use it": (users, audit),
    "Measure, adapt and train": (score, calibrate, evaluate, adapt, train, synth, convert, export, bench),
}


MORE_MEMORY = "end other programs, or raise the limit (`ulimit -v`, or that of the container)"
WORDS = "climbtrack.words"  # key of the typed arguments in the context's metadata
_UsageError: Any = typer.BadParameter.__base__  # from the copy of click inside typer, which has no type hints


class InPanels(TyperGroup):
    """List commands and command groups in the order of `PANELS`; typer would list all groups last."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the typed arguments for `invoke`, and return the remaining ones.

        Raises:
            typer.BadParameter: The value of an option is empty; an empty path would be the current folder.
        """
        ctx.meta[WORDS] = tuple(args)
        for option in _empty(args):
            raise typer.BadParameter(f"{option} has an empty value; is a variable of your shell not set?", ctx=ctx)
        left: list[str] = super().parse_args(ctx, args)
        return left

    def invoke(self, ctx: Any) -> Any:
        """Run a command; mask passwords in messages about invalid arguments, wherever a URL was given."""
        try:
            return super().invoke(ctx)
        except _UsageError as error:
            for word in ctx.meta[WORDS]:
                error.message = error.message.replace(repr(word), repr(mask_url(word))).replace(word, mask_url(word))
            error.message = scrub(error.message)
            raise

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's copy of click has no type hints
        """Return the names of all commands."""
        return [_name(command) for commands in PANELS.values() for command in commands]


def _empty(words: Sequence[str]) -> list[str]:
    """Return the options whose value is an empty word."""
    given = words[: words.index("--")] if "--" in words else words
    apart = [option for option, value in pairwise(given) if option.startswith("-") and not value]
    return [*apart, *(word[:-1] for word in given if word.startswith("--") and word.endswith("="))]


def _name(command: Callable[..., None] | typer.Typer) -> str:
    return str(command.info.name) if isinstance(command, typer.Typer) else command.__name__


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"climbtrack {installed_version()}")
        raise typer.Exit


app = typer.Typer(
    name="climbtrack",
    cls=InPanels,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def climbtrack(
    _: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)] = False,
) -> None:
    """Give every person one number across all the cameras of a site.

    Start with `climbtrack run --camera door=door.mp4`. Every command has help: `climbtrack run --help`.
    """


for panel, commands in PANELS.items():
    for command in commands:
        if isinstance(command, typer.Typer):
            app.add_typer(command, rich_help_panel=panel)
        else:
            app.command(rich_help_panel=panel)(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 success, 1 failure, 2 invalid usage or setting."""
    _fill_standard_streams()
    try:
        app(args=arguments, prog_name="climbtrack")
    except SystemExit as ended:  # how typer exits, also on invalid options
        return ended.code if isinstance(ended.code, int) else 0
    except SettingsError as error:
        return _fail(error, UsageError.exit_code)
    except DeployError as error:
        return _fail(error, error.exit_code)
    except WireError as error:
        return _fail(error, RunError.exit_code)
    except (OSError, ImportError, MemoryError) as error:
        return _fail(_remedy_of(error), RunError.exit_code)
    return 0


def _fill_standard_streams() -> None:
    """Open what was closed of stdin, stdout and stderr, or a socket would get its number and be lost in a child."""
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(number, True)  # for children as well
    os.close(number)


def _remedy_of(error: OSError | ImportError | MemoryError) -> RunError:
    """Return what to do about an error of the machine; re-raise one that may be ours."""
    if isinstance(error, OSError):
        return _not_written(error)
    if isinstance(error, ImportError):
        return _not_loaded(error)
    return RunError(f"there is not enough memory; {MORE_MEMORY}")


def _not_written(error: OSError) -> RunError:
    """Return the remedy for a disk that is full or read-only; re-raise any other error."""
    if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}:
        raise error
    return RunError(f"cannot write {error.filename or 'the output'}: {error.strerror}; free space, or write elsewhere")


def _not_loaded(error: ImportError) -> RunError:
    """Return the remedy for a library missing from a partial installation, or for one that the system does not load;
    re-raise any other import error.
    """
    if ".so" in str(error):
        return RunError(f"a library cannot be loaded: {error}; {MORE_MEMORY}, or install climbtrack again")
    library = (error.name or "").partition(".")[0]
    if library in {"", "wire", "ingest", "reid_worker", "gallery", "training", "deploy"}:
        raise error
    return RunError(
        f"this command needs {library}, which is not installed; `pip install .` in a clone installs everything"
    )


def _fail(error: Exception, code: int) -> int:
    from wire.process import print_error

    print_error(error)
    return code
