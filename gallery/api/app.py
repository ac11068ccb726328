"""The API of one site: `create_app` combines routes, token check and probes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gallery.access.audit import AuditLog
from gallery.access.claims import ClaimRules
from gallery.access.first import is_loopback
from gallery.access.gate import Gate
from gallery.api.access.audit import Auditor, audit_router
from gallery.api.access.auth import Access, require_access
from gallery.api.access.oidc import OidcSignIn, oidc_router
from gallery.api.access.proxy import BehindProxies, UserHeader
from gallery.api.access.session import session_router
from gallery.api.access.users import tokens_router, users_router
from gallery.api.alerting.alert_stream import AlertFeed, alert_stream_router
from gallery.api.alerting.alerts import alerting_routers
from gallery.api.bodies import BoundedBodies
from gallery.api.camera_test import camera_test_router
from gallery.api.cameras import CameraList, cameras_router
from gallery.api.discovery import Finder, discovery_router
from gallery.api.document import describe
from gallery.api.encoding import new_router
from gallery.api.head import HeadAsGet
from gallery.api.identities.archive import archive_router
from gallery.api.identities.boxes import boxes_router
from gallery.api.identities.events import EventFeed, event_sockets, events_router
from gallery.api.identities.people import people_router, tracks_router
from gallery.api.identities.review import review_router
from gallery.api.identities.search import search_router
from gallery.api.identities.visits import visits_router
from gallery.api.identities.why import why_router
from gallery.api.identities.words import words_router
from gallery.api.live import live_router
from gallery.api.origin import SameOrigin
from gallery.api.others import NO_OTHERS, OtherSettings
from gallery.api.page import page_router
from gallery.api.parameters import only_known_parameters
from gallery.api.prefix import UnderPrefix
from gallery.api.problems import answer_with_problems
from gallery.api.recordings import recordings_router
from gallery.api.schemas import ProblemOut, StatusOut
from gallery.api.streams import OpenStreams
from gallery.asking import Asker
from gallery.config import ApiSettings
from gallery.errors import StoreRefused
from gallery.recording.config import RecordingSettings
from gallery.store.store import Store
from wire.bus import GrouplessBus
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
    401: {"model": ProblemOut, "description": "One has to sign in, and the request carries no valid token or session"},
    403: {"model": ProblemOut, "description": "The role is not enough"},
    429: {"model": ProblemOut, "description": "Too many tokens were wrong: wait as long as `Retry-After` says"},
    503: {"model": ProblemOut, "description": "Redis or Kafka is unavailable: try again"},
}

INVALID = (
    "Invalid request; beyond what this document says of each value, also one whose values do not fit each other (`from`"
    " is later than `to`, a time has too many periods or tracks, the sides of an area cross) or name what is not there"
)


def create_app(
    store: Store,
    bus: GrouplessBus,
    settings: ApiSettings,
    *,
    metrics: Callable[[], bytes] = bytes,
    others: OtherSettings = NO_OTHERS,
    trusted: bool = False,
    find: Finder | None = None,
) -> FastAPI:
    """Return the application for the store's site; `/metrics` answers what `metrics` returns.

    With `trusted`, everybody who reaches it may do everything: for commands over the user's own data. `find` looks for
    cameras on the network.
    """
    feed, alert_feed, streams = EventFeed(store), AlertFeed(store), OpenStreams()
    cameras, states, asker = CameraTable(bus), CameraStates(bus), Asker(bus)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        feed.start(asyncio.get_running_loop())
        alert_feed.start(asyncio.get_running_loop())
        with cameras, states:
            yield
            asker.close()
            alert_feed.close()
            feed.close()

    refusals: dict[int | str, dict[str, Any]] = {422: {"model": ProblemOut, "description": INVALID}}
    about: dict[str, Any] = {"title": "climbtrack", "version": installed_version(), "responses": refusals}
    app = FastAPI(**about, lifespan=lifespan, docs_url=None, redoc_url=None)  # those load scripts from other hosts
    _add_middleware(app, store, settings)
    access = access_to(store, settings, trusted=trusted)
    protected = [Depends(require_access(access)), Depends(only_known_parameters)]
    listed = CameraList(store, bus, cameras, states)
    for router in (
        cameras_router(listed, store.site_id, settings),
        camera_test_router(asker, settings),
        discovery_router(find, settings),
        *_about_people(store, bus, cameras, asker, others.recording),
        events_router(feed, access, streams),
        alert_stream_router(alert_feed, access, streams),
        *alerting_routers(store, listed.of, others.webhook_hosts),
        users_router(store.accounts),
        tokens_router(store.accounts),
        audit_router(store),
    ):
        app.include_router(router, dependencies=protected, responses=PROTECTED)
    oidc = oidc_of(settings)
    app.include_router(session_router(access, oidc, protected[:1]), dependencies=[Depends(only_known_parameters)])
    app.include_router(oidc_router(access, oidc))
    app.include_router(live_router(store, bus, listed, access, protected))
    app.include_router(event_sockets(feed, access, streams))
    app.include_router(page_router())
    app.include_router(_probes_router(store, metrics))

    answer_with_problems(app)
    describe(app)
    return app


def prepare(app: FastAPI) -> None:
    """Build now what FastAPI builds of a router when its first request comes: the event loop serves nobody meanwhile.

    An application that only few requests are sent to, as in tests, starts sooner without.
    """
    nowhere = {"type": "http", "method": "GET", "path": "/nowhere", "root_path": "", "headers": []}
    for route in app.router.routes:
        route.matches(nowhere)


def _add_middleware(app: FastAPI, store: Store, settings: ApiSettings) -> None:
    """Add what requests go through; the last one added sees them first."""
    audit = AuditLog(store.accounts, days=settings.audit_days, entries=settings.audit_entries)
    app.add_middleware(BoundedBodies)
    app.add_middleware(Auditor, store=store, audit=audit)
    app.add_middleware(HeadAsGet)
    app.add_middleware(SameOrigin, allowed=settings.cors_origins)
    if settings.root_path:
        app.add_middleware(UnderPrefix, prefix=settings.root_path)
    if settings.cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.cors_origins, **CORS)
    app.add_middleware(BehindProxies, trusted=settings.trusted_proxies)


def _about_people(
    store: Store, bus: GrouplessBus, cameras: CameraTable, asker: Asker, recording: RecordingSettings
) -> tuple[APIRouter, ...]:
    """Return what tells who is where, why, and how they look, and takes what people say about it."""
    return (
        words_router(store, bus),
        people_router(store, cameras),
        tracks_router(store),
        recordings_router(store, recording),
        why_router(store),
        review_router(store),
        search_router(store, asker),
        visits_router(store),
        archive_router(store),
        boxes_router(store),
    )


def needs_admin(settings: ApiSettings) -> bool:
    """Return whether one has to sign in under these settings, and nobody can as long as there is no user."""
    return settings.token is None and not _is_open(settings)


def _is_open(settings: ApiSettings) -> bool:
    return is_loopback(settings.host) and not settings.trusted_user_header and not settings.oidc_issuer


def access_to(store: Store, settings: ApiSettings, *, trusted: bool = False) -> Access:
    """Return who may use the API of a site under these settings; `trusted`: everybody who reaches it may do all."""
    gate = Gate(
        store.accounts,
        token="" if settings.token is None else settings.token.get_secret_value(),
        open=_is_open(settings),
        everybody=trusted,
        proxied=settings.trusted_user_role,
        issuer=settings.oidc_issuer,
    )
    return Access(gate, UserHeader(settings.trusted_user_header, settings.trusted_proxies))


def oidc_of(settings: ApiSettings) -> OidcSignIn | None:
    """Return how to sign in by an identity provider under these settings; None without one."""
    if not settings.oidc_issuer:
        return None
    from gallery.access.oidc import OidcClient, OidcProvider  # with its libraries a tenth of the API's start

    secret = "" if settings.oidc_client_secret is None else settings.oidc_client_secret.get_secret_value()
    client = OidcClient(
        settings.oidc_issuer, settings.oidc_client_id, secret, settings.oidc_scopes, settings.oidc_ca_file
    )
    rules = ClaimRules(
        user=settings.oidc_user_claim,
        groups=settings.oidc_groups_claim,
        allowed=settings.oidc_allowed_groups,
        roles=settings.oidc_roles,
        otherwise=settings.oidc_other_role,
    )
    return OidcSignIn(OidcProvider(client), rules)


def _probes_router(store: Store, metrics: Callable[[], bytes]) -> APIRouter:
    router = new_router(tags=["probes"])

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
    def show_metrics() -> Response:
        return Response(metrics(), media_type=CONTENT_TYPE_LATEST)

    return router
