"""`/v1/session`: signing in and out in a browser, and choosing a password."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gallery.access.errors import NotSignedIn
from gallery.access.gate import Way
from gallery.access.passwords import MAX_LENGTH, MIN_LENGTH
from gallery.api.access.auth import COOKIE, Access, Calling, address_of
from gallery.api.access.cookies import put_session_cookie
from gallery.api.access.oidc import OidcSignIn
from gallery.api.encoding import new_router
from gallery.api.schemas import ProblemOut
from gallery.store.accounts import Role

ANSWERS: dict[int | str, dict[str, Any]] = {
    401: {"model": ProblemOut, "description": "The name, the password or the token is wrong"},
    429: {"model": ProblemOut, "description": "Too many attempts failed: wait as long as `Retry-After` says"},
    503: {"model": ProblemOut, "description": "Redis is unavailable: try again"},
}
EITHER: dict[str, Any] = {
    "oneOf": [
        {"required": ["user", "password"], "not": {"required": ["token"]}},
        {"required": ["token"], "not": {"anyOf": [{"required": ["user"]}, {"required": ["password"]}]}},
    ]
}
Secret = Annotated[str, Field(max_length=4096, repr=False)]


class SessionIn(BaseModel):
    """A user and their password, or a token."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=EITHER)

    user: Annotated[str, Field(max_length=256)] = ""
    password: Secret = ""
    token: Secret = ""

    @model_validator(mode="after")
    def _check(self) -> "SessionIn":
        """Reject a mixture, which would hide what was used."""
        given = self.model_fields_set
        if given not in ({"user", "password"}, {"token"}):
            raise ValueError("give user and password, or token")
        return self


class PasswordIn(BaseModel):
    """The current password, and another one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    current: Secret
    new: Annotated[str, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH, repr=False)]


class SessionOut(BaseModel):
    """Whether one has to sign in, whether this browser has, and as whom.

    `way` is how they were recognised: by `password`, `token`, `proxy` or `oidc`, or `open` where nobody has to sign in.
    With `must_change`, nothing but choosing a password is allowed. `provider` is the identity provider at which one can
    sign in, and `sign_out` where whoever did so also signs out there.
    """

    needed: bool
    open: bool
    name: str | None
    role: Role | None
    way: Way | None
    must_change: bool
    provider: str | None
    sign_out: str | None


def session_router(access: Access, oidc: OidcSignIn | None, protected: list[Any]) -> APIRouter:
    """Return the routes by which a browser gets a cookie that its scripts cannot read."""
    router = new_router(prefix="/v1/session", tags=["session"])

    @router.get("", responses={503: ANSWERS[503]})
    def show_session(request: Request) -> SessionOut:
        """Tell whether one has to sign in, and who has."""
        try:
            caller = access.caller(request)
        except NotSignedIn:
            caller = None
        return SessionOut(
            needed=access.gate.needed(),
            open=caller is not None and not caller.must_change,
            name=None if caller is None else caller.name,
            role=None if caller is None else caller.role,
            way=None if caller is None else caller.way,
            must_change=caller is not None and caller.must_change,
            provider=None if oidc is None else oidc.provider.issuer,
            sign_out=oidc.sign_out_address(request) if oidc and caller and caller.way == "oidc" else None,
        )

    @router.post("", status_code=status.HTTP_204_NO_CONTENT, responses=ANSWERS)
    def open_session(given: SessionIn, request: Request) -> Response:
        """Open a session of twelve hours, as a cookie, with a user and password or with a token."""
        if "token" in given.model_fields_set:
            cookie = access.gate.sign_in_by_token(given.token, address_of(request))
        else:
            request.state.about = access.gate.user_named(given.user)
            cookie = access.gate.sign_in(given.user, given.password, address_of(request))
        request.state.caller = access.gate.of_session(cookie)
        return _with_cookie(request, cookie)

    @router.delete("", status_code=status.HTTP_204_NO_CONTENT, responses={503: ANSWERS[503]})
    def close_session(request: Request) -> Response:
        """End this browser's session."""
        cookie = request.cookies.get(COOKIE, "")
        request.state.caller = access.gate.of_session(cookie)
        access.gate.sign_out(cookie)
        response = Response(status_code=status.HTTP_204_NO_CONTENT)
        response.delete_cookie(COOKIE, path=request.scope.get("root_path") or "/")
        return response

    @router.post(
        "/password",
        status_code=status.HTTP_204_NO_CONTENT,
        responses={**ANSWERS, 403: {"model": ProblemOut}, 409: {"model": ProblemOut}},
        dependencies=protected,
    )
    def choose_password(given: PasswordIn, request: Request, caller: Calling) -> Response:
        """Choose another password; all other sessions of this user end."""
        if caller.user is None or not caller.user.password:
            raise HTTPException(status.HTTP_409_CONFLICT, f"{caller.name} signs in without a password")
        cookie = access.gate.choose_password(caller.user.name, given.current, given.new, address_of(request))
        return _with_cookie(request, cookie)

    return router


def _with_cookie(request: Request, cookie: str) -> Response:
    response = Response(status_code=status.HTTP_204_NO_CONTENT)
    put_session_cookie(response, request, cookie)
    return response
