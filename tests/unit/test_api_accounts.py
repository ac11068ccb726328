"""Signing in and out, users and tokens over the API, and what is refused."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi.requests import HTTPConnection
from fastapi.testclient import TestClient
from pydantic import SecretStr, ValidationError
from starlette.websockets import WebSocketDisconnect

from gallery.access import users
from gallery.access.attempts import MOST, WITHIN_S, Attempts, network_of
from gallery.access.errors import NotSignedIn, TooManyTries
from gallery.access.first import first_admin, is_loopback, tell_first_admin
from gallery.access.gate import SESSION_S, Gate
from gallery.access.oidc import OidcClient
from gallery.access.passwords import hash_password, is_password
from gallery.access.tokens import digest_of, make_token
from gallery.api.access.auth import COOKIE
from gallery.api.access.users import NewTokenOut, NewUserOut
from gallery.api.app import access_to, create_app
from gallery.config import ApiSettings
from gallery.errors import StoreUnavailable
from gallery.store.accounts import Role, User
from gallery.store.memory import MemoryStore
from gallery.store.memory_accounts import MemoryAccounts
from wire.memory import MemoryBus

PASSWORD = "correct horse battery"
HASHED = hash_password(PASSWORD)


def with_user(store: MemoryStore, name: str, role: Role = "admin", *, must_change: bool = False) -> None:
    store.accounts.change_users(lambda known: users.added(known, name, role, HASHED, 0, must_change=must_change))


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore("site")
    with_user(store, "anna")
    with_user(store, "otto", "operator")
    with_user(store, "vera", "viewer")
    return store


@pytest.fixture
def bus() -> Iterator[MemoryBus]:
    bus = MemoryBus()
    yield bus
    bus.close()


@pytest.fixture
def client(store: MemoryStore, bus: MemoryBus) -> TestClient:
    return TestClient(create_app(store, bus, ApiSettings()))


def sign_in(client: TestClient, user: str, password: str = PASSWORD) -> TestClient:
    answer = client.post("/v1/session", json={"user": user, "password": password})
    assert answer.status_code == 204, answer.text
    return client


def who(client: TestClient) -> tuple[str | None, str | None]:
    shown = client.get("/v1/session").json()
    return shown["name"], shown["role"]


def test_a_user_signs_in_with_a_cookie_that_scripts_cannot_read_and_out_for_good(client: TestClient) -> None:
    assert client.get("/v1/review").status_code == 401

    answer = client.post("/v1/session", json={"user": " Anna ", "password": PASSWORD})

    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(answer.headers["set-cookie"].split("; "))
    assert who(client) == ("anna", "admin")
    cookie = client.cookies[COOKIE]
    client.delete("/v1/session")
    client.cookies.set(COOKIE, cookie)
    assert client.get("/v1/review").status_code == 401, "the cookie was replayed"


def test_over_tls_the_cookie_is_sent_over_tls_only(store: MemoryStore, bus: MemoryBus) -> None:
    client = TestClient(create_app(store, bus, ApiSettings()), base_url="https://testserver")
    answer = client.post("/v1/session", json={"user": "anna", "password": PASSWORD})
    assert "Secure" in answer.headers["set-cookie"].split("; ")


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"user": "anna", "password": "wrong horse battery"}, id="another password"),
        pytest.param({"user": "anna", "password": ""}, id="an empty password"),
        pytest.param({"user": "anna", "password": PASSWORD + "\x00"}, id="a zero byte behind it"),
        pytest.param({"user": "nobody", "password": PASSWORD}, id="an unknown user"),
        pytest.param({"user": "\u0430nna", "password": PASSWORD}, id="a name with a Cyrillic letter"),
        pytest.param({"user": "anna\x00", "password": PASSWORD}, id="a zero byte behind the name"),
        pytest.param({"user": "<b>anna</b>", "password": PASSWORD}, id="markup"),
        pytest.param({"user": "operator", "password": ""}, id="the name of nobody"),
        pytest.param({"user": "", "password": ""}, id="nothing"),
        pytest.param({"token": ""}, id="an empty token"),
        pytest.param({"token": "climb_000000000000_" + "a" * 32}, id="an invented token"),
    ],
)
def test_wrong_credentials_are_refused_alike(client: TestClient, given: dict[str, str]) -> None:
    answer = client.post("/v1/session", json=given)

    assert answer.status_code == 401
    assert answer.json()["detail"] in {"wrong name or password", "this is not a token of this API"}
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"user": "anna", "password": "x" * 1_000_000}, id="a password of a megabyte"),
        pytest.param({"user": "anna"}, id="no password"),
        pytest.param({"user": "anna", "password": PASSWORD, "token": "t"}, id="both"),
        pytest.param({}, id="nothing"),
        pytest.param({"user": ["anna"], "password": PASSWORD}, id="a list"),
        pytest.param({"user": None, "password": PASSWORD}, id="null"),
        pytest.param({"user": "anna", "password": "\ud800" * 12}, id="half characters"),
        pytest.param({"token": "\ud800"}, id="a broken token"),
    ],
)
def test_what_is_no_credential_is_invalid(client: TestClient, given: dict[str, Any]) -> None:
    body = json.dumps(given)
    answer = client.post("/v1/session", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert "xxx" not in answer.text


def test_a_password_is_the_same_however_a_keyboard_composes_it() -> None:
    assert is_password("Zoe\u0308 und Zo\u00eb", hash_password("Zo\u00eb und Zoe\u0308"))
    assert not is_password("", "")
    assert not is_password("x", "no hash at all")


def test_guessing_stops_for_that_user_and_that_address_and_says_when_to_go_on() -> None:
    now = 0.0
    attempts = Attempts(clock=lambda: now)
    for _ in range(MOST):
        attempts.begin("user anna", "address 10.0.0.1")
        now += 1

    for keys in (("user anna", "address 10.0.0.2"), ("user bert", "address 10.0.0.1")):
        with pytest.raises(TooManyTries) as refused:
            attempts.begin(*keys)
        assert refused.value.wait_s == WITHIN_S - MOST
    attempts.begin("user bert", "address 10.0.0.2")
    now = WITHIN_S + MOST
    attempts.begin("user anna", "address 10.0.0.1")


def test_attempts_that_succeed_do_not_count_and_memory_is_bounded() -> None:
    attempts = Attempts(keys=3, clock=lambda: 0.0)
    for _ in range(3 * MOST):
        attempts.begin("user anna")
        attempts.succeeded("user anna")
    for number in range(100):
        attempts.begin(f"address {number}")
    attempts.begin("address 0")  # long forgotten
    for _ in range(MOST - 1):
        attempts.begin("address 99")
    with pytest.raises(TooManyTries):
        attempts.begin("address 99")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("testclient", "testclient", True),
    ],
)
def test_attempts_are_counted_by_network(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) is same


def test_too_many_wrong_passwords_are_answered_with_when_to_try_again(client: TestClient) -> None:
    wrong = {"user": "anna", "password": "wrong horse battery"}
    answers = [client.post("/v1/session", json=wrong) for _ in range(MOST + 1)]

    assert [answer.status_code for answer in answers] == [401] * MOST + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= WITHIN_S
    assert client.post("/v1/session", json={"user": "anna", "password": PASSWORD}).status_code == 429


def test_a_one_time_password_serves_to_choose_another_and_nothing_else(store: MemoryStore, client: TestClient) -> None:
    with_user(store, "new", "admin", must_change=True)
    sign_in(client, "new")
    shown = client.get("/v1/session").json()
    assert (shown["open"], shown["must_change"], shown["name"]) == (False, True, "new")
    assert client.get("/v1/review").json()["detail"] == "choose a password of your own first"
    assert client.get("/v1/users").status_code == 403

    def choose(new: str) -> int:
        return client.post("/v1/session/password", json={"current": PASSWORD, "new": new}).status_code

    assert [choose("short"), choose(PASSWORD), choose("aaaaaaaaaaaa")] == [422, 409, 409]
    assert choose("another horse battery") == 204

    assert client.get("/v1/review").status_code == 200
    assert client.post("/v1/session", json={"user": "new", "password": PASSWORD}).status_code == 401


def test_choosing_a_password_needs_the_current_one_and_ends_all_other_sessions(
    store: MemoryStore, client: TestClient
) -> None:
    gate = Gate(store.accounts)
    elsewhere = gate.sign_in("vera", PASSWORD, "10.0.0.9")
    sign_in(client, "vera")
    body = {"current": "wrong horse battery", "new": "another horse battery"}
    assert client.post("/v1/session/password", json=body).status_code == 401

    assert client.post("/v1/session/password", json=body | {"current": PASSWORD}).status_code == 204

    assert who(client) == ("vera", "viewer")
    assert gate.of_session(elsewhere) is None


@pytest.mark.parametrize("moved_s", [SESSION_S, -600], ids=["it has ended", "the clock went back"])
def test_a_session_holds_between_its_begin_and_its_end(store: MemoryStore, moved_s: int) -> None:
    now_s = 10**9
    gate = Gate(store.accounts, clock=lambda: now_s * 10**9)
    cookie = gate.sign_in("anna", PASSWORD, "10.0.0.1")
    assert gate.of_session(cookie) is not None

    now_s += moved_s

    assert gate.of_session(cookie) is None


def test_a_session_ends_with_the_token_it_was_opened_with(store: MemoryStore) -> None:
    gate = Gate(store.accounts, token="old")
    cookie = gate.sign_in_by_token("old", "10.0.0.1")
    assert gate.of_session(cookie) is not None

    assert Gate(store.accounts, token="new").of_session(cookie) is None
    assert Gate(store.accounts).of_session(cookie) is None


def test_a_users_role_applies_at_once_and_a_removed_user_is_out(store: MemoryStore, client: TestClient) -> None:
    gate = Gate(store.accounts)
    otto = gate.sign_in("otto", PASSWORD, "10.0.0.2")
    sign_in(client, "anna")

    assert client.post("/v1/users/otto/role", json={"role": "viewer"}).json()["role"] == "viewer"
    caller = gate.of_session(otto)
    assert caller is not None
    assert caller.role == "viewer"
    assert client.delete("/v1/users/otto").status_code == 204
    assert gate.of_session(otto) is None
    with_user(store, "otto", "admin")
    assert gate.of_session(otto) is None, "another person of the same name"


def test_the_last_admin_cannot_be_removed_or_made_less(client: TestClient) -> None:
    sign_in(client, "anna")

    for answer in (client.delete("/v1/users/anna"), client.post("/v1/users/anna/role", json={"role": "viewer"})):
        assert answer.status_code == 409
        assert answer.json()["detail"] == "anna is the last admin; make somebody else an admin first"


def test_an_added_user_gets_a_one_time_password_that_is_shown_once(client: TestClient) -> None:
    sign_in(client, "anna")

    added = client.post("/v1/users", json={"name": "New.User", "role": "operator"})

    assert added.status_code == 201
    assert added.json()["name"] == "new.user"
    listed = client.get("/v1/users")
    assert [user["name"] for user in listed.json()["users"]] == ["anna", "new.user", "otto", "vera"]
    assert added.json()["one_time_password"] not in listed.text
    assert "argon2" not in listed.text
    sign_in(client, "new.user", added.json()["one_time_password"])
    assert client.get("/v1/session").json()["must_change"] is True


@pytest.mark.parametrize(
    ("given", "status", "complaint"),
    [
        pytest.param({"name": "anna"}, 409, "there is a user anna already", id="the same name"),
        pytest.param({"name": "ANNA"}, 409, "there is a user anna already", id="the same name in capitals"),
        pytest.param({"name": "zo\u00eb"}, 422, "letters a to z", id="a letter that others look like"),
        pytest.param({"name": "<script>"}, 422, "letters a to z", id="markup"),
        pytest.param({"name": "a\nb"}, 422, "letters a to z", id="a line break"),
        pytest.param({"name": "a\x00"}, 422, "letters a to z", id="a zero byte"),
        pytest.param({"name": ""}, 422, "letters a to z", id="nothing"),
        pytest.param({"name": "a" * 65}, 422, "64", id="too long"),
        pytest.param({"name": "operator"}, 422, "choose another", id="the name of nobody"),
        pytest.param({"name": "x", "role": "root"}, 422, "role", id="no role"),
        pytest.param({"name": "x", "password": ""}, 422, "password", id="an empty password"),
        pytest.param({"name": "x", "password": "y" * 10**6}, 422, "password", id="an endless password"),
        pytest.param({"name": "long-enough", "password": "Long-Enough "}, 409, "the user's name", id="their name"),
    ],
)
def test_a_wrong_user_is_refused_with_the_reason(
    client: TestClient, given: dict[str, str], status: int, complaint: str
) -> None:
    sign_in(client, "anna")

    answer = client.post("/v1/users", json=given)

    assert answer.status_code == status
    assert complaint in answer.json()["detail"]
    assert len(client.get("/v1/users").json()["users"]) == 3


def test_the_first_user_closes_an_open_site_and_must_be_an_admin(bus: MemoryBus) -> None:
    client = TestClient(create_app(MemoryStore("site"), bus, ApiSettings()))
    assert who(client) == ("operator", "admin")
    assert client.get("/v1/session").json()["needed"] is False
    refused = client.post("/v1/users", json={"name": "vera", "role": "viewer"})
    assert "the first user must be an admin" in refused.json()["detail"]

    added = client.post("/v1/users", json={"name": "anna", "role": "admin", "password": PASSWORD})

    assert added.json()["one_time_password"] is None
    assert client.get("/v1/review").status_code == 401
    sign_in(client, "anna")
    assert client.get("/v1/review").status_code == 200


@pytest.mark.parametrize(
    ("host", "open_"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("cam", False)]
)
def test_only_this_machine_needs_no_sign_in(bus: MemoryBus, host: str, open_: bool) -> None:
    assert is_loopback(host) is open_
    client = TestClient(create_app(MemoryStore("site"), bus, ApiSettings(host=host)))
    assert client.get("/v1/review").status_code == (200 if open_ else 401)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("localhost", 200),
        ("[::1]:8080", 200),
        ("nvr:8080", 200),
        ("climb.localhost", 200),
        ("evil.example:8080", 403),
        ("127.0.0.1.evil.example", 403),
        ("evil.example.", 403),
        ("[::1", 403),
    ],
)
def test_an_open_site_answers_under_no_name_that_somebody_else_can_give_it(
    bus: MemoryBus, host: str, status: int
) -> None:
    client = TestClient(create_app(MemoryStore("site"), bus, ApiSettings()))

    assert client.get("/v1/review", headers={"Host": host}).status_code == status


def test_the_first_admin_is_told_once_also_when_the_store_comes_late() -> None:
    class Late(MemoryAccounts):
        away = True

        def any_user(self) -> bool:
            if self.away:
                raise StoreUnavailable("Redis is away")
            return super().any_user()

    class Waiting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            accounts.away = False
            return False

    accounts, told = Late(), list[str]()

    for _ in range(2):
        tell_first_admin(accounts, told.append, Waiting())

    (line,) = told
    password = line.split("password ")[1].split(" ")[0]
    cookie = Gate(accounts).sign_in("admin", password, "10.0.0.1")
    caller = Gate(accounts).of_session(cookie)
    assert caller is not None
    assert (caller.role, caller.must_change) == ("admin", True)
    assert first_admin(accounts) is None


def make(client: TestClient, **fields: object) -> Any:
    answer = client.post("/v1/tokens", json={"name": "laptop", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def test_a_token_works_until_it_is_revoked_and_is_shown_once(client: TestClient, store: MemoryStore) -> None:
    sign_in(client, "otto")
    made = make(client, role="operator")
    assert made["token"] not in client.get("/v1/tokens").text
    _, _, secret = made["token"].split("_", 2)
    assert all(secret not in repr(token) for token in store.accounts.tokens())
    client.cookies.clear()
    assert client.get("/v1/session", headers=bearer(made["token"])).json()["name"] == "otto"

    assert client.delete(f"/v1/tokens/{made['id']}", headers=bearer(made["token"])).status_code == 204

    refused = client.get("/v1/review", headers=bearer(made["token"]))
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert "wrong or was revoked" in refused.json()["detail"]


def test_a_token_can_do_no_more_than_its_owner_can_now(client: TestClient, store: MemoryStore) -> None:
    sign_in(client, "otto")
    assert client.post("/v1/tokens", json={"name": "more", "role": "admin"}).status_code == 403
    assert client.post("/v1/tokens", json={"name": "door", "service": True}).status_code == 403
    made = make(client, role="operator")
    client.cookies.clear()
    store.accounts.change_users(lambda known: users.with_role(known, "otto", "viewer"))
    assert client.get("/v1/session", headers=bearer(made["token"])).json()["role"] == "viewer"

    store.accounts.change_users(lambda known: users.removed(known, "otto"))
    with_user(store, "otto", "admin")

    assert client.get("/v1/review", headers=bearer(made["token"])).status_code == 401, "another otto"


def test_a_service_has_a_token_without_a_user(client: TestClient) -> None:
    sign_in(client, "anna")
    made = make(client, role="viewer", service=True, days=1)
    client.cookies.clear()

    shown = client.get("/v1/session", headers=bearer(made["token"])).json()

    assert (shown["name"], shown["role"], shown["way"]) == ("token:laptop", "viewer", "token")
    assert client.post("/v1/session/password", headers=bearer(made["token"]), json={
        "current": PASSWORD, "new": "another horse battery"
    }).status_code == 409  # fmt: skip


def test_only_admins_see_the_tokens_of_others(client: TestClient) -> None:
    made = make(sign_in(client, "otto"))
    sign_in(client, "vera")
    assert client.get("/v1/tokens").json()["tokens"] == []
    assert client.delete(f"/v1/tokens/{made['id']}").status_code == 404
    sign_in(client, "anna")
    assert [token["owner"] for token in client.get("/v1/tokens").json()["tokens"]] == ["otto"]
    client.delete("/v1/users/otto")
    assert client.get("/v1/tokens").json()["tokens"] == []


def test_an_expired_token_says_so_and_opens_no_session(store: MemoryStore) -> None:
    now_s = 10**9
    gate = Gate(store.accounts, clock=lambda: now_s * 10**9)
    made = make_token(store.accounts, "door", "viewer", now_s * 10**9, days=1)
    cookie = gate.sign_in_by_token(made.text, "10.0.0.1")
    assert gate.of_session(cookie) is not None
    now_s += 86_400

    assert gate.of_session(cookie) is None
    with pytest.raises(NotSignedIn, match="the token door has expired"):
        gate.of_token(made.text, "10.0.0.9")


def ask_with(client: TestClient, token: str) -> int:
    return client.get("/v1/review", headers={"Authorization": f"Bearer {token}"}).status_code


def test_wrong_tokens_are_bounded_like_wrong_passwords_and_what_was_right_goes_on(
    client: TestClient, store: MemoryStore
) -> None:
    used, unused = (make_token(store.accounts, name, "viewer", 0).text for name in ("used", "unused"))
    assert ask_with(client, used) == 200

    answers = [ask_with(client, f"climb_{number:012x}_{'a' * 32}") for number in range(MOST + 2)]

    assert answers == [401] * MOST + [429, 429]
    refused = client.get("/v1/review", headers={"Authorization": f"Bearer {unused}"})
    assert (refused.status_code, 0 < int(refused.headers["retry-after"]) <= WITHIN_S) == (429, True)
    assert ask_with(client, used) == 200
    assert client.post("/v1/session", json={"user": "anna", "password": PASSWORD}).status_code == 204
    client.cookies.clear()
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        client.websocket_connect("/v1/live?cameras=door", headers={"Authorization": f"Bearer {unused}"}),
    ):
        pass
    assert closed.value.code == 1013


def test_a_token_that_is_revoked_is_wrong_from_then_on_though_it_was_right(
    client: TestClient, store: MemoryStore
) -> None:
    made = make_token(store.accounts, "door", "viewer", 0)
    assert ask_with(client, made.text) == 200
    store.accounts.drop_token(made.token.token_id)

    assert [ask_with(client, made.text) for _ in range(MOST + 2)] == [401] * (MOST + 1) + [429]


def test_wrong_tokens_do_not_end_open_sessions_or_keep_anybody_out_where_nobody_signs_in(
    client: TestClient, bus: MemoryBus
) -> None:
    signed_in, nobody = sign_in(client, "anna"), TestClient(create_app(MemoryStore("site"), bus, ApiSettings()))

    assert {ask_with(signed_in, f"wrong-{number}") for number in range(MOST + 2)} == {200}
    assert {ask_with(nobody, f"wrong-{number}") for number in range(MOST + 2)} == {200}


def test_no_repr_shows_what_opens_anything(store: MemoryStore) -> None:
    made = make_token(store.accounts, "door", "viewer", 0)
    gate = Gate(store.accounts, token="the token of the settings")
    cookie = gate.sign_in_by_token("the token of the settings", "10.0.0.1")
    session = store.accounts.session(digest_of(cookie))
    shown = NewTokenOut(**TOKEN_OUT, token=made.text)
    secret: dict[str, list[object]] = {
        "argon2": [store.accounts.user("anna"), gate.of_session(gate.sign_in("anna", PASSWORD, "10.0.0.1"))],
        made.text: [made, shown],
        made.token.digest: [made, made.token],
        digest_of(gate.token): [session, gate],
        gate.token: [gate, ApiSettings(token=SecretStr(gate.token))],
        "hunter2": [
            OidcClient("https://a.example", "x", "hunter2", "openid"),
            NewUserOut(**USER_OUT, one_time_password="hunter2"),
        ],
    }
    for text, objects in secret.items():
        assert all(one is not None and text not in repr(one) for one in objects), text


TOKEN_OUT: dict[str, Any] = {"id": "1", "name": "door", "role": "viewer", "owner": None, "created": "", "expires": None}
USER_OUT: dict[str, Any] = {"name": "anna", "role": "viewer", "created": "", "must_change": True}


@pytest.mark.parametrize("name", ["token", "access_token", "api_key"])
def test_a_token_in_the_address_is_not_accepted(client: TestClient, name: str) -> None:
    made = make(sign_in(client, "anna"))
    client.cookies.clear()

    answer = client.get("/v1/review", params={name: made["token"]})

    assert answer.status_code == 401
    assert "ends up in logs" in answer.json()["detail"]
    assert made["token"] not in answer.text


@pytest.mark.parametrize("header", ["Basic YW5uYTpwYXNz", "Bearer", "Bearer  ", "bearer x", "Bearer a b", "Bearer ä"])
def test_a_header_that_is_no_token_is_refused(client: TestClient, header: str) -> None:
    answer = client.get("/v1/review", headers=[(b"Authorization", header.encode())])

    assert answer.status_code == 401


def test_another_origin_cannot_sign_in_or_add_users(client: TestClient) -> None:
    sign_in(client, "anna")
    evil = {"Origin": "https://evil.example"}

    assert client.post("/v1/users", json={"name": "eve"}, headers=evil).status_code == 403
    assert client.post("/v1/session", json={"user": "anna", "password": PASSWORD}, headers=evil).status_code == 403
    assert client.delete("/v1/session", headers=evil).status_code == 403


def test_video_ends_soon_after_its_viewer_may_not_watch_any_more(
    store: MemoryStore, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gallery.api.streams.CHECK_S", 0.01)
    sign_in(client, "vera")
    with client.websocket_connect("/v1/live?cameras=door") as socket:
        store.accounts.change_users(lambda known: users.removed(known, "vera"))
        with pytest.raises(WebSocketDisconnect) as ended:
            socket.receive_text()
    assert ended.value.reason == "signed out"


def test_events_end_with_the_next_one_after_their_reader_may_not_read_any_more(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gallery.api.access.auth.CHECK_S", 0)
    access = access_to(store, ApiSettings())
    cookie = access.gate.sign_in("vera", PASSWORD, "10.0.0.1")
    scope = {"type": "http", "headers": [(b"cookie", f"{COOKIE}={cookie}".encode())], "query_string": b"", "path": "/"}

    async def events() -> AsyncIterator[str]:
        for number in range(9):
            if number == 3:
                access.gate.sign_out(cookie)
            yield f"data: {number}"

    async def read() -> list[str]:
        return [part async for part in access.until_refused(HTTPConnection(scope), events())]

    assert asyncio.run(read()) == ["data: 0", "data: 1", "data: 2"]


def behind(header: str = "X-Forwarded-User") -> ApiSettings:
    return ApiSettings(trusted_proxies=("10.0.0.0/24",), trusted_user_header=header)


def test_a_trusted_proxy_says_who_it_is_and_nobody_else_can(store: MemoryStore, bus: MemoryBus) -> None:
    app = create_app(store, bus, behind())
    named = {"X-Forwarded-User": "Anna"}
    proxy = TestClient(app, client=("10.0.0.7", 1))
    assert who(proxy) == (None, None), "no header, and nobody needs no sign-in behind a proxy"
    shown = proxy.get("/v1/session", headers=named).json()
    assert (shown["name"], shown["role"], shown["way"]) == ("anna", "admin", "proxy")
    assert proxy.get("/v1/session", headers={"X-Forwarded-User": "guest@example.org"}).json()["role"] == "viewer"
    twice = [("X-Forwarded-User", "anna"), ("X-Forwarded-User", "vera")]
    assert proxy.get("/v1/review", headers=twice).status_code == 401
    assert proxy.get("/v1/review", headers={"X-Forwarded-User": "<b>"}).status_code == 401
    through = {**named, "X-Forwarded-For": "192.0.2.1"}
    assert proxy.get("/v1/review", headers=through).status_code == 200
    stranger = TestClient(app, client=("192.0.2.1", 1))
    for spoofed in (named, {**named, "X-Forwarded-For": "10.0.0.7"}, {**named, "Forwarded": "for=10.0.0.7"}):
        assert stranger.get("/v1/review", headers=spoofed).status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"trusted_user_header": "X-Forwarded-User"},
        {"trusted_user_header": "Cookie", "trusted_proxies": "10.0.0.1"},
        {"trusted_user_header": "a b", "trusted_proxies": "10.0.0.1"},
        {"trusted_proxies": "proxy.example.org"},
        {"trusted_proxies": "*"},
        {"trusted_user_role": "root"},
        {"audit_days": 0},
    ],
)
def test_trust_that_anybody_could_use_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ApiSettings.model_validate(wrong)


def test_the_token_of_the_settings_stays_an_admin_beside_users(store: MemoryStore, bus: MemoryBus) -> None:
    client = TestClient(create_app(store, bus, ApiSettings(token=SecretStr("open sesame"))))
    shown = client.get("/v1/session", headers=bearer("open sesame")).json()
    assert (shown["name"], shown["role"]) == ("operator", "admin")
    sign_in(client, "vera")
    assert who(client) == ("vera", "viewer")


def test_a_store_that_is_lost_in_the_middle_lets_nobody_in_and_says_so(store: MemoryStore, bus: MemoryBus) -> None:
    class Lost(MemoryAccounts):
        def any_user(self) -> bool:
            raise StoreUnavailable("Redis at 127.0.0.1:1 is away")

        def user(self, name: str) -> User | None:
            raise StoreUnavailable("Redis at 127.0.0.1:1 is away")

    client = TestClient(create_app(store, bus, ApiSettings()))
    sign_in(client, "anna")
    store.accounts = Lost()
    client = TestClient(create_app(store, bus, ApiSettings()))
    for answer in (
        client.get("/v1/review"),
        client.get("/v1/session"),
        client.post("/v1/session", json={"user": "anna", "password": PASSWORD}),
    ):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "is away" in answer.json()["detail"]
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/v1/live?cameras=door"):
        pass
    assert (refused.value.code, "is away" in refused.value.reason) == (1013, True)
