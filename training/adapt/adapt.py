"""Teach weights a site nobody labelled: cluster its tracklets, learn from the clusters as if they were people, again.

    climbtrack adapt --data DIR --out FILE [--weights FILE] [--minutes N]

The old weights stay as they are: to go back is to name them again. The new ones have another model_id, so that no
embedding of one is ever compared with one of the other.
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
from training.adapt.judge import Figures, Trial, embedded, judge, moved
from training.adapt.round import Budget, learn, rate_of
from training.data.dataset import LabelledTracklet
from training.data.files import FileTracklets
from training.data.load import load_dataset
from training.data.readable import readable, readable_set
from training.data.site import Collected, read_site
from training.data.skipped import Skipped
from training.errors import memory_explained
from training.evaluation.embedding import Embed

Say = Callable[[str], None]

_HELD = 0.2  # share of the tracklets that is only judged by
_FEWEST = 4  # clusters; fewer people teach a network nothing about telling people apart


class AdaptError(Exception):
    """A site cannot be learnt from; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class AdaptPlan:
    """What to learn, and for how long.

    Attributes:
        data: Folder of tracklets, see `training.data.site`.
        out: Where the new weights go.
        weights: The old ones; None are the shipped.
        minutes: Wall time of learning in all, 0 where `epochs` says how long.
        epochs: Visits to every cluster in all, 0 where `minutes` says how long.
        rounds: How often tracklets are clustered anew.
        labels: Whether the folder has labels to judge by; they are never learnt from.
        force: Whether weights that got worse are written all the same.
        lr: Highest learning rate; None is what suits the network, see `rate_of`.
        seed: Of everything drawn.
        threads: CPU threads of torch.
        workers: Processes that read images meanwhile.
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
    """What came out.

    Attributes:
        tracklets: Of the site; `learnt` of them were learnt from in the last round.
        certain_pairs: Pairs of tracklets that are certainly different people.
        before, after: Figures of the old and the new weights.
        steps: Of all rounds.
        old, new: Their model_ids; `new` is None where nothing was written, as the new weights are worse.
        old_weights: Where the old ones still are.
    """

    tracklets: int
    learnt: int
    certain_pairs: int
    before: Figures
    after: Figures
    steps: int
    old: str
    new: str | None
    old_weights: Path


@memory_explained("stop what else holds memory, or adapt from fewer tracklets; the old weights are where they were")
def adapt(plan: AdaptPlan, say: Say) -> AdaptReport:
    """Learn a site and write weights that know it, if they are not worse.

    Raises:
        AdaptError: `out` is there already, too few people are found more than once, or there are no labels to judge by.
        DataSetError: The folder or an image in it cannot be used.
        WeightsError: The old weights cannot be used.
        TrainingError: The loss is NaN or infinite, or memory is full.
    """
    torch.set_num_threads(plan.threads)
    if plan.out.exists():
        raise AdaptError(f"{plan.out} is there already: adapting never replaces weights, give another file")
    source = SHIPPED if plan.weights is None else plan.weights
    old = load_weights(source)
    network = without_cameras(old.network)  # a site's cameras are none of those it may know
    lr = rate_of(network.architecture) if plan.lr is None else plan.lr
    tracklets = _collected(plan, say)
    trial = _trial(plan, tracklets, old.network.architecture.frames, say)
    say(f"{len(tracklets)} tracklets, {len(trial.different)} pairs of them certainly different people")
    before = judge(embedder_of(network, old.preprocessing), trial)
    steps, used = 0, 0
    for number in range(plan.rounds):
        pseudo = _pseudo_people(embedder_of(network, old.preprocessing), trial, tracklets, plan)
        used = len(pseudo.lengths)
        say(f"round {number + 1} of {plan.rounds}: {pseudo.identities.max() + 1} people in {used} tracklets")
        budget = Budget(plan.minutes / plan.rounds, plan.epochs / plan.rounds, lr, plan.threads, plan.workers)
        network, done = learn(network, old.preprocessing, pseudo, budget, plan.seed + number)
        steps += done
        save_weights(unvalidated_of(plan.out), network, old.preprocessing, old.prior)
    after = judge(embedder_of(network, old.preprocessing), trial)
    unvalidated_of(plan.out).unlink()
    new = None
    if plan.force or after.better_than(before) is not False:
        save_weights(plan.out, network, old.preprocessing, moved(old.prior, before.cosines, after.cosines))
        new = load_weights(plan.out).model_id
    return AdaptReport(len(tracklets), used, len(trial.different), before, after, steps, old.model_id, new, source)


def unvalidated_of(out: Path) -> Path:
    """Return where weights lie from the end of a round until they are validated: what fails then costs no learning."""
    return out.with_name(f"{out.name}.unvalidated")


def _collected(plan: AdaptPlan, say: Say) -> list[Collected]:
    """Return the tracklets that take part, and say what was left out."""
    site, skipped = read_site(plan.data), Skipped()
    chosen = readable(_chosen(site.tracklets, plan.seed, say), plan.data.name, skipped)
    for remark in (*site.remarks, *skipped.remarks()):
        say(remark)
    return list(chosen)


def _chosen(tracklets: Sequence[Collected], seed: int, say: Say) -> list[Collected]:
    """Return all tracklets, or some that are as many as can be compared with each other."""
    if len(tracklets) <= MOST:
        return list(tracklets)
    say(f"{MOST} of {len(tracklets)} tracklets are taken, drawn by the seed: their distances must fit into memory")
    rows = np.random.default_rng((seed, 10)).choice(len(tracklets), MOST, replace=False)
    return [tracklets[row] for row in np.sort(rows)]


def _trial(plan: AdaptPlan, tracklets: Sequence[Collected], frames: int, say: Say) -> Trial:
    people = FileTracklets([LabelledTracklet(one.paths, 0, one.camera) for one in tracklets])
    different = certainly_different(people.cameras, [one.span_ns for one in tracklets])
    queries, gallery = _labelled(plan.data, tracklets, say) if plan.labels else (None, None)
    return Trial(people, different, held_rows(len(tracklets), plan.seed), queries, gallery, frames)


def held_rows(tracklets: int, seed: int) -> NDArray[np.int64]:
    """Return the rows of so many tracklets that are only judged by, never learnt from; rising."""
    order = np.random.default_rng((seed, 11)).permutation(tracklets)
    return np.sort(order[: round(_HELD * tracklets)])


def _labelled(folder: Path, tracklets: Sequence[Collected], say: Say) -> tuple[FileTracklets, FileTracklets]:
    """Return queries and gallery: those of a data set's naming, or all tracklets that somebody named."""
    for layout, part in (("mars", "bbox_test"), ("market", "bounding_box_test")):
        if (folder / part).is_dir():
            data = readable_set(
                replace(load_dataset(layout, folder, checked=False), train=())
            )  # those are read already
            for remark in data.skipped:
                if not remark.startswith("train"):
                    say(remark)
            return FileTracklets(data.query), FileTracklets(data.gallery)
    named = [LabelledTracklet(t.paths, t.identity, t.camera) for t in tracklets if t.identity is not None]
    if len({t.identity for t in named}) < 2 or len({t.camera for t in named}) < 2:
        raise AdaptError(f"{folder} has no labels to judge by: two people on two cameras are the fewest")
    return FileTracklets(named), FileTracklets(named)


