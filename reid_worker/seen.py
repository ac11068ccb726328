"""The boxes of a chunk's frames, collected for live views."""

from dataclasses import dataclass, field

import numpy as np

from reid_worker.stream_state import StreamInfo
from reid_worker.tracklet import Row
from wire.messages import SeenPeople
from wire.tracklet_id import TrackletId


@dataclass(slots=True)
class Seen:
    """Boxes of tracked people since the last `take`, in order of time.

    Attributes:
        size: Width and height of the latest picture in pixels.
    """

    size: tuple[int, int] = (0, 0)
    _rows: list[tuple[TrackletId, Row]] = field(default_factory=list)

    def add(self, name: TrackletId, row: Row) -> None:
        """Add a box of a person."""
        self._rows.append((name, row))

    def take(self, info: StreamInfo, until_ns: int) -> SeenPeople | None:
        """Return what was seen, and forget it; None before the first picture."""
        rows, self._rows = self._rows, []
        if self.size == (0, 0):
            return None
        names = list(dict.fromkeys(name for name, _ in rows))
        numbers = {name: number for number, name in enumerate(names)}
        return SeenPeople(
            camera_id=info.camera_id,
            site_id=info.site_id,
            stream_id=info.stream_id,
            width=self.size[0],
            height=self.size[1],
            until_ns=until_ns,
            tracklet_ids=tuple(map(str, names)),
            times_ns=np.array([row.time_ns for _, row in rows], np.int64),
            which=np.array([numbers[name] for name, _ in rows], np.int64),
            boxes=np.array([row.box for _, row in rows], np.float32).reshape(-1, 4),
            scores=tuple(round(row.score, 4) for _, row in rows),
        )
