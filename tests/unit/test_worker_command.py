"""`climbtrack worker` with a model or a folder that cannot be used: said in one line, before any broker is asked."""

import json
import os
from pathlib import Path

import pytest

from deploy.cli.main import main
from reid_worker.model.weights import SHIPPED


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CLIMBTRACK_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("worker", "said"),
    [
        pytest.param({"weights": "nowhere.safetensors"}, "nowhere.safetensors: No such file", id="no weights"),
        pytest.param({"weights": "site.yaml"}, "site.yaml: not a complete safetensors file", id="no weights format"),
        pytest.param({"shadow_weights": "nowhere.safetensors"}, "nowhere.safetensors: No such file", id="no second"),
        pytest.param(
            {"shadow_weights": str(SHIPPED)},
            "worker.shadow_weights: " + str(SHIPPED) + " are the same weights as those that serve",
            id="the same weights twice",
        ),
        pytest.param({"detector": "nowhere.onnx"}, "detector nowhere.onnx: no such file", id="no detector"),
        pytest.param({"detector": "site.yaml"}, "detector site.yaml: ", id="no detector format"),
        pytest.param({"keep_crops": "site.yaml"}, "worker.keep_crops = 'site.yaml': File exists", id="no folder"),
        pytest.param({"device": "abacus"}, "device 'abacus' cannot be used", id="no such device"),
        pytest.param({"device": "cuda:99"}, "device 'cuda:99' cannot be used", id="a device that is not here"),
    ],
)
def test_a_model_that_cannot_be_used_ends_with_2_and_is_named_in_one_line(
    worker: dict[str, str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("site.yaml").write_text(json.dumps({"worker": worker}))

    assert main(["worker", "--config", "site.yaml"]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("climbtrack: ")
    assert said in line
