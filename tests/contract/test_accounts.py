"""Accounts of a site behave the same in memory and in Redis."""

import shutil
import threading
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from gallery.access import users
from gallery.access.errors import AccountRefused
from gallery.access.passwords import hash_password
from gallery.access.tokens import make_token, read_token
from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.store.accounts import Accounts, ApiToken, Deed, Role, Session
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from gallery.store.store import Store
from tests.conftest import need
from tests.servers.redis_server import RealRedis
from wire.memory import MemoryBus
from wire.settings import RedisSettings

PASSWORD = "correct horse battery"
S = 1_000_000_000


@pytest.fixture
def accounts(store: Store) -> Accounts:
    return store.accounts


def with_user(accounts: Accounts, name: str, role: Role = "admin") -> None:
    accounts.change_users(lambda known: users.added(known, name, role, "hash", 7 * S, must_change=False))


def test_a_site_has_no_accounts_at_first(accounts: Accounts) -> None:
    assert not accounts.any_user()
    assert accounts.users() == {}
    assert accounts.user("anna") is None
    assert accounts.tokens() == []
    assert accounts.session("0") is None
    assert list(accounts.audit(2**53, 10)) == []


def test_users_are_added_changed_and_removed(accounts: Accounts) -> None:
    with_user(accounts, "anna")
    with_user(accounts, "bert", "viewer")

    accounts.change_users(lambda known: users.with_role(known, "bert", "operator"))

    assert accounts.any_user()
    assert {name: user.role for name, user in accounts.users().items()} == {"anna": "admin", "bert": "operator"}
    assert accounts.user("bert") == accounts.users()["bert"]
    accounts.change_users(lambda known: users.removed(known, "bert"))
    assert accounts.user("bert") is None


def test_a_change_that_is_refused_changes_nothing(accounts: Accounts) -> None:
    with_user(accounts, "anna")
    before = accounts.users()

    with pytest.raises(AccountRefused, match="anna is the last admin"):
        accounts.change_users(lambda known: users.removed(known, "anna"))

    assert accounts.users() == before


def test_of_two_admins_who_remove_each_other_at_once_one_remains(accounts: Accounts) -> None:
    with_user(accounts, "anna")
    with_user(accounts, "bert")
    refused: list[str] = []

    def remove(other: str) -> None:
        together.wait()
        try:
            accounts.change_users(lambda known: users.removed(known, other))
        except AccountRefused as error:
            refused.append(str(error))

    for _ in range(8):
        together = threading.Barrier(2)
        threads = [threading.Thread(target=remove, args=(name,)) for name in ("anna", "bert")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (left,) = accounts.users()
        assert refused.pop() == f"{left} is the last admin; make somebody else an admin first"
        assert refused == []
        with_user(accounts, "bert" if left == "anna" else "anna")


def test_tokens_are_listed_from_the_oldest_found_by_their_id_and_revoked_once(accounts: Accounts) -> None:
    later, sooner = (
        ApiToken(token_id=name, name=name, role="viewer", digest="d", created_ns=created, expires_ns=9)
        for name, created in (("b", 2), ("a", 1))
    )
    accounts.put_token(later)
    accounts.put_token(sooner)

    assert accounts.tokens() == [sooner, later]
    assert accounts.token("b") == later
    assert accounts.drop_token("b")
    assert not accounts.drop_token("b")
    assert accounts.token("b") is None


def test_a_token_that_was_found_expired_stays_so_when_the_clock_goes_back(accounts: Accounts) -> None:
    made = make_token(accounts, "door", "viewer", 0, days=1)
    assert read_token(accounts, made.text, 0) == made.token

    with pytest.raises(Exception, match="the token door has expired"):
        read_token(accounts, made.text, 86_400 * S)

    assert read_token(accounts, made.text, 0) is None


def test_sessions_are_kept_until_they_end_or_are_too_many(accounts: Accounts) -> None:
    def open_session(digest: str, opened_s: int, ends_s: int) -> None:
        session = Session(user="anna", since="s", opened_ns=opened_s * S, ends_ns=ends_s * S)
        accounts.put_session(digest, session, most=2)

    open_session("short", 0, 10)
    open_session("long", 1, 30)
    assert accounts.session("short") is not None
    open_session("later", 10, 20)
    assert accounts.session("short") is None, "it had ended"
    open_session("last", 11, 40)
    assert accounts.session("later") is None, "two are enough"
    accounts.drop_session("last")

    assert accounts.session("last") is None
    assert accounts.session("long") == Session(user="anna", since="s", opened_ns=S, ends_ns=30 * S)


def test_the_audit_log_is_read_from_its_end_in_pages_and_bounded_in_number_and_age(accounts: Accounts) -> None:
    deeds = [Deed(time_ns=i * S, who="anna|x", way="password", what="look", identities=(i,)) for i in range(8)]
    for deed in deeds[:5]:
        accounts.record(deed, oldest_ns=0, most=4)

    first = accounts.audit(2**53, 3)
    assert [(entry.seq, entry.deed) for entry in first] == [(i + 1, deeds[i]) for i in (4, 3, 2)]
    assert [entry.seq for entry in accounts.audit(first[-1].seq, 3)] == [2]
    accounts.record(deeds[5], oldest_ns=4 * S, most=4)
    assert [entry.deed for entry in accounts.audit(2**53, 10)] == [deeds[5], deeds[4]]
    assert list(accounts.audit(2**53, 0)) == []


def test_a_clock_that_goes_back_hides_nothing_in_the_audit_log(accounts: Accounts) -> None:
    for time_s in (100, 5, 6):
        accounts.record(Deed(time_ns=time_s * S, who="anna", way="open", what="look"), oldest_ns=0, most=10)

    assert [entry.deed.time_ns // S for entry in accounts.audit(2**53, 10)] == [6, 5, 100]


def test_a_real_redis_that_is_killed_lets_nobody_in_and_knows_everybody_when_it_is_back(tmp_path: Path) -> None:
    need(found=shutil.which("redis-server") is not None, what="redis-server")
    options = ("--appendonly", "yes", "--appendfsync", "always")
    with RealRedis(tmp_path, *options) as server, closing(connect(RedisSettings(url=server.url))) as client:
        store = RedisStore(client, "site")
        hashed = hash_password(PASSWORD)
        store.accounts.change_users(lambda known: users.added(known, "anna", "admin", hashed, 0, must_change=False))
        with closing(MemoryBus()) as bus:
            browser = TestClient(create_app(store, bus, ApiSettings()))
            assert browser.post("/v1/session", json={"user": "anna", "password": PASSWORD}).status_code == 204
            assert browser.get("/v1/review").status_code == 200

            server.end()
            for answer in (browser.get("/v1/review"), browser.get("/v1/session")):
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            server.start()

            assert browser.get("/v1/session").json()["name"] == "anna"
            browser.delete("/v1/session")
            assert browser.get("/v1/review").status_code == 401
            told = [entry.deed.what for entry in store.accounts.audit(2**53, 10)]
            assert told == ["signed out", "reviewed", "signed in"]
