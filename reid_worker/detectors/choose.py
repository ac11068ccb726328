"""Where the detector comes from: a file, one download by URL that is checked by SHA-256, or what works without one."""

import hashlib
import logging
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reid_worker.detectors.detection import Detector
from reid_worker.errors import DetectorError

log = logging.getLogger(__name__)

BUNDLED = Path(__file__).parent.parent / "weights" / "person-detector.onnx"
MAX_DOWNLOAD_BYTES = 64 * 1024 * 1024  # the file has 4 MB


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model that is published: what it may be called below a models folder, where it is, and its digests.

    `sha256` holds every digest that is the right file: the upstream release was exported more than once.
    """

    name: str
    paths: tuple[str, ...]
    url: str
    sha256: tuple[str, ...]


YOLOX_NANO = ModelFile(
    name="yolox-nano",
    paths=("yolox_nano_416x416.onnx", "yolox-nano/yolox_nano_416x416.onnx", "yolox_nano.onnx"),
    url="https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_nano.onnx",
    sha256=("695e750a5d5754bb5a8d5325643b59282191a7e7a564e435a415fd3c578eab14",),
)


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """How a detector runs: lowest score it reports, NMS overlap, threads, and where it may look and ask.

    Attributes:
        folders: Searched in order for model files.
        download: Whether one download may be tried.
        timeout_s: How long the server may be silent.
    """

    folders: tuple[Path, ...]
    download: bool = True
    timeout_s: float = 5.0
    min_score: float = 0.2
    nms_iou: float = 0.65
    threads: int = 2


def model_folders(environment: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Return where model files are looked for: `CLIMBTRACK_MODELS`, then the user's cache folder."""
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "climbtrack" / "models"
    named = environment.get("CLIMBTRACK_MODELS")
    return (Path(named), cache) if named else (cache,)


def load_detector(choice: str, options: DetectorOptions) -> Detector:
    """Return the detector of a setting: `auto`, `yolox-nano`, `bundled`, `hog` or the path of an ONNX file.

    `auto` is yolox-nano where its file is at hand or can be downloaded, else the bundled one, else HOG, loudly.

    Raises:
        DetectorError: What was asked for cannot be had; says what was tried and what to do.
    """
    if choice == "hog":
        from reid_worker.detectors.hog import HogDetector

        return HogDetector()
    if choice == "auto":
        return _load_auto(options)
    if choice == "bundled":
        return _load_file(BUNDLED, options)
    if choice == YOLOX_NANO.name:
        return _load_file(obtain(YOLOX_NANO, options), options)
    return _load_file(Path(choice).expanduser(), options)


def obtain(model: ModelFile, options: DetectorOptions) -> Path:
    """Return the file of a published model: found in a folder, or downloaded into the first that can be written.

    Raises:
        DetectorError: It is nowhere, and the download was refused, failed or gave another file.
    """
    candidates = [folder / name for folder in options.folders for name in model.paths]
    for path in candidates:
        if path.is_file():
            return path
    looked = ", ".join(str(folder) for folder in options.folders)
    advice = f"put {model.paths[0]} into the folder that CLIMBTRACK_MODELS names"
    if not options.download:
        raise DetectorError(f"detector {model.name}: no file in {looked}, and downloads are switched off; {advice}")
    try:
        data = _download(model, options.timeout_s)
    except (OSError, ValueError) as error:  # urllib's errors derive from OSError
        raise DetectorError(f"detector {model.name}: no file in {looked}; {model.url}: {error}; {advice}") from error
    return _store(data, options.folders[-1] / model.paths[0])


def _load_auto(options: DetectorOptions) -> Detector:
    try:
        return _load_file(obtain(YOLOX_NANO, options), options)
    except DetectorError as error:
        log.warning("%s", error)
    if BUNDLED.is_file():
        log.warning("detecting people with the small bundled detector, which is much weaker than %s", YOLOX_NANO.name)
        return _load_file(BUNDLED, options)
    log.warning("detecting people with HOG, which misses most people who are partly hidden, sitting or far away")
    return load_detector("hog", options)


def _load_file(path: Path, options: DetectorOptions) -> Detector:
    from reid_worker.detectors.yolox import YoloxDetector

    if not path.is_file():
        raise DetectorError(f"detector {path}: no such file")
    return YoloxDetector(path, min_score=options.min_score, nms_iou=options.nms_iou, threads=options.threads)


def _download(model: ModelFile, timeout_s: float) -> bytes:
    log.info("downloading %s from %s", model.name, model.url)
    with urllib.request.urlopen(model.url, timeout=timeout_s) as answer:  # noqa: S310 - the URL is a constant
        data: bytes = answer.read(MAX_DOWNLOAD_BYTES)
    digest = hashlib.sha256(data).hexdigest()
    if digest not in model.sha256:
        raise ValueError(f"refused: SHA-256 is {digest}, expected {' or '.join(model.sha256)}")
    return data


def _store(data: bytes, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:  # a reader never sees half a file
        part.write(data)
    return Path(part.name).replace(path)
