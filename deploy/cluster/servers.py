"""The servers that a cluster on this machine brings: Redis, Kafka, and Prometheus where it is installed."""

from pathlib import Path
from typing import Any

import yaml

from deploy import kafka_server
from deploy.cluster.plan import Plan, Program, kind_of
from deploy.local.private_redis import RedisBinary, RedisFolder
from deploy.topology import BY_NAME

RULES = Path(__file__).parents[1] / "prometheus"


def redis_program(folder: RedisFolder, binary: RedisBinary) -> Program:
    """Return the Redis of a folder; a server left there by a killed process is stopped.

    Raises:
        UsageError, RunError: As `RedisFolder.prepare`.
    """
    words = folder.prepare(binary)
    return Program("redis", BY_NAME["redis"], tuple(words), socket=folder.socket_path)


def kafka_program(plan: Plan, data_dir: Path) -> Program:
    """Return the Kafka node of a folder; its jars must be in the cache.

    Raises:
        TransientError: The folder cannot be used.
    """
    folder = data_dir / "kafka"
    folder.mkdir(exist_ok=True)
    address = plan.addresses["kafka"]
    ports = (address.port, kafka_server.free_port())
    words = kafka_server.prepare(folder, kafka_server.fetch(), ports)
    return Program("kafka", BY_NAME["kafka"], tuple(words), address, folder=folder)


def prometheus_programs(plan: Plan, data_dir: Path) -> tuple[Program, ...]:
    """Return a Prometheus that scrapes all services; nothing where the plan has none."""
    address = plan.addresses.get("prometheus")
    if address is None:
        return ()
    config, kind = data_dir / "prometheus.yml", BY_NAME["prometheus"]
    config.write_text(yaml.safe_dump(scrape_config(plan), sort_keys=False))
    words = (
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={data_dir / 'prometheus'}",
        f"--web.listen-address={address.reachable}",
        "--log.level=warn",
    )
    return (Program("prometheus", kind, words, address),)


def scrape_config(plan: Plan) -> dict[str, object]:
    """Return the shipped configuration of Prometheus for the processes of a plan."""
    config: dict[str, Any] = yaml.safe_load((RULES / "prometheus.yml").read_text())
    targets = [
        {"targets": [address.reachable], "labels": {"service": kind_of(name).label}}
        for name, address in plan.addresses.items()
        if kind_of(name).kind == "service"
    ]
    rules: list[str] = config.get("rule_files", [])
    return {
        **config,
        **({"rule_files": [str(RULES / rule) for rule in rules]} if rules else {}),
        "scrape_configs": [{**config["scrape_configs"][0], "static_configs": targets}],
    }
