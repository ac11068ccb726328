"""A USB camera behind a device node: read by number and by path, timed, plugged in again, taken, refused, stopped.

No machine of the suite has one, nor a module of the kernel that makes one, so a library answers for it in the processes
that read it (`tests/servers/webcam.c`): what libav asks of Video4Linux, pictures, and what goes wrong.
"""

import base64
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.conftest import PATIENCE_S, wait_until
from tests.ingest_tools import jpeg_of
from tests.servers.webcam import NODE, Pictures, Reader, Webcam, plugged_in, reading
from training.synthetic.site import write_site

FPS = 30
JPEGS = [jpeg_of(number) for number in range(30)]
GREYS = [bytes([16 + 7 * number, 128]) * (64 * 48) for number in range(30)]  # YUYV
SHORT: dict[str, Any] = {"backoff_first_s": 0.1, "backoff_max_s": 0.2, "connect_timeout_s": 2.0, "read_timeout_s": 1.0}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def webcam(tmp_path: Path) -> Webcam:
    return plugged_in(tmp_path, Pictures(JPEGS, fps=FPS))


def decoded(text: str) -> NDArray[np.int64]:
    return np.asarray(Image.open(BytesIO(base64.b64decode(text))).convert("L"), np.int64)


def live(reader: Reader) -> Callable[[], bool]:
    return lambda: reader.state == "live" and bool(reader.chunks())


@pytest.mark.parametrize("url", [pytest.param(NODE, id="by its node"), pytest.param("42", id="by its number")])
def test_jpeg_passes_unchanged_and_is_timed_as_it_was_captured(url: str, webcam: Webcam) -> None:
    began_ns = time.time_ns()
    with reading(webcam, url, **SHORT) as reader:
        wait_until(lambda: sum(len(chunk["times"]) for chunk in reader.chunks()) >= 2 * FPS)
        ended_ns = time.time_ns()

    times = [at for chunk in reader.chunks() for at in chunk["times"]]
    numbers = [JPEGS.index(base64.b64decode(one)) for chunk in reader.chunks() for one in chunk["pictures"]]
    passed = [(later - earlier) % len(JPEGS) for earlier, later in pairwise(numbers)]
    assert {(chunk["codec"], *chunk["size"]) for chunk in reader.chunks()} == {("mjpeg", 64, 48)}
    assert np.diff(times) / 1e9 == pytest.approx(np.array(passed) / FPS, rel=0.1)
    assert began_ns < times[0] < times[-1] < ended_ns


def test_other_pictures_are_sent_as_jpeg(tmp_path: Path) -> None:
    webcam = plugged_in(tmp_path, Pictures(GREYS, "YUYV", fps=FPS))

    with reading(webcam, **SHORT) as reader:
        wait_until(lambda: sum(len(chunk["times"]) for chunk in reader.chunks()) >= FPS)

    greys = [decoded(one) for chunk in reader.chunks() for one in chunk["pictures"]]
    shown = np.array([7 * number * 255 / 219 for number in range(30)])
    nearest = [int(np.abs(shown - grey.mean()).argmin()) for grey in greys]
    assert {grey.shape for grey in greys} == {(48, 64)}
    assert all(np.abs(grey - shown[number]).max() <= 3 for grey, number in zip(greys, nearest, strict=True))
    assert len(set(nearest)) > FPS // 2


def test_it_is_read_again_when_it_is_plugged_in_again(webcam: Webcam) -> None:
    with reading(webcam, **SHORT) as reader:
        wait_until(live(reader))
        webcam.is_now("unplugged")
        wait_until(lambda: any(f"there is no {NODE}; this machine has " in cause for cause in reader.causes()))
        webcam.is_now("plugged")
        wait_until(lambda: len(reader.streams()) == 2)

    first = [chunk for chunk in reader.chunks() if chunk["stream"] == reader.streams()[0]]
    assert first[-1]["reason"].startswith("the camera was unplugged; plug it in again, or check its cable")


