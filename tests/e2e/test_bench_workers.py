"""`climbtrack bench workers`: real processes, a real group; every frame is done once, and cameras are shared evenly."""

import json

import pytest

from deploy.capacity.figures import value
from deploy.cli.main import main

pytestmark = pytest.mark.kafka


def test_each_number_of_workers_does_all_frames_and_shares_the_cameras(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--workers", "1", "--workers", "2", "--cameras", "4", "--cost-ms", "10", "--seconds", "2"]

    assert main(["bench", "workers", *words]) == 0

    line = json.loads(capsys.readouterr().out)
    one, two = line["rows"]
    assert [row["workers"] for row in line["rows"]] == [1, 2]
    assert sum(one["frames"]) == sum(two["frames"]) == line["frames"] == 200
    assert (one["cameras"], two["cameras"]) == ([4], [2, 2])
    assert sum(two["partitions"]) == 32
    assert two["predicted_frames_per_s"] == 2 * one["predicted_frames_per_s"] == 200
    assert two["planned_frames_per_s"] == 200 * value("usable")
