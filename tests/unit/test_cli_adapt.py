"""What `climbtrack adapt` says at its end."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from deploy.cli.adapt import verdict
from gallery.config import GallerySettings
from reid_worker.model.weights import SHIPPED
from training.adapt.adapt import AdaptReport
from training.adapt.judge import Cosines, Figures

BEFORE = Figures(None, None, 0.5, 1.0, 4, 0, 0.5, 0.0, Cosines(0.8, 0.1, 0.1, 0.2))
AFTER = replace(BEFORE, cosines=Cosines(0.7, 0.15, 0.1, 0.18))
OUT = Path("site.safetensors")


def report(old_weights: Path = SHIPPED, new: str | None = "climb-tiny-2") -> AdaptReport:
    return AdaptReport(9, 8, 7, BEFORE, AFTER, 6, "climb-tiny-1", new, old_weights)


def test_new_weights_come_with_the_command_and_the_settings_that_use_them() -> None:
    said = verdict(report(), OUT)

    assert "Next: climbtrack run --weights site.safetensors" in said
    given = yaml.safe_load(said[said.index("  gallery: ") :])["gallery"]
    shipped = GallerySettings()
    assert given == {
        "same_mean": pytest.approx(shipped.same_mean - 0.1),
        "same_std": pytest.approx(shipped.same_std + 0.05),
        "different_mean": pytest.approx(shipped.different_mean),
        "different_std": pytest.approx(shipped.different_std - 0.02),
    }


def test_of_weights_that_are_not_the_shipped_ones_only_the_change_is_known() -> None:
    said = verdict(report(Path("mine.safetensors")), OUT)
    assert "change same_mean by -0.10, same_std by +0.05, different_mean by +0.00, different_std by -0.02" in said


def test_worse_weights_are_said_not_to_be_written() -> None:
    assert "were not written (--force writes them)" in verdict(report(new=None), OUT)
