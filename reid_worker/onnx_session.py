"""Opens ONNX graphs in onnxruntime on the device that the settings name, and says aloud where that is not possible."""

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime

log = logging.getLogger(__name__)

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
DRIVER = Path("/proc/driver/nvidia/version")
REMEDY = "`pip uninstall onnxruntime && pip install 'climbtrack[gpu]'`, or set `worker.device: cpu`"

Provider = tuple[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Choice:
    """Execution providers for a device.

    Attributes:
        providers: In order of preference, the CPU last.
        lacking: The providers that the device asks for and this onnxruntime does not have.
    """

    providers: tuple[Provider, ...]
    lacking: tuple[str, ...]


def choose(device: str, offered: Collection[str], engines: Path | None) -> Choice:
    """Return the providers for `auto`, `cpu`, `cuda[:N]` or `tensorrt[:N]`; any other device of torch is the CPU here.

    Args:
        device: As in `worker.device`.
        offered: What this onnxruntime was built with.
        engines: Folder in which TensorRT keeps what it compiled, which takes minutes; None keeps nothing.
    """
    kind, _, number = device.partition(":")
    wanted = {"auto": (CUDA,), "cuda": (CUDA,), "tensorrt": (TENSORRT, CUDA)}.get(kind, ())
    options = {CUDA: {"device_id": number or "0"}, TENSORRT: {"device_id": number or "0", **_kept(engines)}}
    usable = [(name, options[name]) for name in wanted if name in offered]
    return Choice((*usable, (CPU, {})), tuple(name for name in wanted if name not in offered))


def only_cpu(device: str) -> bool:
    """Return whether a device leaves models to the CPU, by what this onnxruntime was built with."""
    return choose(device, onnxruntime.get_available_providers(), None).providers[0][0] == CPU


def engine_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder for TensorRT's compiled engines, in the user's cache; None, with a warning, if read-only."""
    folder = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "climbtrack" / "tensorrt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        log.warning(
            "TensorRT compiles the models at every start: %s: %s; set XDG_CACHE_HOME to a folder that can be written",
            folder,
            error.strerror,
        )
        return None
    return folder


class OnnxRuntime:
    """Opens models on one device. A fallback to the CPU is logged once.

    Attributes:
        device: As in `worker.device`.
        on_gpu: Whether the model opened last runs on a GPU.
    """

    def __init__(self, device: str = "auto", *, driver: Path = DRIVER) -> None:
        self.device = device
        self.on_gpu = False
        self._driver = driver
        self._engines = engine_folder() if device.startswith("tensorrt") else None
        self._said: set[str] = set()

    def open(self, graph: onnx.ModelProto) -> onnxruntime.InferenceSession:
        """Return a session with one CPU thread per call: whole frames in parallel use cores better than parts of one.

        Raises:
            one of `reid_worker.onnx_graph.ORT_ERRORS`: onnxruntime cannot load it.
        """
        chosen = choose(self.device, onnxruntime.get_available_providers(), self._engines)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4  # a rejected input size should not print to stderr
        session = onnxruntime.InferenceSession(
            graph.SerializeToString(),
            options,
            providers=list(chosen.providers),
            enable_fallback=len(chosen.providers) > 1,  # a fallback from CPU to CPU would only print a banner
        )
        running = session.get_providers()
        self.on_gpu = running[0] != CPU
        self._report(chosen, running)
        return session

    def _report(self, chosen: Choice, running: Sequence[str]) -> None:
        """Log what the device asks for and does not get; `auto` asks for a GPU only where there is a driver."""
        instead = running[0].removesuffix("ExecutionProvider")
        if chosen.lacking and (self.device != "auto" or self._driver.exists()):
            self._warn(
                f"worker.device is {self.device}, but this onnxruntime was built without {' and '.join(chosen.lacking)}"
                f": ONNX models run on {instead}. Remedy: {REMEDY}"
            )
        failed = [name for name, _ in chosen.providers if name not in running]
        if failed:
            self._warn(
                f"onnxruntime has {' and '.join(failed)}, but could not start it, usually because the libraries of "
                f"CUDA, cuDNN or TensorRT are missing or of another version: ONNX models run on {instead}. Remedy: "
                "`python -c 'import onnxruntime; onnxruntime.preload_dlls()'` names the library, or set "
                "`worker.device: cpu`"
            )

    def _warn(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            log.warning("%s", message)


def _kept(engines: Path | None) -> dict[str, str]:
    if engines is None:
        return {}
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(engines),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(engines),
    }
