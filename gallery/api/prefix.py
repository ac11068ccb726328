"""The API under a path prefix of a proxy."""

from starlette.types import ASGIApp, Receive, Scope, Send


class UnderPrefix:
    """Takes requests with and without a prefix, for proxies that keep it and proxies that strip it."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; what the API says of its own addresses has the prefix."""
        if scope["type"] == "http":
            path = scope["path"]
            inside = path == self._prefix or path.startswith(f"{self._prefix}/")
            scope = {**scope, "root_path": self._prefix, "path": path if inside else self._prefix + path}
        await self._app(scope, receive, send)
