"""A Kafka with access lists: what a user may not do is named, and nothing else stops."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from pydantic import SecretStr

from deploy import kafka_server
from deploy.kafka_server import missing_tools
from tests.conftest import need, wait_until
from wire.bus import FRAMES, Discarded
from wire.kafka.bus import KafkaBus
from wire.settings import KafkaSettings

pytestmark = pytest.mark.kafka

USER, PASSWORD = "ann", "secret"
LOGIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'


@pytest.fixture(scope="module")
def servers(free_port: Callable[[], int]) -> Iterator[tuple[str, str]]:
    """Yield the address where everything is allowed, and the one where users have rights."""
    missing = missing_tools()
    need(found=not missing, what=f"{' and '.join(missing)}, to start Kafka")
    port = free_port()
    lines = {
        "listeners": f"PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller_port}},SASL://127.0.0.1:{port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{{port}},SASL://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl.plain.sasl.jaas.config": LOGIN,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    with kafka_server.start(free_port(), more="".join(f"{name}={value}\n" for name, value in lines.items())) as node:
        yield node.servers, f"127.0.0.1:{port}"


def allow(servers: str, kind: ResourceType, *operations: ACLOperation) -> None:
    """Give the user rights on all topics or groups."""
    everything = ResourcePattern(kind, "*")
    with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
        done = admin.create_acls(
            [ACL(f"User:{USER}", "*", one, ACLPermissionType.ALLOW, everything) for one in operations]
        )
    assert not done["failed"]


def test_without_the_right_to_delete_records_that_is_said_and_with_it_they_go(servers: tuple[str, str]) -> None:
    free, bound = servers
    read = (ACLOperation.READ, ACLOperation.DESCRIBE)
    allow(free, ResourceType.TOPIC, *read, ACLOperation.WRITE, ACLOperation.CREATE, ACLOperation.DESCRIBE_CONFIGS)
    allow(free, ResourceType.GROUP, *read)
    settings = KafkaSettings(
        servers=bound,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username=USER,
        sasl_password=SecretStr(PASSWORD),
    )
    with closing(KafkaBus(settings)) as bus:
        # Given a user with all rights that services need but that one
        bus.ensure_topics()
        with closing(bus.producer()) as producer:
            producer.send(FRAMES.name, "door", b"a picture")
            producer.flush(30)
        ends = bus.ends(FRAMES.name, ["door"])

        def discarded() -> Discarded:
            return next(iter(bus.discard(ends, lambda _: True).values()))

        # Then the records are kept, and it is said which right is missing
        refused = discarded()
        assert (refused.gone, refused.kept) == (0, 1)
        assert refused.problem == "Kafka refuses: allow the user of the gallery to delete records of topic frames"
        # And with the right they go
        allow(free, ResourceType.TOPIC, ACLOperation.DELETE)
        wait_until(lambda: discarded().kept == 0)
        assert bus.discard(ends, lambda _: True) == {next(iter(ends)): Discarded()}
