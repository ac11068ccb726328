"""Make the bundled person detector from nothing, on generated people: `python -m training.detector`."""

import argparse
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path

import cv2
import torch

from reid_worker.detectors.yolox import YoloxDetector
from training.detector.calibrate import platt
from training.detector.export import export_detector
from training.detector.frames import LabelledFrame
from training.detector.network import INPUT_SIZE, PersonDetector
from training.detector.pool import SHARD_FRAMES, FramePool, render_shards, rendering
from training.detector.quantize import quantize_detector
from training.detector.score import Score, Truth, joined, labelled, match, pseudo_labelled, score_detector, truth_of
from training.detector.train import FEWEST_FRAMES, DetectorTraining, Run, save_network
from training.synthetic.site import write_site

log = logging.getLogger(__name__)

WEIGHTS = Path(__file__).parents[2] / "reid_worker" / "weights" / "person-detector.onnx"
HELD_OUT_SITE_SEED = 77
HELD_OUT_SITE_S = 24.0
HELD_OUT_SEED = 9
REPORT_SCORE = 0.5  # from which on the worker starts tracks; recall and precision are reported there
LOWEST_SCORE = 0.02  # reported, so that the average precision sees the whole curve
NMS_IOU = 0.65
MIN_HEIGHT_PX = 14.0  # height of who counts when the detector is measured, as in training
OUR_DATA = "generated frames only (training.detector.frames); no real picture was used"
REALISTIC_DATA = (
    "generated frames only (training.detector.frames), most people with bodies of MakeHuman, some in panoramas of real "
    "places (training.realistic); no picture of a real person was used"
)
REFEREE_SCORE = 0.5  # of another detector's boxes that stand in for labels


@dataclass(frozen=True, slots=True)
class Plan:
    """What one command does.

    Attributes:
        out: The ONNX file; its card stands beside it.
        folder: Rendered frames and the checkpoint; a run that finds them goes on.
        frames: To be rendered, in `renderers` processes, while the training has begun already.
        initial: Weights to begin from, as `network.safetensors` in the folder of another run.
        held_out: More frames, of other seeds, to calibrate and measure on.
        shared: Folder of real videos to measure on besides generated ones.
        referee: ONNX file of a detector whose boxes stand in for labels where a real video has none.
        assets: File of realistic people and places (`training.realistic.pack`) to train on among our own.
    """

    out: Path = WEIGHTS
    folder: Path = Path("runs/detector")
    frames: int = 15_000
    initial: Path | None = None
    held_out: int = 500
    renderers: int = 1
    shared: Path | None = None
    referee: Path | None = None
    assets: Path | None = None
    training: DetectorTraining = field(default_factory=DetectorTraining)


