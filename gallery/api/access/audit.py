"""Record in the audit log what requests look at and change, and `/v1/audit`, which shows it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from msgspec.structs import replace
from pydantic import BaseModel
from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gallery.access.audit import AuditLog, AuditQuery, entries_of
from gallery.access.gate import Caller
from gallery.api.encoding import new_router
from gallery.api.moment import QueryTime
from gallery.api.problems import problem
from gallery.api.rules import Rule, rule_of
from gallery.api.schemas import Number, iso
from gallery.errors import StoreRefused
from gallery.store.accounts import Audited, Deed
from gallery.store.store import Store
from wire.errors import TransientError
from wire.message import UNSENDABLE

NOT_ALLOWED = 403
# Parameters of paths that say what a deed was about.
ABOUT = ("camera_id", "name", "token_id", "word_id", "zone_id", "rule_id", "output_id")


class Auditor:
    """Records every request whose rule says so before it is answered; if that fails, it is answered with 503.

    It is the innermost middleware, since it needs the route that was chosen.
    """

    def __init__(self, app: ASGIApp, store: Store, audit: AuditLog) -> None:
        self._app = app
        self._store = store
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        failed = False

        async def send_recorded(message: Message) -> None:
            nonlocal failed
            if failed:
                return
            if message["type"] in {"http.response.start", "websocket.accept"}:
                deed = self._deed(scope, message.get("status", 200))
                try:
                    if deed is not None:
                        await run_in_threadpool(self._record, deed, scope)
                except (TransientError, StoreRefused) as error:
                    failed = True
                    await _refuse(scope, receive, send, error)
                    return
            await send(message)

        await self._app(scope, receive, send_recorded)

    def _deed(self, scope: Scope, status: int) -> Deed | None:
        """Return what is to be recorded of a request; None if nothing is, as of most: they are repeated looks."""
        route = getattr(scope.get("route"), "path", "")
        rule = rule_of(scope.get("method", "WS"), route)
        state = scope.get("state", {})
        caller: Caller | None = state.get("caller")
        if not route or not rule.what or not _counts(rule, status, caller):
            return None
        deed = Deed(
            time_ns=0,
            who="" if caller is None else caller.name,
            way="" if caller is None else caller.way,
            what=rule.what,
            about=_about(scope),
            address=(scope.get("client") or ("",))[0][:64],
            status=status,
        )
        return deed if rule.always or not self._audit.is_recent(_look_of(deed, scope)) else None

    def _record(self, deed: Deed, scope: Scope) -> None:
        rule = rule_of(scope.get("method", "WS"), scope["route"].path)
        if rule.always:
            self._audit.record(self._with_people(deed, scope))
        else:
            self._audit.record_look(self._with_people(deed, scope))
            self._audit.remember(_look_of(deed, scope))

    def _with_people(self, deed: Deed, scope: Scope) -> Deed:
        """Return a deed with the numbers of the people it was about."""
        numbers = _numbers(scope)
        if (tracklet_id := scope.get("path_params", {}).get("tracklet_id")) is not None:
            owners = (row.identity_id for row in self._store.tracklets([tracklet_id]))
            numbers += [owner for owner in owners if owner is not None]
        return replace(deed, identities=tuple(dict.fromkeys(numbers)))


class DeedOut(BaseModel):
    """One entry: who, in which `way` they were recognised, what they did, about whom, from where, with what status.

    `identities` are numbers of people as they were then; `about` names another thing: a camera, a user, a word.
    """

    id: int
    time: str
    who: str
    way: str
    what: str
    identities: list[int]
    about: str
    address: str
    status: int


class AuditOut(BaseModel):
    """A page of the audit log, newest first; `next` is the `before` of the next page, null on the last."""

    entries: list[DeedOut]
    next: int | None


def audit_router(store: Store) -> APIRouter:
    """Return the route that shows the audit log."""
    router = new_router(prefix="/v1/audit", tags=["audit"])

    @router.get("")
    def show_audit(
        who: Annotated[str, Query(max_length=200)] = "",
        identity: Number | None = None,
        what: Annotated[str, Query(max_length=200)] = "",
        since: Annotated[QueryTime | None, Query(alias="from")] = None,
        until: Annotated[QueryTime | None, Query(alias="to")] = None,
        before: Annotated[int, Query(ge=0, le=2**53)] = 2**53,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> AuditOut:
        """List who looked at or changed what, the newest first; `identity` includes the numbers merged into it."""
        query = AuditQuery(who, numbers_of(store, identity), what, since, until, before, limit)
        found = entries_of(store.accounts, query)
        return AuditOut(entries=[deed_out(one) for one in found], next=found[-1].seq if len(found) == limit else None)

    return router


def numbers_of(store: Store, number: int | None) -> tuple[int, ...]:
    """Return all numbers that a person had; of one who is not known, the given one."""
    if number is None:
        return ()
    known = store.identity(number)
    return (number,) if known is None else (number, known.number, *known.previous_ids)


def deed_out(entry: Audited) -> DeedOut:
    """Return an entry in the API's form."""
    deed = entry.deed
    return DeedOut(
        id=entry.seq,
        time=iso(deed.time_ns),
        who=deed.who,
        way=deed.way,
        what=deed.what,
        identities=list(deed.identities),
        about=deed.about,
        address=deed.address,
        status=deed.status,
    )


def _counts(rule: Rule, status: int, caller: Caller | None) -> bool:
    """Return whether a request is recorded: what was done, what a role was refused, and failed attempts to sign in."""
    if caller is None:
        return status == 401 and rule.role is None
    return status < 400 or status in {NOT_ALLOWED, 409}


def _about(scope: Scope) -> str:
    """Return what a request is about, without what a log must not contain."""
    said = scope.get("state", {}).get("about", "")
    given = scope.get("path_params", {})
    named = said or next((str(given[key]) for key in ABOUT if key in given), "")
    cameras = QueryParams(scope.get("query_string", b"")).get("cameras", "") if scope["type"] == "websocket" else ""
    return UNSENDABLE.sub("�", named or cameras)[:200]


def _look_of(deed: Deed, scope: Scope) -> Deed:
    """Return what makes a look a repeated one: the request tells it, without a look into the store."""
    tracklet_id = scope.get("path_params", {}).get("tracklet_id")
    return replace(deed, about=deed.about if tracklet_id is None else tracklet_id, identities=tuple(_numbers(scope)))


def _numbers(scope: Scope) -> list[int]:
    """Return the numbers of people that a request names."""
    given: Any = scope.get("path_params", {})
    texts = (given.get("number"), QueryParams(scope.get("query_string", b"")).get("identity"))
    named = (int(text) for text in map(str, texts) if text.isascii() and text.isdigit())
    return list(dict.fromkeys([*scope.get("state", {}).get("people", ()), *named]))


async def _refuse(scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
    """Answer that nothing is shown or confirmed without a record of it."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1013, "reason": str(error)[:120]})
        return
    await problem(503, f"not recorded in the audit log: {error}", {"Retry-After": "1"})(scope, receive, send)
