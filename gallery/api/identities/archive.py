"""Everything that is stored about one person as files of a ZIP archive, for the API and the command."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from fastapi import APIRouter, HTTPException, Response, status
from fastapi.responses import StreamingResponse

from gallery.api.encoding import new_router
from gallery.api.identities.visits import csv_lines
from gallery.api.schemas import Number, ProblemOut
from gallery.iso import iso
from gallery.store.store import Identity, Store, StoredTracklet, TrackQuery
from gallery.tracks import EVERYTHING
from gallery.visits import Visit, visits_by

CROPS = "crops may show others beside the person: look at them before you pass them on"
MEDIA = "application/zip"
IN_MEMORY_BYTES = 4 * 1024**2
PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip: its file in the archive, the camera, the times of the first and last moment, and how many pictures."""

    file: str
    camera_id: str
    first: str
    last: str
    pictures: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What an archive has, and what whoever gets it must know."""

    identity: int
    visits: int
    tracks: int
    crops: int
    clips: Sequence[Clip]
    remarks: Sequence[str]


class Archive:
    """Files about one person, which are added to a ZIP file."""

    def __init__(self, made: ZipFile, store: Store, person: Identity) -> None:
        self._made = made
        self._store = store
        self._person = person
        self._rows = store.find(TrackQuery(identity_id=person.number, limit=EVERYTHING))
        self._rows.sort(key=lambda row: (row.tracklet.first_ns, row.tracklet.tracklet_id))
        self.visits: list[Visit] = visits_by(person, self._rows, store.progress())

    def write(self, clips: Sequence[Clip] = (), remarks: Sequence[str] = ()) -> Contents:
        """Add everything but clips, which are there already, and return what the archive has."""
        self._made.writestr("visits.csv", "".join(csv_lines(self.visits)))
        self._made.writestr("sightings.jsonl", "".join(json.dumps(_sighting_out(row)) + "\n" for row in self._rows))
        crops = self._add_crops()
        warned = [*remarks, *([CROPS] if crops else [])]
        contents = Contents(self._person.number, len(self.visits), len(self._rows), crops, clips, warned)
        self._made.writestr("about.json", json.dumps(self._about(contents), indent=2, ensure_ascii=False))
        return contents

    def _add_crops(self) -> int:
        """Add the best crop of each track; return how many there are."""
        count = 0
        for row in self._rows:
            jpeg = self._store.crop(row.tracklet.tracklet_id)
            if jpeg:
                count += 1
                name = f"crops/{count:03}-{row.tracklet.camera_id}-{stamp(row.tracklet.first_ns)}.jpg"
                self._made.writestr(name, jpeg, ZIP_STORED)
        return count

    def _about(self, contents: Contents) -> dict[str, object]:
        return {
            "site": self._store.site_id,
            "name": self._person.name,
            "previous_ids": self._person.previous_ids,
            "cameras": self._person.cameras,
            "exported": datetime.now(UTC).isoformat(timespec="seconds"),
            **asdict(contents),
        }


def archive_router(store: Store) -> APIRouter:
    """Return the route by which a person's files are downloaded."""
    router = new_router(prefix="/v1", tags=["people"])

    @router.get(
        "/identities/{number}/export",
        response_class=Response,
        responses={200: {"content": {MEDIA: {}}}, 404: {"model": ProblemOut}},
    )
    def export_identity(number: Number) -> StreamingResponse:
        """Return what is stored about a person as a ZIP file: visits, sightings and crops. The command adds clips."""
        person = store.identity(number)
        if person is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no identity {number}")
        file = SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - closed once it is sent
        with ZipFile(file, "w", ZIP_DEFLATED) as made:
            Archive(made, store, person).write()
        headers = {
            "Content-Disposition": f'attachment; filename="person-{person.number}.zip"',
            "Content-Length": str(file.tell()),
            "Cache-Control": "no-store",
        }
        file.seek(0)
        return StreamingResponse(_pieces(file), media_type=MEDIA, headers=headers)

    return router


def stamp(time_ns: int) -> str:
    """Return a time as it may be part of a file's name on every system."""
    return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y%m%dT%H%M%SZ")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _sighting_out(row: StoredTracklet) -> dict[str, object]:
    """Return a track as JSON: boxes are xyxy in px of upright pictures of `width` x `height`, 0 where not known."""
    tracklet = row.tracklet
    return {
        "tracklet_id": tracklet.tracklet_id,
        "camera_id": tracklet.camera_id,
        "first": iso(tracklet.first_ns),
        "last": iso(tracklet.last_ns),
        "probability": round(row.probability, 4),
        "width": tracklet.width,
        "height": tracklet.height,
        "times": [iso(int(time_ns)) for time_ns in tracklet.times_ns],
        "boxes": [[round(float(side), 1) for side in box] for box in tracklet.boxes],
    }
