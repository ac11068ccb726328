"""When the certificates of the settings end, as a metric."""

import math
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.conftest import need
from wire.certificate import export_expiry
from wire.metrics import ServiceMetrics
from wire.settings import KafkaSettings, RedisSettings

NAME = "climbtrack_certificate_expiry_timestamp_seconds"


def certificate(folder: Path, name: str, days: int) -> Path:
    """Write a self-signed certificate that ends in some days, as OpenSSL writes it."""
    path = folder / f"{name}.pem"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    place = ["-keyout", str(folder / f"{name}.key"), "-out", str(path), "-subj", f"/CN={name}"]
    try:
        subprocess.run([*new, *place, "-days", str(days)], check=True, capture_output=True)
    except FileNotFoundError:
        need(found=False, what="openssl")
    return path


def end_of(path: Path) -> float:
    """Return when a certificate ends, as OpenSSL says."""
    command = ["openssl", "x509", "-in", str(path), "-noout", "-enddate"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return datetime.strptime(said, "notAfter=%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC).timestamp()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def expiry(registry: CollectorRegistry, server: str, file: str) -> float:
    value = registry.get_sample_value(NAME, {"server": server, "file": file})
    assert value is not None
    return value


def test_the_first_of_our_own_chain_and_the_last_of_the_authorities_count(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    # From 2050 on, certificates write their years with four digits
    soon, late = certificate(tmp_path, "soon", 20), certificate(tmp_path, "late", 30_000)
    both = tmp_path / "both.pem"
    both.write_text(f"a comment\n{late.read_text()}{soon.read_text()}")

    kafka = KafkaSettings(security_protocol="SSL", ssl_ca_file=both, ssl_certificate_file=both)
    export_expiry(ServiceMetrics(registry), kafka, RedisSettings())

    assert expiry(registry, "kafka", "ca") == end_of(late)
    assert expiry(registry, "kafka", "certificate") == end_of(soon)
    assert registry.get_sample_value(NAME, {"server": "redis", "file": "ca"}) is None


def test_a_renewed_file_is_read_again_and_one_that_is_no_certificate_tells_nothing(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    path = certificate(tmp_path, "ours", 20)
    renewed = certificate(tmp_path, "renewed", 40)
    export_expiry(ServiceMetrics(registry), RedisSettings(url="rediss://cache:6379", ssl_ca_file=path))

    path.write_text(renewed.read_text())
    assert expiry(registry, "redis", "ca") == end_of(renewed)

    whole = path.read_text()
    for broken in ("", "hello", whole[: len(whole) // 2], whole.replace("M", "A"), "\x00" * 100):
        path.write_text(broken)
        assert math.isnan(expiry(registry, "redis", "ca"))

    path.unlink()
    assert math.isnan(expiry(registry, "redis", "ca"))
