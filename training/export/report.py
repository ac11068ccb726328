"""Compare an exported network with PyTorch in accuracy and speed, on generated people not used for training."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kendalltau

from reid_worker.model.weights import LoadedWeights
from training.data.crops import CropPlan, CropSet, Render
from training.evaluation.metrics import Labelled, rank_all

EmbedCrops = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Full tracklets `(n, T, H, W, 3)` uint8 to embeddings `(n, dim)`."""

_TOP = 10
_CHUNK = 8  # tracklets at a time: fills the vector units, stays in the cache
_FIRST_SEED = 400_000  # first seed of the people and cameras that training holds out for validation
_ROUNDS = 7  # rounds of an interleaved measurement; the fastest is reported, as other load slows down the rest
_ENOUGH_S = 12.0  # stop early for large networks, but after at least two rounds


@dataclass(frozen=True, slots=True)
class Bounds:
    """Tolerances of an export.

    Attributes:
        typical: Maximum of the median over tracklets of the largest difference in an embedding.
        difference: Maximum difference of any number in any embedding.
        cosine: Minimum cosine between the two embeddings of a tracklet.
        map_loss: Maximum loss of mAP.
    """

    typical: float
    difference: float
    cosine: float
    map_loss: float


@dataclass(frozen=True, slots=True)
class Parity:
    """Comparison of two sets of embeddings of the same tracklets.

    Attributes:
        tracklets: Number of tracklets.
        typical: Largest absolute difference in an embedding, the median over tracklets.
        difference: Largest absolute difference of any number.
        cosine: Smallest cosine between the two embeddings of one tracklet.
        same_first: Share of queries whose nearest tracklet of another camera is the same.
        top_overlap: Mean share of the ten nearest tracklets that both have in common.
        kendall_tau: Mean over queries of Kendall's rank correlation of all tracklets of other cameras, -1 to 1.
        map_torch: mAP of PyTorch's embeddings.
        map_onnx: mAP of the exported network's.
    """

    tracklets: int
    typical: float
    difference: float
    cosine: float
    same_first: float
    top_overlap: float
    kendall_tau: float
    map_torch: float
    map_onnx: float

    def broken(self, bounds: Bounds) -> list[str]:
        """Return a description of each value that is out of bounds."""
        said = []
        if not self.typical <= bounds.typical:  # a NaN is out of bounds too
            said.append(f"embeddings typically differ by {self.typical:.2g}, allowed {bounds.typical:g}")
        if not self.difference <= bounds.difference:
            said.append(f"numbers differ by {self.difference:.2g}, allowed {bounds.difference:g}")
        if not self.cosine >= bounds.cosine:
            said.append(f"cosine falls to {self.cosine:.6f}, allowed {bounds.cosine:g}")
        if not self.map_torch - self.map_onnx <= bounds.map_loss:
            said.append(f"mAP falls from {self.map_torch:.3f} to {self.map_onnx:.3f}, allowed {bounds.map_loss:g} less")
        return said


@dataclass(frozen=True, slots=True)
class Speed:
    """Crops per second of the served PyTorch network and of an exported one, from one interleaved measurement."""

    torch_crops_per_s: float
    onnx_crops_per_s: float

    @property
    def ratio(self) -> float:
        """Speed of the exported network relative to PyTorch."""
        return self.onnx_crops_per_s / self.torch_crops_per_s


def report_people(loaded: LoadedWeights, render: Render, *, people: int, cameras: int) -> CropSet:
    """Return full tracklets of people at the network's crop size, one per camera; all people share the cameras."""
    a = loaded.network.architecture
    size = (a.height, a.width)
    plan = CropPlan("report", _FIRST_SEED, people, _FIRST_SEED, cameras, people, a.frames, size)
    seeds = plan.seeds()
    crops = [render(int(who), int(camera), int(tracklet), a.frames, size) for who, camera, tracklet in seeds]
    return CropSet(np.stack(crops), seeds[:, 0] - _FIRST_SEED, seeds[:, 1])


