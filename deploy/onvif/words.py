"""What is said about the cameras that were found."""

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any

from deploy.onvif.device import Camera, Stream

NOTHING = """no ONVIF camera answered on {interfaces} within {seconds:g} s. Common reasons:
  - the cameras are in another subnet or VLAN, which multicast does not reach: name them, as in
    `climbtrack cameras discover 192.168.1.20`
  - this machine's firewall blocks the answers to UDP port 3702, or the access point or switch blocks multicast
  - ONVIF is switched off in the cameras' settings, as it is on many when they are new
  - in a container: start it in the host's network (`--network host`)"""
LOGIN = "USER:PASSWORD@"  # replaced by whoever pastes it: no password is printed
_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")
MAX_NAME = 40


def names_of(cameras: Sequence[Camera]) -> list[str]:
    """Return a name for each camera that can be given to `--camera`: by what it calls itself, numbered where needed."""
    slugs = [_NOT_IN_NAME.sub("-", camera.name.lower()).strip("-")[:MAX_NAME] or "camera" for camera in cameras]
    total, seen = Counter(slugs), Counter[str]()
    names = []
    for slug in slugs:
        seen[slug] += 1
        names.append(slug if total[slug] == 1 else f"{slug}-{seen[slug]}")
    return names


def url_of(camera: Camera, stream: Stream) -> str:
    """Return the address of a stream, with a placeholder for the login if the camera wants one."""
    scheme, _, rest = stream.url.partition("://")
    return f"{scheme}://{LOGIN if camera.login else ''}{rest}"


def lines_of(name: str, camera: Camera) -> list[str]:
    """Return what to print about one camera: who it is, and the option to paste for its main stream."""
    head = f"# {camera.host}  {camera.name}".rstrip()
    if not camera.streams:
        return [f"{head}: {camera.problem}"]
    main, *others = camera.streams
    also = "".join(f"; also {_look(one)}: {url_of(camera, one)}" for one in others)
    return [f"{head}  {_look(main)}{also}", f"--camera {shlex.quote(f'{name}={url_of(camera, main)}')}"]


def as_json(name: str, camera: Camera) -> dict[str, Any]:
    """Return the same for programs."""
    streams = [
        {
            "url": url_of(camera, one),
            "profile": one.profile.name,
            "codec": one.profile.codec,
            "width": one.profile.width,
            "height": one.profile.height,
        }
        for one in camera.streams
    ]
    return {"name": name, "host": camera.host, "model": camera.name, "streams": streams, "problem": camera.problem}


def _look(stream: Stream) -> str:
    return f"{stream.profile.codec} {stream.profile.width}x{stream.profile.height}"
