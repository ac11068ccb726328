"""Benchmark of adaptation: ranking of unseen people on a site's cameras before, after, and with supervision.

    python -m training.adapt.bench --out DIR

Generated people of a setting that the shipped weights never saw are seen by the few cameras of one site. Some are for
adaptation, without labels; others, never trained on, are searched for on the same cameras. Then the same weights train
for as many steps at the same rate on the same tracklets with labels: the upper bound of adaptation. Prints one JSON
line; everything is determined by the seed.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_worker.model.climb import without_cameras
from reid_worker.model.weights import SHIPPED, LoadedWeights, load_weights
from training.adapt.adapt import AdaptPlan, adapt, embedder_of, held_out_rows
from training.adapt.cluster import clusters, distances_of
from training.adapt.round import Budget, learn, rate_of
from training.adapt.validate import SiteMetrics, embedded
from training.data.dataset import LabelledTracklet
from training.data.files import FileTracklets
from training.data.load import load_dataset
from training.data.mars import parse_mars
from training.data.site import read_site
from training.data.write import MarsWriter
from training.evaluation.embedding import Embed
from training.evaluation.metrics import Labelled, Ranking, rank
from training.synthetic.folders import SEEDS
from training.synthetic.people import PeopleGenerator
from training.synthetic.settings import SETTINGS

_SIZE = (128, 64)  # input size of climb-tiny
_VIEWS = 48  # the generator caches four times as many people


@dataclass(frozen=True, slots=True)
class SitePlan:
    """One site of generated people.

    Attributes:
        people: People to adapt to.
        held: Held-out people to search for.
        cameras: Number of cameras, each of which sees everyone once.
        frames: Frames per tracklet.
        setting: Name of a setting in SETTINGS.
    """

    people: int = 96
    held: int = 72
    cameras: int = 4
    frames: int = 4
    setting: str = "other"
    seed: int = 0


def write_site(folder: Path, plan: SitePlan) -> Path:
    """Write a site in MARS's naming, with held-out people as queries; an existing folder is used as it is.

    Raises:
        DataSetError: The folder cannot be written.
    """
    if folder.exists():
        return folder
    base, writer = SEEDS * (plan.seed + 1), MarsWriter(folder)
    generator = PeopleGenerator(keep=_VIEWS, setting=SETTINGS[plan.setting])
    for camera in range(plan.cameras):
        for person in range(plan.people + plan.held):
            crops = generator.tracklet(base + person, base + camera, 0, plan.frames, _SIZE)
            writer.add(tuple(crops), person + 1, camera + 1, "train" if person < plan.people else "query")
    return writer.finish()


def named_people(folder: Path, seed: int) -> FileTracklets:
    """Return the tracklets that adaptation may train on, with the labels that it does not get."""
    found = read_site(folder).tracklets
    rows = np.setdiff1d(np.arange(len(found)), held_out_rows(len(found), seed))
    named = []
    for one in (found[row] for row in rows):
        parsed = parse_mars(one.paths[0].name.rpartition("F")[0] + "F")
        assert parsed is not None, "read_site has read it"
        named.append(LabelledTracklet(one.paths, parsed[0], one.camera))
    return FileTracklets.for_training(named)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Agreement of clusters with the truth, over pairs of tracklets.

    Attributes:
        right: Precision: fraction of pairs in one cluster that are one person, 0 to 1; 1 if there are no such pairs.
        found: Recall: fraction of pairs of one person that are in one cluster.
    """

    right: float
    found: float


def grouping(labels: NDArray[np.int64], identities: NDArray[np.int64]) -> Grouping:
    """Compare clusters `(n,)`, -1 for none, with identities `(n,)`."""
    pairs = np.triu(np.ones((len(labels), len(labels)), bool), 1)
    together = (labels[:, None] == labels[None, :]) & (labels[:, None] >= 0) & pairs
    same = (identities[:, None] == identities[None, :]) & pairs
    both = int((together & same).sum())
    return Grouping(both / int(together.sum()) if together.any() else 1.0, both / max(int(same.sum()), 1))


