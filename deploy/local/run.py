"""Run the system on one machine: check the options, start the cameras, and report who was seen."""

import shlex
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from rich.console import Console

from deploy.errors import RunError
from deploy.local.api_server import bind
from deploy.local.console import CameraBars, print_cameras, print_files, print_people
from deploy.local.contact_sheet import NAME, write_contact_sheet
from deploy.local.data_dir import default_data_dir
from deploy.local.outputs import OTHER_FOLDER, check_outputs, write_videos
from deploy.local.probe import length_of
from deploy.local.report import Report, people_since
from deploy.local.settings import EmbeddedSettings
from deploy.local.watch import CameraTotals, Watch
from deploy.terminal import command, print_line
from gallery.access.first import tell_first_admin
from gallery.export import write_mot
from gallery.store.store import Store
from ingest.sources.address import has_end
from ingest.state import CameraStatus, State
from wire.config_file import site_of
from wire.messages import CameraSpec
from wire.privacy import Privacy
from wire.signals import stop_on_signals
from wire.tracing import exported
from wire.uncollected import uncollected

if TYPE_CHECKING:
    from deploy.local.embedded import Embedded

POLL_S = 0.1
MOST_NAMED = 3  # files of other runs
MINUTE_NS = 60 * 10**9
BETWEEN_RUNS_NS = MINUTE_NS  # long enough for a person of the last run to have left and come back


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of a run; None is the default of the settings or folders."""

    cameras: tuple[CameraSpec, ...]
    config: Path | None = None
    data_dir: Path | None = None
    out: Path | None = None
    every_frame: bool = False
    video: Path | None = None
    weights: Path | None = None
    detector: str | None = None
    keep_crops: Path | None = None
    privacy: Privacy | None = None
    record: bool = False
    host: str | None = None
    port: int | None = None
    keep_serving: bool = False
    pictures: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a run.

    Attributes:
        failed: A file could not be read to its end, or a camera delivered nothing.
        pictures: The page with a picture of everyone, or None.
        videos: The annotated video of each camera that has one.
    """

    report: Report
    failed: bool
    pictures: Path | None = None
    videos: Mapping[str, Path] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        pictures = None if self.pictures is None else str(self.pictures)
        videos = {name: str(path) for name, path in self.videos.items()}
        return {**self.report.as_json(), "pictures": pictures, "videos": videos}


def follow(options: RunOptions, console: Console) -> Outcome:
    """Run until all files are processed and decided, or until a signal; print progress and results.

    Raises:
        SettingsError, DeployError: The system cannot start, or a component stopped.
    """
    site_id = options.cameras[0].site_id if options.cameras else site_of(options.config)
    settings = EmbeddedSettings.load(
        options.config,
        ingest={"privacy": options.privacy},
        worker={"weights": options.weights, "detector": options.detector, "keep_crops": options.keep_crops},
        api={"host": options.host, "port": options.port},
        recording={"cameras": "all" if options.record else None},
    )
    data_dir = options.data_dir or default_data_dir()
    check_outputs(options.cameras, options.out, options.video, every_frame=options.every_frame)
    with bind(settings.api.host, settings.api.port) as taken:
        print_line(console, "loading models")
        with uncollected():
            from deploy.local.embedded import Embedded  # importing takes seconds: report mistakes first

        return follow_cameras(Embedded(settings, data_dir, site_id, taken), options, console)


def follow_cameras(system: "Embedded", options: RunOptions, console: Console) -> Outcome:
    """Start a system and run it over the cameras; see `follow`."""
    with (
        exported(options.config, system.registry),
        system,
        closing(Watch(system.bus)) as watch,
        stop_on_signals() as stop,
    ):
        print_line(console, f"Live page: {system.api_url}/ (API: {system.api_url}/docs)")
        if system.needs_admin:
            tell_first_admin(system.store.accounts, lambda line: print_line(console, line), stop)
        if not options.cameras:
            return _serve_page(system, stop, console)
        cameras = with_start_times(options.cameras, next_start_ns(system.store))
        since_ns = min((spec.start_ns for spec in cameras if spec.start_ns is not None), default=time.time_ns())
        began_s = time.monotonic()
        system.start_cameras(cameras)
        totals = _watch_cameras(system, watch, cameras, console, stop)
        failures = failures_of(system.camera_statuses(), totals, {c.camera_id for c in cameras if has_end(c.url)})
        report = Report(people_since(system.store, since_ns, totals), totals, time.monotonic() - began_s)
        pictures = _write_pictures(system.store, report, options, console) if options.pictures else None
        files: dict[str, Path | str] = {"pictures": pictures} if pictures and report.people else {}
        try:
            files |= _write_data(system.store, report, options, since_ns)
            videos = write_videos(system.store, cameras, options.video, since_ns, system.ingest_settings, stop, console)
            files |= {"videos": f"{options.video}/*.mp4"} if videos else {}
        finally:  # what cannot be written takes no results along
            _print(report, failures, files, options, console)
        if options.keep_serving and not stop.is_set():
            print_line(console, f"still answering at {system.api_url}; Ctrl-C ends it")
            _serve(system, stop)
    return Outcome(report, bool(failures), pictures, videos)


