"""Opens an appearance model, and finds out what it expects: from its description, from its graph, or by convention."""

from dataclasses import dataclass, replace
from pathlib import Path

import onnxruntime

from reid_worker.appearance.crop_format import NO_MEAN, NO_STD, CropFormat
from reid_worker.appearance.description import Description, described
from reid_worker.appearance.guess import Guess, guess
from reid_worker.appearance.ports import Ports, find_ports
from reid_worker.model.tensors import WeightsError
from reid_worker.onnx_graph import ORT_ERRORS, GraphError, OnnxFile, first_line, read_graph, tensors_of
from reid_worker.onnx_session import OnnxRuntime

USUAL_SIZE = (256, 128)  # height and width, px, of most networks for person re-identification


@dataclass(frozen=True, slots=True, eq=False)
class OpenedModel:
    """An appearance model loaded by onnxruntime.

    Attributes:
        digest: Of the file and of weights beside it.
        said: What is written down about it.
        unsure: What was assumed about its crops although neither the file nor a description says so; empty if nothing.
    """

    path: Path
    digest: str
    session: onnxruntime.InferenceSession
    ports: Ports
    crop_format: CropFormat
    said: Description
    unsure: str


def open_appearance(path: Path, runtime: OnnxRuntime) -> OpenedModel:
    """Read and load a model, and find out what it expects.

    Raises:
        WeightsError: It is damaged, not an appearance model, or its description cannot be read.
    """
    try:
        file = read_graph(path)
        said = described(path, file.graph)
        session = runtime.open(file.graph)
        ports = find_ports(file.graph, *tensors_of(session), said.output)
    except ORT_ERRORS as error:
        raise WeightsError(path, f"onnxruntime cannot load it: {first_line(error)}; export it again") from error
    except (GraphError, ValueError) as error:
        raise WeightsError(path, str(error)) from error
    return _opened(path, file, session, ports, said)


def _opened(
    path: Path, file: OnnxFile, session: onnxruntime.InferenceSession, ports: Ports, said: Description
) -> OpenedModel:
    guessed = guess(file.graph.graph, ports.crops, ports.dtype)
    size = (ports.height or 0, ports.width or 0) if ports.height and ports.width else said.size or USUAL_SIZE
    if said.size is not None and said.size != size:
        raise WeightsError(path, f"takes crops of {size[0]}x{size[1]} px only; its description says {said.size}")
    fitting = CropFormat(*size, filter=said.filter or "area", channels_last=ports.channels_last, dtype=ports.dtype)
    crop_format = _normalised(fitting, said, guessed)
    return OpenedModel(path, file.digest, session, ports, crop_format, said, _unsure(ports, said, guessed))


def _normalised(fitting: CropFormat, said: Description, guessed: Guess) -> CropFormat:
    """Fill in colour, values, mean and std; a description that has one of the last three leaves none to the guess."""
    colour = said.colour or guessed.colour
    if said.values or said.mean or said.std:
        values, mean, std = said.values or "0-1", said.mean or NO_MEAN, said.std or NO_STD
    else:
        same = colour == guessed.colour
        values = guessed.values
        mean, std = (guessed.mean, guessed.std) if same else (guessed.mean[::-1], guessed.std[::-1])
    return replace(fitting, colour=colour, values=values, mean=mean, std=std)


def _unsure(ports: Ports, said: Description, guessed: Guess) -> str:
    told = said.colour is not None and bool(said.values or said.mean)
    doubts = [] if guessed.sure or told else [guessed.why]
    if said.size is None and (ports.height is None or ports.width is None):
        doubts.append("it takes crops of any size")
    if ports.height is not None and ports.width is not None and ports.height < ports.width:
        doubts.append("its input is wider than tall, unlike people")
    return ", and ".join(doubts)
