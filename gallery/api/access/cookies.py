"""The cookie of a session, which scripts cannot read."""

from fastapi import Request, Response

from gallery.access.gate import SESSION_S
from gallery.api.access.auth import COOKIE


def put_session_cookie(response: Response, request: Request, cookie: str) -> None:
    """Give a browser the cookie of a session."""
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=SESSION_S,
        path=request.scope.get("root_path") or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
