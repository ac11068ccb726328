"""A Redis with TLS and a private certificate authority, and users with passwords of any characters."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Self

import pytest

from gallery.errors import StoreRefused, StoreUnavailable
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from gallery.store.store import Write
from tests.conftest import need
from tests.servers.redis_server import RealRedis, make_certificates
from wire.errors import SettingsError
from wire.settings import RedisSettings

PASSWORD = "p[a]s s#w/o@r:d?%41 é%"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need(found=shutil.which("openssl") is not None, what="openssl")
    folder = tmp_path_factory.mktemp("tls") / "certificates"
    make_certificates(folder)
    return folder


class TlsRedis(RealRedis):
    """A Redis with TLS on its own port, and a user ann with `PASSWORD`."""

    def __init__(self, folder: Path, certificates: Path, port: int, *, name: str, clients: str) -> None:
        program = shutil.which("redis-server")
        found = program is not None and b"tls-ca-cert-file" in Path(program).read_bytes()
        need(found=found, what="redis-server built with TLS")
        files = {"cert": f"{name}.pem", "key": f"{name}.key", "ca-cert": "ca.pem"}
        options = [word for key, file in files.items() for word in (f"--tls-{key}-file", str(certificates / file))]
        super().__init__(folder, "--tls-port", str(port), "--tls-auth-clients", clients, *options)
        self.tls_url = f"rediss://127.0.0.1:{port}/0"

    def __enter__(self) -> Self:
        self.start()
        self.say("ACL", "SETUSER", "ann", "on", f">{PASSWORD}", "~climbtrack:*", "+@all")
        self.say("CONFIG", "SET", "requirepass", "somebody else's")
        return self


Starter = Callable[..., TlsRedis]


@pytest.fixture
def start(tmp_path: Path, certificates: Path, free_port: Callable[[], int]) -> Iterator[Starter]:
    running: list[TlsRedis] = []

    def begin(*, name: str = "server", clients: str = "no") -> TlsRedis:
        server = TlsRedis(tmp_path, certificates, free_port(), name=name, clients=clients)
        running.append(server)
        return server.__enter__()

    yield begin
    for server in running:
        server.end()


def write_once(**settings: object) -> str:
    """Connect as ann and write; return the store's answer."""
    given = {"username": "ann", "password": PASSWORD, **settings}
    with closing(connect(RedisSettings.model_validate(given))) as client:
        return RedisStore(client, "site").write(Write(version=0, now_ns=1, next_identity=2))


