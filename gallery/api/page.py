"""The page's files over HTTP, with a strict content security policy."""

import mimetypes
from pathlib import PurePosixPath

from fastapi import APIRouter, HTTPException, Request, Response, status

from gallery.api.encoding import new_router
from gallery.page.files import page_files

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src blob:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-cache",
}
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}


def page_router() -> APIRouter:
    """Return the routes of the page and its files; they need no token, since they hold no data."""
    router = new_router(include_in_schema=False)
    assets = page_files()

    @router.get("/")
    def index(request: Request) -> Response:
        return _answer(request, "index.html")

    @router.get("/docs")
    def reference() -> Response:
        return Response(status_code=307, headers={"Location": "./#/api"})

    @router.get("/assets/{name:path}")
    def asset(request: Request, name: str) -> Response:
        return _answer(request, name)

    def _answer(request: Request, name: str) -> Response:
        found = assets.get(name)
        if found is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"the page has no file {name[:100]!r}")
        headers = {**HEADERS, "ETag": found.etag}
        if request.headers.get("if-none-match") == found.etag:
            return Response(status_code=304, headers=headers)
        suffix = PurePosixPath(name).suffix
        return Response(found.data, media_type=TYPES.get(suffix) or mimetypes.guess_type(name)[0], headers=headers)

    return router
