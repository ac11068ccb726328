"""`/v1/live`: video and boxes of several cameras over one WebSocket.

A text is JSON with the `camera` it is about. A binary message is one byte with the number of the camera in the request,
one with the kind of data (0: the next piece of an MP4 file, 1: a JPEG picture), and the data.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Any

from anyio import create_task_group
from fastapi import APIRouter, HTTPException, Query, Response, WebSocket, WebSocketDisconnect, status
from fastapi.concurrency import run_in_threadpool

from gallery.api.access.auth import Access
from gallery.api.cameras import CameraList
from gallery.api.encoding import new_router
from gallery.api.schemas import Name, ProblemOut, name_of
from gallery.api.streams import end_when_refused, refusal_of, until_left
from gallery.live.feed import LiveFeeds, Viewer
from gallery.store.store import Store
from wire.bus import GrouplessBus

MAX_CAMERAS = 36
PICTURE_WAIT_S = 5.0
HIDDEN = b""
KINDS = {"mp4": 0, "jpeg": 1}


def live_router(
    store: Store, bus: GrouplessBus, cameras: CameraList, access: Access, protected: Sequence[Any]
) -> APIRouter:
    """Return the routes; `protected` are the dependencies of those over HTTP."""
    router = new_router(prefix="/v1", tags=["live"])
    feeds = LiveFeeds(bus, store)

    @router.websocket("/live")
    async def live(
        socket: WebSocket,
        cameras: Annotated[str, Query(max_length=4096)],
        pictures: Annotated[str, Query(max_length=4096)] = "",
    ) -> None:
        """Send what the listed cameras show, separated by commas, and those in `pictures` as JPEG."""
        refusal = await run_in_threadpool(refusal_of, access, socket)
        if refusal is not None:
            await socket.close(*refusal)
            return
        try:
            names = [name_of(name) for name in dict.fromkeys(cameras.split(","))]
        except ValueError as error:
            await socket.close(status.WS_1008_POLICY_VIOLATION, str(error)[:120])
            return
        if len(names) > MAX_CAMERAS:
            await socket.close(status.WS_1008_POLICY_VIOLATION, f"at most {MAX_CAMERAS} cameras, got {len(names)}")
            return
        await socket.accept()
        await _serve(socket, feeds, names, frozenset(pictures.split(",")), access)

    @router.get(
        "/cameras/{camera_id}/picture",
        dependencies=protected,
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}, 404: {"model": ProblemOut}},
    )
    async def show_picture(camera_id: Name) -> Response:
        """Return what a camera shows now, as JPEG; nothing unless its privacy is `full`."""
        await run_in_threadpool(cameras.known, camera_id)
        picture = await _latest_picture(feeds, camera_id)
        if picture == HIDDEN:
            detail = f"camera {camera_id!r} shows no pictures, since its privacy is not `full`"
            raise HTTPException(status.HTTP_404_NOT_FOUND, detail)
        if picture is None:
            detail = f"camera {camera_id!r} has shown nothing in the last {PICTURE_WAIT_S:g} s"
            raise HTTPException(status.HTTP_404_NOT_FOUND, detail)
        return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    return router


async def _latest_picture(feeds: LiveFeeds, camera_id: str) -> bytes | None:
    """Return the latest picture of a camera, the first that comes if none is kept; `HIDDEN` if it may not be shown."""
    from gallery.live.view import CameraView, Piece

    viewer, view = Viewer(asyncio.get_running_loop(), 1), CameraView(pictures=True)
    offer = partial(viewer.offer, 0)
    found: bytes | None = None
    feeds.join(camera_id, offer)
    try:
        async with asyncio.timeout(PICTURE_WAIT_S):
            while found is None or viewer.waiting():
                _, item = await viewer.next()
                for sent in await asyncio.to_thread(view.take, item):
                    if isinstance(sent, Piece):
                        found = sent.data
                    elif sent["kind"] == "hidden":
                        return HIDDEN
    except TimeoutError:
        return found
    finally:
        feeds.leave(camera_id, offer)
    return found


async def _serve(
    socket: WebSocket, feeds: LiveFeeds, names: list[str], pictures: frozenset[str], access: Access
) -> None:
    viewer = Viewer(asyncio.get_running_loop(), len(names))
    offers = {name: partial(viewer.offer, number) for number, name in enumerate(names)}
    for name, offer in offers.items():
        feeds.join(name, offer)
    try:
        async with create_task_group() as tasks:
            tasks.start_soon(_send, socket, viewer, names, pictures)
            tasks.start_soon(end_when_refused, socket, access)
            await until_left(socket)
            tasks.cancel_scope.cancel()
    finally:
        for name, offer in offers.items():
            feeds.leave(name, offer)


async def _send(socket: WebSocket, viewer: Viewer, names: list[str], pictures: frozenset[str]) -> None:
    from gallery.live.view import CameraView, Piece

    views = [CameraView(pictures=name in pictures) for name in names]
    with suppress(WebSocketDisconnect):
        while True:
            number, item = await viewer.next()
            for sent in await asyncio.to_thread(views[number].take, item):
                if isinstance(sent, Piece):
                    await socket.send_bytes(bytes((number, KINDS[sent.kind])) + sent.data)
                else:
                    await socket.send_text(json.dumps({"camera": names[number], **sent}))
