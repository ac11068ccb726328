"""Any request to any route in the API's schema gets a response in strict JSON."""

import json
import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.store.memory import MemoryStore
from wire.memory import MemoryBus

ODD = st.one_of(
    st.sampled_from(
        [
            "nan", "-inf", "1e300", "-0", "true", "null", "[]", "", " ", "0x10", "1_0", "9" * 400, "9" * 5000, "-1",
            "9007199254740993", "18446744073709551616", "..", "../../etc/passwd", "%00", "\x00", "\n", "\u0661",
            "a" * 3000,
            "2026-11-26T12:00:00 02:00", "'; DROP TABLE", "{{7*7}}", "door", "site", "1", "10",
        ]
    ),
    st.text(max_size=20),
    st.integers().map(str),
    st.floats().map(str),
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\ud800") | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | ODD, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    bus = MemoryBus()
    app = create_app(MemoryStore("site"), bus, ApiSettings(token=SecretStr("fuzz")))
    with TestClient(app, raise_server_exceptions=False, headers={"Authorization": "Bearer fuzz"}) as client:
        yield client
    bus.close()


def operations() -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Return method, path, description of an operation, and the fields of its body, of every route."""
    described = create_app(MemoryStore("site"), MemoryBus(), ApiSettings()).openapi()
    found = []
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
            fields = described["components"]["schemas"].get(reference.rpartition("/")[2], {}).get("properties", {})
            found.append((method, path, operation, fields))
    return found


ROUTES = [one for one in operations() if not one[1].endswith(("/events", "/stream"))]  # streams have their own tests


@st.composite
def requests(draw: Any, path: str, operation: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Return a path, a query and a body with odd values in the places that a route has."""
    query = {}
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", quote(draw(ODD), safe="", errors="replace"))
        elif draw(st.booleans()):
            query[parameter["name"]] = draw(ODD)
    if draw(st.integers(0, 9)) == 0:
        query[draw(st.text(max_size=5))] = draw(ODD)
    body = json.dumps(draw(JSON))
    if fields and draw(st.integers(0, 3)):
        likely = {"camera_id": "door", "url": "0"} if draw(st.booleans()) else {}
        odd = draw(st.dictionaries(st.sampled_from(sorted(fields)), JSON, max_size=3))
        body = json.dumps(likely | odd)
    if draw(st.integers(0, 19)) == 0:
        body = draw(
            st.sampled_from(["", "{", '{"a": 1', "[" * 20_000, "\xff\xfe", '{"analysed_fps": ' + "9" * 5000 + "}"])
        )
    return {"url": path, "params": query, "content": body.encode("utf-8", "surrogatepass")}


def none_of(constant: str) -> float:
    raise AssertionError(f"{constant} is not JSON")


@pytest.mark.parametrize(
    ("method", "path", "operation", "fields"), ROUTES, ids=lambda one: one if isinstance(one, str) else ""
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_request_causes_a_server_error(
    client: TestClient, method: str, path: str, operation: dict[str, Any], fields: dict[str, Any], data: st.DataObject
) -> None:
    request = data.draw(requests(path, operation, fields))
    if method == "get":
        request.pop("content")
    else:
        request["headers"] = {"Content-Type": "application/json"}

    answer = client.request(method, **request)

    assert answer.status_code < 500, answer.text
    if answer.content and "json" in answer.headers["content-type"]:
        content = json.loads(answer.text, parse_constant=none_of)
        if answer.status_code >= 400:
            assert set(content) == {"type", "title", "status", "detail"}
            assert isinstance(content["detail"], str)
            assert len(content["detail"]) < 8_000


def test_every_route_is_tried() -> None:
    assert {path for _, path, _, _ in ROUTES} == {
        "/healthz",
        "/readyz",
        "/v1/alert-outputs",
        "/v1/alert-outputs/deliveries",
        "/v1/alert-outputs/{output_id}",
        "/v1/alert-outputs/{output_id}/retry",
        "/v1/alert-rules",
        "/v1/alert-rules/{rule_id}",
        "/v1/alert-rules/{rule_id}/try",
        "/v1/alerts",
        "/v1/audit",
        "/v1/cameras",
        "/v1/cameras/discover",
        "/v1/cameras/test",
        "/v1/cameras/{camera_id}",
        "/v1/cameras/{camera_id}/clip",
        "/v1/cameras/{camera_id}/mot",
        "/v1/cameras/{camera_id}/pause",
        "/v1/cameras/{camera_id}/picture",
        "/v1/cameras/{camera_id}/recordings",
        "/v1/cameras/{camera_id}/resume",
        "/v1/identities",
        "/v1/identities/{number}",
        "/v1/identities/{number}/different",
        "/v1/identities/{number}/export",
        "/v1/identities/{number}/hide",
        "/v1/identities/{number}/merge",
        "/v1/identities/{number}/name",
        "/v1/identities/{number}/recordings",
        "/v1/identities/{number}/split",
        "/v1/identities/{number}/tags",
        "/v1/review",
        "/v1/search",
        "/v1/session",
        "/v1/session/oidc",
        "/v1/session/oidc/callback",
        "/v1/session/password",
        "/v1/statistics",
        "/v1/stats",
        "/v1/tokens",
        "/v1/tokens/{token_id}",
        "/v1/tracks",
        "/v1/tracks/{tracklet_id}/confirm",
        "/v1/tracks/{tracklet_id}/crop",
        "/v1/tracks/{tracklet_id}/lookalikes",
        "/v1/tracks/{tracklet_id}/move",
        "/v1/tracks/{tracklet_id}/why",
        "/v1/users",
        "/v1/users/{name}",
        "/v1/users/{name}/password",
        "/v1/users/{name}/role",
        "/v1/visits",
        "/v1/words",
        "/v1/words/{word_id}",
        "/v1/words/{word_id}/undo",
        "/v1/zones",
        "/v1/zones/history",
        "/v1/zones/occupancy",
        "/v1/zones/{zone_id}",
    }
    assert math.isnan(json.loads("NaN")), "Python's reader would take what JSON does not know"
