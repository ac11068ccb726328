"""Whatever characters a password has and wherever it stands in a URL, nothing that people read shows it."""

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout

import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import ValidationError

from deploy.cameras import configured_cameras, parse_cameras
from deploy.cli.api_client import ApiClient
from deploy.cli.main import main
from deploy.errors import DeployError
from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.errors import StoreRefused, StoreUnavailable
from gallery.store.memory import MemoryStore
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from ingest.config import IngestSettings
from ingest.errors import SourceError
from ingest.metrics import IngestMetrics
from ingest.source import Source
from ingest.sources.opening import open_source
from ingest.state import CameraJob, State, Surroundings
from ingest.supervisor import Supervisor
from tests.servers.redis_server import wait_for
from wire import codec
from wire.bus import Record
from wire.errors import SettingsError, WireError
from wire.logs import MaskingFormatter
from wire.mask import mask_url, scrub
from wire.memory import MemoryBus
from wire.messages import CameraSpec
from wire.service import Received
from wire.settings import KafkaSettings, RedisSettings
from wire.url import UrlError, check_source, read_url

LEFT, RIGHT = "Qx7Left", "Qy7Right"  # what a password begins and ends with: neither half may show
AWKWARD = "[]#/@:%? \\&=;'\"+,{}|^`~!$()*äß€中"
passwords = st.text(st.sampled_from(AWKWARD), max_size=6).map(lambda middle: f"{LEFT}{middle}{RIGHT}")
hosts = st.sampled_from(["127.0.0.1:1", "cam:554", "cam", "cam.example.org", "[::1]:1", "localhost:1"])
here = st.sampled_from(["127.0.0.1:1", "[::1]:1", "localhost:1"])  # where nothing listens
FORMS: tuple[Callable[[str, str, str], str], ...] = (
    lambda scheme, host, password: f"{scheme}://ann:{password}@{host}/0",
    lambda scheme, host, password: f"{scheme}://:{password}@{host}",
    lambda scheme, host, password: f"{scheme}://{password}@{host}/0",
    lambda scheme, host, password: f"{scheme}://{host}/x?user=ann&password={password}",
    lambda scheme, host, password: f"{scheme}://{host}/x?channel=1&pwd={password}&stream=0",
    lambda scheme, host, password: f"{scheme}://{host}/x?token={password}",
    lambda scheme, host, password: f"{scheme}://{host}/cgi?loginuse=ann&loginpas={password}",
    lambda scheme, host, password: f"{scheme}://{host}/x?authkey={password}#frame",
    lambda scheme, host, password: f"{scheme}://{host}/user=ann_password={password}_channel=1_stream=0.sdp?real_stream",
    lambda scheme, host, password: f"{scheme}://{host}/user=ann&password={password}&channel=1",
    lambda scheme, host, password: f"{scheme}://ann:{password.replace('@', '')}",
    lambda scheme, host, password: f"{scheme}://ann:{password}@{host}:99999/x",
    lambda scheme, host, password: f"{scheme}://ann:{password}@[{host}/x",
    lambda scheme, host, password: f"ann:{password}@{host}/x",
)


def urls(*schemes: str, at: st.SearchStrategy[str] = hosts) -> st.SearchStrategy[str]:
    return st.builds(
        lambda form, scheme, host, password: form(scheme, host, password),
        st.sampled_from(FORMS),
        st.sampled_from(schemes),
        at,
        passwords,
    )


cameras = urls("rtsp", "rtsps", "http", "https", "RTSP", "ftp")


# ruff: noqa: PT017 - what is said where a URL is refused is looked at, and not whether it is
def clean(text: object) -> bool:
    """Tell whether a text shows nothing of a password; told twice, so that a failure shows the text."""
    said = str(text)
    assert LEFT not in said, said
    assert RIGHT not in said, said
    return True


@given(cameras)
@example(f"rtsp://ann:4711/{RIGHT}@cam/x")
@example(f"rtsp://ann:4711?{RIGHT}@cam/x")
@example(f"rtsp://ann:4711#{RIGHT}@cam/x")
@example(f"rtsp://ann:{LEFT}@5/{RIGHT}@cam/x")
@example(f"rtsp://ann:{LEFT}\n{RIGHT}@cam/x")
def test_a_masked_url_shows_nothing_and_masking_again_changes_nothing(url: str) -> None:
    assert clean(mask_url(url))
    assert mask_url(mask_url(url)) == mask_url(url)


