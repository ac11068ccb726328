"""`/v1/alert-outputs`: the webhooks to which alerts are sent, and how far that got."""

import time
from collections.abc import Collection
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException, Query, Response, status

from gallery.api.alerting.alert_schemas import (
    DeliveriesOut,
    OutputIn,
    OutputOut,
    OutputsOut,
    delivery_out,
    output_out,
)
from gallery.api.encoding import new_router
from gallery.api.schemas import Name, ProblemOut
from gallery.outputs.errors import NotSent
from gallery.outputs.reach import check_webhook
from gallery.store.alerting import AlertStore
from gallery.zones.alert import Delivery
from gallery.zones.output import MAX_OUTPUTS, Output

MISSING: dict[int | str, dict[str, Any]] = {404: {"model": ProblemOut, "description": "There is no such output"}}
REFUSED: dict[int | str, dict[str, Any]] = {409: {"model": ProblemOut, "description": "Rules use it, or too many are"}}


def outputs_router(alerts: AlertStore, webhook_hosts: Collection[str]) -> APIRouter:
    """Return the routes for outputs; `webhook_hosts` as in the settings of alerts."""
    router = new_router(prefix="/v1/alert-outputs", tags=["alerts"])

    @router.get("")
    def list_outputs() -> OutputsOut:
        """List the outputs, without their secrets."""
        deliveries = alerts.deliveries()
        return OutputsOut(outputs=[output_out(output, deliveries) for output in alerts.outputs()])

    @router.put("/{output_id}", responses=REFUSED)
    def set_output(output_id: Name, output: OutputIn) -> OutputOut:
        """Add a webhook, or change the one with this id; address and secret are kept unless new ones are given."""
        made = _made(alerts, output_id, output, webhook_hosts)
        alerts.save_output(made)
        return output_out(made, alerts.deliveries())

    @router.delete("/{output_id}", status_code=status.HTTP_204_NO_CONTENT, responses=MISSING | REFUSED)
    def delete_output(output_id: Name) -> Response:
        """Delete an output that no rule uses; what waits to be sent to it is given up."""
        if names := [rule.name for rule in alerts.rules() if output_id in rule.outputs]:
            detail = f"the rule {names[0]!r} sends to it; change or delete the rule first"
            raise HTTPException(status.HTTP_409_CONFLICT, detail)
        if not alerts.delete_output(output_id):
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no output {output_id!r}")
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    @router.get("/deliveries")
    def list_deliveries(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> DeliveriesOut:
        """List what waits to be sent, and what was given up and why."""
        return DeliveriesOut(deliveries=[delivery_out(delivery) for delivery in alerts.deliveries()[:limit]])

    @router.post("/{output_id}/retry", responses=MISSING)
    def retry(output_id: Name) -> DeliveriesOut:
        """Send again at once what was given up, such as after the receiver was repaired."""
        if output_id not in {output.output_id for output in alerts.outputs()}:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no output {output_id!r}")
        again = _revived(alerts.deliveries(), output_id)
        for delivery in again:
            alerts.settle(delivery)
        return DeliveriesOut(deliveries=[delivery_out(delivery) for delivery in again])

    return router


def _made(alerts: AlertStore, output_id: str, given: OutputIn, webhook_hosts: Collection[str]) -> Output:
    """Return the output of a request; the address that it had is not checked again.

    Raises:
        HTTPException: 422, it cannot be used; 409, there are too many.
    """
    known = {one.output_id: one for one in alerts.outputs()}
    if output_id not in known and len(known) >= MAX_OUTPUTS:
        raise HTTPException(status.HTTP_409_CONFLICT, f"a site has at most {MAX_OUTPUTS} outputs; delete one first")
    before = known.get(output_id)
    secret = given.secret.get_secret_value() if given.secret else (before.secret if before else "")
    url = given.url or (before.url if before else "")
    fields = given.model_dump(exclude={"secret", "url"}) | {"output_id": output_id, "url": url, "secret": secret}
    try:
        made = msgspec.convert(fields, Output)
        if given.url:
            check_webhook(made.url, webhook_hosts)
    except ValueError as error:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from None
    except NotSent as error:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, f"url: {error}") from None
    return made


def _revived(deliveries: list[Delivery], output_id: str) -> list[Delivery]:
    dead = [one for one in deliveries if one.output_id == output_id and one.state == "dead"]
    return [msgspec.structs.replace(one, state="waiting", tries=0, due_ns=time.time_ns()) for one in dead]
