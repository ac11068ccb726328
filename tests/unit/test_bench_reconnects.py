"""What dozens of lost connections leave behind; `climbtrack bench reconnects` does the same ten thousand times."""

import json

import pytest

from deploy.cli.main import main


def test_lost_connections_leave_no_thread_and_no_descriptor_behind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "reconnects", "--count", "80"]) == 0

    (line,) = capsys.readouterr().out.splitlines()
    figures = json.loads(line)
    assert figures["reconnects"] >= 60
    assert figures["frames"] > 80
    assert figures["threads"] == 0
    assert figures["descriptors"] <= 2  # of the connection that is open at the moment, and of none before