def torch_embed(loaded: LoadedWeights) -> EmbedCrops:
    """Return the network as it was trained, in float32 on the CPU: the reference for an export."""

    def embed(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        n, T = crops.shape[:2]
        with torch.inference_mode():
            images = loaded.preprocessing.scale(torch.from_numpy(crops).flatten(0, 1))
            return np.asarray(loaded.network.ranking(loaded.network.encode(images, [T] * n)).numpy(), np.float32)

    return embed


def embed_all(embed: EmbedCrops, people: CropSet) -> NDArray[np.float32]:
    """Embed all tracklets, a few at a time."""
    rows = range(0, len(people.crops), _CHUNK)
    return np.concatenate([embed(np.ascontiguousarray(people.crops[i : i + _CHUNK])) for i in rows])


def compare(torch_features: NDArray[np.float32], onnx_features: NDArray[np.float32], people: CropSet) -> Parity:
    """Compare two `(n, dim)` embeddings of the tracklets of `people`, each ranked against those of other cameras.

    Raises:
        ValueError: No person was seen by two cameras.
    """
    same_first, overlap, tau = [], [], []
    for query in range(len(people.crops)):
        others = people.cameras != people.cameras[query]
        near = [(features[others] @ features[query]).astype(np.float64) for features in (torch_features, onnx_features)]
        first, second = (np.argsort(-cosine, kind="stable")[:_TOP] for cosine in near)
        same_first.append(first[0] == second[0])
        overlap.append(len(np.intersect1d(first, second)) / len(first))
        tau.append(float(kendalltau(*near).statistic))
    ranked = [
        rank_all(Labelled(features, people.identities, people.cameras)) for features in (torch_features, onnx_features)
    ]
    difference = np.abs(torch_features - onnx_features)
    return Parity(
        tracklets=len(people.crops),
        typical=float(np.median(difference.max(axis=1))),
        difference=float(difference.max()),
        cosine=float((torch_features.astype(np.float64) * onnx_features).sum(axis=1).min()),
        same_first=float(np.mean(same_first)),
        top_overlap=float(np.mean(overlap)),
        kendall_tau=float(np.mean(tau)),
        map_torch=ranked[0].mean_ap,
        map_onnx=ranked[1].mean_ap,
    )


def fastest(
    runs: Mapping[str, Callable[[], object]], clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Return the shortest time of each run in seconds, interleaved after one warm-up round."""
    best = dict.fromkeys(runs, float("inf"))
    for run in runs.values():
        run()
    began = clock()
    for done in range(_ROUNDS):
        if done >= 2 and clock() - began > _ENOUGH_S:
            break
        for name, run in runs.items():
            start = clock()
            run()
            best[name] = min(best[name], clock() - start)
    return best


def table_rows(reports: Sequence[tuple[Parity, Speed, int]]) -> list[tuple[str, ...]]:
    """Return the lines of a table with one column per report; its last element is the file size in bytes."""

    def line(name: str, show: Callable[[Parity, Speed, int], str]) -> tuple[str, ...]:
        return (name, *(show(*report) for report in reports))

    return [
        line("typical difference", lambda p, _, __: f"{p.typical:.1e}"),
        line("largest difference", lambda p, _, __: f"{p.difference:.1e}"),
        line("smallest cosine", lambda p, _, __: f"{p.cosine:.7f}"),
        line("same nearest tracklet", lambda p, _, __: f"{p.same_first:.1%}"),
        line(f"overlap of the nearest {_TOP}", lambda p, _, __: f"{p.top_overlap:.1%}"),
        line("Kendall's tau of all ranks", lambda p, _, __: f"{p.kendall_tau:.5f}"),
        line("mAP, PyTorch", lambda p, _, __: f"{p.map_torch:.4f}"),
        line("mAP, ONNX", lambda p, _, __: f"{p.map_onnx:.4f}"),
        line("file", lambda _, __, size: f"{size / 1e6:.2f} MB"),
        line("PyTorch, one thread", lambda _, s, __: f"{s.torch_crops_per_s:.0f} crops/s"),
        line("ONNX, one thread", lambda _, s, __: f"{s.onnx_crops_per_s:.0f} crops/s"),
        line("ratio", lambda _, s, __: f"{s.ratio:.2f}"),
    ]
