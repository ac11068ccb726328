"""Take the pictures of docs/page.md: `python -m docs.images.page SITE [VIEW ...]`; `climbtrack synth site` wrote SITE.

Needs Chromium on the PATH and the development tools. Waits a minute, so that people have been everywhere.
"""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import av
import httpx
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent
QUALITY = 68
FORMS: dict[str, tuple[int, int, Literal["light", "dark"]]] = {
    "": (1280, 800, "light"),
    "-dark": (1280, 800, "dark"),
    "-phone": (390, 844, "dark"),
}
WAIT_S = 100
SLOWER = 2  # than life, so that a machine keeps up which also runs a browser: no picture is of one that falls behind
PEOPLE = 3
ANALYSED_FPS = 1
TRIES = 120
LOADED = "[...document.querySelectorAll('img.still')].every(picture => picture.complete && picture.naturalWidth)"
CALM = "!document.querySelector('.banner, .dot.degraded')"  # what a busy machine is behind with belongs into no picture
SETTLE_S = 12  # until the video plays
QUIET_S = 2  # until every picture is loaded


def main(site: Path, names: Sequence[str]) -> None:
    """Run a site in real time, and take a picture of each view, or of some."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "deploy.cli", "run", "--keep-serving", "--detector", "bundled"]
        options = ["--data-dir", f"{name}/data", "--port", str(port), "--no-pictures"]
        films = Path(name) / "films"
        films.mkdir()
        for film in site.glob("*.mp4"):
            _slow_down(film, films / film.name)
        with subprocess.Popen([*command, *options], cwd=films) as process:
            try:
                _add_cameras(f"http://127.0.0.1:{port}", films)
                time.sleep(WAIT_S)
                take_pictures(f"http://127.0.0.1:{port}", names)
            finally:
                process.terminate()


def _slow_down(film: Path, slow: Path) -> None:
    """Write a film that lasts longer, with the same pictures."""
    with av.open(str(film)) as source, av.open(str(slow), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts = packet.pts * SLOWER, packet.dts * SLOWER
                packet.stream = stream
                out.mux(packet)


def _add_cameras(address: str, site: Path) -> None:
    """Add the videos by their names alone: the pictures show no folder of this machine."""
    with httpx.Client(base_url=address, transport=httpx.HTTPTransport(retries=10), timeout=60) as client:
        for film in sorted(site.glob("*.mp4")):
            fields = {"url": film.name, "realtime": True, "loop": True, "analysed_fps": ANALYSED_FPS}
            client.post("/v1/cameras", json={"camera_id": film.stem, **fields}).raise_for_status()
        _watch(client)


def _watch(client: httpx.Client) -> None:
    """Ask for alerts about a zone: they are about what happens from then on."""
    corners = [[0.3, 0.45], [0.7, 0.45], [0.85, 0.95], [0.15, 0.95]]
    zone = {"name": "Entrance", "camera_id": "lobby", "kind": "area", "points": corners}
    client.put("/v1/zones/entrance", json=zone).raise_for_status()
    rule = {"name": "Somebody at the entrance", "when": "enters", "zones": ["entrance"]}
    client.post("/v1/alert-rules", json=rule).raise_for_status()


def take_pictures(address: str, names: Sequence[str]) -> None:
    """Take pictures of all views, or of some: on a wide screen in light, on a phone in the dark, the wall in both."""
    with httpx.Client(base_url=address, timeout=60) as client:
        known, track = _prepare(client)
    views = {
        "live": "live",
        "people": "people",
        "person": f"people/{known}",
        "why": f"people/{known}/why",
        "merge": f"people/{known}",
        "journal": f"people/{known}/journal",
        "review": "review",
        "search": f"search/track/{quote(track, safe='')}",
        "cameras": "cameras",
        "zones": "cameras/zones/lobby",
        "alerts": "alerts",
        "rules": "alerts/rules",
        "health": "health",
        "access": "access",
        "start": "start",
    }
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        patient = Path(folder) / "chromium"  # leaves the processor to what is shown
        patient.write_text(f'#!/bin/sh\nexec nice -n 10 {shutil.which("chromium")} "$@"\n')
        patient.chmod(0o700)
        browser = playwright.chromium.launch(executable_path=patient, args=["--no-sandbox"])
        for form, (width, height, scheme) in FORMS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            for name, view in views.items():
                if (names and name not in names) or (form == "-dark" and name != "live"):
                    continue
                page.goto(f"{address}/#/{view}")
                _settle(page, name)
                page.screenshot(path=FOLDER / f"page-{name}{form}.jpg", type="jpeg", quality=QUALITY)
            page.close()
        browser.close()


def _prepare(client: httpx.Client) -> tuple[int, str]:
    """Name and tag whoever was seen by most cameras, and tell them from another; return their number, and a track."""
    people = client.get("/v1/identities").json()["identities"]
    known = max(people, key=lambda person: (len(person["cameras"]), person["tracklets"]))
    client.post(f"/v1/identities/{known['id']}/name", json={"name": "Ada"})
    client.post(f"/v1/identities/{known['id']}/tags", json={"tags": ["staff", "morning shift"]})
    other = next(person["id"] for person in people if person["id"] != known["id"])
    client.post(f"/v1/identities/{known['id']}/different", json={"from": other})
    return known["id"], known["picture"] or known["crops"][0]


def _settle(page: Page, name: str) -> None:
    if name == "merge":
        page.get_by_role("button", name="Merge with…").click()
    if name == "start":
        page.get_by_label("Address").fill("lobby.mp4")
        page.get_by_role("button", name="Test").click()
        page.locator(".tried img").wait_for()
    if name == "cameras":
        _wait_until_all(page, LOADED)
    page.wait_for_timeout((SETTLE_S if name == "live" else QUIET_S) * 1000)
    _wait_until_all(page, CALM)
    if name == "live":
        _wait_for_people(page)


def _wait_until_all(page: Page, expression: str) -> None:
    """Wait until an expression is true on the page; for a quarter of a minute at most."""
    for _ in range(30):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(500)


def _wait_for_people(page: Page) -> None:
    """Wait until most cameras show somebody who has a number."""
    for _ in range(TRIES):
        told = page.evaluate("[...document.querySelectorAll('canvas')].map(canvas => canvas.ariaLabel)")
        if sum(text.count("#") for text in told) >= PEOPLE and sum("#" in text for text in told) >= PEOPLE - 1:
            return
        page.wait_for_timeout(500)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
