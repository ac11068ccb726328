"""`climbtrack plan`: what it says follows from figures that were measured, and from what was asked."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.capacity.estimate import MAX_PARTITIONS, Demand, estimate
from deploy.capacity.figures import figures, value
from deploy.cli.main import main
from wire.errors import SettingsError
from wire.settings import KafkaSettings

BENCH = Path(__file__).parents[1] / "bench"
DEMANDS = st.builds(
    Demand,
    cameras=st.integers(1, 100_000),
    fps=st.floats(0.1, 60),
    people_per_hour=st.floats(0, 10_000),
    stay_s=st.floats(0.1, 600),
    open_hours=st.floats(0, 24),
    retention_days=st.floats(0.01, 365),
    gpu=st.booleans(),
)
MORE: dict[str, Any] = {"cameras": 2, "fps": 2.0, "people_per_hour": 2.0, "stay_s": 2.0, "retention_days": 2.0}
TOTALS = (
    "worker_cores",
    "gpus",
    "redis_bytes",
    "kafka_disk_bytes",
    "kafka_bytes_s",
    "gallery_cores",
    "camera_partitions",
)


@given(DEMANDS, st.sampled_from(sorted(MORE)))
def test_more_of_anything_never_needs_less(demand: Demand, name: str) -> None:
    more = replace(demand, **{name: getattr(demand, name) * MORE[name]})
    before, after = asdict(estimate(demand)), asdict(estimate(more))
    assert all(before[total] <= after[total] * (1 + 1e-9) for total in TOTALS)


@given(DEMANDS)
def test_partitions_and_cores_are_enough_for_the_workers(demand: Demand) -> None:
    found = estimate(demand)
    assert found.camera_partitions >= 4 * max(found.workers, found.ingest_processes)
    assert found.workers * demand.worker_cores >= found.worker_cores
    assert found.workers >= found.gpus


def test_the_estimate_is_near_what_the_benchmark_of_the_pipeline_measured() -> None:
    measured = json.loads((BENCH / "pipeline.jsonl").read_text().splitlines()[-1])
    demand = Demand(cameras=measured["cameras"], fps=10, camera_fps=30, megapixels=0.23, people_per_hour=600)
    cores = estimate(demand).worker_cores * value("usable")
    per_core = measured["cameras"] * demand.fps / cores
    assert per_core == pytest.approx(measured["embedded"]["analysed_per_s"], rel=0.35)


def test_figures_that_are_in_the_logs_of_the_benchmarks_are_those() -> None:
    pipeline = json.loads((BENCH / "pipeline.jsonl").read_text().splitlines()[-1])
    assert value("ingest_frames_per_core_s") == pipeline["ingest"]["frames_per_cpu_s"]
    rows = [json.loads(line) for line in (BENCH / "gallery.jsonl").read_text().splitlines()]
    idle = [
        row for log in rows if "idle" in log["machine"] for row in log.get("rows", []) if row["identities"] == 100_000
    ]
    assert value("gallery_reports_per_core_s") == int(idle[-1]["tracklets_per_s"])


def test_no_more_partitions_are_called_possible_than_the_setting_allows() -> None:
    KafkaSettings.load(None, camera_partitions=MAX_PARTITIONS)
    with pytest.raises(SettingsError):
        KafkaSettings.load(None, camera_partitions=MAX_PARTITIONS + 1)


def test_every_figure_says_how_it_was_found() -> None:
    assert len(figures()) >= 15
    for figure in figures().values():
        assert figure.value > 0, figure.name
        assert figure.unit, figure.name
        assert figure.how, figure.name
    assert {one.found for one in figures().values()} == {"measured", "assumed"}


def test_a_plan_is_printed_with_all_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--cameras", "200", "--fps", "10"]) == 0
    printed = capsys.readouterr().out
    for figure in figures().values():
        assert f"{figure.name} = {figure.value:g} {figure.unit}; {figure.found} {figure.date}: {figure.how}" in printed
    assert "kafka.camera_partitions 64" in printed
    assert main(["plan", "--cameras", "200", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["needs"]["camera_partitions"] == 64
    assert {one["name"] for one in found["figures"]} == set(figures())


def test_what_breaks_first_is_said_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--cameras", "1000"]) == 0
    printed = capsys.readouterr().out.splitlines()
    limits = [line for line in printed if line.startswith("limit")]
    assert "the memory of one Redis" in limits[0]
    assert limits[0].endswith("a shorter gallery.retention_s, more sites, or a Redis for each site")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cameras", "0"], "'--cameras': Input should be greater than or equal to 1"),
        (["--cameras", "-5"], "--cameras"),
        (["--cameras", "many"], "'--cameras': Input should be a valid integer"),
        (["--cameras", "10000000"], "--cameras"),
        (["--cameras", "1", "--fps", "0"], "--fps"),
        (["--cameras", "1", "--fps", "nan"], "--fps"),
        (["--cameras", "1", "--fps", "30"], "--fps 30: the cameras send 25 frames a second (--camera-fps)"),
        (["--cameras", "1", "--people", "-1"], "--people"),
        (["--cameras", "1", "--retention", "inf"], "--retention"),
        (["--cameras", "2", "--sites", "3"], "--sites 3: there are 2 cameras, and a site has at least one"),
        ([], "Missing option '--cameras'"),
        (["--cameras", "1", "--speed", "9"], "No such option: --speed"),
    ],
)
def test_impossible_demands_are_refused_with_what_is_allowed(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())
