"""The published detectors that climbtrack knows by name: pure data, without any file or network access."""

from dataclasses import dataclass
from typing import Literal

Layout = Literal["yolox", "rf-detr", "d-fine"]

YOLOX_RELEASE = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0"


@dataclass(frozen=True, slots=True)
class Content:
    """One accepted content of a model file."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A detector that is published as one file.

    Attributes:
        name: Its name in `worker.detector` and `climbtrack models`.
        file: Its file name where it is published, on a mirror, and in a models folder.
        address: The URL of the published file.
        contents: Every accepted content, the published one first.
        licence: SPDX identifier of the weights' licence.
        input_px: Height and width of the network's input.
        good_for: One line that helps users choose.
        also: Other accepted paths of the file, relative to a models folder.
    """

    name: str
    file: str
    address: str
    contents: tuple[Content, ...]
    licence: str
    layout: Layout
    input_px: tuple[int, int]
    good_for: str
    also: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Return the size of the published file."""
        return self.contents[0].size_bytes

    def accepts(self, found: Content) -> bool:
        """Tell whether a content is one of the accepted ones."""
        return found in self.contents


YOLOX_NANO = ModelFile(
    name="yolox-nano",
    file="yolox_nano.onnx",
    address=f"{YOLOX_RELEASE}/yolox_nano.onnx",
    contents=(
        Content("c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d", 3_659_407),
        Content("695e750a5d5754bb5a8d5325643b59282191a7e7a564e435a415fd3c578eab14", 3_660_092),  # a re-export of it
    ),
    licence="Apache-2.0",
    layout="yolox",
    input_px=(416, 416),
    good_for="several cameras on a CPU",
    also=("yolox_nano_416x416.onnx", "yolox-nano/yolox_nano_416x416.onnx"),
)
YOLOX_TINY = ModelFile(
    name="yolox-tiny",
    file="yolox_tiny.onnx",
    address=f"{YOLOX_RELEASE}/yolox_tiny.onnx",
    contents=(Content("427cc366d34e27ff7a03e2899b5e3671425c262ea2291f88bb942bc1cc70b0f7", 20_219_662),),
    licence="Apache-2.0",
    layout="yolox",
    input_px=(416, 416),
    good_for="a few cameras on a CPU, fewer people missed",
)
YOLOX_S = ModelFile(
    name="yolox-s",
    file="yolox_s.onnx",
    address=f"{YOLOX_RELEASE}/yolox_s.onnx",
    contents=(Content("c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063", 35_858_002),),
    licence="Apache-2.0",
    layout="yolox",
    input_px=(640, 640),
    good_for="small and distant people; a GPU, or one camera on a CPU",
)
CATALOGUE = (YOLOX_NANO, YOLOX_TINY, YOLOX_S)
NAMES = tuple(model.name for model in CATALOGUE)


def by_name(name: str) -> ModelFile | None:
    """Return the published detector with this name; None if there is none."""
    return next((model for model in CATALOGUE if model.name == name), None)
