"""Schemas of zones, alert rules, outputs and alerts."""

from typing import Annotated, Any, Literal

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema

from gallery.api.alerting.versions import LENGTH, version_of
from gallery.api.said import CHARACTER, shown_text
from gallery.api.schemas import Corner, Name, Number, iso, whole
from gallery.zones.alert import Alert, Delivery, DeliveryState
from gallery.zones.hours import DAYS, Hours
from gallery.zones.output import SECRET, Output
from gallery.zones.rule import MAX_LISTED, Direction, Rule, When, Who
from gallery.zones.zone import COLOURS, MAX_NAME, Kind, Zone

_EDGE = CHARACTER.replace("^", r"^\s", 1)
TITLE_SCHEMA = {
    "type": "string",
    "maxLength": MAX_NAME,
    "pattern": f"^{_EDGE}({CHARACTER}*{_EDGE})?$",
    "title": "Name",
}
SECRET_SCHEMA = {
    "type": "string",
    "format": "password",
    "writeOnly": True,
    "pattern": rf"^([ -~]{{{SECRET[0]},{SECRET[1]}}})?$",
    "title": "Secret",
}
Title = Annotated[str, AfterValidator(shown_text), Field(max_length=MAX_NAME), WithJsonSchema(TITLE_SCHEMA)]
# As it was when it was read: a change is refused if somebody else has changed it meanwhile. Empty: whatever it is now.
Version = Annotated[str, Field(pattern=f"^([0-9a-f]{{{LENGTH}}})?$")]
Names = Annotated[list[Name], Field(max_length=MAX_LISTED)]
# Only in the document: `gallery.zones.hours` refuses the others, in better words.
Clock = Annotated[str, Field(max_length=5, json_schema_extra={"pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"})]
Person = Annotated[Number, Field(json_schema_extra={"minimum": 1})]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ZoneIn(_Body):
    """An area or a line in the picture of a camera; corners in fractions of the upright picture, from its top left.

    Going over a line from its left to its right, looking from its first point to its last, is `forward`.
    """

    name: Title
    camera_id: Name
    kind: Kind = "area"
    points: Annotated[list[Corner], Field(json_schema_extra={"minItems": 2})]
    colour: Annotated[int, Field(ge=0, lt=COLOURS), BeforeValidator(whole)] = 0
    version: Version = ""


class ZoneOut(BaseModel):
    """A zone or line."""

    zone_id: str
    name: str
    camera_id: str
    kind: Kind
    points: list[Corner]
    colour: int
    version: str


class ZonesOut(BaseModel):
    """Zones and lines, by id."""

    zones: list[ZoneOut]


class OccupancyOut(BaseModel):
    """Numbers of the people who are here now: in the site, and in each area by its id."""

    people: list[int]
    zones: dict[str, list[int]]


class HoursIn(_Body):
    """From a time of day to another; an `end` that is not after `begin` is on the next day."""

    begin: Clock
    end: Clock
    days: list[Day] = Field(default=list(DAYS), max_length=7, json_schema_extra={"minItems": 1})  # type: ignore[arg-type]
    time_zone: Annotated[str, Field(max_length=64)] = "UTC"


class RuleIn(_Body):
    """Of whom, doing what, where and when, and where alerts are sent; see `docs/alerts.md`."""

    name: Title
    when: When
    who: Who = "anyone"
    identities: Annotated[list[Person], Field(max_length=MAX_LISTED)] = []
    zones: Names = []
    cameras: Names = []
    seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    people: Annotated[int, Field(ge=0, le=10_000), BeforeValidator(whole)] = 0
    direction: Direction = "both"
    active: HoursIn | None = None
    quiet: HoursIn | None = None
    outputs: Names = []
    enabled: bool = True
    version: Version = ""


class RuleOut(RuleIn):
    """An alert rule."""

    rule_id: str


class RulesOut(BaseModel):
    """Alert rules, by id."""

    rules: list[RuleOut]


