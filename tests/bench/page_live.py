"""How late the live page is, and what its viewers cost: `python -m tests.bench.page_live VIDEO`; prints one JSON line.

The video is served by GStreamer's RTSP server as a camera. The delay is read from the page, which states how long ago
the camera took what it shows. Processor time is that of all processes of the run, for turns without viewers and turns
with some, which take every piece as a page would and draw nothing: the difference is what a viewer costs.
"""

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import websockets
from playwright.sync_api import sync_playwright

from deploy.kafka_server import free_port
from tests.conftest import wait_until
from tests.servers.rtsp import serving

SETTLE_S = 20
SAMPLES, SAMPLE_S = 60, 0.5
TURN_S, TURNS, VIEWERS = 15, 3, 4
BEHIND = "document.querySelector('.tile figcaption')?.textContent.match(/([\\d.]+) s behind/)?.[1] ?? null"


def main(video: Path) -> None:
    """Measure, and print the result."""
    with serving(video) as camera, _running(camera.url()) as (address, process):
        delays = _delays(address)
        turns = [(_cpu_share(process, address, 0), _cpu_share(process, address, VIEWERS)) for _ in range(TURNS)]
    share = statistics.median((loaded - idle) / VIEWERS for idle, loaded in turns)
    told = {
        "benchmark": "page_live",
        "delay_s": {"p50": _quantile(delays, 0.5), "p95": _quantile(delays, 0.95), "samples": len(delays)},
        "cpu": {
            "viewers": VIEWERS,
            "cores_without": round(statistics.median(idle for idle, _ in turns), 3),
            "cores_with": round(statistics.median(loaded for _, loaded in turns), 3),
            "cores_per_viewer": round(share, 4),
        },
        "video": video.name,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(told))


@contextmanager
def _running(url: str) -> Iterator[tuple[str, int]]:
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "site.yaml").write_text(f'cameras: {{door: {{url: "{url}", analysed_fps: 5}}}}\n')
        command = [sys.executable, "-m", "deploy.cli", "run", "--config", str(folder / "site.yaml")]
        options = ["--detector", "bundled", "--data-dir", str(folder / "data"), "--port", str(port), "--no-pictures"]
        with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL) as process:
            try:
                address = f"http://127.0.0.1:{port}"
                wait_until(lambda: _is_live(address), timeout_s=120)
                time.sleep(SETTLE_S)
                yield address, process.pid
            finally:
                process.terminate()


def _is_live(address: str) -> bool:
    try:
        cameras = httpx.get(f"{address}/v1/cameras").json()["cameras"]
    except httpx.HTTPError:
        return False
    return any(one["state"] is not None for one in cameras)


def _delays(address: str) -> list[float]:
    """Return how late the page says that it is, again and again."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.locator(".tile figcaption", has_text="s behind").wait_for(timeout=60_000)
        page.wait_for_timeout(SETTLE_S * 1000)
        found = []
        for _ in range(SAMPLES):
            page.wait_for_timeout(SAMPLE_S * 1000)
            stated = page.evaluate(BEHIND)
            if stated is not None:
                found.append(float(stated))
        browser.close()
    return found


def _cpu_share(process: int, address: str, viewers: int) -> float:
    """Return the cores that a process uses while so many watch."""
    return asyncio.run(_watched(process, address, viewers))


async def _watched(process: int, address: str, viewers: int) -> float:
    watching = [asyncio.create_task(_watch(address)) for _ in range(viewers)]
    await asyncio.sleep(3)  # until all have what was kept since the last keyframe
    before, began_s = _cpu_s(process), time.monotonic()
    await asyncio.sleep(TURN_S)
    share = (_cpu_s(process) - before) / (time.monotonic() - began_s)
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    return share


async def _watch(address: str) -> None:
    async with websockets.connect(f"{address.replace('http', 'ws', 1)}/v1/live?cameras=door") as socket_:
        async for _ in socket_:
            pass


def _cpu_s(process: int) -> float:
    """Return the processor time of a run: of its process, of that of the API, and of Redis."""
    run = psutil.Process(process)
    times = [one.cpu_times() for one in (run, *run.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def _quantile(values: list[float], share: float) -> float:
    return round(sorted(values)[min(len(values) - 1, int(share * len(values)))], 2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
