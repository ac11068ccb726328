"""Signing in by an identity provider, which is a real one over HTTP, and what of its answers is refused."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from joserfc.jwk import OctKey
from pydantic import SecretStr, ValidationError

from gallery.access import users
from gallery.access.claims import ClaimRules, person_of
from gallery.access.errors import NotSignedIn
from gallery.access.passwords import hash_password
from gallery.api.access.auth import COOKIE
from gallery.api.access.oidc import COOKIE as PENDING
from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.store.accounts import Role
from gallery.store.memory import MemoryStore
from tests.conftest import PATIENCE_S
from tests.servers.oidc import CLIENT, SECRET, Provider, identity_provider
from wire.memory import MemoryBus

PASSWORD = "correct horse battery"
HASHED = hash_password(PASSWORD)
Response = Any  # of the test client, which has an httpx of its own
ROLES: dict[str, Role] = {"guards": "operator", "chiefs": "admin"}


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with identity_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.claims = {"preferred_username": "Anna", "groups": ["guards", "others"]}
    running.clock, running.spoil, running.asked = 0.0, lambda header, claims: None, []
    return running


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore("site")
    store.accounts.change_users(lambda known: users.added(known, "root", "admin", HASHED, 0, must_change=False))
    return store


def settings_of(issuer: str, **more: Any) -> ApiSettings:
    known: dict[str, Any] = {
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SecretStr(SECRET),
        "oidc_roles": ROLES,
    }
    return ApiSettings(**(known | more))


def client_of(store: MemoryStore, settings: ApiSettings) -> TestClient:
    return TestClient(create_app(store, MemoryBus(), settings), follow_redirects=False)


@pytest.fixture
def client(store: MemoryStore, provider: Provider) -> TestClient:
    return client_of(store, settings_of(provider.issuer))


def sent_back(client: TestClient) -> str:
    """Begin, sign in at the provider, and return the address to which it sends the browser."""
    begun = client.get("/v1/session/oidc")
    assert begun.status_code == 303, begun.text
    return httpx.get(begun.headers["location"], timeout=PATIENCE_S).headers["location"]


def sign_in(client: TestClient) -> Response:
    return client.get(sent_back(client))


def said(answer: Response) -> str:
    assert answer.headers["content-type"].startswith("text/html")
    assert COOKIE not in answer.cookies
    return str(answer.text)


def test_who_is_sent_back_by_the_provider_has_the_name_and_the_role_of_its_groups(client: TestClient) -> None:
    answer = sign_in(client)

    assert (answer.status_code, urlsplit(answer.headers["location"]).path) == (303, "/")
    assert {"HttpOnly", "SameSite=strict"} <= set(re.split("; |, ", answer.headers["set-cookie"]))
    session = client.get("/v1/session").json()
    assert (session["name"], session["role"], session["way"]) == ("anna", "operator", "oidc")
    assert client.get("/v1/review").status_code == 200
    assert client.get("/v1/users").status_code == 403, "an operator is no admin"


def test_signing_out_ends_the_session_and_says_where_to_sign_out_too(client: TestClient, provider: Provider) -> None:
    sign_in(client)
    session = client.get("/v1/session").json()
    cookie = client.cookies[COOKIE]

    client.delete("/v1/session")
    client.cookies.set(COOKIE, cookie)

    assert client.get("/v1/review").status_code == 401
    assert session["sign_out"].startswith(f"{provider.issuer}/logout?client_id={CLIENT}&post_logout_redirect_uri=http")


def test_a_sign_in_is_in_the_audit_log_with_its_way_and_so_is_one_that_was_refused(
    client: TestClient, store: MemoryStore, provider: Provider
) -> None:
    sign_in(client)
    provider.claims["groups"] = []
    client.cookies.clear()
    sign_in(client)

    deeds = [entry.deed for entry in store.accounts.audit(2**53, 10)]
    assert [(deed.who, deed.way, deed.status) for deed in deeds] == [("", "", 401), ("anna", "oidc", 303)]


def test_an_answer_is_taken_once_and_only_in_the_browser_that_began(client: TestClient, store: MemoryStore) -> None:
    address = sent_back(client)
    pending = client.cookies[PENDING]
    other = client_of(store, settings_of("https://elsewhere.example"))
    assert "not begun in this browser" in said(other.get(address))

    assert client.get(address).status_code == 303
    assert "not begun in this browser" in said(client.get(address)), "the cookie is gone"
    client.cookies.set(PENDING, pending, path="/v1/session/oidc")
    assert "invalid_grant" in said(client.get(address)), "the code was used"


def test_a_state_of_another_sign_in_is_refused(client: TestClient) -> None:
    address = sent_back(client)
    state = parse_qs(urlsplit(address).query)["state"][0]

    answer = client.get(address.replace(state, "x" * len(state)))

    assert answer.status_code == 401


def expired(_: dict[str, Any], claims: dict[str, Any]) -> None:
    claims |= {"iat": claims["iat"] - 1000, "exp": claims["exp"] - 1000}


def by_secret(header: dict[str, Any], _: dict[str, Any]) -> OctKey:
    header["alg"] = "HS256"
    return OctKey.import_key("a secret that is long enough for HS256")


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda _, claims: claims.update(nonce="another"), id="the nonce of another sign-in"),
        pytest.param(lambda _, claims: claims.update(aud="another"), id="for another program"),
        pytest.param(lambda _, claims: claims.update(aud=[CLIENT, "x"], azp="x"), id="for two, asked by the other"),
        pytest.param(lambda _, claims: claims.update(iss="https://evil.example"), id="of another provider"),
        pytest.param(lambda _, claims: claims.update(iat=claims["iat"] + 1000), id="from the future"),
        pytest.param(lambda _, claims: claims.pop("exp") and None, id="without an end"),
        pytest.param(expired, id="over"),
        pytest.param(by_secret, id="signed with a shared secret"),
    ],
)
def test_a_token_that_does_not_hold_is_refused(client: TestClient, provider: Provider, spoil: Any) -> None:
    provider.spoil = spoil

    answer = sign_in(client)

    assert (answer.status_code, "was refused" in said(answer)) == (401, True)
    assert client.get("/v1/review").status_code == 401


def test_a_token_signed_with_a_key_that_the_provider_does_not_list_is_refused(
    client: TestClient, provider: Provider
) -> None:
    provider.spoil = lambda _header, _claims: provider.other

    assert sign_in(client).status_code == 401


def test_keys_that_rotate_are_read_again(
    client: TestClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(client)
    provider.rotate()
    assert sign_in(client).status_code == 401, "keys are not read for every token"

    monkeypatch.setattr("gallery.access.oidc.KEYS_S", 0.0)

    assert sign_in(client).status_code == 303
    assert provider.asked.count("/keys") == 2
    assert provider.asked.count("/.well-known/openid-configuration") == 1


@pytest.mark.parametrize("ahead_s", [-100.0, 100.0])
def test_a_clock_of_the_provider_that_is_a_little_off_does_not_matter(
    client: TestClient, provider: Provider, ahead_s: float
) -> None:
    provider.clock = ahead_s
    assert sign_in(client).status_code == 303


def test_without_the_provider_the_page_says_so_and_passwords_still_work(store: MemoryStore) -> None:
    client = client_of(store, settings_of("http://127.0.0.1:9"))

    answer = client.get("/v1/session/oidc")

    assert (answer.status_code, "sign in with a password" in said(answer)) == (503, True)
    assert client.post("/v1/session", json={"user": "root", "password": PASSWORD}).status_code == 204
    assert client.get("/v1/users").status_code == 200


def test_without_a_provider_there_is_nothing_to_sign_in_at(store: MemoryStore) -> None:
    client = client_of(store, ApiSettings())

    assert client.get("/v1/session").json()["provider"] is None
    assert client.get("/v1/session/oidc").status_code == 404
    assert "api.oidc_issuer" in client.get("/v1/session/oidc/callback").json()["detail"]


def test_sessions_of_a_provider_end_when_another_one_is_set(
    client: TestClient, store: MemoryStore, provider: Provider
) -> None:
    sign_in(client)
    other = client_of(store, settings_of("https://elsewhere.example"))
    other.cookies.set(COOKIE, client.cookies[COOKIE])

    assert other.get("/v1/review").status_code == 401


def test_somebody_with_the_name_of_a_user_does_not_get_their_role(client: TestClient, provider: Provider) -> None:
    provider.claims["preferred_username"] = "root"

    sign_in(client)

    assert client.get("/v1/session").json()["role"] == "operator"


@pytest.mark.parametrize(
    ("claims", "rules", "role"),
    [
        ({"groups": ["guards", "chiefs"]}, {}, "admin"),
        ({"groups": "guards"}, {}, "operator"),
        ({"groups": []}, {"otherwise": "viewer"}, "viewer"),
        ({"realm_access": {"roles": ["guards"]}}, {"groups": "realm_access.roles"}, "operator"),
        ({"https://x.example/groups": ["guards"]}, {"groups": "https://x.example/groups"}, "operator"),
        ({"groups": ["guards", "berlin"]}, {"allowed": ("berlin",)}, "operator"),
    ],
)
def test_a_role_is_the_highest_of_the_groups(claims: dict[str, Any], rules: dict[str, Any], role: str) -> None:
    assert person_of({"preferred_username": "anna", **claims}, ClaimRules(roles=ROLES, **rules)) == ("anna", role)


@pytest.mark.parametrize(
    ("claims", "rules", "reason"),
    [
        ({"groups": ["guests"]}, {}, "no group that has a role"),
        ({}, {}, "no group that has a role"),
        ({"groups": 7}, {}, "no group that has a role"),
        ({"groups": ["guards"]}, {"allowed": ("berlin",)}, "none of the groups that are let in"),
        ({"preferred_username": "Änne", "groups": ["guards"]}, {}, "no name that can be used"),
        ({"preferred_username": 7, "groups": ["guards"]}, {}, "no name that can be used"),
        ({"email": "a@b.example", "email_verified": False}, {"user": "email"}, "has not verified"),
    ],
)
def test_who_has_no_name_or_no_group_is_not_let_in(claims: dict[str, Any], rules: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotSignedIn, match=reason):
        person_of({"preferred_username": "anna", **claims}, ClaimRules(roles=ROLES, **rules))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"oidc_issuer": "http://login.example.org"}, "expected https"),
        ({"oidc_issuer": "https://login.example.org?x=1"}, "expected https"),
        ({"oidc_issuer": "https://login.example.org", "oidc_roles": ROLES}, "needs oidc_client_id"),
        ({"oidc_issuer": "https://login.example.org", "oidc_client_id": "x"}, "nobody has a role"),
        ({"oidc_client_id": "x"}, "oidc_client_id needs oidc_issuer"),
        ({"oidc_scopes": "profile"}, "must contain openid"),
    ],
)
def test_settings_that_let_nobody_in_or_everybody_listen_are_refused(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        ApiSettings(**given)
