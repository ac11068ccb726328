"""What a run prints and writes while it trains."""

import csv
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

from training.logs import EVERY, RunLog, StepRecord, peak_memory_mb


def record(step: int, progress: float = 0.5) -> StepRecord:
    return StepRecord(step, progress, elapsed_s=120.0, waited_s=0.25, values={"lr": 1e-3, "total": 2.0, "mmc": 0.0})


def rows(folder: Path, name: str = "log.csv") -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_line_reports_losses_memory_and_time_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = RunLog(tmp_path)
    log.begin(0)
    log.step(record(EVERY))
    log.end()
    said = capsys.readouterr().err
    assert said.startswith(f"step {EVERY}  50.0%  2.0 min left  total 2.000  ")
    assert "mmc" not in said  # a loss that is not computed is not reported
    assert said.endswith(" MB\n")


def test_a_row_sums_the_waiting_time_of_all_its_steps(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    log.begin(0)
    for step in range(1, 2 * EVERY + 1):
        log.step(record(step))
    found = rows(tmp_path)
    assert [row["step"] for row in found] == [str(EVERY), str(2 * EVERY)]
    assert [float(row["waited_s"]) for row in found] == [0.25 * EVERY] * 2
    assert float(found[0]["lr"]) == 1e-3


def test_a_resumed_run_drops_the_rows_of_steps_it_repeats(tmp_path: Path) -> None:
    for begun in (0, EVERY):
        log = RunLog(tmp_path)
        log.begin(begun)
        for step in (EVERY, 2 * EVERY, 3 * EVERY):
            if step > begun:
                log.step(record(step))
        log.end()
    assert [row["step"] for row in rows(tmp_path)] == [str(EVERY), str(2 * EVERY), str(3 * EVERY)]


def test_validation_metrics_are_written_and_repeated_ones_are_dropped(tmp_path: Path) -> None:
    for begun, figures in ((0, {5: 0.2, 10: 0.3, 15: 0.4}), (10, {15: 0.5})):
        log = RunLog(tmp_path)
        log.begin(begun)
        for step, value in figures.items():
            log.validated(step, {"mAP": value})
        log.end()
    found = rows(tmp_path, "held_out.csv")
    assert [(row["step"], row["mAP"]) for row in found] == [("5", "0.2"), ("10", "0.3"), ("15", "0.5")]


def test_tensorboard_gets_losses_and_metrics(tmp_path: Path) -> None:
    log = RunLog(tmp_path, tensorboard=True)
    log.begin(0)
    log.step(record(EVERY))
    log.validated(EVERY, {"mAP": 0.5})
    log.end()
    board = EventAccumulator(str(tmp_path))
    board.Reload()
    assert [(event.step, event.value) for event in board.Scalars("train/total")] == [(EVERY, 2.0)]
    assert [(event.step, event.value) for event in board.Scalars("held_out/mAP")] == [(EVERY, 0.5)]


def test_a_quiet_log_prints_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = RunLog(tmp_path, quiet=True, tensorboard=True)
    log.begin(0)
    log.step(record(EVERY))
    log.validated(EVERY, {"mAP": 0.5})
    log.message("hello")
    log.end()
    assert capsys.readouterr().err == ""
    assert not list(tmp_path.iterdir())


def test_a_terminal_gets_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    log = RunLog(tmp_path)
    log.begin(0)
    assert log._bar is not None
    log.step(record(EVERY))
    log.end()
    (task,) = log._bar.tasks
    assert task.completed == 0.5
    assert "2.0 min left" in task.description


def test_peak_memory_is_that_of_this_process() -> None:
    assert 20 < peak_memory_mb() < 1e6
