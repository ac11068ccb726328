"""The page in a real browser, beside a real run on real video."""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.conftest import need, wait_until

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
ALERTS = ("alerts", "alerts/rules", "alerts/rules/new", "alerts/outputs", "alerts/outputs/new")
VIEWS = (
    "live",
    "people",
    "people/…",
    "review",
    "search",
    "cameras",
    "cameras/add",
    "cameras/zones/cam1",
    *ALERTS,
    "health",
    "api",
    "access",
    "access/users/add",
    "access/tokens/add",
    "access/audit",
    "start",
    "start/cam1",
)
SIZES = {"wide": (1440, 900), "tablet": (768, 1024), "phone": (390, 844)}
GRAVE = ("serious", "critical")
CHECKED = {("wide", "light"), ("phone", "dark")}  # where axe looks for what hinders people: each takes ten seconds
RULES = "{resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']}"
PATIENCE_MS = 60_000
SHOWN_S = "document.querySelector('video').currentTime"
NAMELESS = """
[...document.querySelectorAll('button, a, input:not([hidden]), select')]
  .filter(e => !(e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length || e.querySelector('img[alt]')))
  .map(e => e.outerHTML)
"""


@dataclass(frozen=True)
class Newcomer:
    """What somebody sees who starts climbtrack for the first time: of the test of a camera, then of themselves."""

    address: str
    problem: str
    about: str
    picture: int
    number: str


@pytest.fixture(scope="module")
def newcomer(browser: Browser, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """A run without cameras, and somebody who adds one in the wizard; then two that never end, with people in them."""
    folder, port = tmp_path_factory.mktemp("page"), free_port()
    (folder / "site.yaml").write_text("worker: {detector: bundled}\nalerts: {webhook_hosts: 127.0.0.1}\n")
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "deploy.cli", "run", "--config", str(folder / "site.yaml"), "--keep-serving"]
    options = ["--data-dir", str(folder / "data"), "--port", str(port), "--no-pictures"]
    with (folder / "log").open("w") as log, subprocess.Popen([*command, *options], stdout=log, stderr=log) as process:
        try:
            wait_until(lambda: _answers(url) or process.poll() is not None, timeout_s=180)
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            seen = _walk_through(browser, url, shared_data / "lab-4cam" / "cam1.mp4")
            for name in ("cam1", "cam3"):
                camera = {"camera_id": name, "url": f"{shared_data}/lab-4cam/{name}.mp4", "analysed_fps": 5}
                httpx.post(f"{url}/v1/cameras", json=camera | {"realtime": True, "loop": True}).raise_for_status()
            yield seen
        finally:
            process.terminate()