@given(cameras)
def test_a_text_with_a_url_in_it_is_scrubbed(url: str) -> None:
    if "://" in url and "\n" not in url and " " not in url:
        assert clean(scrub(f"cannot open '{url}': see http://127.0.0.1:1/docs, or ask"))
        assert scrub(f"{url} x").endswith(" x") or "@" in url


@given(cameras)
def test_a_url_that_is_understood_is_understood_by_libraries_and_one_that_is_not_says_nothing_of_it(url: str) -> None:
    try:
        check_source(url)
        parts = read_url(url)
    except UrlError as error:
        assert clean(error)
        return
    assert clean(repr(parts))
    again = read_url(parts.quoted())
    assert (again.scheme, again.user, again.password, again.host, again.port) == (
        parts.scheme,
        parts.user,
        parts.password,
        parts.host,
        parts.port,
    )
    assert parts.quoted().isascii()
    assert parts.quoted() == again.quoted()


@given(passwords, st.sampled_from(["10.0.0.7:554", "[fe80::1]:554", "localhost", "127.0.0.1"]))
def test_the_password_that_was_typed_is_the_one_that_is_sent(password: str, host: str) -> None:
    parts = read_url(f"rtsp://ann:{password.replace('%', '%25')}@{host}/live")
    assert (parts.user, parts.password, parts.address, parts.rest) == ("ann", password, host, "/live")


@given(cameras)
def test_a_camera_shows_no_password_on_the_command_line_in_yaml_and_in_a_repr(
    tmp_path_factory: pytest.TempPathFactory, url: str
) -> None:
    for words in ([f"door={url}"], [url], [f"a door={url}"], [f"={url}"], [f"door={url}"] * 2):
        try:
            specs = parse_cameras(words, "site")
        except DeployError as error:
            assert clean(error)
        else:
            assert clean(repr(specs))
            value = codec.encode(specs["door"])
            record = Record("cameras", 0, 0, "door", value, 0)
            assert clean(repr(Received(record, codec.decode(value))) + repr(CameraJob(specs["door"], 0)))
    config = tmp_path_factory.getbasetemp() / "secrets.yaml"
    quoted = url.replace("'", "''")
    for text in (
        f"cameras: {{door: '{quoted}'}}",
        f"cameras:\n  door: {url}",
        f"cameras: {{'{quoted}': door.mp4}}",
        f"cameras: {{door: {{url: door.mp4, '{quoted}': 1}}}}",
        f"cameras: '{quoted}'",
        f"'{quoted}': 1",
    ):
        config.write_text(text, encoding="utf-8")
        try:
            assert clean(repr(configured_cameras(config)))
        except WireError as error:
            assert clean(error)


@given(urls("rtsp", "http", "https", at=here))
@settings(max_examples=15)
def test_a_command_shows_no_password_whatever_place_its_url_is_given_in(url: str) -> None:
    for words in (["run", url], [url], ["cameras", "add", "a", url], ["cameras", "ls", "--api", url]):
        with redirect_stderr(io.StringIO()) as said, redirect_stdout(io.StringIO()) as printed:
            assert main(words) in {1, 2}
        assert clean(_unfolded(said.getvalue() + printed.getvalue()))


def _unfolded(text: str) -> str:
    """Return a text without the frame and the line breaks that a terminal puts into it."""
    return "".join(line.strip("│ ") for line in text.splitlines())


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with closing(MemoryBus()) as bus, TestClient(create_app(MemoryStore("site"), bus, ApiSettings())) as client:
        yield client


@given(url=cameras)
def test_the_api_takes_a_camera_or_says_why_not_and_never_shows_its_password(client: TestClient, url: str) -> None:
    answer = client.post("/v1/cameras", json={"camera_id": "door", "url": url})
    assert answer.status_code in {201, 422}
    assert clean(answer.text + client.get("/v1/cameras").text)
    wrong = client.post("/v1/cameras", json={"camera_id": url, "url": url, "mode": url, url: url, "analysed_fps": url})
    assert wrong.status_code == 422


