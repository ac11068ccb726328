"""Parse cameras as users write them: `NAME=URL` on the command line, or section `cameras` of a configuration file."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from deploy.errors import UsageError
from ingest.sources.address import path_of
from wire.config_file import section_of, site_of
from wire.errors import SettingsError
from wire.mask import mask_name, mask_url
from wire.messages import CameraSpec
from wire.url import UrlError, check_source, is_live
from wire.wording import known_names

NO_CAMERA = """no camera was given. Name one or more cameras, each with a name of your choice:

  a video file   climbtrack run --camera door=door.mp4
  an IP camera   climbtrack run --camera door=rtsp://USER:PASSWORD@192.168.1.20/stream
  a webcam       climbtrack run --camera desk=0
  a whole site   climbtrack run --config site.yaml     # cameras: {door: door.mp4, hall: rtsp://...}
  on the page    climbtrack run --keep-serving         # open the address it prints, and add cameras there

`climbtrack doctor` checks whether this machine is ready; `climbtrack run --help` lists all options."""
_STATED = {"camera_id", "site_id", "bounds"}  # elsewhere, and bounds by the API only
_FIELDS = tuple(name for name in CameraSpec.__struct_fields__ if name not in _STATED)


def parse_cameras(words: Iterable[str], site_id: str) -> dict[str, CameraSpec]:
    """Return the cameras given as `NAME=URL` arguments.

    Raises:
        UsageError: An argument does not have this form, a name is not allowed, or two cameras have the same name.
    """
    cameras: dict[str, CameraSpec] = {}
    for word in words:
        name, equals, url = word.partition("=")
        shown = f"{name}={mask_url(url)}" if equals and mask_name(name) == name else mask_url(word)
        if not equals or not name or not url:
            raise UsageError(f"--camera {shown}: expected NAME=URL, like door=rtsp://host/stream or door=door.mp4")
        if name in cameras:
            raise UsageError(f"--camera {name}=…: two cameras have this name; names must be unique")
        try:
            check_source(url)
            cameras[name] = CameraSpec(camera_id=name, site_id=site_id, url=url)
        except ValueError as error:
            raise UsageError(f"--camera {shown}: {error}") from error
    return cameras


def reject_bare_arguments(words: Sequence[str]) -> None:
    """Refuse arguments without an option, and say which option was probably meant.

    Raises:
        UsageError: There are any.
    """
    if not words:
        return
    word, shown = words[0], mask_url(words[0])
    if word.lower().endswith((".yaml", ".yml")):
        raise UsageError(f"unexpected argument {shown}; give a configuration with --config {shlex.quote(shown)}")
    name, equals, _ = word.partition("=")
    camera = shown if equals and mask_name(name) == name else f"NAME={shown}"
    raise UsageError(f"unexpected argument {shown}; give each camera with --camera {shlex.quote(camera)}")


def configured_cameras(config: Path | None) -> dict[str, CameraSpec]:
    """Return the cameras of a configuration file: name to URL, or name to the fields of a `CameraSpec`.

    Relative paths are resolved against the folder of the configuration file.

    Raises:
        SettingsError: The section is not a mapping, or a camera has an unknown field or an invalid value.
    """
    section = section_of(config, "cameras")
    site_id = site_of(config)
    cameras = {name: _configured(name, value, site_id) for name, value in section.items()}
    return cameras if config is None else {name: in_folder(config.parent, spec) for name, spec in cameras.items()}


def chosen_cameras(words: Sequence[str], config: Path | None, *, needed: bool = True) -> tuple[CameraSpec, ...]:
    """Return the cameras given on the command line or, if there are none, those of the configuration.

    Raises:
        UsageError, SettingsError: A camera is invalid, or there is none though one is `needed`.
    """
    configured = configured_cameras(config)
    cameras = parse_cameras(words, site_of(config)) or configured
    if not cameras and needed:
        raise UsageError(NO_CAMERA if config is None else f"config {config} has no section cameras, and {NO_CAMERA}")
    return tuple(cameras.values())


def in_folder(folder: Path, spec: CameraSpec) -> CameraSpec:
    """Return a camera whose file, if it is one with a relative path, is that of a folder."""
    return spec if is_live(spec.url) else replace(spec, url=str(folder / path_of(spec.url)))


def _configured(name: str, value: Any, site_id: str) -> CameraSpec:
    fields = dict(value) if isinstance(value, Mapping) else {"url": value}
    shown = mask_name(name)
    unknown = sorted(set(map(str, fields)) - set(_FIELDS))
    if unknown:
        raise SettingsError(f"cameras.{shown}.{mask_name(unknown[0])}: unknown key; {known_names(unknown[0], _FIELDS)}")
    url = fields.get("url", "")
    if isinstance(url, int) and not isinstance(url, bool):
        fields["url"] = str(url)  # YAML parses a device index as a number
    elif not isinstance(url, str):
        kind = "nothing" if url is None else f"a {type(url).__name__}"
        raise SettingsError(f"cameras.{shown}.url: must be text, got {kind}; put it in quotes")
    try:
        spec = msgspec.convert({"type": "camera", "camera_id": name, "site_id": site_id, **fields}, CameraSpec)
        check_source(spec.url)
    except UrlError as error:
        raise SettingsError(f"cameras.{shown}.url = {mask_url(fields['url'])!r}: {error}") from None
    except (msgspec.ValidationError, ValueError) as error:
        raise SettingsError(f"cameras.{shown}: {error}") from error
    return spec
