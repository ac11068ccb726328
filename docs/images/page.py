"""Take the pictures of docs/page.md: `python -m docs.images.page SITE`; SITE is what `climbtrack synth site` wrote.

Needs Chromium on the PATH and the development tools. Waits a minute, so that people have been everywhere.
"""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent
QUALITY = 82
WAIT_S = 75
PEOPLE = 3
TRIES = 120
SETTLE_S = 12  # until the video plays and every picture is loaded


def main(site: Path) -> None:
    """Run a site in real time, and take a picture of each view."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cameras = [
            f"  {film.stem}: {{url: {film.resolve()}, realtime: true, loop: true}}" for film in site.glob("*.mp4")
        ]
        (folder / "site.yaml").write_text("\n".join(["cameras:", *cameras, ""]))
        command = [sys.executable, "-m", "deploy.cli", "run", "--config", str(folder / "site.yaml")]
        options = ["--detector", "bundled", "--data-dir", str(folder / "data"), "--port", str(port), "--no-pictures"]
        with subprocess.Popen([*command, *options]) as process:
            try:
                time.sleep(WAIT_S)
                take_pictures(f"http://127.0.0.1:{port}")
            finally:
                process.terminate()


def take_pictures(address: str) -> None:
    """Take a picture of each view of a page."""
    people = httpx.get(f"{address}/v1/identities").json()["identities"]
    known = max(people, key=lambda person: (len(person["cameras"]), person["tracklets"]))["id"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        for view, name in (("live", "live"), (f"people/{known}", "person"), ("review", "review")):
            page.goto(f"{address}/#/{view}")
            page.wait_for_timeout(SETTLE_S * 1000)
            if view == "live":
                _wait_for_people(page)
            page.screenshot(path=FOLDER / f"page-{name}.jpg", type="jpeg", quality=QUALITY)
        browser.close()


def _wait_for_people(page: Page) -> None:
    """Wait until most cameras show somebody who has a number."""
    for _ in range(TRIES):
        told = page.evaluate("[...document.querySelectorAll('canvas')].map(canvas => canvas.ariaLabel)")
        if sum(text.count("#") for text in told) >= PEOPLE and sum("#" in text for text in told) >= PEOPLE - 1:
            return
        page.wait_for_timeout(500)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
