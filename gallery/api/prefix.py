"""Serve the API under a proxy's path prefix."""

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class UnderPrefix:
    """Accepts requests with and without the prefix, for proxies that keep it and proxies that strip it."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; the API's own URLs in responses have the prefix."""
        if scope["type"] in {"http", "websocket"}:
            path = scope["path"]
            if path == self._prefix and scope["type"] == "http":  # without the slash, the page's files are not found
                await RedirectResponse(f"{self._prefix}/")(scope, receive, send)
                return
            inside = path == self._prefix or path.startswith(f"{self._prefix}/")
            scope = {**scope, "root_path": self._prefix, "path": path if inside else self._prefix + path}
        await self._app(scope, receive, send)
