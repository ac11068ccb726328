"""Refuse what pages of other origins ask a browser to do: changes, and WebSockets, which CORS does not cover."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gallery.api.problems import problem

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
REFUSED = "this request comes from a page of another origin; list it in api.cors_origins to allow it"


class SameOrigin:
    """Lets a request that changes something, or a WebSocket, through only from pages of this origin or a listed one.

    A request without `Origin` does not come from a page, and is let through.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        self._allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it with 403."""
        if scope["type"] == "websocket" and not self._welcome(Headers(scope=scope)):
            await send({"type": "websocket.close", "code": 1008, "reason": REFUSED})
        elif scope["type"] == "http" and scope["method"] not in SAFE and not self._welcome(Headers(scope=scope)):
            await problem(403, REFUSED)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _welcome(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None or "*" in self._allowed or origin in self._allowed:
            return True
        return urlsplit(origin).netloc == headers.get("host")
