"""`climbtrack identities`: who is known, asked from a running system or from what a run left behind."""

import json
from typing import Annotated

import typer

from deploy.options import ApiUrl, DataDirOption, Json, Token

app = typer.Typer(help="List and show the people that are known.", no_args_is_help=True)