class OutputIn(_Body):
    """A webhook. Without a `secret`, the one that is known is kept; a new output needs one."""

    name: Title
    url: Annotated[str, Field(max_length=2_000, repr=False)] = ""
    secret: Annotated[SecretStr, Field(max_length=SECRET[1]), WithJsonSchema(SECRET_SCHEMA)] | None = None
    certificate: Annotated[str, Field(max_length=64)] = ""
    enabled: bool = True


class OutputOut(BaseModel):
    """A webhook, without what is secret; how many alerts wait to be sent, and how many were given up, and why."""

    output_id: str
    name: str
    url: str
    certificate: str
    enabled: bool
    waiting: int
    dead: int
    error: str


class OutputsOut(BaseModel):
    """Outputs, by id."""

    outputs: list[OutputOut]


class DeliveryOut(BaseModel):
    """An alert that waits to be sent, or was given up."""

    output_id: str
    alert_id: str
    state: DeliveryState
    tries: int
    due: str
    error: str


class DeliveriesOut(BaseModel):
    """Deliveries that wait, and those that were given up, oldest first."""

    deliveries: list[DeliveryOut]


class AlertOut(BaseModel):
    """One alert. `text` is a sentence about it; `identity` is null for a count; `time` is when it happened."""

    alert_id: str
    rule_id: str
    rule: str
    when: When
    site_id: str
    time: str
    raised: str
    identity: int | None
    name: str
    camera_id: str
    tracklet_id: str
    place: str
    text: str
    count: int
    test: bool
    silent: bool


class AlertsOut(BaseModel):
    """A page of alerts, the last raised first; `next` is the `after` of the next page, null on the last."""

    alerts: list[AlertOut]
    next: str | None


def zone_out(zone: Zone) -> ZoneOut:
    """Return a zone in the API's form."""
    points = [list(point) for point in zone.points]
    return ZoneOut(**{**msgspec.structs.asdict(zone), "points": points, "version": version_of(zone)})


def rule_out(rule: Rule) -> RuleOut:
    """Return a rule in the API's form."""
    fields: dict[str, Any] = msgspec.structs.asdict(rule)
    del fields["since"]
    lists = {name: list(value) for name, value in fields.items() if isinstance(value, tuple)}
    hours = {"active": _hours_out(rule.active), "quiet": _hours_out(rule.quiet)}
    return RuleOut(**{**fields, **lists, **hours, "version": version_of(rule)})


def output_out(output: Output, deliveries: list[Delivery]) -> OutputOut:
    """Return an output in the API's form, with the state of what is sent to it."""
    own = [delivery for delivery in deliveries if delivery.output_id == output.output_id]
    dead = [delivery for delivery in own if delivery.state == "dead"]
    troubled = [delivery for delivery in own if delivery.error]
    return OutputOut(
        output_id=output.output_id,
        name=output.name,
        url=output.safe_url,
        certificate=output.certificate,
        enabled=output.enabled,
        waiting=len(own) - len(dead),
        dead=len(dead),
        error=troubled[-1].error if troubled else "",
    )


def delivery_out(delivery: Delivery) -> DeliveryOut:
    """Return a delivery in the API's form."""
    return DeliveryOut(
        output_id=delivery.output_id,
        alert_id=delivery.alert.alert_id,
        state=delivery.state,
        tries=delivery.tries,
        due=iso(delivery.due_ns),
        error=delivery.error,
    )


def alert_out(alert: Alert, number: int, name: str) -> AlertOut:
    """Return an alert in the API's form, with the person's number and name of today; 0 for nobody."""
    return AlertOut(
        alert_id=alert.alert_id,
        rule_id=alert.rule_id,
        rule=alert.rule_name,
        when=alert.when,
        site_id=alert.site_id,
        time=iso(alert.time_ns),
        raised=iso(alert.raised_ns),
        identity=number or None,
        name=name,
        camera_id=alert.camera_id,
        tracklet_id=alert.tracklet_id,
        place=alert.place,
        text=alert.sentence(number, name),
        count=alert.count,
        test=alert.test,
        silent=alert.silent,
    )


def _hours_out(hours: Hours | None) -> HoursIn | None:
    if hours is None:
        return None
    return HoursIn(begin=hours.begin, end=hours.end, days=list(hours.days), time_zone=hours.time_zone)  # type: ignore[arg-type]
