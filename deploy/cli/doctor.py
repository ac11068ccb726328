"""`climbtrack doctor`: check whether this machine has everything that climbtrack needs."""

import json
from dataclasses import asdict

import typer

from deploy.cli.options import Config, Json


def doctor(config: Config = None, as_json: Json = False) -> None:
    """Check for everything that climbtrack needs, and explain how to get what is missing."""
    from rich.console import Console

    from deploy.doctor import examine, print_checks, verdict

    checks = examine(config)
    print_checks(Console(stderr=as_json), checks)
    ok = all(check.fine for check in checks)
    if as_json:
        said = {"ok": ok, "verdict": verdict(checks), "checks": [asdict(one) for one in checks]}
        typer.echo(json.dumps(said))
    raise typer.Exit(0 if ok else 1)