def make_detector(plan: Plan) -> dict[str, Score]:
    """Render, train, calibrate, export and measure; return the scores that the card says too."""
    frames = plan.folder / "frames"
    shards = -(-plan.frames // SHARD_FRAMES)
    first = min(shards, -(-FEWEST_FRAMES // SHARD_FRAMES))
    render_shards(frames, 0, first, plan.training.seed, plan.assets)
    held_out = held_out_frames(plan)
    with rendering(frames, range(first, shards), plan.training.seed, plan.renderers, plan.assets):
        network = Run(plan.training, plan.folder / "checkpoint.pt", plan.initial).train(frames)
    save_network(network, plan.folder / "network.safetensors")
    export_calibrated(network, chain.from_iterable(held_out.values()), plan.out)
    pictures = (
        truth_of(frame, MIN_HEIGHT_PX).frame for frame in chain.from_iterable(zip(*held_out.values(), strict=True))
    )
    quantize_detector(plan.out, int8_file(plan.out), pictures)
    site = plan.folder / "site"
    if not (site / "site.yaml").exists():
        write_site(site, seed=HELD_OUT_SITE_SEED, seconds=HELD_OUT_SITE_S)
    truths = truths_of(site, held_out, plan)
    scores = measure(plan.out, truths)
    write_card(plan, scores, measure(int8_file(plan.out), truths))
    return scores


def held_out_frames(plan: Plan) -> dict[str, FramePool]:
    """Return frames that nothing is trained on, by name: of our own people, with assets as many of realistic ones."""
    shards = -(-plan.held_out // SHARD_FRAMES)
    own = plan.folder / "held-out"
    render_shards(own, 0, shards, HELD_OUT_SEED)
    found = {"generated frames, held-out seed": FramePool(own)}
    if plan.assets is not None:
        realistic = plan.folder / "held-out-realistic"
        render_shards(realistic, 0, shards, HELD_OUT_SEED, plan.assets, aside=True)
        found["realistic frames, held-out places"] = FramePool(realistic)
    return found


def int8_file(model: Path) -> Path:
    """Return where the same detector in 8 bits stands, beside the one in float32."""
    return model.with_name(f"{model.stem}-int8{model.suffix}")


def export_calibrated(network: PersonDetector, held_out: Iterable[LabelledFrame], path: Path) -> tuple[float, float]:
    """Write the network with scores that are probabilities on frames nobody trained on; return slope and offset.

    A network that finds nobody, or nobody else, is written as it is.
    """
    export_detector(network, path)
    raw = YoloxDetector(path, min_score=LOWEST_SCORE / 2, nms_iou=NMS_IOU, threads=1)
    truths = (truth_of(frame, MIN_HEIGHT_PX) for frame in held_out)
    verdicts = joined([match(raw.detect([t.frame])[0], t.boxes, t.counted) for t in truths])
    try:
        line = platt(verdicts)
    except ValueError as error:
        log.warning("scores stay as they are: %s", error)
        return 1.0, 0.0
    export_detector(network, path, *line)
    return line


def truths_of(site: Path, held_out: dict[str, FramePool], plan: Plan) -> dict[str, Callable[[], Iterable[Truth]]]:
    """Return what a detector is measured on, by name; each is read anew for every detector."""
    found: dict[str, Callable[[], Iterable[Truth]]] = {
        name: partial(_truths_in, pool) for name, pool in held_out.items()
    }
    found[f"generated site, seed {HELD_OUT_SITE_SEED}"] = lambda: labelled(site, 10)
    if plan.shared is None:
        return found
    data = plan.shared / "data"
    found["lab-4cam"] = lambda: labelled(data / "lab-4cam", 10)
    if plan.referee is not None:
        for name in ("hall/people-detection.264", "hall/one-by-one-person-detection.mp4", "shop/Retail02_short.mp4",
                     *(f"studio-4cam/cam0{k}.mp4" for k in range(1, 5))):  # fmt: skip
            referee = YoloxDetector(plan.referee, nms_iou=NMS_IOU, threads=1)
            found[name] = partial(pseudo_labelled, data / name, referee, REFEREE_SCORE, 10)
    return found


def _truths_in(pool: FramePool) -> Iterator[Truth]:
    return (truth_of(frame, MIN_HEIGHT_PX) for frame in pool)


def measure(model: Path, truths: dict[str, Callable[[], Iterable[Truth]]]) -> dict[str, Score]:
    """Score an ONNX detector at `REPORT_SCORE` on everything."""
    detector = YoloxDetector(model, min_score=LOWEST_SCORE, nms_iou=NMS_IOU, threads=1)
    return {name: score_detector(detector, make(), REPORT_SCORE) for name, make in truths.items()}


def write_card(plan: Plan, scores: dict[str, Score], in_8_bits: dict[str, Score]) -> None:
    """Write what the weights are and how good they were, in float32 and in 8 bits, as JSON beside them."""
    options = asdict(plan.training) | {"frames": plan.frames}
    card = {
        "model": plan.out.name,
        "layout": "YOLOX: (1, cells, 6) centre offset, log size, calibrated probability, 1; strides 8, 16, 32",
        "preprocessing": "BGR 0-255, letterboxed to the top left on 114",
        "input": [1, 3, *INPUT_SIZE],
        "parameters": sum(p.numel() for p in PersonDetector().parameters()),
        "data": OUR_DATA if plan.assets is None else REALISTIC_DATA,
        "command": "python -m training.detector",
        "options": options,
        "date": datetime.now(UTC).date().isoformat(),
        "score_threshold": REPORT_SCORE,
        "scores": {name: _rounded(score) for name, score in scores.items()},
        "int8": {
            "model": int8_file(plan.out).name,
            "scores": {name: _rounded(score) for name, score in in_8_bits.items()},
        },
    }
    plan.out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")


def _rounded(score: Score) -> dict[str, float]:
    return {name: round(value, 3) for name, value in asdict(score).items() if name != "ms"}


def main(arguments: list[str] | None = None) -> None:
    """Make the detector that is bundled; a command that was stopped goes on where it was."""
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m training.detector", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=usual.out, help="the ONNX file")
    parser.add_argument("--folder", type=Path, default=usual.folder, help="frames and checkpoint")
    parser.add_argument("--minutes", type=float, default=usual.training.minutes, help="of training, by the clock")
    parser.add_argument("--frames", type=int, default=usual.frames, help="to render")
    parser.add_argument("--initial", type=Path, help="weights to begin from: network.safetensors of another run")
    parser.add_argument("--held-out", type=int, default=usual.held_out, help="to render for calibration and scores")
    parser.add_argument("--renderers", type=int, default=usual.renderers, help="processes that render")
    parser.add_argument("--workers", type=int, default=usual.training.workers, help="processes that make examples")
    parser.add_argument("--device", default=usual.training.device, help="auto, cpu or cuda")
    parser.add_argument("--learning-rate", type=float, default=usual.training.learning_rate, help="at its highest")
    parser.add_argument("--seed", type=int, default=usual.training.seed, help="of the frames and of what is drawn")
    parser.add_argument("--shared", type=Path, help="folder of real videos to measure on")
    parser.add_argument("--referee", type=Path, help="ONNX detector whose boxes stand in for missing labels")
    parser.add_argument("--assets", type=Path, help="of realistic people: what training.realistic.pack wrote")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    training = DetectorTraining(
        **{name: vars(given).pop(name) for name in ("minutes", "workers", "device", "learning_rate", "seed")}
    )
    scores = make_detector(Plan(**(vars(given) | {"training": training})))
    for name, score in scores.items():
        log.info("%s: %s", name, score)
    print(json.dumps({name: asdict(score) for name, score in scores.items()}))


if __name__ == "__main__":
    main()
