"""`climbtrack gallery backup|check|restore`, as an operator uses them, on a real Redis and on the folder of a run."""

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from deploy.cli.main import main
from deploy.local.data_dir import DataDir
from gallery.store.redis import RedisStore
from tests.conftest import need
from tests.words_tools import Talk, several_people


@pytest.fixture
def site(redis_url: str) -> Iterator[str]:
    name = f"site-{uuid.uuid4().hex[:8]}"
    client = redis.Redis.from_url(redis_url)
    several_people(lambda: Talk(RedisStore(client, name)))
    yield name
    client.close()


@pytest.fixture
def config(site: str, redis_url: str, tmp_path: Path) -> str:
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump({"site": site, "redis": {"url": redis_url}}))
    return str(path)


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """Run a command with --json, and return what it printed."""
    code = main([*words, "--json"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    found: dict[str, Any] = json.loads(printed.out)
    return found


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that fails, and return why."""
    assert main(list(words)) in {1, 2}
    return " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_site_is_backed_up_checked_and_moved_to_the_folder_of_a_run(
    config: str, site: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need(found=shutil.which("redis-server") is not None, what="redis-server")
    file, folder = str(tmp_path / "mall.backup"), str(tmp_path / "run")
    made = answer(capsys, "gallery", "backup", "--to", file, "--config", config)
    assert (made["site"], made["identities"], made["models"]) == (site, 3, ["m"])
    found = answer(capsys, "gallery", "check", "--from", file)
    assert (found["site"], found["identities"], found["version"]) == (site, 3, made["version"])

    restored = answer(capsys, "gallery", "restore", "--from", file, "--data-dir", folder, "--other-weights")

    assert restored == {"site": site, "identities": 3, "erased_again": 0}
    assert DataDir(Path(folder)).site() == site
    people = answer(capsys, "identities", "ls", "--data-dir", folder)["identities"]
    assert [one["id"] for one in people] == [1, 2, 3]


def test_what_cannot_be_done_is_said_with_its_remedy(
    config: str, site: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, again = str(tmp_path / "b"), ["gallery", "restore", "--from", str(tmp_path / "b"), "--config", config]
    assert main(["gallery", "backup", "--to", file, "--config", config]) == 0
    assert "3 people" in capsys.readouterr().out
    for words, said in (
        (["gallery", "backup", "--to", file, "--config", config], "exists: name another file"),
        (["gallery", "backup", "--to", f"{file}2", "--config", config, "--site", "no"], "site no has no data"),
        (["gallery", "backup", "--to", f"{file}2", "--config", config, "--site", "a b"], "--site must be 1-64 letters"),
        (["gallery", "backup", "--to", f"{file}2", "--data-dir", "no"], "--data-dir no: no such folder"),
        (["gallery", "--config", config, "backup", "--to", file], "give options after the subcommand"),
        (["gallery", "check", "--from", config], "not a backup of `climbtrack gallery backup`"),
        ([*again, "--other-weights"], f"site {site} has data"),
        (
            [*again, "--replace"],
            "the people of the backup are known under m, and the workers of this configuration use",
        ),
        ([*again, "--replace", "--other-weights", "--erased-in", config], "not a backup of"),
    ):
        assert said in refusal(capsys, *words)
    assert main([*again, "--replace", "--other-weights"]) == 0
    assert f"site {site}: 3 people, as of " in capsys.readouterr().out
