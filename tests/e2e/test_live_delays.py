"""Live cameras while another process takes a core: people are known, every camera is analysed, delays are told."""

import json
import shutil
from pathlib import Path

import pytest

from deploy.cli.main import main

CAMERAS = ("cam0", "cam1")


def test_people_in_live_cameras_are_known_while_another_process_takes_a_core(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in CAMERAS:
        shutil.copy(shared_data / "lab-4cam" / f"{name}.mp4", tmp_path)

    assert main(["bench", "live", "--site", str(tmp_path), "--seconds", "14", "--burners", "1"]) == 0

    figures = json.loads(capsys.readouterr().out)
    assert set(figures["analysed_share"]) == set(CAMERAS)
    assert min(figures["analysed_share"].values()) > 0
    assert figures["people"] >= 1
    assert figures["first_identity_s"]["count"] >= figures["people"]
    assert figures["first_tracklet_s"]["p50"] >= 1  # somebody new must be seen for a second
