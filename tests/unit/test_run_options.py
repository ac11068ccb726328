"""What `climbtrack run` makes of options that stand for settings."""

from pathlib import Path

import pytest

from deploy.cli.main import main
from deploy.errors import RunError
from deploy.local.settings import EmbeddedSettings


@pytest.mark.parametrize(
    ("words", "privacy", "recorded"),
    [
        pytest.param([], "blurred", "chosen", id="the file is obeyed"),
        pytest.param(["--privacy", "embeddings"], "embeddings", "chosen", id="pictures stay inside"),
        pytest.param(["--record"], "blurred", "all", id="recordings are kept"),
    ],
)
def test_what_may_leave_and_what_is_kept_can_be_said_on_the_command_line(
    words: list[str], privacy: str, recorded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[EmbeddedSettings] = []

    def start(settings: EmbeddedSettings, *_: object) -> None:
        given.append(settings)
        raise RunError("not in this test")

    monkeypatch.setattr("deploy.local.embedded.Embedded", start)
    config = tmp_path / "site.yaml"
    config.write_text("ingest: {privacy: blurred}\nrecording: {cameras: chosen}\n")

    assert (
        main(["run", "--config", str(config), "--data-dir", str(tmp_path), "--port", "0", "--keep-serving", *words])
        == 1
    )
    assert [(one.ingest.privacy, one.recording.cameras) for one in given] == [(privacy, recorded)]


def test_a_privacy_that_there_is_not_is_refused_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--privacy", "secret", "--keep-serving"]) == 2
    told = capsys.readouterr().err
    assert all(mode in told for mode in ("full", "blurred", "embeddings"))
