"""What `climbtrack adapt` says at its end."""

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.cli.adapt import verdict
from reid_worker.model.weights import SHIPPED
from training.adapt.adapt import AdaptReport
from training.adapt.validate import Cosines, SiteMetrics, shifted_prior
from wire.similarity import SimilarityPrior

BEFORE = SiteMetrics(None, None, 0.5, 1.0, 4, 0, 0.5, 0.0, Cosines(0.8, 0.1, 0.1, 0.2))
AFTER = replace(BEFORE, cosines=Cosines(0.7, 0.15, 0.1, 0.18))
OUT = Path("site.safetensors")
REFUSED = Path("site.refused-2.safetensors")


def report(old_weights: Path = SHIPPED, new: str | None = "climb-tiny-2") -> AdaptReport:
    return AdaptReport(9, 8, 7, BEFORE, AFTER, 6, "climb-tiny-1", new, old_weights, OUT if new else REFUSED)


def test_new_weights_come_with_the_command_that_uses_them() -> None:
    assert "Next: climbtrack run --weights site.safetensors" in verdict(report(), OUT)


def test_the_prior_of_adapted_weights_moves_as_the_cosines_of_the_site() -> None:
    prior = SimilarityPrior(same_mean=0.5, same_std=0.2, different_mean=0.0, different_std=0.2)
    found = shifted_prior(prior, BEFORE.cosines, AFTER.cosines)
    assert found is not None
    assert (found.same_mean, found.same_std) == pytest.approx((0.4, 0.25))
    assert (found.different_mean, found.different_std) == pytest.approx((0.0, 0.18))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(None, AFTER.cosines, id="not known before"),
        pytest.param(BEFORE.cosines, None, id="not known after"),
        pytest.param(BEFORE.cosines, Cosines(0.0, 0.1, 0.9, 0.2), id="the other way round"),
    ],
)
def test_the_prior_is_kept_if_a_site_has_no_evidence(before: Cosines | None, after: Cosines | None) -> None:
    prior = SimilarityPrior(same_mean=0.5, same_std=0.2, different_mean=0.0, different_std=0.2)
    assert shifted_prior(prior, before, after) == prior


def test_of_worse_weights_it_is_said_where_they_are_kept() -> None:
    assert "worse here, and are kept as site.refused-2.safetensors (--force" in verdict(report(new=None), OUT)
