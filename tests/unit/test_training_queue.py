"""A queue of training runs resumes, judges every run, survives a failing one, and refuses what it cannot run."""

import fcntl
import json
from pathlib import Path

import pytest
import yaml

from tests.training_tools import coloured_noise, small_changes
from training.recipes import queue as queue_module
from training.recipes.queue import main, run_queue
from training.recipes.queue_file import QueueError, load_queue
from training.recipes.queue_results import results, table

JUDGES = {"other": coloured_noise}


@pytest.fixture(autouse=True)
def few_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "_PEOPLE", 4)
    monkeypatch.setattr(queue_module, "_CAMERAS", 2)


def written(folder: Path, runs: object, **more: object) -> Path:
    changes = small_changes(folder) | {"schedule.steps": 1}
    path = folder / "queue.yaml"
    path.write_text(
        yaml.safe_dump({"output": str(folder / "out"), "changes": changes, "runs": runs} | more, sort_keys=False)
    )
    return path


def done(path: Path) -> bool:
    return run_queue(path, render=coloured_noise, judges=JUDGES)


def test_runs_added_later_follow_and_completed_ones_are_not_repeated(tmp_path: Path) -> None:
    path = written(tmp_path, {"base": {}})
    assert done(path)
    first = (tmp_path / "out" / "results.jsonl").read_text()
    written(tmp_path, {"base": {}, "slow": {"optimiser.learning_rate": 1e-5}})
    assert done(path)
    assert (tmp_path / "out" / "results.jsonl").read_text().startswith(first)
    rows = results(tmp_path / "out")
    assert [row["run"] for row in rows] == ["base", "slow"]
    assert all(0 <= row["figures"]["other"]["mAP"] <= 100 for row in rows)
    assert (tmp_path / "out" / "slow-seed0" / "last.safetensors").exists()


def test_a_run_interrupted_while_it_is_judged_is_only_judged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, {"base": {}})
    with monkeypatch.context() as broken:
        broken.setattr(queue_module, "validated", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            done(path)
    assert results(tmp_path / "out") == []
    monkeypatch.setattr(queue_module, "run_training", _must_not_train)
    assert done(path)
    assert [row["steps"] for row in results(tmp_path / "out")] == [1]


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def _must_not_train(*_: object, **__: object) -> None:
    pytest.fail("the run was completed before")


def test_a_run_that_fails_does_not_keep_the_next_waiting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "nobody.safetensors"
    path = written(tmp_path, {"broken": {"network.initial": str(missing)}, "sound": {}})
    assert not done(path)
    assert [row["run"] for row in results(tmp_path / "out")] == ["sound"]
    assert str(missing) in capsys.readouterr().err


def test_a_completed_run_with_other_settings_is_refused(tmp_path: Path) -> None:
    assert done(written(tmp_path, {"base": {}}))
    path = written(tmp_path, {"base": {"optimiser.learning_rate": 0.25}})
    with pytest.raises(
        QueueError, match=r"base-seed0 was run with optimiser.learning_rate .*, now 0.25: give it a new name"
    ):
        done(path)


def test_two_processes_never_do_the_same_queue(tmp_path: Path) -> None:
    path = written(tmp_path, {"base": {}})
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(QueueError, match="another process"):
            done(path)


def test_the_table_pairs_runs_with_the_baseline_by_seed(tmp_path: Path) -> None:
    queue = load_queue(written(tmp_path, {"base": {}, "better": {}}, seeds=[0, 1]))
    figures = {("base", 0): 40.0, ("base", 1): 60.0, ("better", 0): 43.0, ("better", 1): 61.0}
    rows = [
        {"run": run, "seed": seed, "minutes": 2.0, "figures": {"other": {"mAP": value, "rank1": value + 10}}}
        for (run, seed), value in figures.items()
    ]
    lines = table(queue, rows).splitlines()
    assert "| base | 2 | 2.0 ± 0.0 | 50.0 ± 14.1 | 60.0 ± 14.1 |  |" in lines
    assert "| better | 2 | 2.0 ± 0.0 | 52.0 ± 12.7 | 62.0 ± 12.7 | +2.0 ± 1.4 |" in lines


def test_all_runs_of_a_seed_come_before_the_next_seed(tmp_path: Path) -> None:
    queue = load_queue(written(tmp_path, {"a": {}, "b": {}}, seeds=[3, 1]))
    assert [run.label for run in queue.runs] == ["a-seed3", "b-seed3", "a-seed1", "b-seed1"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "runs is empty"),
        ("[1, 2]", "must be keys and values"),
        ("runs: {base: {}}\nrun: {}", "unknown key 'run'"),
        ("runs:\n  base: {}\n  base: {}", "line 3: duplicate key 'base', first used in line 2; keep one"),
        ("runs: {../up: {}}", "names a folder"),
        ("runs: {a b: {}}", "names a folder"),
        ("runs: {base: 7}", "runs.base is 7"),
        ("runs: {base: {optimizer.learning_rate: 1}}", "did you mean optimiser.learning_rate"),
        ("runs: {base: {run.output: here}}", "run.output is set by the queue"),
        ("runs: {base: {run: {output: here}}}", "run is set by the queue"),
        ("runs: {base: {schedule.steps: 0}}", "runs.base: schedule.steps is 0"),
        ("runs: {base: {}}\nseeds: [0, 0]", "different whole numbers"),
        ("runs: {base: {}}\nseeds: 3", "different whole numbers"),
        ("runs: {base: {}}\nseeds: [true]", "different whole numbers"),
        ("runs: {base: {}}\nsettings: [nowhere]", "default, other"),
        ("runs: {base: {}}\nsettings: [{a: 1}]", "default, other"),
        ("runs: {base: {}}\nconfig: nowhere.yaml", "nowhere.yaml cannot be read"),
        ("runs: {base: {}}\noutput: 3", "output is 3, must be a path"),
        ("runs: {base: [}", "cannot be read"),
    ],
)
def test_an_invalid_queue_is_refused_before_the_first_run(text: str, cause: str, tmp_path: Path) -> None:
    (tmp_path / "queue.yaml").write_text(text)
    with pytest.raises(QueueError, match=cause.replace("[", r"\[")):
        load_queue(tmp_path / "queue.yaml")


def test_the_command_names_a_missing_queue(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.nice", lambda _: 0)
    with pytest.raises(SystemExit):
        main([str(tmp_path / "nowhere.yaml")])
    assert "nowhere.yaml cannot be read: No such file" in capsys.readouterr().err


def test_an_interruption_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.nice", lambda _: 0)
    monkeypatch.setattr(queue_module, "run_training", _interrupted)
    with pytest.raises(SystemExit) as ended:
        main([str(written(tmp_path, {"base": {}}))])
    assert ended.value.code == 130
    assert "the same command resumes" in capsys.readouterr().err


def test_broken_results_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, {"base": {}})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.jsonl").write_text(json.dumps({})[:1])
    with pytest.raises(QueueError, match=r"results.jsonl cannot be read"):
        done(path)


def test_the_example_queue_is_valid() -> None:
    queue = load_queue(Path(__file__).parents[2] / "training" / "recipes" / "pairs.yaml")
    assert [run.label for run in queue.runs] == ["base-seed0", "larger-batch-seed0", "base-seed1", "larger-batch-seed1"]
