"""`/v1/session/oidc`: signing in by an identity provider, in a browser."""

import logging
from html import escape
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response, status
from fastapi.responses import HTMLResponse, RedirectResponse

from gallery.access.attempts import network_of
from gallery.access.claims import ClaimRules, person_of
from gallery.access.errors import NotSignedIn, ProviderAway
from gallery.access.pending import Pending
from gallery.api.access.auth import Access, address_of
from gallery.api.access.cookies import put_session_cookie
from gallery.api.encoding import new_router
from gallery.api.schemas import ProblemOut

if TYPE_CHECKING:
    from gallery.access.oidc import OidcProvider

log = logging.getLogger(__name__)

COOKIE = "climbtrack_oidc"
PENDING_S = 600  # how long somebody may take at the provider
NONE = "this API has no identity provider; set api.oidc_issuer"
STALE = "this sign-in was not begun in this browser, is over, or took too long; begin again"
HTML: dict[str, Any] = {"text/html": {}}
ANSWERS: dict[int | str, dict[str, Any]] = {
    404: {"model": ProblemOut, "description": "There is no identity provider"},
    503: {"content": HTML, "description": "The identity provider does not answer: sign in with a password"},
}
Text = Annotated[str, Query(max_length=4096)]


class OidcSignIn:
    """What the routes need: the provider, and how its claims are read."""

    def __init__(self, provider: "OidcProvider", rules: ClaimRules) -> None:
        self.provider = provider
        self.rules = rules

    def sign_out_address(self, request: Request) -> str | None:
        """Return where a browser also ends its session at the provider."""
        try:
            return self.provider.sign_out_address(str(request.url_for("index")))
        except ProviderAway:
            return None


def oidc_router(access: Access, oidc: OidcSignIn | None) -> APIRouter:
    """Return the routes; without a provider, they answer with 404."""
    router = new_router(prefix="/v1/session/oidc", tags=["session"])

    def known() -> OidcSignIn:
        if oidc is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, NONE)
        return oidc

    @router.get("", status_code=303, response_class=RedirectResponse, responses=ANSWERS)
    def begin_at_provider(request: Request) -> Response:
        """Send the browser to the identity provider."""
        chosen, pending = known(), Pending.new()
        try:
            address = chosen.provider.address(pending, str(request.url_for("come_back")))
        except ProviderAway as error:
            return _sorry(request, 503, error)
        response = RedirectResponse(address, status_code=303)
        response.set_cookie(
            COOKIE,
            str(pending),
            max_age=PENDING_S,
            path=_path(request),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",  # it comes back with a visitor from the provider's page
        )
        return response

    @router.get(
        "/callback",
        status_code=303,
        response_class=RedirectResponse,
        responses={
            **ANSWERS,
            401: {"content": HTML, "description": "The provider, or its groups, did not let them in"},
        },
    )
    def come_back(request: Request, code: Text = "", state: Text = "", error: Text = "") -> Response:
        """Open a session of somebody whom the provider has sent back."""
        chosen = known()
        try:
            cookie = _signed_in(request, chosen, access, code, state, error)
        except ProviderAway as away:
            return _sorry(request, 503, away)
        except NotSignedIn as refused:
            return _sorry(request, 401, refused)
        request.state.caller = access.gate.of_session(cookie)
        response = RedirectResponse(str(request.url_for("index")), status_code=303)
        put_session_cookie(response, request, cookie)
        response.delete_cookie(COOKIE, path=_path(request))
        return response

    return router


def _signed_in(request: Request, oidc: OidcSignIn, access: Access, code: str, state: str, error: str) -> str:
    """Return the cookie of a new session.

    Raises:
        NotSignedIn, ProviderAway, TooManyTries: They are not let in.
    """
    pending = Pending.of(request.cookies.get(COOKIE, ""))
    if pending is None or state != pending.state:
        raise NotSignedIn(STALE)
    if error or not code:
        raise NotSignedIn(f"the identity provider let nobody in: {error[:100] or 'it sent no code'}")
    key = f"address {network_of(address_of(request))}"
    access.gate.attempts.begin(key)
    claims = oidc.provider.claims(code, pending, str(request.url_for("come_back")))
    name, role = person_of(claims, oidc.rules)
    access.gate.attempts.succeeded(key)
    return access.gate.sign_in_by_provider(name, role)


def _sorry(request: Request, code: int, error: Exception) -> Response:
    """Say in the browser why nobody was signed in, and lead back."""
    log.warning("sign-in by the identity provider: %s", error)
    back = escape(str(request.url_for("index").path))
    text = f'<!doctype html><title>climbtrack</title><p>{escape(str(error))}</p><p><a href="{back}">Back</a></p>'
    response = HTMLResponse(text, code, {"Content-Security-Policy": "default-src 'none'", "Cache-Control": "no-store"})
    response.delete_cookie(COOKIE, path=_path(request))
    return response


def _path(request: Request) -> str:
    return request.url_for("begin_at_provider").path
