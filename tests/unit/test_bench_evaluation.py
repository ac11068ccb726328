"""What the metric costs, as one JSON line."""

import json

import pytest

from deploy.cli.main import main


def test_one_line_has_time_memory_and_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "evaluation", "--queries", "20", "--gallery", "90"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert (found["queries"], found["gallery"]) == (20, 90)
    for way in ("cosine", "rerank"):
        assert found[way]["seconds"] > 0
        assert found[way]["peak_mb"] >= found["before_mb"] > 10
        assert 0.5 < found[way]["mean_ap"] <= 1


def test_re_ranking_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "evaluation", "--queries", "5", "--gallery", "40", "--no-rerank"]) == 0
    assert json.loads(capsys.readouterr().out)["rerank"] is None


def test_a_size_below_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "evaluation", "--gallery", "0"]) == 2
    assert "--gallery" in capsys.readouterr().err


def test_a_key_no_run_has_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "training", "nonsense=1"]) == 2
    assert "nonsense" in capsys.readouterr().err