@given(urls("redis", "rediss", "unix", "http", at=here))
@settings(max_examples=25)
def test_redis_settings_and_errors_show_no_password(url: str) -> None:
    try:
        chosen = RedisSettings(url=url)
    except ValidationError as error:
        assert clean(error)
        with pytest.raises(SettingsError) as caught:
            RedisSettings.load(None, url=url)
        assert clean(caught.value)
        return
    assert clean(repr(chosen))
    try:
        client = connect(chosen)
    except SettingsError as error:
        assert clean(error)
        return
    with closing(client):
        assert clean("" if chosen.url.startswith("unix") else repr(client))  # a path is not a password
        with pytest.raises((StoreUnavailable, StoreRefused)) as refused:
            RedisStore(client, "site").ping()
        assert clean(refused.value)


@given(
    passwords, st.sampled_from(["ann:{}@127.0.0.1:9092", "kafka://ann:{}@127.0.0.1:9092", "127.0.0.1:9092,b:{}@c:1"])
)
def test_kafka_settings_show_no_password(password: str, form: str) -> None:
    with pytest.raises(SettingsError) as caught:
        KafkaSettings.load(None, servers=form.format(password))
    assert clean(caught.value)
    with pytest.raises(ValidationError) as invalid:
        KafkaSettings(servers=form.format(password))
    assert clean(invalid.value)
    login = {"sasl_mechanism": "PLAIN", "sasl_username": "ann", "sasl_password": password}
    assert clean(repr(KafkaSettings.model_validate({"security_protocol": "SASL_SSL", **login})))


@given(urls("http", "https", "rtsp", at=here))
@settings(max_examples=25)
def test_a_client_of_the_api_shows_no_password(url: str) -> None:
    try:
        with ApiClient(url) as client:
            client.get("/v1/cameras")
    except DeployError as error:
        assert clean(error)


class Explodes:
    """An opener whose error repeats the URL, as libraries do, or that opens nothing real."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __call__(self, spec: CameraSpec, settings: IngestSettings) -> Source:
        if spec.camera_id == "bug":
            raise RuntimeError(f"cannot open {self._url}")
        return open_source(spec, settings)


@contextmanager
def log_lines() -> Iterator[io.StringIO]:
    """Yield what a service writes to its log meanwhile."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(MaskingFormatter("%(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("ingest")
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]


@given(urls("rtsp", "http", "ftp", at=here))
@settings(max_examples=15)
def test_a_camera_that_fails_shows_no_password_in_states_logs_metrics_and_on_the_bus(url: str) -> None:
    registry = CollectorRegistry()
    with closing(MemoryBus()) as bus, log_lines() as log:
        around = Surroundings(bus, IngestSettings(), IngestMetrics(registry), opener=Explodes(url))
        supervisor = Supervisor(around)
        for camera_id in ("door", "bug"):
            supervisor.apply(CameraJob(CameraSpec(camera_id=camera_id, site_id="site", url=url), 0))
        _wait(supervisor)
        states = supervisor.statuses()
        supervisor.stop(supervisor.ids(), "over")
        consumer = bus.consumer("test", ["frames"])
        sent = b"".join(record.value or b"" for record in consumer.poll(100, 0.0))
        consumer.close()
    assert "internal error" in log.getvalue()
    assert clean(log.getvalue() + repr(states) + generate_latest(registry).decode() + sent.decode("latin-1"))


def _wait(supervisor: Supervisor) -> None:
    """Return when each camera has met its error."""
    wait_for(lambda: all(one.cause or one.state is State.ENDED for one in supervisor.statuses()))


def test_what_opens_a_camera_never_chains_the_librarys_error() -> None:
    spec = CameraSpec(camera_id="door", site_id="site", url=f"rtsp://ann:{LEFT}@127.0.0.1:1/x")
    with pytest.raises(SourceError) as caught:
        open_source(spec, IngestSettings(connect_timeout_s=1))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