def test_a_private_authority_and_a_user_are_settings(start: Starter, certificates: Path, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    config = tmp_path / "site.yaml"
    config.write_text(
        f"redis: {{url: '{start().tls_url}', username: ann, password_file: {file}, ssl_ca_file: {certificates}/ca.pem}}"
    )
    with closing(connect(RedisSettings.load(config))) as client:
        assert RedisStore(client, "site").write(Write(version=0, now_ns=1, next_identity=2)) == "applied"
        assert PASSWORD not in repr(client)


def test_a_certificate_of_an_unknown_authority_is_refused_with_the_setting_that_names_it(start: Starter) -> None:
    with pytest.raises(StoreRefused, match=r"certificate of 127\.0\.0\.1:\d+ is not trusted: .*; .*redis\.ssl_ca_file"):
        write_once(url=start().tls_url)


def test_a_certificate_of_another_host_is_refused_unless_names_are_not_checked(
    start: Starter, certificates: Path
) -> None:
    server = start(name="other")
    known = {"url": server.tls_url, "ssl_ca_file": certificates / "ca.pem"}
    with pytest.raises(StoreRefused, match="is not trusted: IP address mismatch"):
        write_once(**known)
    assert write_once(**known, ssl_check_hostname=False) == "applied"


def test_a_certificate_of_the_server_that_has_ended_is_refused_with_the_cause(
    start: Starter, certificates: Path
) -> None:
    known = {"url": start(name="server-expired").tls_url, "ssl_ca_file": certificates / "ca.pem"}
    with pytest.raises(StoreRefused, match=r"certificate has expired; check .*redis\.ssl_certificate_file"):
        write_once(**known)


def test_a_certificate_of_ours_that_has_ended_is_named(start: Starter, certificates: Path) -> None:
    known = {"url": start(clients="yes").tls_url, "ssl_ca_file": certificates / "ca.pem"}
    files = {"ssl_certificate_file": "client-expired.pem", "ssl_key_file": "client-expired.key"}
    # In TLS 1.3 the client has finished when the server refuses it: by an alert, which a reset may overtake.
    with pytest.raises(
        (StoreRefused, StoreUnavailable), match=r"(certificate expired; check|closed).*redis\.ssl_certificate_file"
    ):
        write_once(**known, **{key: certificates / name for key, name in files.items()})


def test_a_server_that_asks_for_a_certificate_gets_ours(start: Starter, certificates: Path) -> None:
    known = {"url": start(clients="yes").tls_url, "ssl_ca_file": certificates / "ca.pem"}
    with pytest.raises((StoreRefused, StoreUnavailable), match=r"redis\.ssl_certificate_file"):  # alert or reset
        write_once(**known)
    known["ssl_certificate_file"] = certificates / "client.pem"
    assert write_once(**known, ssl_key_file=certificates / "client.key") == "applied"


def test_a_key_may_have_a_password(start: Starter, certificates: Path) -> None:
    known = {
        "url": start(clients="yes").tls_url,
        "ssl_ca_file": certificates / "ca.pem",
        "ssl_certificate_file": certificates / "client.pem",
        "ssl_key_file": certificates / "locked.key",
    }
    assert write_once(**known, ssl_key_password="hunter2") == "applied"
    for wrong in ({}, {"ssl_key_password": "hunter3"}):
        with pytest.raises(SettingsError, match=r"redis\.ssl_key_file = .*locked\.key': .*; expected PEM"):
            write_once(**known, **wrong)


@pytest.mark.parametrize("key", ["ssl_ca_file", "ssl_certificate_file"])
def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path, key: str) -> None:
    file = tmp_path / "not.pem"
    file.write_text("not a certificate")
    with pytest.raises(SettingsError, match=rf"redis\.{key} = .*not\.pem': .*; expected PEM"):
        write_once(url="rediss://127.0.0.1:1", **{key: file})


def test_tls_and_plain_text_that_meet_say_so(
    start: Starter, tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gallery.store.server.ANSWER_S", 1.0)  # each may wait for the other's next byte
    hint = r"redis:// or rediss:// in redis\.url|rediss:// is for a Redis with TLS"
    with pytest.raises((StoreRefused, StoreUnavailable), match=hint):
        write_once(url=start().tls_url.replace("rediss", "redis"))
    port = free_port()
    (tmp_path / "plain").mkdir()
    with RealRedis(tmp_path / "plain", port=port), pytest.raises((StoreRefused, StoreUnavailable), match=hint):
        write_once(url=f"rediss://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("p[a]s s#w/o@r:d?%2541 é%", id="as it is"),
        pytest.param("p%5Ba%5Ds%20s%23w%2Fo%40r%3Ad%3F%2541%20%C3%A9%25", id="percent-encoded"),
    ],
)
def test_a_password_of_any_characters_in_the_url_lets_us_in(
    tmp_path: Path, free_port: Callable[[], int], typed: str
) -> None:
    (tmp_path / "plain").mkdir()
    port = free_port()
    with RealRedis(tmp_path / "plain", port=port) as server:
        server.say("ACL", "SETUSER", "ann", "on", f">{PASSWORD}", "~*", "+@all")
        server.say("CONFIG", "SET", "requirepass", "somebody else's")
        url = f"redis://ann:{typed}@127.0.0.1:{port}/3"
        assert typed not in repr(RedisSettings(url=url))
        with closing(connect(RedisSettings(url=url))) as client:
            assert RedisStore(client, "site").write(Write(version=0, now_ns=1, next_identity=2)) == "applied"
            assert client.connection_pool.connection_kwargs["db"] == 3
