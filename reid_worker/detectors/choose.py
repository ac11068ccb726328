"""Loads the detector that a setting names: one from the catalogue, a file, or one that needs no file."""

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reid_worker.detectors.catalogue import NAMES, YOLOX_NANO, ModelFile, by_name
from reid_worker.detectors.detection import Detector
from reid_worker.detectors.download import Network, Progress, download
from reid_worker.detectors.files import LocalFile, describe, expected, find, model_folders
from reid_worker.errors import DetectorError

if TYPE_CHECKING:
    from reid_worker.detectors.onnx_file import OnnxModel

__all__ = [
    "BUNDLED",
    "BUNDLED_INT8",
    "CHOICES",
    "DetectorOptions",
    "bundled",
    "load_detector",
    "model_folders",
    "obtain",
    "open_detector",
]

log = logging.getLogger(__name__)

BUNDLED = Path(__file__).parent.parent / "weights" / "person-detector.onnx"  # in float32
BUNDLED_INT8 = BUNDLED.with_name("person-detector-int8.onnx")  # the same weights in 8 bits
CHOICES = ("auto", "bundled", "hog", *NAMES)
AUTO_CONNECT_S = 3.0  # with a fallback available, startup waits no longer than this for a server,
AUTO_PATIENCE_S = 20.0  # and no longer than this for a download


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """Options of a detector: lowest score reported, NMS overlap, threads, and where its file may come from.

    Attributes:
        folders: Searched in order for model files.
        download: Whether a missing file of the catalogue may be downloaded.
        network: How it is downloaded.
        device: Where it runs, as `worker.device`.
    """

    folders: tuple[Path, ...]
    download: bool = True
    network: Network = field(default_factory=Network)
    min_score: float = 0.2
    nms_iou: float = 0.65
    threads: int = 2
    device: str = "auto"


def load_detector(choice: str, options: DetectorOptions) -> Detector:
    """Load a detector by setting: `auto`, `bundled`, `hog`, a name of the catalogue or the path of an ONNX file.

    `auto` is yolox-nano if its file exists or can be downloaded, else the bundled detector, else HOG, with a warning.

    Raises:
        DetectorError: The detector is not available; the message says what was tried and what to do.
    """
    if choice == "auto":
        return _load_auto(options)
    if choice == "hog":
        from reid_worker.detectors.hog import HogDetector

        return HogDetector()
    if choice == "bundled":
        return open_detector(bundled(options.device), options)
    model = by_name(choice)
    if model is not None:
        return open_detector(obtain(model, options), options)
    path = Path(choice).expanduser()
    if not path.exists():
        raise DetectorError(f"detector {choice}: no such file, and not one of {', '.join(CHOICES)}")
    return open_detector(path, options)


def bundled(device: str) -> Path:
    """Return the file of the bundled detector for `worker.device`; 8 bits halve its cost on a CPU, not on a GPU."""
    from reid_worker.onnx_session import only_cpu

    return BUNDLED_INT8 if only_cpu(device) else BUNDLED


def open_detector(model: "Path | OnnxModel", options: DetectorOptions) -> Detector:
    """Open the detector in a file, whatever its layout, and run it once.

    Raises:
        DetectorError: It cannot be used; the message names the file, the cause and the remedy.
    """
    from reid_worker.detectors.detr import DetrDetector
    from reid_worker.detectors.onnx_file import open_model
    from reid_worker.detectors.yolox import YoloxDetector
    from reid_worker.onnx_session import OnnxRuntime

    opened = open_model(model, OnnxRuntime(options.device)) if isinstance(model, Path) else model
    if opened.layout == "yolox":
        return YoloxDetector(opened, min_score=options.min_score, nms_iou=options.nms_iou, threads=options.threads)
    return DetrDetector(opened, min_score=options.min_score, threads=options.threads)


def obtain(model: ModelFile, options: DetectorOptions, progress: Progress | None = None) -> Path:
    """Return the file of a published model: found in a folder, or downloaded into the first writable one.

    Raises:
        DetectorError: It does not exist, and may not or cannot be downloaded.
    """
    found = find(model, options.folders)
    if found is not None:
        if not found.verified:
            remedy = f"remove it and run `climbtrack models get {model.name}`, or name it by its path"
            log.warning("detector %s: %s; using it anyway: %s", model.name, describe_mismatch(found, model), remedy)
        return found.path
    if not options.download:
        looked = " and ".join(str(folder) for folder in options.folders)
        raise DetectorError(
            f"detector {model.name}: no {model.file} in {looked}, and downloads are disabled (worker.download); copy "
            f"it there, or run `climbtrack models get {model.name}`"
        )
    if progress is None:
        log.warning("downloading %s, %.1f MB", model.name, model.size_bytes / 1e6)
        return download(model, options.folders, options.network)
    return download(model, options.folders, options.network, progress)


def describe_mismatch(found: LocalFile, model: ModelFile) -> str:
    """Describe what is wrong with a file that has a known name but another content.

    Such a file is still used. Downloads are verified before they get their name, so the user put this one there: most
    likely a custom export, whose digest the catalogue cannot know. A partial copy or a proxy's error page does not load
    and is then refused. The mismatch is not hidden: it is logged at every start, and `climbtrack models check` fails.
    """
    what = "cannot be read" if found.content is None else f"is not the published file: {describe(found.content)}"
    return f"{found.path} {what}, expected {expected(model)}"


def _load_auto(options: DetectorOptions) -> Detector:
    network = replace(options.network, connect_s=AUTO_CONNECT_S, patience_s=AUTO_PATIENCE_S)
    try:
        return load_detector(YOLOX_NANO.name, replace(options, network=network))
    except DetectorError as error:
        cause = str(error).removeprefix(f"detector {YOLOX_NANO.name}: ")
    ours = bundled(options.device)
    if ours.is_file():
        log.warning(
            "using the bundled detector instead of %s: %s; set the detector to `bundled` to stop these attempts",
            YOLOX_NANO.name,
            cause,
        )
        return open_detector(ours, options)
    log.warning("using HOG, which misses most people who are partly hidden, sitting or far away: %s", cause)
    return load_detector("hog", options)
