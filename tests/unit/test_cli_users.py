"""`climbtrack users` and `climbtrack audit`, over the Redis of a data folder."""

import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from pydantic import SecretStr

from deploy.cli.main import main
from deploy.local.api_server import ApiServer, bind
from deploy.local.data_dir import DataDir
from deploy.local.private_redis import PrivateRedis
from gallery.access.gate import Gate
from gallery.access.tokens import make_token
from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.store.memory import MemoryStore
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from wire.memory import MemoryBus
from wire.settings import RedisSettings

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A data folder that a run uses, whose path is short enough for a socket."""
    with TemporaryDirectory(prefix="ct-") as path, DataDir(Path(path)) as held, PrivateRedis(Path(path)):
        held.announce("site", "http://127.0.0.1:1")
        yield Path(path)


@pytest.fixture
def gate(folder: Path) -> Iterator[Gate]:
    """Who may enter that site, of which nobody knows yet."""
    url = PrivateRedis(folder).url
    with closing(connect(RedisSettings(url=url))) as client:
        found: Any = client
        found.flushall()
        yield Gate(RedisStore(client, "site").accounts)


def said(capsys: pytest.CaptureFixture[str], folder: Path, *words: str, code: int = 0) -> str:
    assert main([*words, "--data-dir", str(folder)]) == code
    told = capsys.readouterr()
    return (told.err if code else told.out).strip()


def test_a_user_is_added_signs_in_and_is_removed(
    gate: Gate, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = said(capsys, folder, "users", "add", "Anna", "--role", "admin")
    one_time = told.split("password ")[1].split(" ")[0]
    caller = gate.of_session(gate.sign_in("anna", one_time, "10.0.0.1"))
    assert caller is not None
    assert (caller.role, caller.must_change) == ("admin", True)

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    said(capsys, folder, "users", "password", "anna", "--password-stdin")
    caller = gate.of_session(gate.sign_in("anna", PASSWORD, "10.0.0.1"))
    assert caller is not None
    assert not caller.must_change

    said(capsys, folder, "users", "add", "vera")
    said(capsys, folder, "users", "role", "vera", "operator")
    listed = json.loads(said(capsys, folder, "users", "ls", "--json").splitlines()[-1])
    assert {user["name"]: user["role"] for user in listed["users"]} == {"anna": "admin", "vera": "operator"}
    said(capsys, folder, "users", "rm", "vera")
    assert "argon2" not in json.dumps(listed)
    assert list(gate.accounts.users()) == ["anna"]


def test_a_token_is_printed_alone_works_and_is_revoked(
    gate: Gate, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, folder, "users", "token", "door-sync", "--role", "operator", "--days", "90")
    caller = gate.of_token(text, "10.0.0.9")
    assert caller is not None
    assert (caller.name, caller.role) == ("token:door-sync", "operator")

    (token,) = json.loads(said(capsys, folder, "users", "ls", "--json").splitlines()[-1])["tokens"]
    assert token["id"] in text
    assert text not in said(capsys, folder, "users", "ls")
    said(capsys, folder, "users", "revoke", token["id"])
    assert gate.of_token(text, "10.0.0.9") is None


@pytest.mark.parametrize(
    ("words", "stdin", "complaint"),
    [
        pytest.param(["add", "vera"], "", "the first user must be an admin", id="the first is a viewer"),
        pytest.param(["add", "anna", "--role", "root"], "", "expected viewer, operator, admin", id="no role"),
        pytest.param(["add", "Zo\u00eb", "--role", "admin"], "", "letters a to z", id="another alphabet"),
        pytest.param(["add", "a\x1b[2J"], "", "letters a to z", id="control characters"),
        pytest.param(["add", "anna", "--role", "admin", "--password-stdin"], "\n", "10 to 256", id="no password"),
        pytest.param(["add", "anna", "--password-stdin"], "x" * 10**6, "10 to 256", id="a megabyte"),
        pytest.param(["rm", "anna"], "", "there is no user anna", id="nobody"),
        pytest.param(["password", "anna"], "", "there is no user anna", id="a password of nobody"),
        pytest.param(["token", "t", "--user", "anna"], "", "there is no user anna", id="a token of nobody"),
        pytest.param(["token", "t", "--days", "nan"], "", "days", id="no number of days"),
        pytest.param(["revoke", "000"], "", "there is no such token", id="no token"),
        pytest.param(["ls", "--site", "a{b}"], "", "--site", id="braces in a site"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    gate: Gate,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    stdin: str,
    complaint: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(stdin))

    told = said(capsys, folder, "users", *words, code=2)

    assert complaint in " ".join(told.split())
    assert "\x1b[2J" not in told
    assert gate.accounts.users() == {}


def test_the_last_admin_stays(gate: Gate, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, folder, "users", "add", "anna", "--role", "admin")

    assert "last admin" in said(capsys, folder, "users", "rm", "anna", code=2)
    assert "last admin" in said(capsys, folder, "users", "role", "anna", "viewer", code=2)


def test_the_audit_log_shows_what_commands_changed(
    gate: Gate, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, folder, "users", "add", "anna", "--role", "admin")
    said(capsys, folder, "users", "add", "vera")

    shown = json.loads(said(capsys, folder, "audit", "--json").splitlines()[-1])["entries"]

    assert [(one["who"], one["way"], one["what"], one["about"]) for one in shown] == [
        ("operator", "command", "added a user", "vera"),
        ("operator", "command", "added a user", "anna"),
    ]
    assert "added a user" in said(capsys, folder, "audit", "--what", "added", "--limit", "1")
    assert json.loads(said(capsys, folder, "audit", "--identity", "7", "--json").splitlines()[-1]) == {"entries": []}


def test_a_user_can_be_added_before_the_first_run(capsys: pytest.CaptureFixture[str]) -> None:
    with TemporaryDirectory(prefix="ct-") as path:
        said(capsys, Path(path) / "new", "users", "add", "anna", "--role", "admin")
        listed = said(capsys, Path(path) / "new", "users", "ls")
    assert "anna" in listed


def test_a_command_without_a_token_or_with_too_small_a_role_says_what_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = MemoryStore("site")
    viewer = make_token(store.accounts, "door", "viewer", 0).text
    with closing(MemoryBus()) as bus:
        app = create_app(store, bus, ApiSettings(token=SecretStr("open sesame")))
        with ApiServer(app, bind("127.0.0.1", 0)) as server:
            assert main(["identities", "ls", "--api", server.url]) == 2
            assert "`climbtrack users token` makes one" in capsys.readouterr().err
            words = ["cameras", "add", "yard=door.mp4", "--api", server.url, "--token", viewer]
            assert main(words) == 2
            assert "this needs the role admin, and token:door has the role viewer" in capsys.readouterr().err
