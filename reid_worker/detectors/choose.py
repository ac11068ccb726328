"""From a setting to a detector: a name of the catalogue, a file, or what works without one."""

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reid_worker.detectors.catalogue import NAMES, YOLOX_NANO, ModelFile, by_name
from reid_worker.detectors.detection import Detector
from reid_worker.detectors.download import Network, Progress, download
from reid_worker.detectors.files import Found, describe, expected, find, model_folders
from reid_worker.errors import DetectorError

if TYPE_CHECKING:
    from reid_worker.detectors.onnx_file import OnnxModel

__all__ = ["BUNDLED", "CHOICES", "DetectorOptions", "load_detector", "model_folders", "obtain", "open_detector"]

log = logging.getLogger(__name__)

BUNDLED = Path(__file__).parent.parent / "weights" / "person-detector.onnx"
CHOICES = ("auto", "bundled", "hog", *NAMES)
AUTO_CONNECT_S = 3.0  # where something else takes over, a start waits no longer for a server,
AUTO_PATIENCE_S = 20.0  # nor for a download


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """How a detector runs: lowest score it reports, NMS overlap, threads, and where it may look and ask.

    Attributes:
        folders: Searched in order for model files.
        download: Whether a missing file of the catalogue may be downloaded.
        network: How it is downloaded.
    """

    folders: tuple[Path, ...]
    download: bool = True
    network: Network = field(default_factory=Network)
    min_score: float = 0.2
    nms_iou: float = 0.65
    threads: int = 2


def load_detector(choice: str, options: DetectorOptions) -> Detector:
    """Return the detector of a setting: `auto`, `bundled`, `hog`, a name of the catalogue or the path of an ONNX file.

    `auto` is yolox-nano where its file is at hand or can be downloaded, else the bundled one, else HOG, loudly.

    Raises:
        DetectorError: What was asked for cannot be had; says what was tried and what to do.
    """
    if choice == "auto":
        return _load_auto(options)
    if choice == "hog":
        from reid_worker.detectors.hog import HogDetector

        return HogDetector()
    if choice == "bundled":
        return open_detector(BUNDLED, options)
    model = by_name(choice)
    if model is not None:
        return open_detector(obtain(model, options), options)
    path = Path(choice).expanduser()
    if not path.exists():
        raise DetectorError(f"detector {choice}: no such file, and none of {', '.join(CHOICES)}")
    return open_detector(path, options)


def open_detector(model: "Path | OnnxModel", options: DetectorOptions) -> Detector:
    """Return the detector in a file, in whatever layout it is, once it has run.

    Raises:
        DetectorError: It cannot be used; names the file, the cause and what to do.
    """
    from reid_worker.detectors.detr import DetrDetector
    from reid_worker.detectors.onnx_file import open_model
    from reid_worker.detectors.yolox import YoloxDetector

    opened = open_model(model) if isinstance(model, Path) else model
    if opened.layout == "yolox":
        return YoloxDetector(opened, min_score=options.min_score, nms_iou=options.nms_iou, threads=options.threads)
    return DetrDetector(opened, min_score=options.min_score, threads=options.threads)


def obtain(model: ModelFile, options: DetectorOptions, progress: Progress | None = None) -> Path:
    """Return the file of a published model: found in a folder, or downloaded into the first that can be written.

    Raises:
        DetectorError: It is nowhere, and may not or cannot be downloaded.
    """
    found = find(model, options.folders)
    if found is not None:
        if not found.right:
            remedy = f"remove it and run `climbtrack models get {model.name}`, or name it by its path"
            log.warning("detector %s: %s; it is used as it is: %s", model.name, describe_other(found, model), remedy)
        return found.path
    if not options.download:
        looked = " and ".join(str(folder) for folder in options.folders)
        raise DetectorError(
            f"detector {model.name}: no {model.file} in {looked}, and downloads are off (worker.download); put it "
            f"there by hand, or run `climbtrack models get {model.name}`"
        )
    if progress is None:
        log.warning("downloading %s, %.1f MB", model.name, model.size_bytes / 1e6)
        return download(model, options.folders, options.network)
    return download(model, options.folders, options.network, progress)


def describe_other(found: Found, model: ModelFile) -> str:
    """Return what is wrong with a file of a known name and other content.

    Such a file is used all the same. Downloads are checked before they get their name, so somebody put this one there:
    an export of his own most likely, which the digests of the catalogue cannot know. Half a copy or a proxy's page does
    not load, and is refused by name then. Nobody has to trust it unasked: this is said at every start, and
    `climbtrack models check` fails.
    """
    what = "cannot be read" if found.content is None else f"is another file than published: {describe(found.content)}"
    return f"{found.path} {what}, expected {expected(model)}"


def _load_auto(options: DetectorOptions) -> Detector:
    network = replace(options.network, connect_s=AUTO_CONNECT_S, patience_s=AUTO_PATIENCE_S)
    try:
        return load_detector(YOLOX_NANO.name, replace(options, network=network))
    except DetectorError as error:
        cause = str(error).removeprefix(f"detector {YOLOX_NANO.name}: ")
    if BUNDLED.is_file():
        log.warning(
            "people are found by the bundled detector, not by %s: %s; naming `bundled` as detector ends these attempts",
            YOLOX_NANO.name,
            cause,
        )
        return open_detector(BUNDLED, options)
    log.warning("people are found by HOG, which misses most who are partly hidden, sitting or far away: %s", cause)
    return load_detector("hog", options)
