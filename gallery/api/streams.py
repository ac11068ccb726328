"""Streams that clients follow: server-sent events, and the same over a WebSocket; slow readers are bounded."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from anyio import create_task_group
from fastapi import HTTPException, WebSocket, WebSocketDisconnect, status
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Send

from gallery.access.errors import TooManyTries
from gallery.api.access.auth import CHECK_S, Access
from gallery.api.rules import rule_of
from gallery.errors import StoreRefused
from wire.errors import TransientError

KEEP_ALIVE_S = 15.0  # proxies close connections that are idle for a minute
RETRY_MS = 2_000  # after which a client that lost its connection comes back
STALLED_S = 60.0  # a client that takes nothing for this long is disconnected; it comes back and goes on
MAX_STREAMS = 4_000  # of one process, 50 kB each; more are asked to come back later
MAX_REASON = 120  # bytes that a closing WebSocket may say
TOO_MANY = f"this process serves {MAX_STREAMS} streams already; try again later, or ask another process"


@dataclass(frozen=True, slots=True)
class Part:
    """One event of a stream: its kind, the place after which a client goes on, and its data as JSON."""

    kind: str
    place: str
    data: str

    def as_event(self) -> str:
        """Return it as a server-sent event."""
        place = f"id: {self.place}\n" if self.place else ""
        return f"event: {self.kind}\n{place}data: {self.data}\n\n"

    def as_message(self) -> str:
        """Return it as a message of a WebSocket."""
        return f'{{"event": {json.dumps(self.kind)}, "id": {json.dumps(self.place or None)}, "data": {self.data}}}'


# What there is at once, since what costs is to send, not what is sent. None first, when nothing is missed from then on;
# later, when nothing happens.
Parts = AsyncIterator[Sequence[Part] | None]


def missed(place: str) -> Part:
    """Return what a client is told that asked for parts which are not kept any more."""
    return Part("missed", "", f'{{"after": {place}}}')


class News:
    """Wakes everybody who waits in an event loop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def now(self) -> asyncio.Event:
        """Return what `wait` takes, so that nothing is missed between now and then."""
        return self._event

    def tell(self) -> None:
        """Wake everybody."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self, event: asyncio.Event) -> bool:
        """Wait until there is news since `now` gave this; return False if there is none for a while."""
        try:
            async with asyncio.timeout(KEEP_ALIVE_S):  # `wait_for` starts a task for each of a thousand clients
                await event.wait()
        except TimeoutError:
            return False
        return True


class OpenStreams:
    """Counts the streams of this process."""

    def __init__(self, most: int = MAX_STREAMS) -> None:
        self._most = most
        self._count = 0

    def enter(self) -> bool:
        """Count a stream; return whether there is room for it."""
        if self._count >= self._most:
            return False
        self._count += 1
        return True

    def leave(self) -> None:
        """Take a stream back."""
        self._count -= 1


class EventStream(StreamingResponse):
    """Server-sent events; a client that takes nothing for a minute is disconnected."""

    def __init__(self, stream: Parts, streams: OpenStreams) -> None:
        if not streams.enter():
            raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, TOO_MANY, {"Retry-After": "30"})
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(_texts(stream), media_type="text/event-stream", headers=headers)
        self._streams = streams

    async def stream_response(self, send: Send) -> None:
        """Send all parts."""

        async def send_soon(message: object) -> None:
            async with asyncio.timeout(STALLED_S):
                await send(message)  # type: ignore[arg-type]

        try:
            await super().stream_response(send_soon)
        except TimeoutError:
            return
        finally:
            self._streams.leave()


async def _texts(stream: Parts) -> AsyncIterator[str]:
    opened = False
    async for parts in stream:
        if parts is not None:
            yield "".join(part.as_event() for part in parts)
        else:
            yield ": still here\n\n" if opened else f"retry: {RETRY_MS}\n: connected\n\n"
            opened = True


async def serve_socket(socket: WebSocket, access: Access, streams: OpenStreams, begin: Callable[[], Parts]) -> None:
    """Send a stream over a WebSocket to whoever may see it, until they leave or may not any more."""
    refused = await run_in_threadpool(refusal_of, access, socket)
    if refused is None and not streams.enter():
        refused = (status.WS_1013_TRY_AGAIN_LATER, TOO_MANY[:MAX_REASON])
    if refused is not None:
        await socket.close(*refused)
        return
    try:
        await socket.accept()
        async with create_task_group() as tasks:
            tasks.start_soon(_send_parts, socket, begin())
            tasks.start_soon(end_when_refused, socket, access)
            await until_left(socket)
            tasks.cancel_scope.cancel()
    finally:
        streams.leave()


async def _send_parts(socket: WebSocket, stream: Parts) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        async with aclosing(stream):  # type: ignore[type-var]
            opened = False
            async for parts in stream:
                if parts is None and opened:
                    continue  # the server sends pings
                opened = True
                try:
                    for part in (Part("connected", "", "{}"),) if parts is None else parts:
                        async with asyncio.timeout(STALLED_S):
                            await socket.send_text(part.as_message())
                except TimeoutError:
                    await socket.close(status.WS_1013_TRY_AGAIN_LATER, "too slow")
                    return


def refusal_of(access: Access, socket: WebSocket) -> tuple[int, str] | None:
    """Return the code and the reason for which a WebSocket is not let in; None if it is."""
    try:
        access.admit(socket, rule_of("WS", socket.scope["route"].path))
    except HTTPException as error:
        return status.WS_1008_POLICY_VIOLATION, str(error.detail)[:MAX_REASON]
    except (TransientError, StoreRefused, TooManyTries) as error:
        return status.WS_1013_TRY_AGAIN_LATER, str(error)[:MAX_REASON]
    return None


async def end_when_refused(socket: WebSocket, access: Access) -> None:
    """Close a WebSocket when whoever watches is not allowed to any more."""
    allowed = True
    while allowed:
        await asyncio.sleep(CHECK_S)
        allowed = await asyncio.to_thread(access.still, socket)
    with suppress(WebSocketDisconnect, RuntimeError):  # they have left meanwhile
        await socket.close(status.WS_1008_POLICY_VIOLATION, "signed out")


async def until_left(socket: WebSocket) -> None:
    """Return when the client leaves; what it sends is ignored."""
    with suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
