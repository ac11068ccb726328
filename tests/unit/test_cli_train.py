"""`climbtrack train`: exit codes and words for what cannot be trained."""

from pathlib import Path

import pytest

from deploy.cli.main import main
from tests.dataset_tools import write_market


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["speed=3"], 2, "unknown key 'speed'"),
        (["absent.yaml"], 2, "absent.yaml cannot be read"),
        (["lr: 3"], 2, "lr: 3 cannot be read"),
        (["network.initial=absent.safetensors", "synthetic.crops=fresh"], 2, "weights absent.safetensors"),
        (["run.resume=true"], 2, "checkpoint.pt: "),
        (["data.folder=absent", "data.layout=mars"], 2, "absent does not exist"),
        (
            ["data.folder=market", "data.layout=market", "batch.identities=3"],
            1,
            "a batch of 3 identities cannot come from 2",
        ),
        (["run.output=taken/run"], 2, "give a folder that can be written"),
    ],
)
def test_a_run_that_cannot_begin_says_why_in_one_line(
    arguments: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write_market(tmp_path / "market")
    (tmp_path / "taken").touch()
    small = (
        []
        if arguments[0].endswith((".yaml", "3"))
        else ["network.model=climb-tiny-64", "synthetic.validation_identities=2", "data.checked=false"]
    )
    assert main(["train", *arguments, *small]) == code
    said = capsys.readouterr()
    assert words in said.err.splitlines()[-1]
    assert said.out == ""
