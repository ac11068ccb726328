"""The API of one site: `create_app` combines routes, token check and probes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response, StreamingResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gallery.api.alerts import alerting_routers
from gallery.api.auth import Access, require_access, session_router
from gallery.api.cameras import CameraList, cameras_router
from gallery.api.events import EventFeed
from gallery.api.head import HeadAsGet
from gallery.api.live import live_router
from gallery.api.origin import SameOrigin
from gallery.api.page import page_router
from gallery.api.parameters import only_known_parameters
from gallery.api.people import people_router, tracks_router
from gallery.api.prefix import UnderPrefix
from gallery.api.review import review_router
from gallery.api.search import search_router
from gallery.api.schemas import ProblemOut, StatusOut
from gallery.api.why import why_router
from gallery.api.words import words_router
from gallery.asking import Asker
from gallery.config import ApiSettings
from gallery.errors import StoreRefused
from gallery.store.store import Store
from wire.bus import Bus
from wire.camera_states import CameraStates
from wire.cameras import CameraTable
from wire.errors import TransientError
from wire.metrics import installed_version

CORS: dict[str, Any] = {
    "allow_methods": ("GET", "HEAD", "POST", "PUT", "DELETE"),
    "allow_headers": ("Authorization", "Content-Type"),
    "expose_headers": ("Retry-After",),
}
PROTECTED: dict[int | str, dict[str, Any]] = {
    401: {"model": ProblemOut, "description": "A token is set, and the request carries neither it nor a session"},
    503: {"model": ProblemOut, "description": "Redis or Kafka is unavailable: try again"},
}
NOT_JSON = "body: cannot be read as JSON"
MAX_REPORTED_FIELDS = 10
MAX_NAME_LENGTH = 100


def create_app(store: Store, bus: Bus, settings: ApiSettings, *, registry: CollectorRegistry | None = None) -> FastAPI:
    """Return the application for the store's site; `/metrics` serves `registry`."""
    feed, cameras, states = EventFeed(bus, store.site_id), CameraTable(bus), CameraStates(bus)
    asker = Asker(bus)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        feed.start(asyncio.get_running_loop())
        with cameras, states:
            yield
            asker.close()
            feed.close()

    refusals: dict[int | str, dict[str, Any]] = {422: {"model": ProblemOut, "description": "Invalid request"}}
    about: dict[str, Any] = {"title": "climbtrack", "version": installed_version(), "responses": refusals}
    app = FastAPI(**about, lifespan=lifespan, docs_url=None, redoc_url=None)  # those load scripts from other hosts
    app.add_middleware(HeadAsGet)
    app.add_middleware(SameOrigin, allowed=settings.cors_origins)
    if settings.root_path:
        app.add_middleware(UnderPrefix, prefix=settings.root_path)
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, **CORS)
    access = Access(settings.token)
    protected = [Depends(require_access(access)), Depends(only_known_parameters)]
    listed = CameraList(store, bus, cameras, states)
    people = people_router(store, cameras)
    for router in (cameras_router(listed, store.site_id), words_router(store, bus), people, tracks_router(store)):
        app.include_router(router, dependencies=protected, responses=PROTECTED)
    for router in (why_router(store), review_router(store), search_router(store, asker), _events_router(feed)):
        app.include_router(router, dependencies=protected, responses=PROTECTED)
    for router in alerting_routers(store, listed.of):
        app.include_router(router, dependencies=protected, responses=PROTECTED)
    app.include_router(session_router(access), dependencies=[Depends(only_known_parameters)])
    app.include_router(live_router(store, bus, access, protected))
    app.include_router(page_router())
    app.include_router(_probes_router(store, registry or CollectorRegistry()))

    @app.exception_handler(TransientError)
    def unavailable(_: Request, error: TransientError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=503, headers={"Retry-After": "1"})

    @app.exception_handler(StoreRefused)
    def refused(_: Request, error: StoreRefused) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=503)

    @app.exception_handler(RequestValidationError)
    def invalid_request(_: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": _describe(error)}, status_code=422)

    @app.exception_handler(status.HTTP_400_BAD_REQUEST)
    def unreadable_body(_: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 - less specific
        return JSONResponse({"detail": NOT_JSON}, status_code=422)

    return app


def _describe(error: RequestValidationError) -> str:
    """Return which fields are invalid and why, without their values, which may contain a password."""
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return NOT_JSON
    words = "; ".join(
        f"{'.'.join(map(str, one['loc'][1:]))[:MAX_NAME_LENGTH] or 'body'}: {one['msg'].removeprefix('Value error, ')}"
        for one in found[:MAX_REPORTED_FIELDS]
    )
    more = f"; and {len(found) - MAX_REPORTED_FIELDS} more" if len(found) > MAX_REPORTED_FIELDS else ""
    return (words + more).encode(errors="replace").decode()  # field names in a request may contain lone surrogates


def _events_router(feed: EventFeed) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["events"])

    @router.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
    async def events() -> StreamingResponse:
        """Stream changes to identities from now on, as server-sent events."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(feed.stream(), media_type="text/event-stream", headers=headers)

    return router


def _probes_router(store: Store, registry: CollectorRegistry) -> APIRouter:
    router = APIRouter(tags=["probes"])

    @router.get("/healthz")
    def alive() -> StatusOut:
        """Answer as long as the process is alive."""
        return StatusOut(status="ok")

    @router.get("/readyz", responses={503: {"model": StatusOut}})
    def ready(response: Response) -> StatusOut:
        """Report whether the store answers."""
        try:
            store.ping()
        except (TransientError, StoreRefused) as error:
            response.status_code = 503
            return StatusOut(status="unavailable", reason=str(error))
        return StatusOut(status="ok")

    @router.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router
