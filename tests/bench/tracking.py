"""How well people are tracked within a camera, before and after: `python -m tests.bench.tracking --shared DIR`.

Prints a Markdown table of TrackEval's measures (`gallery.score`, which equals it): the four cameras of lab-4cam, two of
a generated site filmed at 30 frames/s, and people of 30 to 60 px, for which generated pictures, and the hall's, are
shrunk and laid out side by side. The hall has no labels: its truth is what was tracked in its own size, of one person
at a time. Films are thinned to the analysed rates. Before is ByteTrack on whole pictures; after is what a worker does,
for small people with tiles (`detail: high`).
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from gallery.score.mot import Boxes, read_boxes
from gallery.score.site import score_site
from reid_worker.detectors.choose import DetectorOptions, load_detector
from reid_worker.detectors.detection import Detections, Detector
from reid_worker.detectors.tiles import WHOLE, detect_in_tiles, grid_for
from reid_worker.model.embedder import load_embedder
from reid_worker.trackers.choose import new_tracker
from reid_worker.trackers.interface import Describer, TrackerName, TrackerOptions, View
from training.synthetic.site import film_station
from training.synthetic.world import build_world

Picture = NDArray[np.uint8]
Truth = Sequence[tuple[int, float, float, float, float, bool]]  # person, left, top, width, height, counted

RATES = (30, 10, 5)
TILE = (102, 181)  # of a picture of small people, px
SHEET = 7  # tiles along each side: 1267 x 714 px
SMALL_FRAMES = 60
HALL_TILE, HALL_SHEET = (70, 124), 10
TRACKERS: tuple[TrackerName, ...] = ("bytetrack", "botsort", "ocsort", "mcbyte", "appearance")


@dataclass(frozen=True, slots=True)
class Film:
    """What a camera shows, and who is where."""

    name: str
    fps: int
    pictures: Sequence[Picture]
    truth: Sequence[Truth]


@dataclass(frozen=True, slots=True)
class Way:
    """A way to track."""

    tracker: TrackerName
    tiles: bool = False

    def __str__(self) -> str:
        return self.tracker + (", tiles" if self.tiles else "")


LARGE = tuple(Way(name) for name in TRACKERS)
SMALL = (Way("bytetrack"), Way("appearance"), Way("bytetrack", tiles=True), Way("appearance", tiles=True))


class Bench:
    """The detector and the network of a worker."""

    def __init__(self) -> None:
        self._detector: Detector = load_detector("bundled", DetectorOptions(folders=(), threads=1))
        embedder = load_embedder(threads=1)
        assert embedder.prior is not None
        self._describer = Describer(embedder.glance, embedder.prior)

    def rows(self, name: str, films: Callable[[], Iterator[Film]], ways: Sequence[Way]) -> Iterator[str]:
        """Yield a line of the table for each rate and way, all films together."""
        truths: dict[int, dict[str, Boxes]] = {}
        results: dict[tuple[int, Way], dict[str, Boxes]] = {}
        for film in films():
            found = {tiles: self.found(film, tiles=tiles) for tiles in sorted({way.tiles for way in ways})}
            for rate in (rate for rate in RATES if rate <= film.fps):
                every = film.fps // rate
                truths.setdefault(rate, {})[film.name] = _boxes(film.truth[::every])
                for way in ways:
                    tracks = self.tracked(film, found[way.tiles], way.tracker, every)
                    results.setdefault((rate, way), {})[film.name] = tracks
        for (rate, way), tracks_of in results.items():
            yield _line(name, rate, way, truths[rate], tracks_of)

    def found(self, film: Film, *, tiles: bool) -> list[Detections]:
        """Return the people of every picture."""
        grid = grid_for(*film.pictures[0].shape[:2]) if tiles else WHOLE
        return [detect_in_tiles(self._detector, [picture], [grid])[0] for picture in film.pictures]

    def tracked(self, film: Film, found: Sequence[Detections], name: TrackerName, every: int) -> Boxes:
        """Return the tracks of one film, thinned."""
        tracker = new_tracker(TrackerOptions(name=name), film.fps / every)
        rows: list[Truth] = []
        for number in range(0, len(film.pictures), every):
            people = found[number]
            ids = tracker.update(people, number / film.fps, View(film.pictures[number], self._describer))
            boxes = people.boxes.tolist()
            rows.append([_row(one, box) for one, box in zip(ids.tolist(), boxes, strict=True) if one >= 0])
        return _boxes(rows)


def lab(folder: Path) -> Iterator[Film]:
    """Yield the four cameras of lab-4cam, which have 10 frames a second."""
    for path in sorted(folder.glob("*.mp4")):
        pictures = list(_pictures(path))
        truth = read_boxes(folder / "gt" / f"{path.stem}.txt")
        first = int(truth.frames.min() > 0)
        yield Film(path.stem, 10, pictures, [_at(truth, number + first) for number in range(len(pictures))])


def generated(seed: int, fps: int = 30, seconds: float = 20) -> Iterator[Film]:
    """Yield two cameras of a generated site with sixteen people."""
    world = build_world(seed, 2, 16, seconds)
    for index, station in enumerate(world.stations):
        frames = list(film_station(world, index, [k / fps for k in range(round(seconds * fps))], seed))
        truth = [
            [(box.person, box.left, box.top, box.width, box.height, box.counted) for box in frame.boxes]
            for frame in frames
        ]
        yield Film(station.name, fps, [np.ascontiguousarray(frame.image[..., ::-1]) for frame in frames], truth)


def small(films: Sequence[Film], tile: tuple[int, int], sheet: int) -> Film:
    """Lay films out side by side, shrunk, each tile at another moment of one of them."""
    tiles = []
    for number in range(sheet * sheet):
        film = films[number % len(films)]
        room = len(film.pictures) - SMALL_FRAMES
        tiles.append((film, number * room // (sheet * sheet)))
    height, width = tile
    pictures, truth = [], []
    for at in range(SMALL_FRAMES):
        whole = np.zeros((height * sheet, width * sheet, 3), np.uint8)
        people: list[tuple[int, float, float, float, float, bool]] = []
        for number, (film, begin) in enumerate(tiles):
            top, left = number // sheet * height, number % sheet * width
            picture = film.pictures[begin + at]
            shrunk = height / picture.shape[0]
            whole[top : top + height, left : left + width] = cv2.resize(
                picture, (width, height), None, 0, 0, cv2.INTER_AREA
            )
            for person, x, y, w, h, counted in film.truth[begin + at]:
                box = (x * shrunk + left, y * shrunk + top, w * shrunk, h * shrunk)
                people.append((person + 1000 * number, *box, counted))
        pictures.append(whole)
        truth.append(people)
    return Film("small", 10, pictures, truth)


def hall(bench: Bench, path: Path) -> Iterator[Film]:
    """Yield the hall shrunk, with what is tracked in its own size as the truth."""
    pictures = list(_pictures(path))
    film = Film("hall", 10, pictures, [[] for _ in pictures])
    tracks = bench.tracked(film, bench.found(film, tiles=False), "appearance", 1)
    people = [_at(tracks, number) for number in range(len(pictures))]
    yield small([Film("hall", 10, pictures, people)], HALL_TILE, HALL_SHEET)


def _pictures(path: Path) -> Iterator[Picture]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="bgr24")


def _row(person: int, box: Sequence[float]) -> tuple[int, float, float, float, float, bool]:
    left, top, right, bottom = box
    return person, left, top, right - left, bottom - top, True


def _at(boxes: Boxes, frame: int) -> Truth:
    there = boxes.frames == frame
    columns = (boxes.ids[there].tolist(), boxes.boxes[there].tolist(), boxes.counted[there].tolist())
    return [(person, box[0], box[1], box[2], box[3], counted) for person, box, counted in zip(*columns, strict=True)]


def _boxes(rows: Sequence[Truth]) -> Boxes:
    flat = [(number, *row) for number, people in enumerate(rows) for row in people]
    return Boxes(
        np.array([row[0] for row in flat], np.int64),
        np.array([row[1] for row in flat], np.int64),
        np.array([row[2:6] for row in flat], np.float64).reshape(-1, 4),
        np.array([row[6] for row in flat], np.bool_),
    )


def _line(name: str, rate: int, way: Way, truth: dict[str, Boxes], results: dict[str, Boxes]) -> str:
    score = score_site(truth, results).separate
    heights = np.concatenate([boxes.boxes[boxes.counted, 3] for boxes in truth.values()])
    clear = score.clear
    recall = clear.true_positives / max(clear.true_positives + clear.false_negatives, 1)
    cells = (
        name,
        "{:.0f} to {:.0f}".format(*np.percentile(heights, [5, 95])),
        rate,
        way,
        *(f"{value:.3f}" for value in (recall, clear.mota, score.identity.idf1, score.hota.hota)),
        clear.switches,
        clear.fragments,
    )
    return f"| {' | '.join(map(str, cells))} |"


def main(shared: Path, seed: int, chosen: Sequence[str]) -> None:
    """Print the table, a line as soon as it is known."""
    bench = Bench()
    print("| film | people, px | frames/s | tracker | recall | MOTA | IDF1 | HOTA | IDSW | fragments |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    hall_video = shared / "data" / "hall" / "one-by-one-person-detection.mp4"
    films: dict[str, tuple[Callable[[], Iterator[Film]], Sequence[Way]]] = {
        "lab-4cam": (lambda: lab(shared / "data" / "lab-4cam"), LARGE),
        "generated": (lambda: generated(seed), LARGE),
        "generated, shrunk": (lambda: iter([small(list(generated(seed, 10)), TILE, SHEET)]), SMALL),
        "hall, shrunk": (lambda: hall(bench, hall_video), SMALL),
    }
    for name in chosen or films:
        for line in bench.rows(name, *films[name]):
            print(line, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/lab-4cam and data/hall")
    parser.add_argument("--seed", type=int, default=605, help="of the generated site")
    parser.add_argument("--film", action="append", default=[], help="only this one, as in the table; repeatable")
    given = parser.parse_args()
    main(given.shared, given.seed, given.film)
