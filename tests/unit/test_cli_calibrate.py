"""`climbtrack calibrate --show`: where it finds the data of a site, and what it says where there is none."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from deploy.cli.main import main
from deploy.local.data_dir import DataDir
from deploy.local.private_redis import PrivateRedis
from gallery.config import LEAST_FALSE_MERGES
from gallery.decision.calibrate import DEFAULT_PRIOR, MAX_LOGIT, Calibration
from gallery.decision.coverage import NO_COVERAGE
from gallery.decision.normalise import NO_SHIFTS
from gallery.decision.scale_state import encode_scale
from gallery.store.redis import RedisStore
from gallery.store.server import connect
from gallery.store.store import Write
from tests.gallery_tools import START
from wire.settings import RedisSettings


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder whose path is short enough for a socket."""
    with TemporaryDirectory(prefix="ct-") as path:
        yield Path(path)


def write_site(url: str, site: str, different: Sequence[float] = (0.1, 0.3)) -> None:
    learnt = encode_scale({"m": Calibration(DEFAULT_PRIOR).observe(different)}, NO_SHIFTS, NO_COVERAGE)
    with closing(connect(RedisSettings(url=url))) as client:
        RedisStore(client, site).write(Write(version=0, now_ns=START, next_identity=3, calibration=learnt))


def shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["calibrate", "--show", "--json", *words]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_a_run_that_is_running_is_asked_through_its_redis(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with DataDir(folder) as held, PrivateRedis(folder) as redis:
        held.announce("mall", "http://127.0.0.1:1")
        write_site(redis.url, "mall")
        found = shown(["--data-dir", str(folder)], capsys)
    assert (found["site"], found["models"]["m"]["certain_pairs"]) == ("mall", 2)


def test_a_run_that_was_killed_left_its_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with PrivateRedis(folder) as redis:
        write_site(redis.url, "mall")
    (folder / "lock").write_text('{"pid": 1, "site": "mall", "api": "http://127.0.0.1:1"}')
    assert shown(["--data-dir", str(folder)], capsys)["people"] == 2


def test_a_running_run_whose_socket_is_elsewhere_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = tmp_path / ("long" * 30)
    with DataDir(long) as held, PrivateRedis(long):
        held.announce("mall", "http://127.0.0.1:1")
        assert main(["calibrate", "--show", "--data-dir", str(long)]) == 1
    said = capsys.readouterr().err
    assert "is in use by another climbtrack run" in said
    assert "ask again when the other has ended" in said


def test_a_cluster_with_several_sites_is_asked_for_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with PrivateRedis(folder) as redis:
        config = folder / "site.yaml"
        config.write_text(f"redis: {{url: '{redis.url}'}}\ngallery: {{false_merge_rate: 0.05}}\n")
        assert main(["calibrate", "--show", "--config", str(config)]) == 2
        assert "site site has no data here; nothing was decided yet" in capsys.readouterr().err
        for site in ("mall", "airport"):
            write_site(redis.url, site)
        assert main(["calibrate", "--show", "--config", str(config)]) == 2
        assert "there is data of airport, mall: name one with --site" in capsys.readouterr().err
        found = shown(["--config", str(config), "--site", "mall"], capsys)
    assert (found["site"], found["false_merge_rate"]) == ("mall", 0.05)


def test_a_stricter_rate_needs_more_similarity(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with PrivateRedis(folder) as redis:
        write_site(redis.url, "site")
    config = folder / "site.yaml"
    least = []
    for rate in (0.2, 0.02):
        config.write_text(f"gallery: {{false_merge_rate: {rate}}}\n")
        found = shown(["--data-dir", str(folder), "--config", str(config)], capsys)
        least.append(found["models"]["m"]["matches_from"])
    assert least[0] < least[1]


def test_a_rate_that_no_similarity_meets_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = folder / "site.yaml"
    config.write_text("gallery: {false_merge_rate: 0.0003}\n")
    assert main(["calibrate", "--show", "--data-dir", str(folder), "--config", str(config)]) == 2
    assert "gallery.false_merge_rate = 0.0003" in capsys.readouterr().err
    assert math.log(1 / LEAST_FALSE_MERGES - 1) < MAX_LOGIT


def test_a_rate_that_no_similarity_of_this_site_meets_is_pointed_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with PrivateRedis(folder) as redis:
        write_site(redis.url, "site", [0.5, 0.9] * 20)
    config = folder / "site.yaml"
    config.write_text(f"gallery: {{false_merge_rate: {LEAST_FALSE_MERGES}}}\n")
    assert main(["calibrate", "--show", "--data-dir", str(folder), "--config", str(config)]) == 0
    assert "no similarity suffices for a match at this false_merge_rate" in capsys.readouterr().err


def test_pictures_that_cannot_be_written_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with PrivateRedis(folder) as redis:
        write_site(redis.url, "site")
    words = ["calibrate", "--show", "--data-dir", str(folder), "--pictures"]
    assert main([*words, str(folder / "no" / "a.html")]) == 2
    assert "give a file that can be written" in capsys.readouterr().err
    assert main([*words, str(folder / "a.html")]) == 0
    assert (folder / "a.html").read_text().startswith("<!doctype html>")


def test_a_truth_that_is_not_there_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with PrivateRedis(folder) as redis:
        write_site(redis.url, "site")
    assert main(["calibrate", "--show", "--data-dir", str(folder), "--truth", str(folder / "no")]) == 2
    assert f"{folder}/no does not exist" in capsys.readouterr().err
