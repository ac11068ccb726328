"""Settings of the alerts service."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from wire.settings import Settings

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})")
_TOPIC = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
MQTT_SCHEMES = ("mqtt://", "mqtts://")


class AlertSettings(Settings):
    """Settings for raising alerts, and for sending them.

    Attributes:
        webhook_hosts: Hosts of this network to which webhooks may be sent: names, addresses, or networks such as
            `192.168.1.0/24`; a list, or separated by commas. Without one, only public addresses are allowed, since a
            webhook's address would otherwise be a way into the network.
        mqtt_url: MQTT broker, such as `mqtt://homeassistant.local:1883` or `mqtts://broker:8883`; none without.
        mqtt_user, mqtt_password: Login at the broker.
        mqtt_ca_file: PEM file of the CA that signed the broker's certificate.
        mqtt_topic: First part of all topics.
        mqtt_discovery: First part of Home Assistant's discovery topics; empty announces nothing.
        nvschema: Whether every analysed frame with people is published to the topic `nvschema`, in NVIDIA's JSON.
        health_host, health_port: Address of `/healthz`, `/readyz` and `/metrics`.
    """

    section = "alerts"

    webhook_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    mqtt_url: str = Field(default="", max_length=500)
    mqtt_user: str = Field(default="", max_length=200)
    mqtt_password: SecretStr | None = None
    mqtt_password_file: Path | None = None
    mqtt_ca_file: Path | None = None
    mqtt_topic: str = "climbtrack"
    mqtt_discovery: str = "homeassistant"
    nvschema: bool = False
    health_host: str = "127.0.0.1"
    health_port: int = Field(default=9104, ge=0, le=65535)

    @field_validator("webhook_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Split a comma-separated text."""
        return tuple(host.strip() for host in value.split(",") if host.strip()) if isinstance(value, str) else value

    @field_validator("webhook_hosts")
    @classmethod
    def _check_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        """Reject what is neither a host nor a network."""
        for host in hosts:
            if network_of(host) is None and not _HOST.fullmatch(host):
                raise ValueError("expected host names, addresses, or networks like 192.168.1.0/24")
        return hosts

    @field_validator("mqtt_url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        """Reject what is not the address of a broker."""
        if url and (not url.startswith(MQTT_SCHEMES) or "@" in url):
            raise ValueError("expected mqtt://host:1883 or mqtts://host:8883; the login goes into mqtt_user")
        return url

    @field_validator("mqtt_topic", "mqtt_discovery")
    @classmethod
    def _check_topic(cls, topic: str) -> str:
        """Reject topics that brokers do not accept."""
        if topic and not _TOPIC.fullmatch(topic):
            raise ValueError("expected letters, digits, _ and -, in parts separated by /")
        return topic


def network_of(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return the network that a text names, of one address if it is one; None for a host's name."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