def _serve_page(system: "Embedded", stop: Event, console: Console) -> Outcome:
    """Run the cameras that were added on the page, earlier or now, until a signal arrives."""
    count = system.start_added_cameras()
    known = {0: "no camera yet: add one there", 1: "1 camera"}.get(count, f"{count} cameras")
    print_line(console, f"{known}; Ctrl-C ends it")
    began_ns, began_s = time.time_ns(), time.monotonic()
    _serve(system, stop)
    return Outcome(Report(people_since(system.store, began_ns, {}), {}, time.monotonic() - began_s), failed=False)


def _serve(system: "Embedded", stop: Event) -> None:
    while not stop.wait(POLL_S):
        system.check()


def with_start_times(cameras: Sequence[CameraSpec], start_ns: int) -> tuple[CameraSpec, ...]:
    """Give all files without a date the same start time, so that synchronised files stay synchronised."""
    return tuple(
        replace(spec, start_ns=start_ns) if spec.start_ns is None and has_end(spec.url) else spec for spec in cameras
    )


def next_start_ns(store: Store) -> int:
    """Return the start time of this run's files: now, or after everything in the store, since the files of an earlier
    run may last longer than their processing took, and nobody can be in two places at once.

    The time is a whole minute: the gallery decides in windows aligned to whole seconds, so files starting at an
    arbitrary nanosecond would be cut into different windows, giving different identities, on every run.
    """
    known = [stored.progress.time_ns + BETWEEN_RUNS_NS for stored in store.progress().values()]
    return -(-max([time.time_ns() - MINUTE_NS, *known]) // MINUTE_NS) * MINUTE_NS


def failures_of(
    statuses: Sequence[CameraStatus], totals: Mapping[str, CameraTotals], files: Collection[str]
) -> dict[str, str]:
    """Return the failed cameras with the cause: files not processed to their end, and cameras without any frame."""
    failures: dict[str, str] = {}
    for status in statuses:
        name, done = status.camera_id, totals.get(status.camera_id, CameraTotals())
        if status.state is State.FAILED:
            failures[name] = status.cause
        elif name in files and not done.ended:
            failures[name] = f"stopped after {done.frames} frames"
        elif not done.frames:
            failures[name] = status.cause or "no frame arrived"
        elif done.dropped >= done.frames:
            failures[name] = f"none of its {done.frames} frames could be decoded; play it in another program to see why"
    return failures


def _watch_cameras(
    system: "Embedded", watch: Watch, cameras: Sequence[CameraSpec], console: Console, stop: Event
) -> dict[str, CameraTotals]:
    """Show the cameras' progress until all have ended and are decided, or until `stop` is set."""
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
    hints = {"ask again": f"{command()} identities show {report.by_cameras[0].number}{where}"} if report.people else {}
    print_files(console, {**files, **hints})
    print_line(console, "")
    print_line(console, next_step(report, failures, files.get("pictures")), "bold")


def next_step(report: Report, failures: Collection[str], pictures: Path | str | None) -> str:
    """Return a one-line hint on what to do next."""
    if failures and not report.people:
        return "Next: docs/cameras.md explains what to do about a camera that does not work"
    if not report.people:
        return f"Next: if there are people in these pictures, `{command()} doctor` shows which detector was used"
    if pictures is None:
        return "Next: run with --keep-serving, and open the address it prints in a browser"
    return f"Next: open {pictures} in a browser"


def _write_pictures(store: Store, report: Report, options: RunOptions, console: Console) -> Path | None:
    folder = options.out or options.data_dir or default_data_dir()
    try:
        return write_contact_sheet(store, report, folder)
    except OSError as error:
        print_line(console, f"no pictures: {folder / NAME}: {error.strerror}")
        return None


def _write_data(store: Store, report: Report, options: RunOptions, since_ns: int) -> dict[str, str]:
    """Write the requested files, and return a description of where each kind is.

    Raises:
        RunError: A file cannot be written; names it.
    """
    files: dict[str, str] = {}
    if options.out is not None:
        rates = {spec.camera_id: spec.analysed_fps for spec in options.cameras}
        try:
            written = write_mot(store, options.out, since_ns, report.cameras, rates, every_frame=options.every_frame)
            for name in set(report.cameras) - set(written):
                (options.out / f"{name}.txt").write_text("")  # saw nobody: replaces the file of an earlier run
        except OSError as error:
            raise RunError(f"--out {error.filename or options.out}: {error.strerror}; {OTHER_FOLDER}") from error
        files["boxes"] = f"{options.out}/*.txt, in MOTChallenge text{_of_others(options.out, report.cameras)}"
    if options.keep_crops is not None:
        files["crops"] = f"{options.keep_crops}, for climbtrack adapt"
    return files


def _of_others(out: Path, cameras: Collection[str]) -> str:
    """Name the boxes of other cameras in a folder, since `climbtrack score` reads them too; empty without any."""
    others = sorted(file.name for file in out.glob("*.txt") if file.stem not in cameras)
    if not others:
        return ""
    named = ", ".join(others[:MOST_NAMED]) + (" and more" if len(others) > MOST_NAMED else "")
    return f"; {named} there: not of this run, but scored with it"
