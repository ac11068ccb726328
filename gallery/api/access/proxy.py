"""What a trusted proxy in front tells: the client's address and scheme, and who it has signed in."""

from collections.abc import Sequence

from fastapi.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

LOOPBACK = ("127.0.0.1", "::1")  # whose forwarded addresses are believed where no proxy is named
PEER = "climbtrack.peer"


class BehindProxies:
    """Takes the client's address and scheme from `X-Forwarded-For` and `-Proto` of trusted proxies."""

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        self._app = ProxyHeadersMiddleware(app, list(trusted or LOOPBACK))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and keep the address that really sent it."""
        if scope["type"] in {"http", "websocket"}:
            scope[PEER] = (scope.get("client") or ("",))[0]
        await self._app(scope, receive, send)  # type: ignore[arg-type]


class UserHeader:
    """The header in which a trusted proxy names the user; an empty header is none."""

    def __init__(self, header: str, trusted: Sequence[str]) -> None:
        self._header = header.lower()
        self._trusted = ProxyHeadersMiddleware(_nowhere, list(trusted)).trusted_hosts  # type: ignore[arg-type]

    def name_in(self, connection: HTTPConnection) -> str:
        """Return the user named by the proxy that sent a request; empty if it is not a trusted one, or names nobody."""
        if not self._header or connection.scope.get(PEER) not in self._trusted:
            return ""
        given = connection.headers.getlist(self._header)
        return given[0] if len(given) == 1 else ""  # twice: a client's own, which the proxy did not take out


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    raise NotImplementedError
