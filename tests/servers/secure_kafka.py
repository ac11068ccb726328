"""A Kafka that asks for a user and speaks TLS, beside the plain listener that it needs itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import UserScramCredentialUpsertion

from deploy import kafka_server

SCRAM = "SCRAM-SHA-512"
USER, PASSWORD = "ann", "p[a]s s#w/o@r:d?%41é"

SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@dataclass(frozen=True)
class SecureKafka:
    """Addresses of one node, by how they are spoken to."""

    node: kafka_server.KafkaNode
    sasl: str
    sasl_tls: str
    tls: str
    expired: str


def start(certificates: Path, free_port: Callable[[], int]) -> SecureKafka:
    """Start a node that lets `USER` in with PLAIN or SCRAM, behind TLS or not, and whoever has our certificate."""
    ports = {name: free_port() for name in ("SASL", "SAFE", "CERT", "OLD")}
    chain, key = ((certificates / f"server.{kind}").read_text().strip() for kind in ("pem", "key"))
    expired = (certificates / "server-expired.pem").read_text().strip()
    authority = (certificates / "ca.pem").read_text().strip()
    login = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
    listeners = "".join(f",{name}://127.0.0.1:{port}" for name, port in ports.items())
    lines = {
        "listeners": f"PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller_port}}{listeners}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{{port}}{listeners}",
        "listener.security.protocol.map": (
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,SAFE:SASL_SSL,CERT:SSL,OLD:SSL"
        ),
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": f"PLAIN,{SCRAM}",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": _one_line(chain),
        "ssl.keystore.key": _one_line(key),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": _one_line(authority),
        "listener.name.cert.ssl.client.auth": "required",
        "listener.name.old.ssl.keystore.type": "PEM",
        "listener.name.old.ssl.keystore.certificate.chain": _one_line(expired),
        "listener.name.old.ssl.keystore.key": _one_line(key),
        **{f"listener.name.{name}.plain.sasl.jaas.config": _escaped(login) for name in ("sasl", "safe")},
        **{f"listener.name.{name}.{SCRAM.lower()}.sasl.jaas.config": SCRAM_LOGIN for name in ("sasl", "safe")},
    }
    node = kafka_server.start(free_port(), more="".join(f"{name}={value}\n" for name, value in lines.items()))
    _add_user(node.servers)
    return SecureKafka(node, *(f"127.0.0.1:{port}" for port in ports.values()))


def _add_user(servers: str) -> None:
    """Let `USER` in with SCRAM, whose users the brokers keep themselves."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.alter_user_scram_credentials([UserScramCredentialUpsertion(USER, SCRAM, PASSWORD)])
    admin.close()


def _one_line(pem: str) -> str:
    return pem.replace("\n", "\\n")


def _escaped(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode().replace("\\xe9", "\\u00e9")
