"""Adapt weights to a site without labels: cluster its tracklets, train on the clusters as if they were people, repeat.

    climbtrack adapt --data DIR --out FILE [--weights FILE] [--minutes N]

The old weights are unchanged: to go back, use them again. The new ones have another model_id, so that embeddings of the
two are never compared.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reid_worker.model.climb import Climb, without_cameras
from reid_worker.model.embedder import Embedder
from reid_worker.model.preprocess import Preprocessing
from reid_worker.model.weights import SHIPPED, LoadedWeights, load_weights, save_weights
from training.adapt.cluster import MOST, certainly_different, clusters, distances_of
from training.adapt.round import Budget, learn, rate_of
from training.adapt.validate import SiteMetrics, ValidationSet, embedded, shifted_prior, validate
from training.data.dataset import LabelledTracklet
from training.data.files import FileTracklets
from training.data.load import load_dataset
from training.data.readable import readable, readable_set
from training.data.site import Collected, read_site
from training.data.skipped import Skipped
from training.errors import memory_explained
from training.evaluation.embedding import Embed

Log = Callable[[str], None]

_HELD = 0.2  # fraction of tracklets held out for validation
_MIN_CLUSTERS = 4  # fewer people are not enough to learn from


class AdaptError(Exception):
    """Raised when weights cannot be adapted to a site; the message gives the cause and the remedy."""


@dataclass(frozen=True, slots=True)
class AdaptPlan:
    """What to adapt to, and for how long.

    Attributes:
        data: Folder of tracklets, see `training.data.site`.
        out: File for the new weights.
        weights: The old weights; None for the shipped ones.
        minutes: Total wall time of training, 0 if `epochs` is the limit.
        epochs: Total visits to every cluster, 0 if `minutes` is the limit.
        rounds: How often tracklets are clustered.
        labels: Whether to evaluate with labels in the folder; they are never trained on.
        force: Whether to write the new weights to `out` even if they are worse; else they are kept beside it.
        lr: Peak learning rate; None for the network's default, see `rate_of`.
        seed: Seed of all random numbers.
        threads: CPU threads of torch.
        workers: Processes that read images in parallel.
    """

    data: Path
    out: Path
    weights: Path | None = None
    minutes: float = 10.0
    epochs: int = 0
    rounds: int = 3
    labels: bool = False
    force: bool = False
    lr: float | None = None
    seed: int = 0
    threads: int = 2
    workers: int = 1


@dataclass(frozen=True, slots=True)
class AdaptReport:
    """The result of an adaptation.

    Attributes:
        tracklets: Tracklets of the site; `learnt` of them were trained on in the last round.
        certain_pairs: Pairs of tracklets that are certainly different people.
        before, after: Metrics of the old and the new weights.
        steps: Steps of all rounds.
        old, new: Their model_ids; `new` is None if the new weights are refused, since they are worse.
        old_weights: File of the old weights.
        new_weights: File of the new ones: that of the plan, or one beside it if they are refused.
    """

    tracklets: int
    learnt: int
    certain_pairs: int
    before: SiteMetrics
    after: SiteMetrics
    steps: int
    old: str
    new: str | None
    old_weights: Path
    new_weights: Path


@memory_explained("stop other processes that use memory, or adapt from fewer tracklets; the old weights are unchanged")
def adapt(plan: AdaptPlan, log: Log) -> AdaptReport:
    """Adapt weights to a site, and write the new ones: to `out`, or beside it if they are worse.

    Raises:
        AdaptError: `out` already exists, too few people were seen repeatedly, or there are no labels to evaluate with.
        DataSetError: The folder or an image in it cannot be used.
        WeightsError: The old weights cannot be used.
        TrainingError: The loss is NaN or infinite, or memory is full.
    """
    torch.set_num_threads(plan.threads)
    if plan.out.exists():
        raise AdaptError(f"{plan.out} already exists: adapting never replaces weights, give another file")
    source = SHIPPED if plan.weights is None else plan.weights
    old = load_weights(source)
    network = without_cameras(old.network)  # a site has other cameras than the network was trained on
    lr = rate_of(network.architecture) if plan.lr is None else plan.lr
    tracklets = _collected(plan, log)
    validation = _validation_set(plan, tracklets, old.network.architecture.frames, log)
    log(f"{len(tracklets)} tracklets, {len(validation.different)} pairs of them certainly of different people")
    before = validate(embedder_of(network, old.preprocessing), validation)
    steps, used = 0, 0
    for number in range(plan.rounds):
        pseudo = _pseudo_people(embedder_of(network, old.preprocessing), validation, tracklets, plan)
        used = len(pseudo.lengths)
        log(f"round {number + 1} of {plan.rounds}: {pseudo.identities.max() + 1} people in {used} tracklets")
        budget = Budget(plan.minutes / plan.rounds, plan.epochs / plan.rounds, lr, plan.threads, plan.workers)
        network, done = learn(network, old.preprocessing, pseudo, budget, plan.seed + number)
        steps += done
        save_weights(unvalidated_of(plan.out), network, old.preprocessing, old.prior)
    after = validate(embedder_of(network, old.preprocessing), validation)
    finished = unvalidated_of(plan.out)
    save_weights(finished, network, old.preprocessing, shifted_prior(old.prior, before.cosines, after.cosines))
    new = load_weights(finished).model_id
    accepted = plan.force or after.better_than(before) is not False
    written = finished.replace(plan.out if accepted else refused_of(plan.out, new))
    return AdaptReport(
        len(tracklets),
        used,
        len(validation.different),
        before,
        after,
        steps,
        old.model_id,
        new if accepted else None,
        source,
        written,
    )


def unvalidated_of(out: Path) -> Path:
    """Return the path of weights between a round and validation, so that a failed validation loses no training."""
    return out.with_name(f"{out.name}.unvalidated")


def refused_of(out: Path, model_id: str) -> Path:
    """Return the path of weights that are refused: no other weights have it, so that none are replaced."""
    return out.with_name(f"{out.stem}.refused-{model_id.rpartition('-')[2]}{out.suffix}")


def _collected(plan: AdaptPlan, log: Log) -> list[Collected]:
    """Return the tracklets to use, and report what was skipped."""
    site, skipped = read_site(plan.data), Skipped()
    chosen = readable(_chosen(site.tracklets, plan.seed, log), plan.data.name, skipped)
    for remark in (*site.remarks, *skipped.remarks()):
        log(remark)
    return list(chosen)


def _chosen(tracklets: Sequence[Collected], seed: int, log: Log) -> list[Collected]:
    """Return all tracklets, or a random sample of as many as can be compared with each other."""
    if len(tracklets) <= MOST:
        return list(tracklets)
    log(f"using a random {MOST} of {len(tracklets)} tracklets: their distances must fit into memory")
    rows = np.random.default_rng((seed, 10)).choice(len(tracklets), MOST, replace=False)
    return [tracklets[row] for row in np.sort(rows)]


def _validation_set(plan: AdaptPlan, tracklets: Sequence[Collected], frames: int, log: Log) -> ValidationSet:
    people = FileTracklets([LabelledTracklet(one.paths, 0, one.camera) for one in tracklets])
    different = certainly_different(people.cameras, [one.span_ns for one in tracklets])
    queries, gallery = _labelled(plan.data, tracklets, log) if plan.labels else (None, None)
    return ValidationSet(people, different, held_out_rows(len(tracklets), plan.seed), queries, gallery, frames)


def held_out_rows(tracklets: int, seed: int) -> NDArray[np.int64]:
    """Return the rows held out for validation among a number of tracklets, increasing; never trained on."""
    order = np.random.default_rng((seed, 11)).permutation(tracklets)
    return np.sort(order[: round(_HELD * tracklets)])


def _labelled(folder: Path, tracklets: Sequence[Collected], log: Log) -> tuple[FileTracklets, FileTracklets]:
    """Return queries and gallery: those of a data set's naming, or all tracklets with an identity."""
    for layout, part in (("mars", "bbox_test"), ("market", "bounding_box_test")):
        if (folder / part).is_dir():
            data = readable_set(replace(load_dataset(layout, folder, checked=False), train=()))  # checked already
            for remark in data.skipped:
                if not remark.startswith("train"):
                    log(remark)
            return FileTracklets(data.query), FileTracklets(data.gallery)
    named = [LabelledTracklet(t.paths, t.identity, t.camera) for t in tracklets if t.identity is not None]
    if len({t.identity for t in named}) < 2 or len({t.camera for t in named}) < 2:
        raise AdaptError(f"{folder} has no labels to evaluate with: at least two people on two cameras are needed")
    return FileTracklets(named), FileTracklets(named)


