"""One run on one machine: what is asked for, whether it can be done, and from starting the cameras to who was seen."""

import shlex
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from rich.console import Console

from deploy.errors import UsageError
from deploy.local.api_server import bind
from deploy.local.console import CameraBars, print_cameras, print_files, print_people
from deploy.local.contact_sheet import NAME, write_contact_sheet
from deploy.local.data_dir import default_data_dir
from deploy.local.probe import length_of
from deploy.local.report import Report, people_since
from deploy.local.settings import EmbeddedSettings
from deploy.local.watch import CameraTotals, Watch
from deploy.terminal import command, print_line
from gallery.export import write_mot
from gallery.store import Store
from ingest.sources.address import has_end
from ingest.state import CameraStatus, State
from wire.messages import CameraSpec
from wire.signals import stop_on_signals

if TYPE_CHECKING:
    from deploy.local.embedded import Embedded

POLL_S = 0.1
MINUTE_NS = 60 * 10**9
BETWEEN_RUNS_NS = MINUTE_NS  # a person of the last run can have walked out and in again by the start of the next


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a user asked for; None is the default of settings or folders."""

    cameras: tuple[CameraSpec, ...]
    config: Path | None = None
    data_dir: Path | None = None
    out: Path | None = None
    weights: Path | None = None
    detector: str | None = None
    keep_crops: Path | None = None
    host: str | None = None
    port: int | None = None
    keep_serving: bool = False
    pictures: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run went.

    Attributes:
        failed: A file could not be read to its end, or no camera gave anything.
        pictures: The page with a picture of everybody; None when there is none.
    """

    report: Report
    failed: bool
    pictures: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {**self.report.as_json(), "pictures": None if self.pictures is None else str(self.pictures)}


def follow(options: RunOptions, console: Console) -> Outcome:
    """Run until all files have ended and are decided, or until a signal; print what happens and what was found.

    Raises:
        SettingsError, DeployError: It cannot start, or a part of it ended.
    """
    site_id = options.cameras[0].site_id
    settings = EmbeddedSettings.load(
        options.config,
        worker={"weights": options.weights, "detector": options.detector, "keep_crops": options.keep_crops},
        api={"host": options.host, "port": options.port},
    )
    data_dir = options.data_dir or default_data_dir()
    if options.out is not None:
        _check_folder(options.out)
    with bind(settings.api.host, settings.api.port) as taken:
        print_line(console, "loading models")
        from deploy.local.embedded import Embedded  # torch and others take seconds: mistakes are told before

        return follow_cameras(Embedded(settings, data_dir, site_id, taken), options, console)


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {folder}: {error.strerror}; give a folder that can be written") from error


def follow_cameras(system: "Embedded", options: RunOptions, console: Console) -> Outcome:
    """Start a system and run it over the cameras; see `follow`."""
    with (
        system,
        closing(Watch(system.bus)) as watch,
        stop_on_signals() as stop,
    ):
        print_line(console, f"climbtrack answers at {system.api_url}, see {system.api_url}/docs")
        cameras = dated(options.cameras, next_start_ns(system.store))
        since_ns = min((spec.start_ns for spec in cameras if spec.start_ns is not None), default=time.time_ns())
        began_s = time.monotonic()
        system.start_cameras(cameras)
        totals = _watch_cameras(system, watch, cameras, console, stop)
        failures = failures_of(system.camera_statuses(), totals, {c.camera_id for c in cameras if has_end(c.url)})
        report = Report(people_since(system.store, since_ns, totals), totals, time.monotonic() - began_s)
        pictures = _write_pictures(system.store, report, options, console) if options.pictures else None
        files = {"pictures": pictures} if pictures else {}
        _print(report, failures, {**files, **_write_data(system.store, report, options, since_ns)}, options, console)
        if options.keep_serving and not stop.is_set():
            print_line(console, f"still answering at {system.api_url}; Ctrl-C ends it")
            while not stop.wait(POLL_S):
                system.check()
    return Outcome(report, bool(failures), pictures)


def dated(cameras: Sequence[CameraSpec], start_ns: int) -> tuple[CameraSpec, ...]:
    """Let all files without a date of their own begin at the same moment, so that synchronised ones stay so."""
    return tuple(
        replace(spec, start_ns=start_ns) if spec.start_ns is None and has_end(spec.url) else spec for spec in cameras
    )


