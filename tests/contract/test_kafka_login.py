"""A Kafka behind TLS and passwords lets us in, or says at once what is wrong and which setting mends it."""

import gc
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from deploy.kafka_server import missing_tools
from tests.conftest import need
from tests.servers import secure_kafka
from tests.servers.redis_server import make_certificates
from tests.servers.secure_kafka import PASSWORD, SCRAM, USER, SecureKafka
from wire.bus import TopicSpec
from wire.errors import SettingsError, TransientError
from wire.kafka.bus import KafkaBus
from wire.settings import KafkaSettings

pytestmark = [
    pytest.mark.kafka,
    # The client leaves sockets that were refused to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <(socket|ssl):pytest.PytestUnraisableExceptionWarning"),
]

TOPICS = (TopicSpec("cameras", partitions=1, retention_s=None),)
ANN = {"sasl_mechanism": "PLAIN", "sasl_username": USER, "sasl_password": PASSWORD}
SASL, SASL_TLS, TLS = ({"security_protocol": name} for name in ("SASL_PLAINTEXT", "SASL_SSL", "SSL"))


@pytest.fixture(autouse=True)
def _no_refused_sockets_for_the_next_test() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need(found=shutil.which("openssl") is not None, what="openssl")
    folder = tmp_path_factory.mktemp("kafka") / "certificates"
    make_certificates(folder)
    return folder


@pytest.fixture(scope="module")
def kafka(certificates: Path, free_port: Callable[[], int]) -> Iterator[SecureKafka]:
    missing = missing_tools()
    need(found=not missing, what=f"{' and '.join(missing)}, to start Kafka")
    running = secure_kafka.start(certificates, free_port)
    with running.node:
        yield running


def ask(**settings: Any) -> set[str]:
    """Write and read with these settings; return the keys of the table."""
    quick = {"connect_timeout_ms": 2000, "request_timeout_ms": 5000}
    with closing(KafkaBus(KafkaSettings.model_validate({**quick, **settings}), TOPICS)) as bus:
        bus.ensure_topics()
        producer = bus.producer()
        producer.send("cameras", "door", b"x")
        producer.flush(10)
        producer.close()
        return set(bus.table("cameras"))


def test_a_user_with_a_password_of_any_characters_is_let_in(kafka: SecureKafka) -> None:
    assert ask(servers=kafka.sasl, **SASL, **ANN) == {"door"}


def test_a_password_file_and_an_authority_of_ones_own_are_enough(
    kafka: SecureKafka, certificates: Path, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    login = {"sasl_mechanism": "PLAIN", "sasl_username": USER, "sasl_password_file": file}
    assert ask(servers=kafka.sasl_tls, **SASL_TLS, **login, ssl_ca_file=certificates / "ca.pem") == {"door"}


def test_a_user_with_scram_behind_tls_is_let_in_and_another_password_is_not(
    kafka: SecureKafka, certificates: Path
) -> None:
    known = {"servers": kafka.sasl_tls, **SASL_TLS, **ANN, "sasl_mechanism": SCRAM}
    authority = {"ssl_ca_file": certificates / "ca.pem"}
    assert ask(**known, **authority) == {"door"}
    with pytest.raises(SettingsError, match=r"refuses this user or password; correct kafka\.sasl_username"):
        ask(**{**known, "sasl_password": "hunter2"}, **authority)


def test_a_certificate_of_ours_is_enough(kafka: SecureKafka, certificates: Path) -> None:
    own = {"ssl_certificate_file": certificates / "client.pem", "ssl_key_file": certificates / "locked.key"}
    known = {"servers": kafka.tls, **TLS, "ssl_ca_file": certificates / "ca.pem"}
    assert ask(**known, **own, ssl_key_password="hunter2") == {"door"}
    with pytest.raises(SettingsError, match=r"kafka\.ssl_key_file = .*; expected PEM"):
        ask(**known, **own, ssl_key_password="hunter3")
    with pytest.raises((SettingsError, TransientError), match=r"kafka\.security_protocol"):
        ask(**known)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"sasl_password": "hunter2"}, "refuses this user or password; correct kafka.sasl_username", id="password"
        ),
        pytest.param({"sasl_username": "bob"}, "refuses this user or password", id="user"),
        pytest.param({"sasl_mechanism": "SCRAM-SHA-256"}, "does not support kafka.sasl_mechanism", id="mechanism"),
    ],
)
def test_a_login_that_is_refused_is_a_wrong_setting_and_not_waited_for(
    kafka: SecureKafka, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        ask(servers=kafka.sasl, **SASL, **{**ANN, **changes})
    assert said in str(caught.value)
    assert kafka.sasl in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_certificate_that_is_not_trusted_is_a_wrong_setting(kafka: SecureKafka, certificates: Path) -> None:
    with pytest.raises(SettingsError, match=r"is not trusted: .*; check .*kafka\.ssl_ca_file"):
        ask(servers=kafka.sasl_tls, **SASL_TLS, **ANN)
    elsewhere = kafka.sasl_tls.replace("127.0.0.1", "localhost")
    known = {"servers": elsewhere, **SASL_TLS, **ANN, "ssl_ca_file": certificates / "ca.pem"}
    with pytest.raises(SettingsError, match=r"is not trusted: Hostname mismatch"):
        ask(**known)


def test_a_certificate_that_has_ended_is_a_wrong_setting_whoever_has_it(kafka: SecureKafka, certificates: Path) -> None:
    known = {**TLS, "ssl_ca_file": certificates / "ca.pem"}
    with pytest.raises(SettingsError, match="is not trusted: certificate has expired"):
        ask(servers=kafka.expired, **known)
    own = {"ssl_certificate_file": "client-expired.pem", "ssl_key_file": "client-expired.key"}
    with pytest.raises(SettingsError, match=r"kafka\.ssl_certificate_file"):
        ask(servers=kafka.tls, **known, **{key: certificates / name for key, name in own.items()})


def test_a_port_that_is_spoken_to_in_another_way_names_the_protocol(kafka: SecureKafka, certificates: Path) -> None:
    known = {"ssl_ca_file": certificates / "ca.pem"}
    with pytest.raises(
        SettingsError, match=r"does not use logins on this port: set kafka\.security_protocol to PLAINTEXT"
    ):
        ask(servers=kafka.node.servers, **SASL, **ANN)
    with pytest.raises((SettingsError, TransientError), match=r"kafka\.security_protocol"):
        ask(servers=kafka.node.servers, **TLS, **known)
    with pytest.raises(TransientError, match=r"kafka\.security_protocol"):
        ask(servers=kafka.sasl, connect_timeout_ms=1000)


def test_a_broker_that_is_away_is_named_with_what_to_do(free_port: Callable[[], int]) -> None:
    port = free_port()
    with pytest.raises(TransientError) as caught:
        ask(servers=f"127.0.0.1:{port},nowhere.invalid:1")
    assert str(caught.value) == (
        f"Kafka: nothing listens at 127.0.0.1:{port}; the host name in nowhere.invalid:1 cannot be resolved; "
        "start it or set kafka.servers (CLIMBTRACK_KAFKA_SERVERS)"
    )