def test_one_that_falls_silent_is_given_up_and_read_once_it_speaks_again(webcam: Webcam) -> None:
    with reading(webcam, **SHORT) as reader:
        wait_until(live(reader))
        webcam.is_now("stalled")
        wait_until(lambda: any("no data for 1 s" in message for message in reader.logged()))
        wait_until(lambda: any(f"{NODE} gave no picture within 2 s" in message for message in reader.logged()))
        webcam.is_now("plugged")
        wait_until(lambda: len(reader.streams()) == 2)


def test_one_that_another_program_has_is_read_once_that_has_ended(webcam: Webcam) -> None:
    with reading(webcam, **SHORT) as first:
        wait_until(live(first))
        with reading(webcam, **SHORT) as second:
            wait_until(lambda: second.state == "backing off")
            assert second.causes()[-1] == f"another program is using {NODE}; close that program, or take another camera"

            first.stopped()
            wait_until(live(second))


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        pytest.param("busy", f"another program is using {NODE}; close that program", id="in use"),
        pytest.param("forbidden", f"no permission to read {NODE}; add this user to the group", id="not allowed"),
        pytest.param("unplugged", f"there is no {NODE}; this machine has ", id="not there"),
        pytest.param("metadata", f"{NODE} is no camera, or gives no pictures", id="the node of its metadata"),
    ],
)
def test_what_is_wrong_is_said_with_the_remedy(state: str, cause: str, webcam: Webcam) -> None:
    webcam.is_now(state)

    with reading(webcam, **SHORT) as reader:
        wait_until(lambda: reader.state == "backing off")
        assert reader.causes()[-1].startswith(cause)
        assert not reader.chunks()


@pytest.mark.parametrize(
    ("at_first", "then", "there"),
    [
        pytest.param("plugged", "", "live", id="while it is read"),
        pytest.param("plugged", "stalled", "stalled", id="while it is silent"),
        pytest.param("stalled", "", "connecting", id="before its first picture"),
        pytest.param("busy", "", "backing off", id="in a pause of a minute"),
    ],
)
def test_it_stops_at_once(at_first: str, then: str, there: str, webcam: Webcam) -> None:
    webcam.is_now(at_first)
    with reading(webcam, backoff_first_s=60, connect_timeout_s=120, read_timeout_s=120, stall_s=0.3) as reader:
        if then:
            wait_until(live(reader))
            webcam.is_now(then)
        wait_until(lambda: reader.state == there)

        assert reader.stopped() == {"state": "stopped", "threads": []}


def test_a_run_follows_people_in_front_of_it(tmp_path: Path, free_port: Callable[[], int]) -> None:
    write_site(tmp_path / "site", seed=31, cameras=1, people=2, seconds=6)
    (video,) = (tmp_path / "site").glob("*.mp4")
    with av.open(str(video)) as container:
        frames = [(frame.width, frame.height, jpeg(frame)) for frame in container.decode(video=0)]
    width, height, _ = frames[0]
    webcam = plugged_in(tmp_path, Pictures([data for _, _, data in frames], "MJPG", width, height, fps=10))
    port = free_port()
    words = ["run", "--camera", "door=42", "--port", str(port), "--detector", "bundled", "--json", "--no-pictures"]
    command = [str(Path(sys.executable).with_name("climbtrack")), *words, "--data-dir", str(tmp_path / "data")]
    with subprocess.Popen(command, env=webcam.environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        wait_until(lambda: people(port) > 0)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_S)

    report = json.loads(said.splitlines()[-1])
    assert process.returncode == 0
    assert report["cameras"]["door"]["analysed"] > 0
    assert report["identities"]


def jpeg(frame: av.VideoFrame) -> bytes:
    file = BytesIO()
    frame.to_image().save(file, "JPEG", quality=90)
    return file.getvalue()


def people(port: int) -> int:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/v1/identities", timeout=PATIENCE_S)
    except httpx.TransportError:
        return 0
    return len(answer.json()["identities"])
