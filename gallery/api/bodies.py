"""Bound the bodies of requests before anything keeps them in memory, whoever sends them."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gallery.api.problems import problem

# The largest that means anything splits off 1 000 tracks with names of 512 characters each: half of it.
MAX_BYTES = 1024**2
OWN_BOUND = "/v1/search"  # pictures, which are counted where they are read
TOO_LARGE = f"the body has more than {MAX_BYTES // 1024**2} MiB, and nothing that can be asked for needs as much"


class BoundedBodies:
    """Answers a request whose body is too large with 413, as soon as that is known."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"].endswith(OWN_BOUND):
            await self._app(scope, receive, send)
            return
        stated = Headers(scope=scope).get("content-length", "")
        if stated.isdecimal() and int(stated) > MAX_BYTES:
            await problem(413, TOO_LARGE)(scope, receive, send)
            return
        taken = 0

        async def count() -> Message:  # a request need not say beforehand how much it sends
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BYTES:
                raise HTTPException(413, TOO_LARGE)
            return message

        await self._app(scope, count, send)
