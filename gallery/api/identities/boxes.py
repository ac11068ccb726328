"""`/v1/cameras/{id}/mot`: every box of people with a number, to be evaluated or drawn by other programs."""

import time
from collections.abc import Callable

from fastapi import APIRouter, HTTPException, Response, status
from fastapi.responses import PlainTextResponse

from gallery.api.encoding import new_router
from gallery.api.identities.visits import Since, Until, asked
from gallery.api.schemas import Name
from gallery.errors import TooManyVisits
from gallery.export import mot_of
from gallery.store.store import Store


def boxes_router(store: Store, now_ns: Callable[[], int] = time.time_ns) -> APIRouter:
    """Return the route; without `from` and `to` it is about the 24 hours up to now."""
    router = new_router(prefix="/v1", tags=["visits"])

    @router.get("/cameras/{camera_id}/mot", responses={200: {"content": {"text/plain": {}}}})
    def export_boxes(camera_id: Name, since: Since = None, until: Until = None) -> Response:
        """Return every box of people with a number as MOTChallenge text, which TrackEval and `climbtrack score` read.

        Frames are those of the camera's stream; if it began anew meanwhile, they go on counting.
        """
        begin, end = asked(since, until, now_ns())
        try:
            lines = mot_of(store, camera_id, begin, end)
        except TooManyVisits as error:
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from error
        headers = {"Content-Disposition": f'attachment; filename="{camera_id}.txt"', "Cache-Control": "no-store"}
        return PlainTextResponse("".join(lines), headers=headers)

    return router
