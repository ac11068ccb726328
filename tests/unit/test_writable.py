"""What a command writes at its end is tried at its beginning, and a device is never replaced."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.cli.main import main
from deploy.errors import UsageError
from deploy.writable import check_file, check_folder


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def nowhere(path: Path) -> Path:
    return path / "nowhere" / "file"


def below_a_file(path: Path) -> Path:
    path.write_text("")
    return path / "below"


def test_a_folder_is_made(tmp_path: Path) -> None:
    check_folder("--out", tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(Path("/proc/climbtrack"), id="on a read-only file system"),
        pytest.param(Path(__file__), id="a file"),
        pytest.param(Path("/dev/null"), id="a device"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named(path: Path) -> None:
    with pytest.raises(UsageError, match=rf"--out {path}: .*; choose a writable folder"):
        check_folder("--out", path)


def test_a_file_may_be_new_or_replaced_and_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("kept")
    check_file("--out", tmp_path / "new")
    check_file("--out", tmp_path / "old")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"old": "kept"}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        pytest.param(folder, "Is a directory; give a file that can be written", id="a folder"),
        pytest.param(nowhere, "No such file or directory; give a file", id="in a folder that is not there"),
        pytest.param(below_a_file, "Not a directory; give a file", id="below a file"),
        pytest.param(pipe, "is a pipe or a device, and would be replaced; give a file", id="a pipe"),
    ],
)
def test_a_file_that_cannot_be_written_is_named(made: Callable[[Path], Path], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        check_file("--out", made(tmp_path / "out"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(
            ["evaluate", "--layout", "people", "--data", "nowhere", "--pictures", "/dev/null"],
            "--pictures /dev/null: File exists; choose a writable folder",
            id="evaluate",
        ),
        pytest.param(
            ["adapt", "--data", "nowhere", "--out", "/dev/null"], "--out /dev/null: is a pipe or a device", id="adapt"
        ),
        pytest.param(
            ["adapt", "--data", "nowhere", "--out", "nowhere/site.safetensors"],
            "--out nowhere/site.safetensors: No such file or directory; give a file",
            id="adapt, to a folder that is not there",
        ),
        pytest.param(["train", "run.output=/dev/null"], "run.output is '/dev/null': File exists; give", id="train"),
    ],
)
def test_it_is_refused_before_the_data_set_is_read(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_a_page_never_replaces_a_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("1,1,0,0,40,100,1\n")
    page = pipe(tmp_path / "page.html")
    words = ["--truth", str(tmp_path / "a.txt"), "--tracks", str(tmp_path / "a.txt"), "--pictures", str(page)]
    assert main(["score", *words]) == 2
    assert page.is_fifo()
    assert "is a pipe or a device" in capsys.readouterr().err
