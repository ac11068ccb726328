"""Write a generated site: one video per camera, and exact ground truth."""

import errno
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from training.synthetic.look import GRAIN, GRAIN_SIZE, exposed, optics
from training.synthetic.mesh import Floats
from training.synthetic.render import Window, owners
from training.synthetic.scene import Actor, Shot, Thing, View, extent, shoot, unhidden
from training.synthetic.world import World, build_world
from wire.yaml_text import YamlError, read_yaml

Image = NDArray[np.uint8]

SITE_FILE, GENERATED = "site.yaml", "synth-"  # its configuration, and how the name of a generated site begins
FPS = 10
KEYFRAME_EVERY = 20
BORDER_PX = 4  # width over which the lens blur mixes in pixels from outside a redrawn part


@dataclass(frozen=True, slots=True)
class SiteSummary:
    """What was written.

    Attributes:
        cameras: Names, in order.
        frames: Frames per camera.
        people: People seen by at least one camera.
        boxes: Ground-truth rows with confidence 1.
    """

    out: Path
    cameras: tuple[str, ...]
    frames: int
    people: int
    boxes: int


@dataclass(frozen=True, slots=True)
class TruthBox:
    """One person in one frame: the extent of the visible part, pixels; `counted` unless mostly hidden or cut off."""

    person: int
    left: int
    top: int
    width: int
    height: int
    counted: bool

    def row(self, frame: int) -> str:
        """Return the MOTChallenge line for a 1-based frame."""
        return f"{frame},{self.person},{self.left},{self.top},{self.width},{self.height},{int(self.counted)},-1,-1,-1"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One camera's picture, `(h, w, 3)` uint8 RGB, and its ground truth."""

    image: Image
    boxes: tuple[TruthBox, ...]


def write_site(
    out: Path,
    *,
    seed: int,
    cameras: int = 3,
    people: int = 12,
    seconds: float = 60,
    progress: Callable[[float], None] | None = None,
) -> SiteSummary:
    """Write `NAME.mp4` for every camera, `gt/NAME.txt` in MOTChallenge text, and `site.yaml`; deterministic.

    `site.yaml` is a configuration: `climbtrack run --config` follows the people of the site.
    `progress` is called with the fraction done, 0..1.

    Raises:
        ValueError: An argument is out of range.
        OSError: The folder cannot be written, or holds a `site.yaml` that is not of a generated site.
    """
    _check({"seed": seed, "cameras": cameras, "people": people, "seconds": seconds})
    world = build_world(seed, cameras, people, seconds)
    (out / "gt").mkdir(parents=True, exist_ok=True)
    _remove_earlier(out)
    frames = round(seconds * FPS)
    seen: set[int] = set()
    boxes = 0
    for index, station in enumerate(world.stations):
        rows: list[str] = []
        with Recorder(out / f"{station.name}.mp4", station.view.camera.width, station.view.camera.height) as recorder:
            for number, frame in enumerate(film_station(world, index, [k / FPS for k in range(frames)], seed)):
                recorder.write(frame.image)
                rows += [box.row(number + 1) for box in frame.boxes]
                seen |= {box.person for box in frame.boxes}
                boxes += sum(box.counted for box in frame.boxes)
                if progress is not None and number % FPS == 0:
                    progress((index + number / frames) / cameras)
        (out / "gt" / f"{station.name}.txt").write_text("".join(f"{row}\n" for row in rows))
    names = tuple(station.name for station in world.stations)
    files = {name: {"url": f"{name}.mp4", "mode": "complete"} for name in names}
    (out / SITE_FILE).write_text(yaml.safe_dump({"site": f"{GENERATED}{seed}", "cameras": files}, sort_keys=False))
    if progress is not None:
        progress(1.0)
    return SiteSummary(out, names, frames, len(seen), int(boxes))


def _remove_earlier(out: Path) -> None:
    """Remove a site that was generated here before: its other cameras would count as missed in a score of this one."""
    file = out / SITE_FILE
    if not file.exists():
        return
    try:
        found = read_yaml(file)
    except YamlError:
        found = None
    site, cameras = (found.get(key) for key in ("site", "cameras")) if isinstance(found, dict) else (None, None)
    if not str(site).startswith(GENERATED) or not isinstance(cameras, dict):
        raise FileExistsError(errno.EEXIST, f"its {SITE_FILE} is not of a generated site, and would be replaced")
    file.unlink()
    for name in cameras:
        for made in (out / f"{Path(name).name}.mp4", out / "gt" / f"{Path(name).name}.txt"):
            made.unlink(missing_ok=True)


def film_station(world: World, index: int, times_s: Sequence[float], seed: int) -> Iterator[Frame]:
    """Yield what one camera sees at each of the times."""
    view = world.stations[index].view
    empty = optics(view.film.look, exposed(view.film, view.background, view.gain))
    size = (view.camera.height, view.camera.width)
    grain = _Grain.load(np.random.default_rng([seed, index, 6]), view.film.look.noise, size)
    for time_s in times_s:
        moments = [(k, r.at(time_s)) for k, r in enumerate(world.residents)]
        present = [(k + 1, moment[1]) for k, moment in moments if moment is not None and moment[0] == index]
        seen = [p for p in (_present(view, person, actor) for person, actor in present) if p is not None]
        picture: Floats = empty
        boxes: tuple[TruthBox, ...] = ()
        if seen:
            window = _window(view, seen)
            shot = shoot(view, [p.thing for p in seen], window)
            picture, boxes = _pasted(view, empty, shot, window), _truth(view, seen, shot, window)
        yield Frame(grain.over(picture), boxes)


