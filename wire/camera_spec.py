"""The message that describes a camera; times are ns since the Unix epoch."""

from wire.areas import Detail, Polygon, check_areas
from wire.bounds import Bounds
from wire.mask import mask_url
from wire.message import MAX_TIME_NS, UNSENDABLE, Message, Mode, check_name, check_priority
from wire.privacy import Privacy
from wire.url import is_live

MAX_FPS = 240
MAX_CLOCK_OFFSET_MS = 2_500_000_000_000  # 80 years: a camera without a clock starts in 1970
MAX_TAGS = 32
MAX_TAG = 256  # characters of a tag's name, and of its value


class CameraSpec(
    Message, frozen=True, kw_only=True, eq=False, tag="camera", repr_omit_defaults=True, omit_defaults=True
):
    """One camera that should run.

    Attributes:
        camera_id: Unique in the whole installation; letters, digits, `.`, `_`, `-`.
        site_id: Identities are shared within a site, never between sites.
        url: `rtsp(s)://`, `udp://`, `http(s)://`, a file, a folder of images, or a local device. May hold a
            password: see `safe_url`.
        enabled: A disabled camera stays listed and is not read.
        analysed_fps: Maximum number of frames analysed per second, > 0.
        priority: How firmly a live camera keeps that rate when a worker cannot keep up, 0.1 to 10: at priority 2 it
            keeps the square root of the share of its frames that cameras of priority 1 keep.
        detail: How closely frames are looked at: `fast` at the detector's own size, `high` also in tiles, for small
            people; `auto` begins with `fast` and changes to `high` while the camera shows small people.
        regions, ignore: Polygons in fractions of the upright picture. Only people whose box has the middle of its lower
            edge in one of `regions`, if there are any, and in none of `ignore` count.
        privacy: What of its pictures may leave the worker; the site's setting (`ingest.privacy`) when None.
        mode: `latency` drops the oldest frames when something is slow, `complete` processes everything. When None, a
            file is processed completely and a live camera stays current.
        clock_offset_ms: Added to capture times, for cameras whose clock is known to be wrong.
        start_ns: Capture time of the first frame of a file; the time it was opened when None.
        realtime: Files only: paced by their timestamps instead of as fast as possible.
        loop: Files only: start again at the end.
        bounds: How far its address may lead, redirects included; None where whoever stated it may read everything.
        record: Whether it is recorded; None: as `recording.cameras` says. See `gallery.recording.config`.
    """

    camera_id: str
    site_id: str
    url: str
    enabled: bool = True
    analysed_fps: float = 10.0
    mode: Mode | None = None
    clock_offset_ms: float = 0.0
    start_ns: int | None = None
    realtime: bool = False
    loop: bool = False
    tags: dict[str, str] = {}  # noqa: RUF012 - msgspec gives every message its own
    priority: float = 1.0
    detail: Detail = "fast"
    regions: tuple[Polygon, ...] = ()
    ignore: tuple[Polygon, ...] = ()
    record: bool | None = None
    privacy: Privacy | None = None
    bounds: Bounds | None = None

    def __post_init__(self) -> None:
        check_name("camera_id", self.camera_id)
        check_name("site_id", self.site_id)
        if not self.url:
            raise ValueError(f"camera {self.camera_id}: url must not be empty")
        if not 0 < self.analysed_fps <= MAX_FPS:
            raise ValueError(
                f"camera {self.camera_id}: analysed_fps must be in (0, {MAX_FPS}], got {self.analysed_fps}"
            )
        check_priority(self.camera_id, self.priority)
        if not abs(self.clock_offset_ms) <= MAX_CLOCK_OFFSET_MS:
            raise ValueError(
                f"camera {self.camera_id}: clock_offset_ms must be at most 80 years ({MAX_CLOCK_OFFSET_MS}) "
                f"forward or back, got {self.clock_offset_ms}"
            )
        if self.start_ns is not None and not 0 <= self.start_ns <= MAX_TIME_NS:
            raise ValueError(
                f"camera {self.camera_id}: start_ns must be ns since 1970, 0 to {MAX_TIME_NS}, got {self.start_ns}"
            )
        _check_tags(self.camera_id, self.tags)
        check_areas(self.camera_id, self.regions, self.ignore)

    @property
    def mode_in_use(self) -> Mode:
        """Return the mode; by default `complete` for a file that is not played in real time, else `latency`."""
        if self.mode is not None:
            return self.mode
        return "latency" if is_live(self.url) or self.realtime else "complete"

    @property
    def safe_url(self) -> str:
        """Return the URL without its password: the only form that may be logged or shown."""
        return mask_url(self.url)

    def __repr__(self) -> str:
        return f"CameraSpec({self.camera_id}, {self.site_id}, {self.safe_url}, {self.mode_in_use})"


def _check_tags(camera_id: str, tags: dict[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise ValueError(f"camera {camera_id}: at most {MAX_TAGS} tags are allowed, got {len(tags)}")
    if any(len(text) > MAX_TAG or UNSENDABLE.search(text) for tag in tags.items() for text in tag):
        raise ValueError(
            f"camera {camera_id}: tags must be text of at most {MAX_TAG} characters, without control characters"
        )
