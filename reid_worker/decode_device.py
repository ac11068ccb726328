"""Opens video decoders: on the CPU, or on an NVIDIA GPU's decoder (NVDEC) through libav, where the settings ask for it.

Frames decoded on a GPU are copied to memory by libav, so everything after the decoder is the same.
"""

import logging
from pathlib import Path
from typing import Literal

import av
import av.error
from av.codec.hwaccel import HWAccel, hwdevices_available

from reid_worker.onnx_session import DRIVER
from wire.messages import Codec

log = logging.getLogger(__name__)

DecodeOn = Literal["auto", "cpu", "cuda"]


class DecoderOpener:
    """Opens decoders on one device; a fallback to the CPU is logged once.

    Args:
        where: `cpu`; `cuda`, for NVDEC; `auto`, for NVDEC where there is an NVIDIA driver.
        device: As `worker.device`, for the number of the GPU.
        driver: Exists where an NVIDIA driver is loaded.
    """

    def __init__(self, where: DecodeOn = "cpu", device: str = "auto", *, driver: Path = DRIVER) -> None:
        number = device.partition(":")[2]
        self._gpu = number or None
        self._wanted = where == "cuda" or (where == "auto" and driver.exists())
        self._said = False

    def open(self, codec: Codec, extradata: bytes) -> av.VideoCodecContext:
        """Return a decoder before its first packet."""
        context = self._on_gpu(codec) if self._wanted else None
        if context is None:
            context = av.CodecContext.create(codec, "r")
        if extradata:
            context.extradata = extradata
        context.thread_count = 1  # cameras are decoded in parallel; frame threads would add latency
        return context

    def _on_gpu(self, codec: Codec) -> av.VideoCodecContext | None:
        if "cuda" not in hwdevices_available():
            self._warn("this build of PyAV has no CUDA")
            return None
        try:
            accelerator = HWAccel("cuda", self._gpu, allow_software_fallback=True)
            return av.CodecContext.create(codec, "r", hwaccel=accelerator)
        except (av.error.FFmpegError, OSError, RuntimeError, NotImplementedError) as error:
            self._warn(f"the GPU's decoder cannot be opened: {getattr(error, 'strerror', None) or error}")
            return None

    def _warn(self, cause: str) -> None:
        if not self._said:
            self._said = True
            log.warning(
                "worker.decode asks for a GPU, but %s: video is decoded on the CPU. Remedy: install the NVIDIA driver "
                "with its video libraries (libnvcuvid; in containers NVIDIA_DRIVER_CAPABILITIES=video,compute), or set "
                "`worker.decode: cpu`",
                cause,
            )
