"""Appearance prototypes, similarities to them, and their calibration."""

import msgspec
import numpy as np
import pytest

from gallery.decision.calibrate import DEFAULT_PRIOR, Calibration, decode, encode, probability
from gallery.decision.compare import (
    HARD_PER_CAMERA,
    prototype_sets_of,
    similarity,
    united,
    with_tracklet,
    without_tracklet,
)
from gallery.decision.normalise import NO_SHIFTS, Shifts
from gallery.decision.shortlist import Bounds, similarity_bounds
from gallery.store.store import Prototype
from tests.gallery_tools import axis, tracklet, unit
from wire.similarity import SimilarityPrior


def remembered(*names: str, seed: int = 0) -> tuple[Prototype, ...]:
    rng = np.random.default_rng(seed)
    prototypes: tuple[Prototype, ...] = ()
    for name in names:
        prototypes = with_tracklet(prototypes, tracklet(name, 0, 4, unit(axis(0) + 0.2 * rng.normal(size=16))))
    return prototypes


def test_a_camera_keeps_its_mean_and_a_few_hard_prototypes() -> None:
    prototypes = remembered(*(f"a/s/{i}/0" for i in range(20)), "b/s/1/0")

    assert [p.kind for p in prototypes if p.camera_id == "a"].count("mean") == 1
    assert [p.kind for p in prototypes if p.camera_id == "a"].count("hard") == HARD_PER_CAMERA
    assert len(prototypes) == 2 + HARD_PER_CAMERA + 1


def test_hard_prototypes_are_the_farthest_from_the_mean() -> None:
    prototypes = remembered(*(f"a/s/{i}/0" for i in range(6)))
    odd = tracklet("a/s/99/0", 0, 4, axis(5))

    prototypes = with_tracklet(prototypes, odd)

    assert "a/s/99/0" in {p.tracklet_id for p in prototypes}


def test_removing_a_tracklet_restores_the_earlier_prototypes() -> None:
    before = remembered("a/s/1/0", "b/s/1/0")
    added = tracklet("a/s/2/0", 0, 4, axis(3))

    after = without_tracklet(with_tracklet(before, added), added)

    assert [(p.kind, p.camera_id, p.tracklet_id) for p in after] == [
        (p.kind, p.camera_id, p.tracklet_id) for p in before
    ]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-5)
        assert one.weight == pytest.approx(other.weight)


def test_removing_the_only_tracklet_leaves_no_prototypes() -> None:
    only = tracklet("a/s/1/0", 0, 4)

    assert without_tracklet(with_tracklet((), only), only) == ()


def test_the_means_of_two_identities_add_up() -> None:
    one, other = remembered("a/s/1/0", "b/s/1/0", seed=1), remembered("a/s/2/0", "c/s/1/0", seed=2)

    both = united(one, other)

    weights = {p.camera_id: p.weight for p in both if p.kind == "mean"}
    assert sorted(weights) == ["a", "b", "c"]
    assert weights["a"] == pytest.approx(2 * weights["b"])


def test_similarity_is_that_of_the_best_two_cameras() -> None:
    prototypes: tuple[Prototype, ...] = ()
    for camera, look in (("a", axis(0)), ("b", axis(1)), ("c", axis(2))):
        prototypes = with_tracklet(prototypes, tracklet(f"{camera}/s/1/0", 0, 4, look))
    (prototype_set,) = prototype_sets_of([prototypes], "m", NO_SHIFTS)
    assert prototype_set is not None

    query = unit(axis(0) * 0.8 + axis(1) * 0.6).astype(np.float32)

    assert similarity(query, prototype_set) == pytest.approx(0.7, abs=1e-3)
    assert prototype_sets_of([prototypes, ()], "another model", NO_SHIFTS) == [None, None]


def test_without_evidence_the_prior_decides() -> None:
    fresh = Calibration(SimilarityPrior(same_mean=0.7, same_std=0.15, different_mean=0.3, different_std=0.15))

    assert fresh.logit(0.5) == pytest.approx(0.0, abs=1e-9)
    assert probability(fresh.logit(0.7)) > 0.9
    assert probability(fresh.logit(0.3)) < 0.1


def test_a_site_that_compresses_all_similarities_shifts_the_threshold() -> None:
    prior = SimilarityPrior(same_mean=0.5, same_std=0.12, different_mean=0.0, different_std=0.14)
    squeezed = Calibration(prior).observe(np.random.default_rng(0).normal(0.90, 0.02, 300).tolist())

    assert probability(squeezed.logit(0.90)) < 0.05
    assert probability(squeezed.logit(0.97)) > 0.9


def test_the_logit_grows_with_the_similarity_and_is_bounded() -> None:
    calibration = Calibration(DEFAULT_PRIOR).observe([0.4, 0.5, 0.2] * 10)
    logits = [calibration.logit(float(s)) for s in np.linspace(-1, 1, 41)]

    assert logits == sorted(logits)
    assert max(map(abs, logits)) <= 8.0


def test_a_calibration_survives_the_store() -> None:
    calibration = Calibration(DEFAULT_PRIOR).observe([0.1, 0.5, 0.3])

    both = {"climb-tiny-1": calibration, "climb-tiny-2": Calibration(DEFAULT_PRIOR)}
    assert decode(encode(both)) == both
    assert decode(b"") == {}


def test_a_calibration_of_an_earlier_version_is_reset() -> None:
    assert decode(msgspec.msgpack.encode((3.0, 0.2, 0.01))) == {}


def test_people_compared_together_are_as_if_each_were_compared_alone() -> None:
    rng = np.random.default_rng(4)
    people = [remembered(*[f"{'abc'[n % 3]}/s/{n}.0/0" for n in range(count)], seed=count) for count in range(40)]
    shifts = Shifts({("m", camera): np.asarray(0.2 * rng.normal(size=16), np.float32) for camera in "ab"}, 1)

    together = prototype_sets_of(people, "m", shifts)

    for prototypes, found in zip(people, together, strict=True):
        (alone,) = prototype_sets_of([prototypes], "m", shifts)
        if found is None or alone is None:
            assert (found, alone, prototypes) == (None, None, ())
        else:
            np.testing.assert_array_equal(found.vectors, alone.vectors)
            np.testing.assert_array_equal(found.starts, alone.starts)
            expected = [shifts.without(unit(p.vector).astype(np.float32), "m", p.camera_id) for p in prototypes]
            assert sorted(found.vectors.tolist()) == pytest.approx(
                np.array(sorted(np.stack(expected).tolist())), abs=1e-6
            )


def test_bounds_that_are_kept_are_those_of_what_people_own_now() -> None:
    looks = {name: unit(axis(place) + axis(9)).astype(np.float32) for place, name in enumerate("xyz")}
    people = {n: remembered(*(f"a/s/{n}.{track}/0" for track in range(n)), seed=n) for n in range(5)}
    kept = Bounds()

    def check(names: str) -> None:
        vectors = {name: looks[name] for name in names}
        found = kept.of(vectors, people, lambda some: prototype_sets_of([people[n] for n in some], "m", NO_SHIFTS))
        sets = [one for one in prototype_sets_of(list(people.values()), "m", NO_SHIFTS) if one is not None]
        expected = similarity_bounds(np.stack(list(vectors.values())), sets)
        np.testing.assert_allclose(found[:, 1:], expected, atol=1e-6)
        assert np.isneginf(found[:, 0]).all()  # who has no prototypes

    check("xy")
    people[3] = with_tracklet(people[3], tracklet("b/s/7.0/0", 0, 4, looks["x"]))
    check("x")
    check("zx")