def next_start_ns(store: Store) -> int:
    """Return when the files of this run happen: now, or after all that the store knows, since the files of an earlier
    run may have been longer than it took to process them, and nobody is in two places at once.

    On a whole minute: the gallery decides in windows that lie on whole seconds, so files that began at any nanosecond
    would be cut into other windows, and give other identities, at every run.
    """
    known = [stored.progress.time_ns + BETWEEN_RUNS_NS for stored in store.progress().values()]
    return -(-max([time.time_ns() - MINUTE_NS, *known]) // MINUTE_NS) * MINUTE_NS


def failures_of(
    statuses: Sequence[CameraStatus], totals: Mapping[str, CameraTotals], files: Collection[str]
) -> dict[str, str]:
    """Return the cameras that count as failed, and why: files not processed to their end, cameras that gave nothing."""
    failures: dict[str, str] = {}
    for status in statuses:
        name, done = status.camera_id, totals.get(status.camera_id, CameraTotals())
        if status.state is State.FAILED:
            failures[name] = status.cause
        elif name in files and not done.ended:
            failures[name] = f"stopped after {done.frames} frames"
        elif not done.frames:
            failures[name] = status.cause or "no frame came"
    return failures


def _watch_cameras(
    system: "Embedded", watch: Watch, cameras: Sequence[CameraSpec], console: Console, stop: Event
) -> dict[str, CameraTotals]:
    """Show how far the cameras are until all have ended and are decided, or until `stop` is set."""
    names = {spec.camera_id for spec in cameras}
    totals = dict.fromkeys(sorted(names), CameraTotals())
    with CameraBars(console, {spec.camera_id: length_of(spec.url).frames for spec in cameras}) as bars:
        while not stop.is_set():
            system.check()
            totals |= watch.poll(POLL_S)
            bars.show(totals)
            names -= {status.camera_id for status in system.camera_statuses()}
            if not names and system.finished(totals):
                break
    return totals


def _print(
    report: Report, failures: Mapping[str, str], files: Mapping[str, Path | str], options: RunOptions, console: Console
) -> None:
    where = "" if options.data_dir is None else f" --data-dir {shlex.quote(str(options.data_dir))}"
    print_people(console, report, f"{command()} identities ls{where}")
    print_cameras(console, report)
    for name, cause in failures.items():
        print_line(console, f"camera {name} failed: {cause}")
    print_line(console, "")
    asking = {"ask again": f"{command()} identities show {report.by_way[0].number}{where}"} if report.people else {}
    print_files(console, {**files, **asking})
    print_line(console, "")
    print_line(console, next_step(report, failures, files.get("pictures")), "bold")


def next_step(report: Report, failures: Collection[str], pictures: Path | str | None) -> str:
    """Return what to do now, in one line."""
    if failures and not report.people:
        return "Next: docs/cameras.md says what to do about a camera that does not work"
    if not report.people:
        return f"Next: if there are people in these pictures, `{command()} doctor` says which detector looked for them"
    if pictures is None:
        return "Next: run with --keep-serving, and see /docs at the address it prints"
    return f"Next: open {pictures} in a browser"


def _write_pictures(store: Store, report: Report, options: RunOptions, console: Console) -> Path | None:
    folder = options.out or options.data_dir or default_data_dir()
    try:
        return write_contact_sheet(store, report, folder)
    except OSError as error:
        print_line(console, f"no pictures: {folder / NAME}: {error.strerror}")
        return None


def _write_data(store: Store, report: Report, options: RunOptions, since_ns: int) -> dict[str, str]:
    """Write what was asked for; return what is where, in words."""
    files: dict[str, str] = {}
    if options.out is not None:
        written = write_mot(store, options.out, since_ns, report.cameras)
        for name in set(report.cameras) - set(written):
            (options.out / f"{name}.txt").write_text("")  # it saw nobody, whatever an earlier run wrote
        files["boxes"] = f"{options.out}/*.txt, in MOTChallenge text"
    if options.keep_crops is not None:
        files["crops"] = f"{options.keep_crops}, for climbtrack adapt"
    return files
