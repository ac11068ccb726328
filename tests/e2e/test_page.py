"""The page in a real browser, beside a real run on real video."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.conftest import need, wait_until

ALERTS = ("alerts", "alerts/rules", "alerts/rules/new", "alerts/outputs", "alerts/outputs/new")
VIEWS = (
    "live",
    "people",
    "people/1",
    "review",
    "cameras",
    "cameras/add",
    "cameras/zones/cam1",
    *ALERTS,
    "health",
    "api",
)
SIZES = {"wide": (1440, 900), "tablet": (768, 1024), "phone": (390, 844)}
PATIENCE_MS = 60_000
SHOWN_S = "document.querySelector('video').currentTime"
NAMELESS = """
[...document.querySelectorAll('button, a, input, select')]
  .filter(e => !(e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length || e.querySelector('img[alt]')))
  .map(e => e.outerHTML)
"""


@pytest.fixture(scope="module")
def address(shared_data: Path, tmp_path_factory: pytest.TempPathFactory, free_port_of_module: int) -> Iterator[str]:
    """A run of two cameras that never end, with somebody in it."""
    folder = tmp_path_factory.mktemp("page")
    cameras = "".join(
        f"  {name}: {{url: {shared_data}/lab-4cam/{name}.mp4, realtime: true, loop: true, analysed_fps: 5}}\n"
        for name in ("cam1", "cam3")
    )
    (folder / "site.yaml").write_text(f"cameras:\n{cameras}")
    url = f"http://127.0.0.1:{free_port_of_module}"
    command = [
        sys.executable,
        "-m",
        "deploy.cli",
        "run",
        "--config",
        str(folder / "site.yaml"),
        "--detector",
        "bundled",
    ]
    options = ["--data-dir", str(folder / "data"), "--port", str(free_port_of_module), "--no-pictures"]
    with (folder / "log").open("w") as log, subprocess.Popen([*command, *options], stdout=log, stderr=log) as process:
        try:
            wait_until(lambda: _has_people(url) or process.poll() is not None, timeout_s=180)
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            yield url
        finally:
            process.terminate()


def _has_people(url: str) -> bool:
    try:
        return bool(httpx.get(f"{url}/v1/stats").json()["identities"])
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def free_port_of_module() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    need(found=program is not None, what="chromium, to open the page")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page whose errors fail the test."""
    errors: list[str] = []
    made = browser.new_page(viewport={"width": 1440, "height": 900})
    made.set_default_timeout(PATIENCE_MS)
    made.on("pageerror", lambda error: errors.append(str(error)))
    made.on("console", lambda told: errors.append(f"{told.text} {told.location}") if told.type == "error" else None)
    made.goto(address)
    yield made
    made.close()
    assert errors == []


