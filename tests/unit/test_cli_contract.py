"""The command line: exit codes, and messages that name what is wrong and what is allowed. Nothing heavy is started."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.cli.main import main
from wire.metrics import installed_version

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CLIMBTRACK_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port: int = taken.getsockname()[1]
        yield port


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["run"], "no camera was given", id="no camera"),
        pytest.param(["run", "door.mp4"], "give each camera with --camera NAME=door.mp4", id="a file without option"),
        pytest.param(["run", "door=a.mp4"], "give each camera with --camera door=a.mp4", id="a camera without option"),
        pytest.param(["run", "site.yml"], "give a configuration with --config site.yml", id="settings without option"),
        pytest.param(
            ["run", "--camera", "a=b", "--host", "192.0.2.1"], "an address of this machine", id="no such host"
        ),
        pytest.param(["identities", "ls", "--data-dir", "no"], "--data-dir no: no such folder", id="no data folder"),
        pytest.param(
            ["calibrate"], "`climbtrack calibrate --show` shows what it has learnt", id="nothing to calibrate"
        ),
        pytest.param(["calibrate", "--show", "--data-dir", "no"], "--data-dir no: no such folder", id="no run to show"),
        pytest.param(["calibrate", "--show", "--data-dir", "/"], "no run has stored anything there", id="no run there"),
        pytest.param(["run", "--camera", "door"], "--camera door: expected NAME=URL", id="no url"),
        pytest.param(["run", "--camera", "a=b", "--port", "70000"], "65535", id="port out of range"),
        pytest.param(["run", "--kamera", "a=b"], "No such option: --kamera", id="unknown option"),
        pytest.param(["fly"], "No such command 'fly'", id="unknown command"),
        pytest.param(["run", "--camera", "a=b", "--config", "no.yaml"], "config no.yaml: No such file", id="no config"),
        pytest.param(["ingest", "--config", "no.yaml"], "config no.yaml: No such file", id="no config, services too"),
        pytest.param(["synth", "site", "--out", "x", "--seed", "-1"], "--seed", id="seed out of range"),
        pytest.param(["train", "no.yaml"], "no.yaml cannot be read", id="no recipe"),
        pytest.param(["convert", "no.pth", "--out", "x"], "weights no.pth: No such file", id="no weights to convert"),
        pytest.param(["convert", "no", "--out", "x", "--size", "9"], "--size 9: expected HEIGHTxWIDTH", id="no size"),
        pytest.param(["export"], "Missing option '--out'", id="an export to nowhere"),
        pytest.param(["export", "--out", "x", "--precision", "int4"], "'int4' is not one of", id="unknown precision"),
        pytest.param(["export", "--out", "x", "--weights", "no"], "weights no: No such file", id="weights not there"),
        pytest.param(["export", "--out", "x", "--people", "1"], "--people", id="too few people"),
        pytest.param(["score", "--truth", "no", "--result", "no"], "no does not exist", id="no truth"),
        pytest.param(["identities", "show", "nobody"], "Invalid value for 'ID'", id="an identity that is no number"),
        pytest.param(["cameras", "add", "a"], "expected NAME=URL", id="a camera to add without url"),
        pytest.param(["cameras", "ls", "--api", "nonsense"], "expected http://HOST:PORT", id="an address that is none"),
    ],
)
def test_invalid_usage_ends_with_2_and_says_what_is_allowed(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_run_without_cameras_shows_examples_instead_of_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run"]) == 2
    said = capsys.readouterr().err
    for example in ("--camera door=door.mp4", "=rtsp://", "--camera desk=0", "--config site.yaml", "climbtrack doctor"):
        assert example in said
    assert "door=rtsp://USER:PASSWORD@192.168.1.20/stream" in said
    assert "Usage" not in said


def test_a_configuration_without_cameras_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "site.yaml"
    config.write_text("site: mall\n")
    assert main(["run", "--config", str(config)]) == 2
    assert f"config {config} has no section cameras" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("worker: {detectr: hog}", "worker.detectr = 'hog': unknown key; did you mean", id="unknown key"),
        pytest.param("worker: {threads: many}", "worker.threads = 'many'", id="wrong type"),
        pytest.param("gallery: {window_s: -1}", "gallery.window_s = -1: ", id="out of range"),
        pytest.param(
            "api: {port: 0, token: hunter2, tokens: hunter2}",
            "api.tokens = '***': unknown key",
            id="a secret, misspelt",
        ),
        pytest.param("wrker: {}", "unknown section 'wrker'; did you mean worker?", id="unknown section"),
        pytest.param("[", "not YAML", id="no yaml"),
    ],
)
def test_a_wrong_setting_ends_with_2_and_names_key_value_and_what_is_allowed(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "site.yaml"
    config.write_text(text)
    assert main(["run", "--camera", "a=b", "--config", str(config)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "hunter2" not in error


def test_an_unknown_environment_variable_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLIMBTRACK_WORKER_SPEED", "high")
    assert main(["run", "--camera", "a=b"]) == 2
    assert "CLIMBTRACK_WORKER_SPEED = 'high': unknown; known names:" in capsys.readouterr().err


def test_a_busy_port_is_reported_before_anything_is_started(
    taken_port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--camera", "a=b", "--port", str(taken_port), "--data-dir", str(tmp_path / "data")]
    assert main(words) == 2
    assert (
        f"--port {taken_port} on 127.0.0.1: Address already in use; choose another port, or 0"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "data").exists()


def test_a_query_without_a_running_system_ends_with_1_and_says_what_to_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], taken_port: int
) -> None:
    silent = f"http://127.0.0.1:{taken_port - 1 or 1}"
    assert main(["identities", "ls", "--data-dir", str(tmp_path), "--api", silent]) == 1
    assert "start `climbtrack run` or `climbtrack api`" in capsys.readouterr().err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    running = "run ingest worker gallery api cameras identities models doctor users audit"
    training = "synth train evaluate adapt convert export score bench"
    assert [name for name in f"{running} {training}".split() if f" {name} " not in text] == []


def test_help_explains_the_program_and_starts_with_what_a_newcomer_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = [" ".join(line.strip("│╭╰─╮ ").split()) for line in capsys.readouterr().out.splitlines()]
    assert "Give every person one number across all the cameras of a site." in lines
    panels = ["Follow people", "The same on many machines, over Kafka and Redis", "Measure, adapt and train"]
    firsts = [lines[lines.index(panel) + 1].partition(" ")[0] for panel in panels]
    assert firsts == ["run", "ingest", "score"]


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"climbtrack {installed_version()}\n"


def test_pictures_can_be_left_out_and_nothing_else_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    text = capsys.readouterr().out
    assert "--no-pictures" in text
    assert "--pictures" not in text


def test_the_command_ends_with_the_code_of_its_main() -> None:
    done = subprocess.run([sys.executable, "-m", "deploy.cli", "run"], capture_output=True, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_full_disk_is_said_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "door.txt").write_text("1,1,1,1,5,5,1\n")
    words = ["score", "--truth", str(tmp_path), "--tracks", str(tmp_path)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "deploy.cli", *words], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert b"cannot write the output: No space left on device; free space, or write elsewhere" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_library_that_is_not_installed_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def absent(name: str, *_: object, **__: object) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name="scipy.optimize")

    monkeypatch.setattr("deploy.cli.train.recipe_and_changes", absent)
    assert main(["train", str(tmp_path / "recipe.yaml")]) == 1
    assert "needs scipy, which is not installed; `pip install .` in a clone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ImportError("libtorch_cpu.so: failed to map segment"), "a library cannot be loaded: libtorch_cpu.so: failed"),
        (MemoryError(), "there is not enough memory; end other programs, or raise the limit"),
    ],
)
def test_too_little_memory_is_named_with_the_remedy(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def short(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("deploy.cli.train.recipe_and_changes", short)
    assert main(["train", str(tmp_path / "recipe.yaml")]) == 1
    assert said in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_leaves_its_number_to_nothing_else(closed: str) -> None:
    then = "import os, sys; from deploy.cli.main import main; main(['--version']); sys.exit(os.open(os.devnull, 0))"
    done = subprocess.run(["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, then], check=False)
    assert done.returncode >= 3