def _walk_through(browser: Browser, url: str, film: Path) -> Newcomer:
    """Go through the wizard: an address that shows nothing, one that does, and whoever walks past."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
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


@pytest.fixture(scope="module")
def address(newcomer: Newcomer) -> str:
    return newcomer.address


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").is_success
    except httpx.HTTPError:
        return False


def free_port() -> int:
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


def test_a_newcomer_tests_an_address_sees_its_picture_and_gets_a_number(newcomer: Newcomer) -> None:
    assert newcomer.problem == (
        "It shows nothing: the file does not exist; check the path, which the camera's manual or "
        "`climbtrack cameras discover` names."
    )
    assert re.fullmatch(r"H\.264, \d+ . \d+, [\d.]+ frames/s, first picture after [\d.]+ s", newcomer.about)
    assert newcomer.picture > 100
    assert re.fullmatch(r"This is number \d+", newcomer.number)


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
def test_every_view_fits_the_screen_and_can_be_used_by_its_names(
    page: Page, address: str, size: str, scheme: str
) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    # Without motion: axe measured the contrast of a button that was changing its colour.
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    page.evaluate(AXE)
    for view in VIEWS:
        opened = view.replace("…", str(_numbers(address)[0]))
        page.evaluate("view => { location.hash = '#/' + view; }", opened)
        expect(page.locator("main > *").first).to_be_visible()
        expect(page.locator(".skeletons")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
        nameless = page.evaluate(NAMELESS)
        assert nameless == [], view
        if (size, scheme) in CHECKED:
            found = page.evaluate(f"axe.run(document, {RULES})")["violations"]
            assert [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in GRAVE] == [], view


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


def test_what_is_wrong_is_split_merged_confirmed_undone_and_erased_with_a_proof(page: Page, address: str) -> None:
    # Split off one sighting of whoever has most
    wait_until(lambda: any(len(_person(address, one)["presences"]) > 1 for one in _numbers(address)), timeout_s=120)
    number = max(_numbers(address), key=lambda one: len(_person(address, one)["presences"]))
    page.evaluate("id => { location.hash = '#/people/' + id; }", number)
    page.locator(".rows input").last.check()
    page.get_by_role("button", name="Split off selected").click()
    expect(page.locator(".toast")).to_contain_text("split off")
    other = max(_numbers(address))

    # That was wrong: take it back, and say that one of the tracks is right
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("Undone")
    wait_until(lambda: other not in _numbers(address), timeout_s=20)
    page.get_by_role("tab", name="Why").click()
    page.get_by_role("button", name="This is right").first.click()
    expect(page.locator(".why")).to_contain_text("Confirmed by a person.")

    # Merge with somebody else, take that back, and erase them
    wait_until(lambda: len(_numbers(address)) > 1, timeout_s=60)
    stranger = next(one for one in _numbers(address) if one != number)
    page.get_by_role("button", name="Merge with…").click()
    page.get_by_label("Merge with…").fill(f"#{stranger}")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("are one person")
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("Undone")
    page.evaluate("id => { location.hash = '#/people/' + id; }", stranger)
    page.get_by_role("button", name="Erase").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Erase").click()
    expect(page.locator(".toast")).to_contain_text("Erased. Proof: ")
    assert httpx.get(f"{address}/v1/identities/{stranger}").status_code == 404


def _numbers(address: str) -> list[int]:
    return [one["id"] for one in httpx.get(f"{address}/v1/identities").json()["identities"]]


def _person(address: str, number: int) -> Any:
    return httpx.get(f"{address}/v1/identities/{number}").json()


def test_the_people_found_by_a_picture_and_by_a_track_are_shown_in_the_order_of_the_answer(
    page: Page, address: str, tmp_path: Path
) -> None:
    people = httpx.get(f"{address}/v1/identities", params={"sort": "last"}).json()["identities"]
    person = max(people, key=lambda one: one["tracklets"])
    track = person["picture"] or person["crops"][0]
    (tmp_path / "somebody.jpg").write_bytes(httpx.get(f"{address}/v1/tracks/{track}/crop").content)
    page.keyboard.press("/")
    with page.expect_response(re.compile(r"/v1/search\?")) as found:
        page.locator("input[type=file]").set_input_files(tmp_path / "somebody.jpg")
    expect(page.locator(".frame").first).to_be_visible()
    assert _shown_hits(page, found.value.json()["people"][0]["lookalikes"]) >= {_person(address, person["id"])["id"]}

    page.evaluate("id => { location.hash = '#/people/' + id; }", person["id"])
    with page.expect_response(re.compile("/lookalikes")) as found:
        page.get_by_role("button", name="Find lookalikes").click()
    assert _shown_hits(page, found.value.json()["lookalikes"]) >= {_person(address, person["id"])["id"]}


def _shown_hits(page: Page, lookalikes: list[Any]) -> set[int]:
    """Ask for however unlike people, expect those of an answer in its order, and return their numbers."""
    page.get_by_label("How many strangers may look as alike").fill("6")
    numbers = [one["identity"]["id"] for one in lookalikes]
    expect(page.locator(".hits .chip")).to_have_text([re.compile(rf"#{number}$") for number in numbers])
    return set(numbers)


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


def test_a_camera_is_added_named_as_unreachable_and_removed(page: Page) -> None:
    page.locator(".rail").get_by_text("Cameras").click()
    page.get_by_role("button", name="Add a camera").click()
    page.get_by_label("Address").fill("rtsp://127.0.0.1:1/nobody")
    page.get_by_label("Name", exact=True).fill("attic")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("alert")).to_contain_text("check the address and the port")
    page.get_by_role("button", name="Add anyway").click()

    row = page.locator(".camera", has_text="attic")
    expect(row).to_contain_text("Not reachable, trying again", timeout=PATIENCE_MS)
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("Paused")
    row.get_by_role("button", name="Remove").click()
    row.locator("button.solid").click()
    expect(row).to_have_count(0)
