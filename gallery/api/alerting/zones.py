"""`/v1/zones`: areas and lines in the pictures of cameras."""

import threading
from collections.abc import Callable, Collection
from typing import Any

from fastapi import APIRouter, HTTPException, Response, status

from gallery.alerts.occupancy import occupancy_of
from gallery.api.alerting.alert_schemas import OccupancyOut, ZoneIn, ZoneOut, ZonesOut, zone_out
from gallery.api.alerting.versions import check_version
from gallery.api.encoding import new_router
from gallery.api.schemas import Name, ProblemOut
from gallery.store.alerting import AlertStore
from gallery.store.store import Store
from gallery.zones.rule import check_kind
from gallery.zones.zone import Zone, check_new_zone

MISSING: dict[int | str, dict[str, Any]] = {404: {"model": ProblemOut, "description": "There is no such zone"}}
IN_USE: dict[int | str, dict[str, Any]] = {409: {"model": ProblemOut, "description": "Alert rules are about it"}}
TAKEN: dict[int | str, dict[str, Any]] = {
    409: {"model": ProblemOut, "description": "The name is taken, or somebody else has changed it"}
}


def zones_router(store: Store, camera_ids: Callable[[], Collection[str]]) -> APIRouter:
    """Return the routes for zones; `camera_ids` returns the names of the site's cameras."""
    router, alerts = new_router(prefix="/v1/zones", tags=["alerts"]), store.alerting
    changing = threading.Lock()

    @router.get("")
    def list_zones(camera: Name | None = None) -> ZonesOut:
        """List the areas and lines of all cameras, or of one."""
        return ZonesOut(zones=[zone_out(zone) for zone in alerts.zones() if camera in {None, zone.camera_id}])

    @router.get("/occupancy")
    def show_occupancy() -> OccupancyOut:
        """Return who is here now, by number: at all, and in each area."""
        found = occupancy_of(store)
        within = {zone_id: sorted(people) for zone_id, people in sorted(found.zones.items())}
        return OccupancyOut(people=sorted(found.people), zones=within)

    @router.get("/{zone_id}", responses=MISSING)
    def show_zone(zone_id: Name) -> ZoneOut:
        """Return an area or line."""
        return zone_out(_known(alerts, zone_id))

    @router.put("/{zone_id}", responses=TAKEN)
    def set_zone(zone_id: Name, zone: ZoneIn) -> ZoneOut:
        """Add an area or line, or change the one with this id; rules apply to it from the next decision on."""
        made = _made(alerts, zone_id, zone, camera_ids())
        with changing:
            known = alerts.zones()
            check_version(zone.version, next((one for one in known if one.zone_id == zone_id), None), zone.name)
            try:
                check_new_zone(made, known)
            except ValueError as error:
                raise HTTPException(status.HTTP_409_CONFLICT, str(error)) from error
            alerts.save_zone(made)
        return zone_out(made)

    @router.delete("/{zone_id}", status_code=status.HTTP_204_NO_CONTENT, responses=MISSING | IN_USE)
    def delete_zone(zone_id: Name) -> Response:
        """Delete an area or line that no rule is about."""
        zone = _known(alerts, zone_id)
        if names := [rule.name for rule in alerts.rules() if zone_id in rule.zones]:
            detail = f"the rule {names[0]!r} is about {zone.name!r}; change or delete the rule first"
            raise HTTPException(status.HTTP_409_CONFLICT, detail)
        alerts.delete_zone(zone_id)
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    return router


def _made(alerts: AlertStore, zone_id: str, given: ZoneIn, camera_ids: Collection[str]) -> Zone:
    """Return the zone of a request.

    Raises:
        HTTPException: It is no area or line of a camera of this site, or rules need it to be the other of these.
    """
    points = tuple((x, y) for x, y in given.points)
    try:
        made = Zone(zone_id=zone_id, **{**given.model_dump(exclude={"version"}), "points": points})
        check_kind(made, alerts.zones(), alerts.rules())
    except ValueError as error:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(error)) from error
    if made.camera_id not in camera_ids:
        detail = f"camera_id: there is no camera {made.camera_id!r} in this site"
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, detail)
    return made


def _known(alerts: AlertStore, zone_id: str) -> Zone:
    for zone in alerts.zones():
        if zone.zone_id == zone_id:
            return zone
    raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no zone {zone_id!r}")
