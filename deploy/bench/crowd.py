"""A generated site that never empties: known people, strangers and those who return, as messages of its workers. Pure.

Embeddings have 512 numbers, as those of the shipped weights. Similarities of one person are around 0.7, and each camera
adds a shift. Those of different people are 0.0 +- 0.1: enough to tell 100 000 people apart. Those of the shipped
weights are 0.0 +- 0.2, with which that many are merged until few are left, and it is this that would be measured
(`FREE = 25`).
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from gallery.decision.compare import with_tracklet
from gallery.store.store import Identity, Prototype, StoredTracklet
from wire.messages import CameraProgress, Tracklet

Vector = NDArray[np.float32]

S = 1_000_000_000
NOW_NS = 1_700_000_000 * S
SITE = "bench"
MODEL = "climb-bench"
CAMERAS = tuple(f"camera-{number}" for number in range(8))
DIMENSION = 512
FREE = 100  # of these, numbers that vary between people
NOISE = 0.6  # of one tracklet, relative to what tells people apart
SHIFT = 0.3  # of a camera
FPS = 5
ARRIVALS_PER_S = 8
RETURNING = 0.4  # share of those arriving who were here before
CROP_BYTES = 4_000
REPORT_S = 8  # a worker reports an open tracklet this often
KNOWN_PER_S = 5  # at which people came before


@dataclass(frozen=True, slots=True)
class Known:
    """One person of the time before: identity, prototypes and last tracklet."""

    identity: Identity
    prototypes: tuple[Prototype, ...]
    row: StoredTracklet


class Crowd:
    """People who walk past cameras; the same seed gives the same people.

    With `lasting`, only so many of those who came last may return, and the others are not kept in memory.
    """

    def __init__(self, known: int, seed: int = 7, noise: float = NOISE, lasting: int | None = None) -> None:
        self._rng = np.random.default_rng(seed)
        basis = np.linalg.qr(self._rng.normal(size=(DIMENSION, FREE)))[0]
        self._basis = np.asarray(basis.T, np.float32)
        self._shifts = {camera: SHIFT * self._unit() for camera in CAMERAS}
        self._faces = [self._unit() for _ in range(known)]
        self._noise = noise
        self._lasting = lasting
        self._tracks = 0
        self._crop = self._rng.bytes(CROP_BYTES)
        self._nobody = np.zeros(0, np.float32)
        self._planned: list[tuple[float, int, Tracklet]] = []  # when each message is sent, in s

    def known(self) -> Iterator[Known]:
        """Yield the people of the time before, in the order in which they came."""
        for person in range(len(self._faces)):
            number = person + 1
            ended_s = -(len(self._faces) - person) / KNOWN_PER_S - 2 * REPORT_S
            visits = self._visits(ended_s - 24)
            names = [f"{camera}/before/{number}.0/0" for camera, _, _ in visits]
            rows = [self._tracklet(name, person, *times) for name, (_, *times) in zip(names, visits, strict=True)]
            prototypes: tuple[Prototype, ...] = ()
            for row in rows:
                prototypes = with_tracklet(prototypes, row)
            cameras = tuple(sorted({row.camera_id for row in rows}))
            identity = Identity(number, rows[0].first_ns, rows[-1].last_ns, cameras, len(rows))
            yield Known(identity, prototypes, StoredTracklet(replace(rows[-1], crop=b""), number, 1.0, None))

    def second(self, second: int) -> list[Tracklet | CameraProgress]:
        """Return the messages of one second of event time, in the order in which they are sent."""
        for _ in range(ARRIVALS_PER_S):
            self._arrive(second + float(self._rng.uniform()))
        sent: list[Tracklet | CameraProgress] = []
        while self._planned and self._planned[0][0] < second + 1:
            sent.append(heapq.heappop(self._planned)[2])
        return [*sent, *(_progress(camera, second) for camera in CAMERAS)]

    def _arrive(self, first_s: float) -> None:
        if self._rng.uniform() < RETURNING:
            oldest = 0 if self._lasting is None else max(0, len(self._faces) - self._lasting)
            person = int(self._rng.integers(oldest, len(self._faces)))
        else:
            person = len(self._faces)
            self._faces.append(self._unit())
            if self._lasting is not None and person >= self._lasting:
                self._faces[person - self._lasting] = self._nobody  # else a soak would grow by all faces ever seen
        for camera, first, last in self._visits(first_s):
            name = f"{camera}/s/{self._tracks}.0/0"
            self._tracks += 1
            ends = [*np.arange(first + 1.0, last, REPORT_S), last]
            for revision, end in enumerate(ends):
                closed = revision == len(ends) - 1
                tracklet = self._tracklet(name, person, first, float(end), revision=revision, closed=closed)
                heapq.heappush(self._planned, (float(end) + closed, self._tracks * 100 + revision, tracklet))

    def _visits(self, first_s: float) -> list[tuple[str, float, float]]:
        """Return camera, first and last second of each passage of a person."""
        visits = []
        for camera in self._rng.permutation(len(CAMERAS))[: self._rng.integers(1, 3)]:
            last_s = first_s + float(self._rng.uniform(3, 11))
            visits.append((CAMERAS[camera], first_s, last_s))
            first_s = last_s + 2
        return visits

    def _tracklet(
        self, name: str, person: int, first_s: float, last_s: float, *, revision: int = 0, closed: bool = True
    ) -> Tracklet:
        camera = name.partition("/")[0]
        first, last = round(first_s * FPS), round(last_s * FPS)  # all cameras analyse the same moments
        n = last - first + 1
        look = self._faces[person] + self._noise * self._unit() + self._shifts[camera]
        return Tracklet(
            tracklet_id=name,
            camera_id=camera,
            site_id=SITE,
            revision=revision,
            closed=closed,
            times_ns=NOW_NS + np.arange(first, last + 1) * (S // FPS),
            frames=np.arange(1, n + 1),
            boxes=np.tile(np.array([0, 0, 10, 20], np.float32), (n, 1)) + np.float32(20 * (self._tracks % 50)),
            scores=np.full(n, 0.9, np.float32),
            embedding=(look / np.linalg.norm(look)).astype(np.float16),
            model_id=MODEL,
            quality=float(self._rng.uniform(0.4, 0.95)),
            frames_used=min(8, n),
            crop=self._crop,
        )

    def _unit(self) -> Vector:
        drawn = self._rng.normal(size=FREE).astype(np.float32) @ self._basis
        return np.asarray(drawn / np.linalg.norm(drawn), np.float32)


def _progress(camera: str, second: int) -> CameraProgress:
    return CameraProgress(
        camera_id=camera,
        site_id=SITE,
        stream_id="s",
        time_ns=NOW_NS + (second + 1) * S,
        frames=0,
        analysed=0,
        dropped=0,
        tracklets=0,
        mode="complete",
    )
