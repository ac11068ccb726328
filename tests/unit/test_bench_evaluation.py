"""What the metric costs, as one JSON line."""

import json

import pytest

from training.bench_evaluation import main


def test_one_line_has_time_memory_and_what_came_out(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--queries", "20", "--gallery", "90"])
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert (found["queries"], found["gallery"]) == (20, 90)
    for way in ("cosine", "rerank"):
        assert found[way]["seconds"] > 0
        assert found[way]["peak_mb"] >= found["before_mb"] > 10
        assert 0.5 < found[way]["mean_ap"] <= 1


def test_a_size_below_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--gallery", "0"])
    assert "--queries and --gallery must be 1 or more" in capsys.readouterr().err