def _pseudo_people(
    embed: Embed, validation: ValidationSet, tracklets: Sequence[Collected], plan: AdaptPlan
) -> FileTracklets:
    """Cluster the training tracklets, and return those in a cluster with the cluster as their identity."""
    rows = np.setdiff1d(np.arange(len(tracklets)), validation.held)
    features = embedded(embed, validation.people, rows, validation.frames)
    distances = distances_of(features, validation.people.cameras[rows])
    place = np.full(len(tracklets), -1, np.int64)
    place[rows] = np.arange(len(rows))
    different = place[validation.different]
    labels = clusters(distances, different[(different >= 0).all(axis=1)])
    if (found := int(labels.max(initial=-1)) + 1) < _MIN_CLUSTERS:
        raise AdaptError(
            f"{plan.data}: {found} people were found more than once among {len(rows)} tracklets, but at least "
            f"{_MIN_CLUSTERS} are needed: collect for longer, or with more cameras"
        )
    grouped = labels >= 0
    chosen = [tracklets[row] for row in rows[grouped]]
    return FileTracklets([LabelledTracklet(one.paths, 0, one.camera) for one in chosen], labels[grouped])


def embedder_of(network: Climb, preprocessing: Preprocessing) -> Embed:
    """Return a function that embeds tracklets with a network, on a GPU if there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Embedder(LoadedWeights(network.eval(), preprocessing, "in adaptation"), device).embed
