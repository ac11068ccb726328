"""Video is decoded where the settings say; where that is not possible, on the CPU, and the log says why."""

from pathlib import Path
from typing import Any

import av
import av.error
import pytest

from reid_worker import decode_device
from reid_worker.config import WorkerSettings
from reid_worker.decode import DecoderState, StreamDecoder
from reid_worker.decode_device import DecoderOpener
from tests.worker_tools import number_of, numbered_image, packets

IMAGES = [numbered_image(number) for number in range(1, 13)]


def _decoded(opener: DecoderOpener) -> list[int]:
    video = packets(IMAGES)
    decoder = StreamDecoder(video.codec, video.extradata, 240.0, DecoderState(), opener=opener)
    return [number_of(frame.image) for chunk in video.chunks() for frame in decoder.decode(chunk)]


class FakeGpu:
    """Stands in for libav's accelerator, and for the decoder that it opens; remembers which GPU it was."""

    def __init__(self, kind: str, number: str | None, *, allow_software_fallback: bool) -> None:
        self.asked = (kind, number, allow_software_fallback)


def _with_gpu(monkeypatch: pytest.MonkeyPatch) -> list[FakeGpu]:
    """Pretend that NVDEC is there: what it opens is a decoder of the CPU."""
    used: list[FakeGpu] = []
    real = av.CodecContext.create

    def create(codec: str, mode: str, hwaccel: Any = None) -> Any:
        used.extend([hwaccel] if hwaccel else [])
        return real(codec, mode)

    monkeypatch.setattr(decode_device, "HWAccel", FakeGpu)
    monkeypatch.setattr(decode_device, "hwdevices_available", lambda: ["cuda"])
    monkeypatch.setattr(av.CodecContext, "create", create)
    return used


def test_the_gpu_that_is_named_decodes(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    used = _with_gpu(monkeypatch)
    assert _decoded(DecoderOpener("cuda", "cuda:1")) == list(range(1, 13))
    assert {gpu.asked for gpu in used} == {("cuda", "1", True)}
    assert not caplog.records


@pytest.mark.parametrize(("driver", "on_gpu"), [(True, True), (False, False)], ids=["a driver", "no driver"])
def test_auto_takes_the_gpu_where_there_is_a_driver(
    driver: bool, on_gpu: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    used = _with_gpu(monkeypatch)
    (tmp_path / "version").write_text("NVRM") if driver else None
    assert _decoded(DecoderOpener("auto", driver=tmp_path / "version")) == list(range(1, 13))
    assert bool(used) is on_gpu
    assert not caplog.records


def test_a_gpu_that_does_not_open_is_named_once_and_the_cpu_decodes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise av.error.PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(decode_device, "HWAccel", refuse)
    opener = DecoderOpener("cuda")
    assert _decoded(opener) == _decoded(opener) == list(range(1, 13))
    (record,) = caplog.records
    assert "Operation not permitted" in record.getMessage()
    assert "worker.decode: cpu" in record.getMessage()


def test_a_build_without_cuda_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(decode_device, "hwdevices_available", lambda: ["drm"])
    assert _decoded(DecoderOpener("cuda")) == list(range(1, 13))
    assert "no CUDA" in caplog.text


def test_the_setting_reaches_the_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    used = _with_gpu(monkeypatch)
    options = WorkerSettings.load(None, decode="cuda", device="cuda:1").stream_options(8)
    options.decoders.open("h264", b"")
    assert [gpu.asked[1] for gpu in used] == ["1"]
