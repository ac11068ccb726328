"""A data folder is used by one run at a time, and says by whom."""

from pathlib import Path

import pytest

from deploy.errors import RunError, UsageError
from deploy.local.data_dir import DataDir, default_data_dir


def test_a_second_run_is_told_which_process_uses_the_folder(tmp_path: Path) -> None:
    with DataDir(tmp_path) as first:
        first.announce("mall", "http://127.0.0.1:8080")
        with (
            pytest.raises(RunError, match=r"in use by another climbtrack run \(process \d+, http://127.0.0.1:8080\)"),
            DataDir(tmp_path),
        ):
            pass


def test_other_commands_find_the_api_of_a_run_only_while_it_runs(tmp_path: Path) -> None:
    with DataDir(tmp_path) as run:
        run.announce("mall", "http://127.0.0.1:8080")
        assert DataDir(tmp_path).api_url() == "http://127.0.0.1:8080"
    assert DataDir(tmp_path).api_url() is None
    assert DataDir(tmp_path).site() == "mall"


def test_a_folder_is_free_again_after_its_run(tmp_path: Path) -> None:
    for _ in range(2):
        with DataDir(tmp_path / "made on first use"):
            pass


def test_a_folder_that_cannot_be_created_is_invalid_usage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"--data-dir .*file/below"), DataDir(tmp_path / "file" / "below"):
        pass


def test_the_default_is_under_the_users_data_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / "climbtrack"
