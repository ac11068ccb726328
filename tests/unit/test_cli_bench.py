"""What a benchmark makes of what the stages counted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from deploy.bench.pipeline import file_cameras, machine, stage_speeds
from deploy.cli.main import main
from wire.metrics import ServiceMetrics


def test_the_speed_of_a_stage_is_frames_by_the_time_it_took() -> None:
    registry = CollectorRegistry()
    metrics = ServiceMetrics(registry)
    for seconds in (1.5, 2.5):
        metrics.stage_duration_seconds.labels(stage="detect").observe(seconds)
    assert stage_speeds(registry, analysed=100) == {"detect": 25.0}


GROWTH = """
from deploy.bench.memory import memory_mb
before = memory_mb()
ballast = bytearray(b"x" * 200_000_000)
print(memory_mb() - before)
"""


def test_memory_is_that_of_this_process() -> None:
    # in a process of its own: in this one, whatever earlier tests left behind may grow meanwhile
    done = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True)
    assert 150 < float(done.stdout) < 250


def test_every_video_is_a_camera_that_is_processed_completely() -> None:
    (camera,) = file_cameras([Path("site/door.mp4")])
    assert (camera.camera_id, camera.url, camera.mode) == ("door", "site/door.mp4", "complete")


def test_the_machine_is_described_in_json() -> None:
    assert json.loads(json.dumps(machine()))["cores"] >= 1


@pytest.mark.parametrize("benchmark", ["pipeline", "live"])
def test_without_videos_the_message_says_how_to_generate_some(
    benchmark: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", benchmark, "--site", str(tmp_path)]) == 2
    assert f"climbtrack synth site --out {tmp_path} --seed 7" in capsys.readouterr().err


def test_the_gallery_is_measured_for_each_number_of_people(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--identities", "5", "--identities", "30", "--store", "memory", "--tracklets", "20", "--json"]

    assert main(["bench", "gallery", *words]) == 0

    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["store"], row["identities"]) for row in rows] == [("memory", 5), ("memory", 30)]
    for row in rows:
        assert row["tracklets"] >= 20
        assert row["tracklets_per_s"] > 0
        assert 0 < row["window_p50_ms"] <= row["window_p99_ms"]
        assert row["rss_mb"] > 10


def test_an_index_that_grows_is_measured_and_finds_everybody(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "gallery", "--prototypes", "9000"]) == 0

    (line,) = capsys.readouterr().out.splitlines()
    figures = json.loads(line)
    assert figures["prototypes"] == 9_000
    assert figures["recall_at_10"] == 1.0
    assert 1.0 < figures["kb_each"] < 8.0
    for name in ("grow_ms", "add_ms", "remove_ms", "search_ms"):
        assert figures[name] == sorted(figures[name])


def test_a_soak_keeps_and_forgets_as_many_people_as_it_says(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "gallery", "--soak", "200", "--identities", "60", "--store", "redis"]) == 0

    out, told = capfd.readouterr()
    assert [f"tenth {number}:" in told for number in (1, 10, 11)] == [True, True, False]
    (line,) = out.splitlines()
    figures = json.loads(line)
    assert figures["store"] == "redis"
    assert figures["tracklets"] >= 200
    assert figures["identities"] == 60
    assert figures["forgotten"] > 20
    assert len(figures["p99_ms"]) == len(figures["rss_mb"]) == 10
    assert figures["stored"][1][0] < 400


def test_the_gallery_is_measured_over_known_stores_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "gallery", "--store", "paper"]) == 2
    assert "--store paper: must be one of memory, redis" in capsys.readouterr().err


def test_a_backup_is_measured_with_the_memory_of_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "gallery", "--backup", "--identities", "30"]) == 0

    figures = json.loads(capsys.readouterr().out)
    assert figures["people"] == 30
    assert figures["restored_people"] >= 30
    assert figures["file_mb"] > 0
    assert all(figures[step]["peak_mb"] > 10 for step in ("backup", "check", "restore"))