def first_clusters(embed: Embed, people: FileTracklets, frames: int) -> NDArray[np.int64]:
    """Return the clusters of the first round, `(n,)`, -1 for none."""
    features = embedded(embed, people, np.arange(len(people.lengths)), frames)
    return clusters(distances_of(features, people.cameras), np.zeros((0, 2), np.int64))


def supervised(old: LoadedWeights, folder: Path, plan: AdaptPlan, steps: int) -> Ranking:
    """Train with labels instead, for as many steps at the same rate, and rank the held-out people."""
    people = named_people(folder, plan.seed)
    lr = rate_of(old.network.architecture) if plan.lr is None else plan.lr
    budget = Budget(0, 0, lr, plan.threads, plan.workers, steps)
    network, _ = learn(without_cameras(old.network), old.preprocessing, people, budget, plan.seed)
    strangers = FileTracklets(load_dataset("mars", folder, checked=False).query)
    embed, frames = embedder_of(network, old.preprocessing), network.architecture.frames
    features = embedded(embed, strangers, np.arange(len(strangers.lengths)), frames)
    known = Labelled(features, strangers.identities, strangers.cameras)
    return rank(known, known)


def measure(folder: Path, site: SitePlan, plan: AdaptPlan) -> dict[str, object]:
    """Write a site if it does not exist, adapt to it, train with labels, and return the metrics in per cent."""
    write_site(folder, site)
    source = plan.weights or SHIPPED
    old = load_weights(source)
    named = named_people(folder, plan.seed)
    labels = first_clusters(embedder_of(old.network, old.preprocessing), named, site.frames)
    grouped = grouping(labels, named.identities)
    began = time.process_time()
    report = adapt(plan, _log)
    adapted_s = time.process_time() - began
    truth = supervised(load_weights(source), folder, plan, report.steps)
    return {
        "benchmark": "adapt",
        "weights": old.model_id,
        "setting": site.setting,
        "people": site.people,
        "held": site.held,
        "cameras": site.cameras,
        "seed": site.seed,
        "lr": plan.lr,
        "rounds": plan.rounds,
        "steps": report.steps,
        "pairs_right": _per_cent(grouped.right),
        "pairs_found": _per_cent(grouped.found),
        "before": _figures(report.before),
        "adapted": _figures(report.after),
        "supervised": {"mAP": _per_cent(truth.mean_ap), "rank1": _per_cent(truth.rank(1))},
        "adapt_cpu_s": round(adapted_s, 1),
    }


def _figures(figures: SiteMetrics) -> dict[str, float]:
    assert figures.mean_ap is not None
    assert figures.rank1 is not None
    return {"mAP": _per_cent(figures.mean_ap), "rank1": _per_cent(figures.rank1)}


def _per_cent(share: float) -> float:
    return round(100 * float(share), 2)


def _log(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark once, and print the metrics."""
    parser = argparse.ArgumentParser(
        prog="python -m training.adapt.bench", description="Measure the effect of adapting to a site."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the site and the new weights")
    parser.add_argument("--setting", choices=sorted(SETTINGS), default="other")
    parser.add_argument("--people", type=int, default=96, help="people to adapt to")
    parser.add_argument("--held", type=int, default=72, help="held-out people to search for")
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    site = SitePlan(given.people, given.held, given.cameras, setting=given.setting, seed=given.seed)
    name = f"{site.setting}-{site.people}-{site.held}-{site.cameras}-{site.seed}"
    plan = AdaptPlan(
        given.out / name,
        given.out / f"{name}-{given.lr}-{given.rounds}-{given.epochs}.safetensors",
        given.weights,
        minutes=0,
        epochs=given.epochs,
        rounds=given.rounds,
        labels=True,
        force=True,
        lr=given.lr,
        seed=given.seed,
        threads=given.threads,
        workers=0,
    )
    sys.stdout.write(json.dumps(measure(plan.data, site, plan)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