def _pseudo_people(embed: Embed, trial: Trial, tracklets: Sequence[Collected], plan: AdaptPlan) -> FileTracklets:
    """Cluster what is learnt from, and return the tracklets that are in a cluster with it as their identity."""
    rows = np.setdiff1d(np.arange(len(tracklets)), trial.held)
    features = embedded(embed, trial.people, rows, trial.frames)
    distances = distances_of(features, trial.people.cameras[rows])
    place = np.full(len(tracklets), -1, np.int64)
    place[rows] = np.arange(len(rows))
    different = place[trial.different]
    labels = clusters(distances, different[(different >= 0).all(axis=1)])
    if (found := int(labels.max(initial=-1)) + 1) < _FEWEST:
        raise AdaptError(
            f"{plan.data}: {found} people were found more than once among {len(rows)} tracklets, {_FEWEST} are the "
            "fewest to learn from: collect for longer, or with more cameras"
        )
    grouped = labels >= 0
    chosen = [tracklets[row] for row in rows[grouped]]
    return FileTracklets([LabelledTracklet(one.paths, 0, one.camera) for one in chosen], labels[grouped])


def embedder_of(network: Climb, preprocessing: Preprocessing) -> Embed:
    """Return what embeds by a network, on a GPU where there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Embedder(LoadedWeights(network.eval(), preprocessing, "in adaptation"), device).embed
