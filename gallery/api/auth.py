"""Authentication: a bearer token, if one is set, or a browser's session that was opened with it."""

import math
import secrets
import time
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response, status
from fastapi.requests import HTTPConnection
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, SecretStr

COOKIE = "climbtrack_session"
SESSION_S = 12 * 3600.0
MAX_SESSIONS = 1_000  # beyond, the oldest end
MAX_WRONG = 20  # wrong tokens in `WRONG_S`, from whomever, until none is looked at
WRONG_S = 60.0

_bearer = HTTPBearer(auto_error=False, description="The token from the API's settings; required if one is set.")


class Access:
    """Decides who may use the API. Sessions end when the process does."""

    def __init__(self, token: SecretStr | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._expected = None if token is None else token.get_secret_value().encode()
        self._clock = clock
        self._ends: dict[str, float] = {}  # of sessions, oldest first
        self._wrong: list[float] = []  # when a wrong token was given

    @property
    def needed(self) -> bool:
        """Tell whether a token is set."""
        return self._expected is not None

    def allows(self, connection: HTTPConnection) -> bool:
        """Tell whether a request or a WebSocket carries the token or a session."""
        if self._expected is None or self.knows(connection.cookies.get(COOKIE, "")):
            return True
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._is_token(given.strip())

    def open(self, token: str) -> str | None:
        """Return the name of a new session, None if the token is wrong.

        Raises:
            HTTPException: Too many wrong tokens were given in the last minute.
        """
        now = self._clock()
        self._wrong = [when for when in self._wrong if when > now - WRONG_S]
        if len(self._wrong) >= MAX_WRONG:
            raise HTTPException(
                status.HTTP_429_TOO_MANY_REQUESTS,
                "too many wrong tokens; wait a minute",
                headers={"Retry-After": str(int(WRONG_S))},
            )
        if not self._is_token(token):
            self._wrong.append(now)
            return None
        self._ends = {name: end for name, end in self._ends.items() if end > now}
        while len(self._ends) >= MAX_SESSIONS:
            del self._ends[next(iter(self._ends))]
        name = secrets.token_urlsafe(32)
        self._ends[name] = now + SESSION_S
        return name

    def knows(self, name: str) -> bool:
        """Tell whether a session is open."""
        return self._ends.get(name, -math.inf) > self._clock()

    def close(self, name: str) -> None:
        """End a session."""
        self._ends.pop(name, None)

    def _is_token(self, given: str) -> bool:
        return self._expected is None or secrets.compare_digest(given.encode(), self._expected)


def require_access(access: Access) -> Callable[..., None]:
    """Return a dependency that refuses requests without the token or a session."""

    def check(
        request: Request,
        _: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],  # for the documentation
    ) -> None:
        if not access.allows(request):
            raise HTTPException(
                status.HTTP_401_UNAUTHORIZED, "a bearer token is needed", headers={"WWW-Authenticate": "Bearer"}
            )

    return check


class SessionIn(BaseModel):
    """The token that opens a session."""

    model_config = ConfigDict(extra="forbid", strict=True)

    token: str = Field(max_length=4096, repr=False)


class SessionOut(BaseModel):
    """Whether a token is needed at all, and whether this browser may use the API."""

    needed: bool
    open: bool


def session_router(access: Access) -> APIRouter:
    """Return the routes by which a browser exchanges the token for a cookie that its scripts cannot read."""
    router = APIRouter(prefix="/v1/session", tags=["session"])

    @router.get("")
    def show_session(request: Request) -> SessionOut:
        """Tell whether a token is needed, and whether this browser has given it."""
        return SessionOut(needed=access.needed, open=access.allows(request))

    @router.post("", status_code=status.HTTP_204_NO_CONTENT, responses={401: {}, 429: {}})
    def open_session(given: SessionIn, request: Request) -> Response:
        """Exchange the token for a session of twelve hours, as a cookie."""
        name = access.open(given.token)
        if name is None:
            raise HTTPException(status.HTTP_401_UNAUTHORIZED, "this is not the token of this API")
        response = Response(status_code=status.HTTP_204_NO_CONTENT)
        response.set_cookie(
            COOKIE,
            name,
            max_age=int(SESSION_S),
            path=request.scope.get("root_path") or "/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    @router.delete("", status_code=status.HTTP_204_NO_CONTENT)
    def close_session(request: Request) -> Response:
        """End this browser's session."""
        access.close(request.cookies.get(COOKIE, ""))
        response = Response(status_code=status.HTTP_204_NO_CONTENT)
        response.delete_cookie(COOKIE, path=request.scope.get("root_path") or "/")
        return response

    return router
