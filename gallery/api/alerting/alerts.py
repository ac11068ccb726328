"""`/v1/alert-rules` and `/v1/alerts`: what people want to be told, and what they were told."""

import threading
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException, Query, Response, status

from gallery.api.alerting.alert_schemas import AlertOut, AlertsOut, RuleIn, RuleOut, RulesOut, alert_out, rule_out
from gallery.api.alerting.outputs import outputs_router
from gallery.api.alerting.versions import check_version
from gallery.api.alerting.zone_history import zone_history_router
from gallery.api.alerting.zones import zones_router
from gallery.api.encoding import new_router
from gallery.api.moment import QueryTime
from gallery.api.schemas import MAX_NUMBER, CameraOut, Name, ProblemOut
from gallery.outputs.posts import whom
from gallery.store.alerting import AlertQuery, AlertStore
from gallery.store.store import Store
from gallery.zones.alert import Alert, alert_id_of, deliveries_of
from gallery.zones.output import MQTT
from gallery.zones.rule import MAX_RULES, Rule, check_new_rule

MISSING: dict[int | str, dict[str, Any]] = {404: {"model": ProblemOut, "description": "There is no such rule"}}
TOO_MANY: dict[int | str, dict[str, Any]] = {
    409: {"model": ProblemOut, "description": "There are too many rules, or somebody else has changed this one"}
}
AFTER = r"^[0-9]{1,16}-[0-9a-f]{24}$"
After = Annotated[str, Query(pattern=AFTER)]


def alerting_routers(
    store: Store, cameras: Callable[[str], Sequence[CameraOut]], webhook_hosts: Collection[str]
) -> list[APIRouter]:
    """Return all routes about zones, rules, outputs and alerts; `cameras` returns the cameras of a site.

    `webhook_hosts` is what the settings of alerts say.
    """

    def camera_ids() -> list[str]:
        return [camera.camera_id for camera in cameras(store.site_id)]

    kept = store.alerting
    return [
        zone_history_router(store),  # before the zones, of which one could have its name
        zones_router(store, camera_ids),
        rules_router(store, camera_ids),
        outputs_router(kept, webhook_hosts),
        alerts_router(store),
    ]


def rules_router(store: Store, camera_ids: Callable[[], Collection[str]]) -> APIRouter:
    """Return the routes for alert rules; `camera_ids` returns the names of the site's cameras."""
    router = new_router(prefix="/v1/alert-rules", tags=["alerts"])
    alerts, changing = store.alerting, threading.Lock()

    @router.get("")
    def list_rules() -> RulesOut:
        """List the rules."""
        return RulesOut(rules=[rule_out(rule) for rule in alerts.rules()])

    @router.post("", status_code=status.HTTP_201_CREATED, responses=TOO_MANY)
    def add_rule(rule: RuleIn) -> RuleOut:
        """Add a rule about what happens from now on: whoever is there already may stay or leave, but does not enter."""
        return _save(store, uuid.uuid4().hex[:16], rule, camera_ids())

    @router.get("/{rule_id}", responses=MISSING)
    def show_rule(rule_id: Name) -> RuleOut:
        """Return a rule."""
        return rule_out(_known(alerts, rule_id))

    @router.put("/{rule_id}", responses=TOO_MANY)
    def set_rule(rule_id: Name, rule: RuleIn) -> RuleOut:
        """Add a rule, or change the one with this id; what happened before is not told, and nothing is told twice."""
        with changing:
            return _save(store, rule_id, rule, camera_ids())

    @router.delete("/{rule_id}", status_code=status.HTTP_204_NO_CONTENT, responses=MISSING)
    def delete_rule(rule_id: Name) -> Response:
        """Delete a rule; its alerts are kept."""
        alerts.delete_rule(_known(alerts, rule_id).rule_id)
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    @router.post("/{rule_id}/try", status_code=status.HTTP_201_CREATED, responses=MISSING)
    def try_rule(rule_id: Name) -> AlertOut:
        """Raise an alert that is marked as a test, and send it to the rule's outputs, whatever the hour."""
        rule = _known(alerts, rule_id)
        made = _test_of(rule, alerts.site_id)
        alerts.record([made], {}, deliveries_of(rule, [made]))
        return alert_out(made, 0, "")

    return router


def alerts_router(store: Store) -> APIRouter:
    """Return the route for alerts."""
    router = new_router(prefix="/v1", tags=["alerts"])

    @router.get("/alerts")
    def list_alerts(
        rule: Name | None = None,
        identity: Annotated[int | None, Query(ge=1, le=MAX_NUMBER)] = None,
        camera: Name | None = None,
        since: Annotated[QueryTime | None, Query(alias="from")] = None,
        until: Annotated[QueryTime | None, Query(alias="to")] = None,
        after: After | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> AlertsOut:
        """List alerts in pages, the last raised first."""
        place, _, alert_id = (after or "").partition("-")
        cursor = (int(place), alert_id) if after else None
        numbers = None if identity is None else numbers_of(store, identity)
        page = store.alerting.alerts(AlertQuery(rule, numbers, camera, since, until, cursor, limit))
        following = None if page.next is None else "-".join(map(str, page.next))
        return AlertsOut(alerts=[alert_out(alert, *whom(store, alert)) for alert in page.alerts], next=following)

    return router


def numbers_of(store: Store, number: int) -> tuple[int, ...]:
    """Return all numbers that a person has had."""
    identity = store.identity(number)
    return (number,) if identity is None else (identity.number, *identity.previous_ids)


def _known(alerts: AlertStore, rule_id: str) -> Rule:
    for rule in alerts.rules():
        if rule.rule_id == rule_id:
            return rule
    raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no rule {rule_id!r}")


def _save(store: Store, rule_id: str, given: RuleIn, camera_ids: Collection[str]) -> RuleOut:
    """Store a rule.

    Raises:
        HTTPException: 422, something in it does not exist, or does not fit; 409, there are too many, or somebody else
            has changed it.
    """
    alerts = store.alerting
    known = {rule.rule_id: rule for rule in alerts.rules()}
    before = known.get(rule_id)
    if before is None and len(known) >= MAX_RULES:
        raise HTTPException(status.HTTP_409_CONFLICT, f"a site has at most {MAX_RULES} rules; delete one first")
    try:
        rule = msgspec.convert({**given.model_dump(exclude={"version"}), "rule_id": rule_id}, Rule)
        outputs = [MQTT, *(output.output_id for output in alerts.outputs())]
        check_new_rule(rule, alerts.zones(), camera_ids, outputs)
    except ValueError as error:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from error
    check_version(given.version, before, given.name)
    kept = before.since if before is not None and before.asks_as(rule) else _analysed_until(store, rule)
    rule = msgspec.structs.replace(rule, since=kept)
    alerts.save_rule(rule)
    return rule_out(rule)


def _analysed_until(store: Store, rule: Rule) -> dict[str, int]:
    zones = store.alerting.zones()
    return {
        camera: stored.progress.time_ns
        for camera, stored in store.progress().items()
        if rule.concerns(camera, zones) and stored.progress.time_ns > 0
    }


def _test_of(rule: Rule, site_id: str) -> Alert:
    now_ns = time.time_ns()
    return Alert(
        alert_id=alert_id_of("test", uuid.uuid4().hex),
        rule_id=rule.rule_id,
        rule_name=rule.name,
        when=rule.when,
        site_id=site_id,
        time_ns=now_ns,
        raised_ns=now_ns,
        reason=f"the rule {rule.name!r} was tried",
        test=True,
    )