def test_people_are_boxed_and_numbered_in_the_moving_picture(page: Page) -> None:
    expect(page.locator("canvas[aria-label*='#']").first).to_be_attached(timeout=PATIENCE_MS)
    before = page.evaluate(SHOWN_S)
    wait_until(lambda: page.evaluate(SHOWN_S) > before, timeout_s=PATIENCE_MS / 1000)

    page.keyboard.press("1")
    expect(page.locator(".tile.large")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".tile.large")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_view_fits_the_screen_and_can_be_used_by_its_names(page: Page, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for view in VIEWS:
        page.evaluate("view => { location.hash = '#/' + view; }", view)
        expect(page.locator("main > *").first).to_be_visible()
        expect(page.locator(".skeletons")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
        nameless = page.evaluate(NAMELESS)
        assert nameless == [], view


def test_somebody_is_named_and_the_name_taken_back(page: Page) -> None:
    page.locator(".rail").get_by_text("People").click()
    page.locator(".card").first.click()
    page.get_by_role("button", name="Add a name").click()
    page.get_by_label("Name", exact=True).fill("Ada <b>Lovelace</b>")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Ada <b>Lovelace</b>")

    page.get_by_role("button", name="Undo").click()
    expect(page.locator("h1")).not_to_contain_text("Ada")


def test_a_match_is_explained(page: Page) -> None:
    page.locator(".rail").get_by_text("People").click()
    page.locator(".card").first.click()
    page.get_by_role("tab", name="Why").click()

    expect(page.locator(".why li").first).to_contain_text("% the same person")


def test_somebody_is_found_by_a_picture_and_by_a_track(page: Page, address: str, tmp_path: Path) -> None:
    people = httpx.get(f"{address}/v1/identities", params={"sort": "last"}).json()["identities"]
    person = max(people, key=lambda one: one["tracklets"])
    track = person["picture"] or person["crops"][0]
    (tmp_path / "somebody.jpg").write_bytes(httpx.get(f"{address}/v1/tracks/{track}/crop").content)
    page.keyboard.press("/")
    page.locator("input[type=file]").set_input_files(tmp_path / "somebody.jpg")
    expect(page.locator(".hits .chip").first).to_contain_text(f"#{person['id']}", timeout=PATIENCE_MS)
    expect(page.locator(".frame").first).to_be_visible()

    page.evaluate("id => { location.hash = '#/people/' + id; }", person["id"])
    page.get_by_role("button", name="Find lookalikes").click()
    expect(page.locator(".hits .chip").first).to_contain_text(f"#{person['id']}")


def test_a_picture_that_cannot_be_read_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    (tmp_path / "page.png").write_text("<html>")
    page.keyboard.press("/")
    page.locator("input[type=file]").set_input_files(tmp_path / "page.png")
    expect(page.locator(".failed")).to_contain_text("Save it as JPEG, PNG or WebP")


def test_a_zone_is_drawn_and_a_rule_about_it_is_tried(page: Page, address: str) -> None:
    # Draw an area, move one corner by the mouse and another by the keyboard
    page.evaluate("location.hash = '#/cameras/zones/cam1'")
    page.get_by_role("button", name="Add an area").click()
    page.get_by_label("Name of the area").fill("Aisle")
    area = page.locator(".drawing").bounding_box()
    assert area is not None
    page.locator(".corner").nth(0).hover()
    page.mouse.down()
    page.mouse.move(area["x"] + 0.1 * area["width"], area["y"] + 0.2 * area["height"])
    page.mouse.up()
    page.locator(".corner").nth(1).focus()
    page.keyboard.press("Shift+ArrowRight")
    page.get_by_role("button", name="Add a corner after corner 3").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".zone-list")).to_contain_text("Aisle")
    (zone,) = httpx.get(f"{address}/v1/zones").json()["zones"]
    assert zone["points"][0] == pytest.approx([0.1, 0.2], abs=0.02)
    assert zone["points"][1] == pytest.approx([0.75, 0.35])
    assert len(zone["points"]) == 5

    # Say what is wanted of it
    page.evaluate("location.hash = '#/alerts/rules'")
    page.get_by_role("button", name="Add a rule").click()
    page.get_by_label("Does what").select_option("stays")
    page.get_by_label("How long").fill("7")
    page.get_by_role("button", name="Aisle").click()
    page.get_by_role("button", name="Save").click()
    rule = page.locator(".rule")
    expect(rule.locator(".sentence")).to_have_text("When anybody stays longer than 7 min in Aisle")
    rule.get_by_role("button", name="Try it").click()
    page.get_by_role("tab", name="Log").click()
    expect(page.locator(".entry.test")).to_contain_text("was tried")


def test_a_camera_is_added_named_as_unreachable_and_removed(page: Page, free_port_of_module: int) -> None:
    page.locator(".rail").get_by_text("Cameras").click()
    page.get_by_role("button", name="Add a camera").click()
    page.get_by_label("Address").fill("rtsp://127.0.0.1:1/nobody")
    page.get_by_label("Name", exact=True).fill("attic")
    page.get_by_role("button", name="Add", exact=True).click()

    row = page.locator(".camera", has_text="attic")
    expect(row).to_contain_text("Not reachable, trying again", timeout=PATIENCE_MS)
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("Paused")
    row.get_by_role("button", name="Remove").click()
    row.locator("button.solid").click()
    expect(row).to_have_count(0)
