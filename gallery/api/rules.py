"""What each route needs: the role, and what the audit log says of it. A route that is not listed needs an admin."""

from collections.abc import Mapping
from dataclasses import dataclass

from gallery.store.accounts import Role


@dataclass(frozen=True, slots=True)
class Rule:
    """What one route needs.

    Attributes:
        role: Least role; None: nobody needs to be signed in.
        what: What the audit log says that somebody did; empty: it says nothing.
        always: Every time is recorded; else, a look that is repeated within five minutes is recorded once.
    """

    role: Role | None
    what: str = ""
    always: bool = False


def _look(what: str = "") -> Rule:
    return Rule("viewer", what)


def _says(what: str) -> Rule:
    return Rule("operator", what, always=True)


def _rules(what: str) -> Rule:
    return Rule("admin", what, always=True)


UNLISTED = Rule("admin", "used an unlisted route", always=True)
RULES: Mapping[tuple[str, str], Rule] = {
    ("GET", "/healthz"): Rule(None),
    ("GET", "/readyz"): Rule(None),
    ("GET", "/v1/session"): Rule(None),
    ("POST", "/v1/session"): Rule(None, "signed in", always=True),
    ("DELETE", "/v1/session"): Rule(None, "signed out", always=True),
    ("GET", "/v1/session/oidc"): Rule(None),
    ("GET", "/v1/session/oidc/callback"): Rule(None, "signed in", always=True),
    ("POST", "/v1/session/password"): Rule("viewer", "changed own password", always=True),
    ("GET", "/v1/stats"): _look(),
    ("GET", "/v1/cameras"): _look(),
    ("GET", "/v1/cameras/{camera_id}/picture"): _look("saw the picture of a camera"),
    ("GET", "/v1/cameras/{camera_id}/recordings"): _look("listed recordings"),
    ("GET", "/v1/cameras/{camera_id}/clip"): _look("saw a recording"),
    ("GET", "/v1/identities/{number}/recordings"): _look("listed a person's recordings"),
    ("WS", "/v1/live"): _look("watched live"),
    ("GET", "/v1/events"): _look("followed events"),
    ("WS", "/v1/events/ws"): _look("followed events"),
    ("GET", "/v1/identities"): _look("listed people"),
    ("GET", "/v1/identities/{number}/export"): _says("exported a person"),
    ("GET", "/v1/identities/{number}"): _look("looked at a person"),
    ("GET", "/v1/tracks"): _look("listed tracks"),
    ("GET", "/v1/tracks/{tracklet_id}/crop"): _look("saw a crop"),
    ("GET", "/v1/tracks/{tracklet_id}/why"): _look("asked why"),
    ("GET", "/v1/tracks/{tracklet_id}/lookalikes"): _look("searched by a track"),
    ("POST", "/v1/search"): Rule("viewer", "searched by a picture", always=True),
    ("GET", "/v1/review"): _look("reviewed"),
    ("GET", "/v1/visits"): _look("listed visits"),
    ("GET", "/v1/cameras/{camera_id}/mot"): _look("exported the tracks of a camera"),
    ("GET", "/v1/statistics"): _look(),
    ("GET", "/v1/words"): _look("read what people said"),
    ("GET", "/v1/words/{word_id}"): _look("read what people said"),
    ("POST", "/v1/identities/{number}/name"): _says("named a person"),
    ("POST", "/v1/identities/{number}/tags"): _says("tagged a person"),
    ("POST", "/v1/identities/{number}/hide"): _says("hid or showed a person"),
    ("POST", "/v1/identities/{number}/merge"): _says("merged people"),
    ("POST", "/v1/identities/{number}/split"): _says("split a person"),
    ("POST", "/v1/identities/{number}/different"): _says("told people apart"),
    ("POST", "/v1/tracks/{tracklet_id}/move"): _says("moved a track"),
    ("POST", "/v1/tracks/{tracklet_id}/confirm"): _says("confirmed a track"),
    ("POST", "/v1/words/{word_id}/undo"): _says("undid a word"),
    ("POST", "/v1/cameras/{camera_id}/pause"): _says("paused a camera"),
    ("POST", "/v1/cameras/{camera_id}/resume"): _says("resumed a camera"),
    ("DELETE", "/v1/identities/{number}"): _rules("erased a person"),
    ("POST", "/v1/cameras"): _rules("set a camera"),
    ("POST", "/v1/cameras/discover"): _rules("looked for cameras on the network"),
    ("POST", "/v1/cameras/test"): _rules("tested the address of a camera"),
    ("DELETE", "/v1/cameras/{camera_id}"): _rules("removed a camera"),
    ("GET", "/v1/zones"): _look(),
    ("GET", "/v1/zones/occupancy"): _look(),
    ("GET", "/v1/zones/history"): _look(),
    ("GET", "/v1/zones/{zone_id}"): _look(),
    ("PUT", "/v1/zones/{zone_id}"): _says("set a zone"),
    ("DELETE", "/v1/zones/{zone_id}"): _says("deleted a zone"),
    ("GET", "/v1/alerts"): _look("read alerts"),
    ("GET", "/v1/alerts/stream"): _look("followed alerts"),
    ("GET", "/v1/alert-rules"): _look(),
    ("GET", "/v1/alert-rules/{rule_id}"): _look(),
    ("POST", "/v1/alert-rules"): _says("added an alert rule"),
    ("PUT", "/v1/alert-rules/{rule_id}"): _says("changed an alert rule"),
    ("DELETE", "/v1/alert-rules/{rule_id}"): _says("deleted an alert rule"),
    ("POST", "/v1/alert-rules/{rule_id}/try"): _says("tried an alert rule"),
    ("GET", "/v1/alert-outputs"): _look(),
    ("GET", "/v1/alert-outputs/deliveries"): _look(),
    ("PUT", "/v1/alert-outputs/{output_id}"): _rules("set an output of alerts"),
    ("DELETE", "/v1/alert-outputs/{output_id}"): _rules("deleted an output of alerts"),
    ("POST", "/v1/alert-outputs/{output_id}/retry"): _says("sent alerts again"),
    ("GET", "/v1/users"): Rule("admin"),
    ("POST", "/v1/users"): _rules("added a user"),
    ("DELETE", "/v1/users/{name}"): _rules("removed a user"),
    ("POST", "/v1/users/{name}/role"): _rules("changed a role"),
    ("POST", "/v1/users/{name}/password"): _rules("set a user's password"),
    ("GET", "/v1/tokens"): _look(),
    ("POST", "/v1/tokens"): Rule("viewer", "made a token", always=True),
    ("DELETE", "/v1/tokens/{token_id}"): Rule("viewer", "revoked a token", always=True),
    ("GET", "/v1/audit"): Rule("admin", "read the audit log"),
}


def rule_of(method: str, path: str) -> Rule:
    """Return the rule of a route, given by its path with the names of its parameters."""
    return RULES.get((method, path.replace(":path}", "}")), UNLISTED)
