"""How much the commands that run log: a service its events, and with --verbose every message that passes."""

import logging
from typing import Any

import pytest

from deploy.cli.main import main
from deploy.errors import UsageError


@pytest.mark.parametrize("service", ["ingest", "worker", "gallery"])
@pytest.mark.parametrize(("options", "level"), [([], logging.INFO), (["-v"], logging.DEBUG)])
def test_a_service_logs_every_message_only_when_asked(
    service: str, options: list[str], level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[int] = []

    def note(*_: Any) -> int:
        levels.append(logging.getLogger("wire.service").getEffectiveLevel())
        return 0

    module = "reid_worker" if service == "worker" else service
    monkeypatch.setattr(f"{module}.__main__.main", note)
    monkeypatch.setattr("deploy.announce.announce_cameras", lambda _: None)

    assert main([service, *options]) == 0
    assert levels == [level]


@pytest.mark.parametrize(
    ("options", "level"), [([], logging.WARNING), (["-v"], logging.INFO), (["-vv"], logging.DEBUG)]
)
def test_each_verbose_flag_logs_more(options: list[str], level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    levels: list[int] = []

    def note(*_: Any) -> None:
        levels.append(logging.getLogger("wire.service").getEffectiveLevel())
        raise UsageError("enough")

    monkeypatch.setattr("deploy.local.run.follow", note)

    assert main(["run", "--camera", "a=0", *options]) == 2
    assert levels == [level]
