"""Reads ONNX files of any network and opens them in onnxruntime: detectors and appearance models alike."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # publishes no types
from onnx.external_data_helper import load_external_data_for_model
from onnxruntime.capi import onnxruntime_pybind11_state as ort

from reid_worker.endless import ENDLESS, is_endless
from reid_worker.web_page import web_page

# Raised by onnxruntime for a model that it cannot load or run; the classes share no base below Exception.
ORT_ERRORS: tuple[type[Exception], ...] = (
    ort.EPFail,
    ort.EngineError,
    ort.Fail,
    ort.InvalidArgument,
    ort.InvalidGraph,
    ort.InvalidProtobuf,
    ort.NoModel,
    ort.NoSuchFile,
    ort.NotImplemented,
    ort.RuntimeException,
    RuntimeError,
    UnicodeDecodeError,  # names in the graph that are not text
)


class GraphError(Exception):
    """A file is not a readable ONNX model; the message says why, without naming the file."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a model; a variable dimension is a name or None."""

    name: str
    kind: str
    shape: tuple[int | str | None, ...]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join('?' if side is None else str(side) for side in self.shape)})"


@dataclass(frozen=True, slots=True, eq=False)
class OnnxFile:
    """A parsed file.

    Attributes:
        graph: Including weights that lie in files beside it.
        digest: SHA-256 of the file and of those files, in hexadecimal.
    """

    graph: onnx.ModelProto
    digest: str


def read_graph(path: Path, *, again: str = "copy or download it again") -> OnnxFile:
    """Read a model file, including external weights beside it; `again` is the remedy for a damaged file.

    Raises:
        GraphError: It cannot be read, is empty, truncated, a web page or something else, or its weights are missing.
    """
    data = _content(path, again)
    graph = onnx.ModelProto()
    try:
        graph.ParseFromString(data)
    except DecodeError as error:
        raise GraphError(f"truncated or damaged, or not an ONNX file at all ({len(data)} bytes); {again}") from error
    if not graph.graph.node:
        raise GraphError(f"not an ONNX model ({len(data)} bytes without a network); {again}")
    beside = _load_weights_beside(graph, path)
    digest = hashlib.sha256(data)
    for name in beside:
        with (path.parent / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return OnnxFile(graph, digest.hexdigest())


def tensors_of(session: onnxruntime.InferenceSession) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return the inputs and the outputs of a loaded model, in the order of its graph."""
    inputs = tuple(Tensor(one.name, one.type, tuple(one.shape)) for one in session.get_inputs())
    return inputs, tuple(Tensor(one.name, one.type, tuple(one.shape)) for one in session.get_outputs())


def first_line(error: Exception) -> str:
    """Return the first line of an error, which in onnxruntime may have dozens."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _content(path: Path, again: str) -> bytes:
    if is_endless(path):
        raise GraphError(ENDLESS)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise GraphError("no such file") from error
    except IsADirectoryError as error:
        raise GraphError("is a folder; name the .onnx file in it") from error
    except OSError as error:
        raise GraphError(f"{error.strerror}; make it readable for this user") from error
    if not data:
        raise GraphError(f"is empty; {again}")
    page = web_page(data)
    if page is not None:
        raise GraphError(f"is {page}, not a model; {again}")
    if data.startswith(b"version https://git-lfs"):
        raise GraphError("is a Git LFS pointer, not the model; run `git lfs pull`")
    return data


def _load_weights_beside(graph: onnx.ModelProto, path: Path) -> list[str]:
    """Load weights stored in other files into the graph; return the names of those files."""
    names = sorted(
        {
            entry.value
            for tensor in graph.graph.initializer
            if tensor.data_location == onnx.TensorProto.EXTERNAL
            for entry in tensor.external_data
            if entry.key == "location"
        }
    )
    missing = [name for name in names if not (path.parent / name).is_file()]
    if missing:
        raise GraphError(
            f"its weights, {', '.join(missing)}, are missing; copy them into the same folder, or export the model into "
            "one file"
        )
    if names:
        try:
            load_external_data_for_model(graph, str(path.parent))
        except (onnx.checker.ValidationError, ValueError, OSError) as error:
            raise GraphError(f"its weights in {', '.join(names)}: {error}; copy it again") from error
    return names
