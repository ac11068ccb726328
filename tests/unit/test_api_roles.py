"""Every route of the API for every role: who may, who may not, and that nothing is open by accident."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from docs.tables import roles_table, section
from gallery.access.tokens import make_token
from gallery.api.app import create_app
from gallery.api.rules import RULES, rule_of
from gallery.config import ApiSettings
from gallery.store.accounts import Role
from gallery.store.memory import MemoryStore
from wire.memory import MemoryBus

STRANGER = "stranger"
STREAMS = ("/v1/events", "/v1/alerts/stream")  # which never end
SOCKETS = {("WS", "/v1/live"), ("WS", "/v1/events/ws")}
CALLERS = (STRANGER, "viewer", "operator", "admin")
FILLED = {"{number}": "77", "{tracklet_id}": "a/s/1/0", "{camera_id}": "a b", "{word_id}": "none"}
FILLED |= {"{name}": "nobody", "{token_id}": "none", "{zone_id}": "z", "{rule_id}": "r", "{output_id}": "o"}


def described() -> list[tuple[str, str]]:
    """Return method and path of every operation in the OpenAPI document."""
    paths = create_app(MemoryStore("site"), MemoryBus(), ApiSettings()).openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


OPERATIONS = described()


@pytest.fixture(scope="module")
def ask() -> Iterator[Callable[..., Any]]:
    """Return a function that sends a request of a caller."""
    store, bus = MemoryStore("site"), MemoryBus()
    app = create_app(store, bus, ApiSettings(host="0.0.0.0"))
    roles: tuple[Role, ...] = ("viewer", "operator", "admin")
    tokens: dict[str, str] = {role: make_token(store.accounts, role, role, 0).text for role in roles}
    with TestClient(app) as client:

        def send(caller: str, method: str, path: str, body: object = None) -> Any:
            headers = {"Authorization": f"Bearer {tokens[caller]}"} if caller in tokens else {}
            return client.request(method, path, headers=headers, json=body)

        yield send
    bus.close()


def filled(path: str) -> str:
    """Return a path whose parameters name nothing that is there."""
    for name, value in FILLED.items():
        path = path.replace(name, value)
    return path


def expected(method: str, path: str, caller: str) -> int | None:
    """Return the status with which a caller is refused; None if they are to be let in."""
    role = rule_of(method, path).role
    if role is None or (caller != STRANGER and CALLERS.index(caller) >= CALLERS.index(role)):
        return None
    return 401 if caller == STRANGER else 403


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("method", "path"), [one for one in OPERATIONS if one[1] not in STREAMS])
def test_a_route_lets_in_whom_its_rule_names(ask: Callable[..., Any], method: str, path: str, caller: str) -> None:
    # A body that no route accepts: whoever is let in is told so, and nothing is changed.
    answer = ask(caller, method, filled(path), [] if method in {"POST", "PUT"} else None)

    refusal = expected(method, path, caller)
    assert answer.status_code == refusal if refusal else answer.status_code not in {401, 403}, answer.text


def test_the_table_of_roles_says_what_is_checked() -> None:
    page = (Path(__file__).parents[2] / "docs" / "guides" / "access.md").read_text(encoding="utf-8")

    assert section(page, "roles") == roles_table(), "make readme writes it"


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert set(OPERATIONS) | SOCKETS == set(RULES)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("path", STREAMS)
def test_streams_are_for_whoever_may_look(ask: Callable[..., Any], path: str, caller: str) -> None:
    assert ask(caller, "HEAD", path).status_code == (401 if caller == STRANGER else 200)


def test_the_document_names_the_role_and_the_ways_to_sign_in() -> None:
    document = create_app(MemoryStore("site"), MemoryBus(), ApiSettings()).openapi()

    erase = document["paths"]["/v1/identities/{number}"]["delete"]
    assert erase["x-role"] == "admin"
    assert erase["security"] == [{"HTTPBearer": []}, {"APIKeyCookie": []}]
    assert {"401", "403"} <= set(erase["responses"])
    assert "security" not in document["paths"]["/v1/session"]["get"]
    refused = erase["responses"]["403"]["content"]
    assert set(refused) == {"application/problem+json"}
