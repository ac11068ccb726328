"""Clusters that one track goes through."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gallery.decision.calibrate import DEFAULT_PRIOR, Calibration
from gallery.decision.fit import Fit, Member, following
from tests.gallery_tools import tracklet


def test_legs_follow_each_other_in_one_track_of_one_camera_and_stream_only() -> None:
    names = ["a/s/1.0/0", "a/s/1.1/0", "a/s/1.1/1", "a/s/1.2/0", "b/s/1.1/0", "a/t/1.1/0", "a/s/2.1/0"]
    found = following([tracklet(name, 0, 4) for name in names] + [None])

    pairs = {(names[i], names[j]) for i, j in np.argwhere(np.triu(found))}
    parts = {("a/s/1.0/0", "a/s/1.1/0"), ("a/s/1.0/0", "a/s/1.1/1"), ("a/s/1.1/0", "a/s/1.2/0")}
    assert pairs == {*parts, ("a/s/1.1/1", "a/s/1.2/0")}
    assert (found == found.T).all()


@given(seed=st.integers(0, 2**31), count=st.integers(2, 14), threshold=st.floats(-3, 6))
def test_only_clusters_of_one_track_are_joined_and_no_rivals(seed: int, count: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    legs = rng.integers(0, 4, (count, 2)).tolist()
    members = [
        Member(place, vector, 1.0, tracklet(f"a/s/{track}.{leg}/{place}", 0, 4))
        for place, (vector, (track, leg)) in enumerate(zip(vectors, legs, strict=True))
    ]
    apart = np.triu(rng.random((count, count)) < 0.2, 1)
    rivals = apart | apart.T
    fit = Fit(Calibration(DEFAULT_PRIOR), members, None)

    joined = fit.with_tracks_joined(rivals, threshold)

    together = joined.labels[:, None] == joined.labels[None, :]
    assert not (together & rivals).any()
    tracks = np.array([track for track, _ in legs])
    assert (tracks[:, None] == tracks[None, :])[together].all()
    assert joined.with_tracks_joined(rivals, threshold) is joined
    assert all(joined.labels[label] == label <= place for place, label in enumerate(joined.labels.tolist()))
