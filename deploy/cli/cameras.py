"""`climbtrack cameras`: find cameras on the network; add, remove and list those of a running system, over its API."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.options import ApiUrl, DataDirOption, Json, Token, finite
from deploy.errors import RunError, UsageError

FROM_ENVIRONMENT = "CLIMBTRACK_CAMERA_PASSWORD"

app = typer.Typer(
    name="cameras", help="Find cameras; add, remove and list those of a running system.", no_args_is_help=True
)


@app.command("add")
def add(
    camera: Annotated[str, typer.Argument(metavar="NAME=URL", help="Like door=rtsp://host/stream.")],
    site: Annotated[str | None, typer.Option("--site", help="Site; identities are shared within a site.")] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            "--fps", min=0.001, max=240, callback=finite, help="Maximum number of frames per second to analyse."
        ),
    ] = None,
    api: ApiUrl = None,
    token: Token = None,
    data_dir: DataDirOption = None,
) -> None:
    """Add a camera, or change the existing one with this name; a relative path is one of the current folder."""
    from deploy.cameras import in_folder, parse_cameras
    from deploy.cli.find_api import running_api
    from wire.config_file import DEFAULT_SITE

    (given,) = parse_cameras([camera], site or DEFAULT_SITE).values()
    spec = in_folder(Path.cwd(), given)
    body: dict[str, Any] = {"camera_id": spec.camera_id, "url": spec.url}
    body |= {key: value for key, value in {"site_id": site, "analysed_fps": fps}.items() if value is not None}
    with running_api(api, token, data_dir) as client:
        client.request("POST", "/v1/cameras", body=body)
    typer.echo(f"camera {spec.camera_id}: {spec.safe_url}")


@app.command("rm")
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    api: ApiUrl = None,
    token: Token = None,
    data_dir: DataDirOption = None,
) -> None:
    """Remove a camera; the people it saw remain known."""
    from deploy.cli.find_api import running_api
    from wire.message import check_name

    try:
        check_name("NAME", name)
    except ValueError as error:
        raise UsageError(str(error)) from None
    with running_api(api, token, data_dir) as client:
        client.request("DELETE", f"/v1/cameras/{name}")
    typer.echo(f"camera {name} removed")


@app.command("ls")
def list_cameras(
    api: ApiUrl = None, token: Token = None, data_dir: DataDirOption = None, as_json: Json = False
) -> None:
    """List the cameras and their state."""
    from deploy.cli.find_api import running_api

    with running_api(api, token, data_dir) as client:
        answer = client.get("/v1/cameras")
    if as_json:
        typer.echo(json.dumps(answer))
        return
    from deploy.terminal import print_rows

    print_rows(
        f"{len(answer['cameras'])} cameras",
        ("camera", "site", "source", "analysed", "dropped", "tracklets", "state"),
        [(one["camera_id"], one["site_id"], one["url"], *_progress(one)) for one in answer["cameras"]],
    )


@app.command("discover")
def discover(
    hosts: Annotated[
        list[str] | None, typer.Argument(metavar="[HOST]...", help="Ask these addresses instead of the whole network.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, max=60, callback=finite, help="Seconds to wait for answers.")
    ] = 3.0,
    interface: Annotated[
        list[str] | None, typer.Option("--interface", metavar="NAME", help="Ask on this network interface only.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="User of the cameras; the password is asked for.")] = None,
    as_json: Json = False,
) -> None:
    """Find ONVIF cameras on the network, and print the --camera option for each.

    Passwords are never printed: replace USER:PASSWORD. CLIMBTRACK_CAMERA_PASSWORD may hold the one to ask with.
    """
    from deploy.onvif import device, probe, words
    from deploy.onvif.soap import Login

    def ask_login() -> Login | None:
        if user is None:
            return None
        given = os.environ.get(FROM_ENVIRONMENT)
        return Login(user, typer.prompt(f"Password of {user}", hide_input=True, err=True) if given is None else given)

    asked = probe.interfaces(interface or ()) if not hosts else []
    found = probe.discover(asked, timeout) if not hosts else [device.by_address(host) for host in hosts]
    if not found:
        raise RunError(words.NOTHING.format(interfaces=", ".join(asked), seconds=timeout))
    cameras = device.describe_all(found, ask_login)
    named = list(zip(words.names_of(cameras), cameras, strict=True))
    if as_json:
        typer.echo(json.dumps({"cameras": [words.as_json(name, camera) for name, camera in named]}))
        return
    for line in (line for name, camera in named for line in words.lines_of(name, camera)):
        typer.echo(line)


def _progress(camera: dict[str, Any]) -> tuple[object, ...]:
    state = camera["state"]
    if not camera["enabled"]:
        return "-", "-", "-", "disabled"
    if state is None:
        return "-", "-", "-", "waiting for frames"
    how = state["reason"] or ("ended" if state["ended"] else "running")
    return state["analysed"], state["dropped"], state["tracklets"], how
