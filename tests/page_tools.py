"""The page in tests: a run that it is opened on, a newcomer's way through the wizard, and what axe says of a view."""

import re
import sys
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Error as PlaywrightError

from tests.conftest import PATIENCE_S, wait_until

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
FAULTS = ("moderate", "serious", "critical")
RULES = "{resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']}"
NAMELESS = """
[...document.querySelectorAll('button, a, input:not([hidden]), select')]
  .filter(e => !(e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length || e.querySelector('img[alt]')))
  .map(e => e.outerHTML)
"""
WIDER = "document.documentElement.scrollWidth > window.innerWidth"
PATIENCE_MS = 120_000
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"  # what the browser drops then is no fault of the page
TURNED_FPS = 5
TURNED_PX = (640, 360)


@dataclass(frozen=True)
class Newcomer:
    """What somebody sees who starts climbtrack for the first time: of the test of a camera, then of themselves."""

    address: str
    problem: str
    about: str
    picture: int
    number: str


def run_command(folder: Path) -> list[str]:
    """Return a run without cameras that records, finds people fast, and may send alerts to this machine."""
    config = folder / "site.yaml"
    config.write_text("worker: {detector: bundled}\nalerts: {webhook_hosts: 127.0.0.1}\napi: {camera_folders: /}\n")
    words = ["run", "--config", str(config), "--keep-serving", "--record", "--no-pictures"]
    return [sys.executable, "-m", "deploy.cli", *words, "--data-dir", str(folder / "data"), "--port", "0"]


def address_in(log: Path) -> str:
    """Return the address that a run has printed, empty before."""
    told = re.search(r"Live page: (http://[\d.:]+)/", log.read_text())
    return "" if told is None else told[1]


def walk_through_the_wizard(browser: Browser, url: str, film: Path) -> Newcomer:
    """Go through the first start: an address that shows nothing, one that does, and whoever walks past."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE_MS)
    visit(page, url)
    page.get_by_label("Address").fill(str(film.with_name("nobody.mp4")))
    page.keyboard.press("Enter")
    problem = page.locator(".start [role=alert]").inner_text()
    page.get_by_label("Address").fill(str(film))
    page.keyboard.press("Enter")
    about = page.locator(".tried figcaption").inner_text()
    picture = page.locator(".tried img").evaluate("async picture => (await picture.decode(), picture.naturalWidth)")
    page.get_by_label("Call it").fill("cam1")
    page.keyboard.press("Enter")
    number = page.locator(".found h2", has_text="number").inner_text()
    expect(page.locator(".found img")).to_be_visible()
    page.get_by_role("button", name="Done").click()
    expect(page.locator(".tile")).to_be_visible()
    page.close()
    return Newcomer(url, problem, about, picture, number)


def add_cameras_that_never_end(url: str, films: dict[str, Path]) -> None:
    for name, film in films.items():
        camera = {"camera_id": name, "url": str(film), "analysed_fps": 5, "realtime": True, "loop": True}
        httpx.post(f"{url}/v1/cameras", json=camera, timeout=PATIENCE_S).raise_for_status()


def write_lying(film: Path, path: Path) -> Path:
    """Write the same film as from a camera that hangs on its side: it lies, and the file says how to turn it."""
    with av.open(str(film)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=TURNED_FPS, options={"preset": "ultrafast", "g": "10"})
        stream.height, stream.width = TURNED_PX
        stream.pix_fmt = "yuv420p"
        stream.set_display_rotation(-90)
        step = Fraction(1, TURNED_FPS)
        for frame in source.decode(video=0):
            number = round((frame.time or 0) / step)
            if abs((frame.time or 0) - number * step) > 0.01:
                continue
            small = frame.reformat(*TURNED_PX, format="bgr24").to_ndarray()
            lying = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.rot90(small)), format="bgr24")
            lying.pts, lying.time_base = number, step
            out.mux(stream.encode(lying))
        out.mux(stream.encode(None))
    return path


def visit(page: Page, address: str) -> None:
    """Open an address; once more where the network changed just then, as when a container starts beside a test."""
    try:
        page.goto(address)
    except PlaywrightError as error:
        if NETWORK_CHANGED not in error.message:
            raise
        page.goto(address)


def open_view(page: Page, view: str) -> None:
    """Open a view by its address, and wait until it is loaded."""
    page.evaluate("view => { location.hash = '#/' + view; }", view)
    expect(page.locator("main > *").first).to_be_visible()
    expect(page.locator(".skeletons")).to_have_count(0)


def faults_of_layout(page: Page) -> list[str]:
    """Return what does not fit the width of the screen, and what can be pressed and has no name."""
    return (["wider than the screen"] if page.evaluate(WIDER) else []) + list(page.evaluate(NAMELESS))


def faults_of_access(page: Page) -> list[str]:
    """Return what axe finds that hinders people who cannot see or point."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate(f"axe.run(document, {RULES})")["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in FAULTS]


def numbers(address: str) -> list[int]:
    return [one["id"] for one in httpx.get(f"{address}/v1/identities", timeout=PATIENCE_S).json()["identities"]]


def person(address: str, number: int) -> Any:
    return httpx.get(f"{address}/v1/identities/{number}", timeout=PATIENCE_S).json()


def most_seen(address: str) -> int:
    """Return whoever was seen most often, once somebody was seen twice."""

    def visits() -> dict[int, int]:
        return {one: len(person(address, one)["presences"]) for one in numbers(address)}

    wait_until(lambda: max(visits().values(), default=0) > 1)
    seen = visits()
    return max(seen, key=lambda one: seen[one])
