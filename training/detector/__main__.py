"""Train the bundled person detector on generated people, export it, and measure it: `python -m training.detector`."""

import argparse
import json
import logging
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import torch

from reid_worker.detectors.yolox import Grid
from training.detector.examples import example
from training.detector.export import export_detector
from training.detector.frames import LabelledFrame, detector_frames
from training.detector.network import INPUT_SIZE, PersonDetector, detection_loss
from training.detector.score import Score, score_folder
from training.synthetic.site import write_site

log = logging.getLogger(__name__)

WEIGHTS = Path(__file__).parents[2] / "reid_worker" / "weights" / "person-detector.onnx"
HELD_OUT_SITE_SEED = 77
REPORT_SCORE = 0.5  # from which on the worker starts tracks; recall and precision are reported there


@dataclass(frozen=True, slots=True)
class DetectorTraining:
    """How the detector is trained: 20 minutes of one core to itself.

    `minutes` of the clock end it early, at a lowered learning rate all the same; on a busy machine give it more.
    """

    frames: int = 1200
    steps: int = 3000
    batch: int = 8
    learning_rate: float = 1.5e-3
    minutes: float = 20.0
    seed: int = 3


def train_detector(options: DetectorTraining, frames: list[LabelledFrame]) -> PersonDetector:
    """Train on the frames and return the network, in evaluation mode.

    Raises:
        ValueError: When there are no frames.
    """
    if not frames:
        raise ValueError("the detector needs at least one frame to train on")
    torch.manual_seed(options.seed)
    rng = np.random.default_rng([options.seed, 8])
    grid = Grid.of(*INPUT_SIZE)
    cells = torch.from_numpy(np.concatenate([grid.cells, grid.strides], 1))
    network = PersonDetector().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=0.02)
    start = time.monotonic()
    done, step = 0.0, 0
    while done < 1.0:
        for group in optimiser.param_groups:
            group["lr"] = options.learning_rate * _pace(done)
        batch = [example(rng, frames[int(k)], grid, INPUT_SIZE) for k in rng.integers(len(frames), size=options.batch)]
        images = torch.from_numpy(np.stack([e.image for e in batch])).contiguous(memory_format=torch.channels_last)
        loss = detection_loss(network(images), torch.from_numpy(np.stack([e.target for e in batch])), cells)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch publishes no type for it
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        step += 1
        done = max(step / options.steps, (time.monotonic() - start) / (60 * options.minutes))
        if step % 50 == 0:
            log.info("step %d, %.0f %% done, loss %.3f", step, 100 * done, loss.item())
    return network.eval()


def _pace(done: float) -> float:
    """Return the learning rate's share: up in the first 5 %, then down along a half cosine."""
    return min(1.0, 0.05 + done / 0.05) * (0.5 + 0.5 * float(np.cos(np.pi * done))) + 0.005


def write_card(path: Path, options: DetectorTraining, scores: dict[str, Score]) -> None:
    """Write what the weights are and how good they were, as JSON beside them."""
    card = {
        "model": path.name,
        "layout": "YOLOX: (1, cells, 6) centre offset, log size, objectness, person; strides 8, 16, 32",
        "preprocessing": "BGR 0-255, letterboxed to the top left on 114",
        "input": [1, 3, *INPUT_SIZE],
        "data": "generated frames only (training.detector.frames); no real picture was used",
        "command": "python -m training.detector",
        "options": asdict(options),
        "date": datetime.now(UTC).date().isoformat(),
        "score_threshold": REPORT_SCORE,
        "scores": {name: {k: round(v, 3) for k, v in asdict(score).items()} for name, score in scores.items()},
    }
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")


def main(arguments: list[str] | None = None) -> None:
    """Generate frames, train, export, and measure on a generated site and, if named, on a folder of real videos."""
    usual = DetectorTraining()
    parser = argparse.ArgumentParser(prog="python -m training.detector", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--minutes", type=float, default=usual.minutes)
    parser.add_argument("--frames", type=int, default=usual.frames)
    parser.add_argument("--steps", type=int, default=usual.steps)
    parser.add_argument("--real", type=Path, help="folder of labelled real videos, for instance lab-4cam")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    options = DetectorTraining(frames=given.frames, steps=given.steps, minutes=given.minutes)
    frames = list(detector_frames(options.frames, options.seed))
    log.info("%d frames generated", len(frames))
    export_detector(train_detector(options, frames), given.out)
    log.info("exported %s", given.out)
    with tempfile.TemporaryDirectory() as folder:
        write_site(Path(folder), seed=HELD_OUT_SITE_SEED)
        folders = {"generated site, held-out seed": Path(folder)} | (
            {given.real.name: given.real} if given.real else {}
        )
        scores = {name: score_folder(given.out, where, REPORT_SCORE) for name, where in folders.items()}
    write_card(given.out, options, scores)
    log.info("%s", scores)


if __name__ == "__main__":
    main()
