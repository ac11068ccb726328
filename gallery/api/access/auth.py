"""Access to the API over HTTP: who sends a request, and whether they may."""

import time
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request, status
from fastapi.concurrency import run_in_threadpool
from fastapi.requests import HTTPConnection
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from gallery.access.errors import NotSignedIn, TooManyTries
from gallery.access.gate import Caller, Gate
from gallery.access.users import includes
from gallery.api.access.proxy import UserHeader
from gallery.api.rules import Rule, rule_of
from gallery.errors import StoreRefused
from wire.errors import TransientError

T = TypeVar("T")
CHECK_S = 15.0  # how long somebody may look on after their session has ended
COOKIE = "climbtrack_session"
ONLY_HERE = (
    "as long as nobody has to sign in, the API answers under an address or localhost only, since any web page could "
    "reach it under a name of its own otherwise; add a user: climbtrack users add"
)
IN_ADDRESS = frozenset({"token", "access_token", "api_key", "key"})
OWN_PASSWORD = "/v1/session/password"  # noqa: S105 - a path

_bearer = HTTPBearer(auto_error=False, description="An API token, or the token of the settings.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="The session of a browser: `POST /v1/session`.")


class Access:
    """Decides who may use the API."""

    def __init__(self, gate: Gate, header: UserHeader) -> None:
        self.gate = gate
        self._header = header

    def caller(self, connection: HTTPConnection) -> Caller | None:
        """Return who sends a request or opens a WebSocket; None if they are to sign in.

        Raises:
            NotSignedIn: The token has expired.
            TooManyTries: Too many tokens from this address were wrong; an open session is not affected.
        """
        refused: TooManyTries | None = None
        found: Caller | None = None
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            try:
                found = self.gate.of_token(given.strip(), address_of(connection))
            except TooManyTries as error:
                refused = error
        if found is None and (named := self._header.name_in(connection)):
            found = self.gate.of_proxy(named)
        found = found or self.gate.of_session(connection.cookies.get(COOKIE, "")) or self.gate.anybody()
        if found is None and refused is not None:
            raise refused
        return found

    def admit(self, connection: HTTPConnection, rule: Rule, path: str = "") -> None:
        """Note who sends a request that a rule allows them.

        Raises:
            HTTPException: 401, they are to sign in; 403, their role is not enough.
            TooManyTries: Too many tokens from this address were wrong.
        """
        try:
            caller = self.caller(connection)
        except NotSignedIn as error:
            raise _unknown(str(error)) from error
        if caller is None:
            raise _unknown(_why_unknown(connection))
        connection.state.caller = caller  # for the audit log, also of what they are refused
        if caller.way == "open" and not _is_own_name(connection.headers.get("host", "")):
            raise HTTPException(status.HTTP_403_FORBIDDEN, ONLY_HERE)
        if caller.must_change and path != OWN_PASSWORD:
            raise HTTPException(status.HTTP_403_FORBIDDEN, "choose a password of your own first")
        if rule.role is not None and not includes(caller.role, rule.role):
            detail = f"this needs the role {rule.role}, and {caller.name} has the role {caller.role}"
            raise HTTPException(status.HTTP_403_FORBIDDEN, detail)

    async def until_refused(self, connection: HTTPConnection, stream: AsyncIterator[T]) -> AsyncIterator[T]:
        """Yield from a stream, which ends with its next part when whoever reads it is not allowed to any more."""
        checked_s = time.monotonic()
        async for part in stream:
            if time.monotonic() - checked_s >= CHECK_S:
                if not await run_in_threadpool(self.still, connection):
                    return
                checked_s = time.monotonic()
            yield part

    def still(self, connection: HTTPConnection) -> bool:
        """Tell whether whoever was admitted still may look; while the store is away, they may."""
        try:
            self.admit(connection, Rule("viewer"))
        except (HTTPException, TooManyTries):
            return False
        except (TransientError, StoreRefused):
            return True
        return True


def require_access(access: Access) -> Callable[..., None]:
    """Return a dependency that refuses requests that the rule of their route does not allow."""

    def check(
        request: Request,
        _bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],  # both for the documentation
        _cookie: Annotated[str | None, Depends(_cookie)],
    ) -> None:
        path = request.scope["route"].path
        access.admit(request, rule_of(request.method, path), path)

    return check


def caller_of(request: Request) -> Caller:
    """Return who sends a request that was admitted."""
    caller: Caller = request.state.caller
    return caller


Calling = Annotated[Caller, Depends(caller_of)]


def address_of(connection: HTTPConnection) -> str:
    """Return the address that a request comes from; of a trusted proxy, the one it names."""
    return "" if connection.client is None else connection.client.host[:64]


def _is_own_name(host: str) -> bool:
    """Tell whether a host is an address or a name of this network, which no web page can point to this machine."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return "." not in name.removesuffix(".") or name.endswith(".localhost") or bool(ip_address(name))
    except ValueError:
        return False


def _unknown(detail: str) -> HTTPException:
    return HTTPException(status.HTTP_401_UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})


def _why_unknown(connection: HTTPConnection) -> str:
    if IN_ADDRESS & set(connection.query_params.keys()):
        return "a token in the address ends up in logs and is not accepted: send the header Authorization: Bearer TOKEN"
    if connection.headers.get("authorization"):
        return "this token is wrong or was revoked; send the header Authorization: Bearer TOKEN"
    return "sign in, or send a token in the header Authorization: Bearer TOKEN"
