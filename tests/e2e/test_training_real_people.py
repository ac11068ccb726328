"""The shipped weights, trained on generated people only, on real people from four cameras."""

from pathlib import Path

import pytest

from reid_worker.model import load_embedder
from training.evaluation.baseline import colour_histogram, random_embedder
from training.evaluation.evaluate import evaluate
from training.evaluation.real_people import real_crops


@pytest.mark.shared
def test_shipped_weights_rank_real_people_better_than_colour_histograms_and_chance(shared_data: Path) -> None:
    crops = real_crops(shared_data / "lab-4cam", size=(128, 64))
    shipped = evaluate(load_embedder(device="cpu").embed, crops)
    colours = evaluate(colour_histogram, crops)
    chance = evaluate(random_embedder().embed, crops)
    assert shipped.ranking.mean_ap > colours.ranking.mean_ap > chance.ranking.mean_ap
    assert shipped.gap.gap > max(colours.gap.gap, chance.gap.gap)