@dataclass(frozen=True, slots=True, eq=False)
class _Grain:
    """Sensor noise: a different part of one tile for every frame."""

    rng: np.random.Generator
    sheet: Floats
    noise: float
    shape: tuple[int, int]

    @classmethod
    def load(cls, rng: np.random.Generator, noise: float, shape: tuple[int, int]) -> "_Grain":
        """Generate enough noise for frames of `shape`, (height, width)."""
        return cls(rng, np.tile(GRAIN, (shape[0] // GRAIN_SIZE + 2, shape[1] // GRAIN_SIZE + 2, 1)), noise, shape)

    def over(self, picture: Floats) -> Image:
        """Return the picture with noise, uint8."""
        top, left = (int(v) for v in self.rng.integers(0, GRAIN_SIZE, 2))
        cut = self.sheet[top : top + self.shape[0], left : left + self.shape[1]]
        return np.asarray(cv2.addWeighted(picture, 1.0, cut, self.noise, 0.0, dtype=cv2.CV_8U), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class _Present:
    """A person who may be in the frame; the box (left, top, right, bottom, pixels) ignores clipping and occlusion."""

    person: int
    thing: Thing
    box: NDArray[np.float64]


class Recorder:
    """Writes one H.264 video; use it as a context manager."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx264", rate=FPS)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.time_base = Fraction(1, FPS)
        self._stream.options = {"preset": "superfast", "crf": "25", "g": str(KEYFRAME_EVERY), "threads": "1"}

    def write(self, image: Image) -> None:
        """Append one picture, `(h, w, 3)` uint8 RGB."""
        for packet in self._stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
            self._container.mux(packet)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()


def _check(arguments: dict[str, float]) -> None:
    allowed = {"seed": (0, 2**63 - 1), "cameras": (1, 64), "people": (1, 1000), "seconds": (1, 86_400)}
    for name, value in arguments.items():
        low, high = allowed[name]
        if not low <= value <= high:
            raise ValueError(f"{name} must be {low}..{high}, got {value}")


def _present(view: View, person: int, actor: Actor) -> _Present | None:
    """Pose a person; None if no part of them can be in the frame."""
    mesh = actor.mesh()
    box = extent(view.camera, mesh)
    if box is None or box[2] < 1 or box[3] < 1 or box[0] > view.camera.width - 1 or box[1] > view.camera.height - 1:
        return None
    return _Present(person, Thing(mesh, actor.figure.materials), box)


def _window(view: View, seen: list[_Present]) -> Window:
    """Return the part of the frame that changes."""
    corners = np.array([p.box for p in seen])
    x0, y0 = (int(max(0, v - 12)) for v in corners[:, :2].min(0))
    x1 = int(min(view.camera.width, corners[:, 2].max() + 12))
    y1 = int(min(view.camera.height, corners[:, 3].max() + 12))
    return Window(x0, y0, x1 - x0, y1 - y0)


def _pasted(view: View, empty: Floats, shot: Shot, window: Window) -> Floats:
    """Return the empty picture with the redrawn part pasted in, except for a border spoilt by the blur."""
    part = optics(view.film.look, exposed(view.film, shot.rgb, view.gain, window.left, window.top))
    picture = empty.copy()
    right, bottom = window.left + window.width, window.top + window.height
    a = BORDER_PX if window.left > 0 else 0
    b = BORDER_PX if window.top > 0 else 0
    c = BORDER_PX if right < view.camera.width else 0
    d = BORDER_PX if bottom < view.camera.height else 0
    picture[window.top + b : bottom - d, window.left + a : right - c] = part[
        b : window.height - d, a : window.width - c
    ]
    return picture


def _truth(view: View, seen: list[_Present], shot: Shot, window: Window) -> tuple[TruthBox, ...]:
    """Return the boxes of everyone who is at least partly visible."""
    boxes = []
    for number, present in enumerate(seen):
        mine = shot.owner == number
        count = int(np.count_nonzero(mine))
        if count < 30:
            continue
        columns, rows = np.flatnonzero(mine.any(0)), np.flatnonzero(mine.any(1))
        alone = count if _in_the_open(view, present, seen) else _alone(view, present)
        size = (int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1)
        boxes.append(TruthBox(present.person, window.left + int(columns[0]), window.top + int(rows[0]), *size,
                              counted=bool(count >= 0.35 * alone)))  # fmt: skip
    return tuple(boxes)


def _in_the_open(view: View, present: _Present, seen: list[_Present]) -> bool:
    """Return whether nothing can occlude a person: no other box touches theirs, no furniture, no edge of the frame."""
    mine = present.box
    touching = sum((p.box[:2] < mine[2:]).all() and (p.box[2:] > mine[:2]).all() for p in seen)
    return bool(touching == 1 and unhidden(view, present.thing.mesh) > 0.97)


def _alone(view: View, present: _Present) -> int:
    """Return how many pixels a person would cover with nothing in front and no frame around."""
    left, top, right, bottom = (int(v) for v in present.box)
    whole = Window(left, top, right - left + 2, bottom - top + 2)
    return int(np.count_nonzero(owners([present.thing.mesh], view.camera, whole) == 0))
