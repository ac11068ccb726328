"""The steps of a newcomer on the page, each with what is expected of it."""

import hashlib
import hmac
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from playwright.sync_api import Page, expect

from gallery.alerts.presence import JOIN_NS, NS
from tests.conftest import wait_until
from tests.page_tools import PATIENCE_MS, numbers, open_view, person, visit
from tests.servers.receiver import Receiver, Request

PATIENCE_S = PATIENCE_MS / 1000
SHOWN_S = "document.querySelector('video').currentTime"
# Clicks the first label that is drawn over people who all have numbers, before it can move on.
CLICK_A_LABEL = """
() => { [...document.querySelectorAll('.tile canvas')].some(canvas => {
  if (!/#/.test(canvas.ariaLabel) || /new/.test(canvas.ariaLabel)) return false;
  const { width, height } = canvas;
  const pixels = width && height ? canvas.getContext('2d').getImageData(0, 0, width, height).data : [];
  const ratio = window.devicePixelRatio, area = canvas.getBoundingClientRect();
  for (let y = 2; y < height - 2; y += 4)
    for (let x = 2; x < width - 12; x += 4) {
      const row = 4 * (y * width + x);
      if (!Array.from({ length: 10 }, (_, i) => pixels[row + 4 * i + 3]).every(alpha => alpha === 255)) continue;
      const place = { clientX: area.left + (x + 5) / ratio, clientY: area.top + (y + 3) / ratio, bubbles: true };
      canvas.dispatchEvent(new MouseEvent('click', place));
      return true;
    }
  return false;
}); }
"""


def see_boxes_on_moving_pictures_and_open_one(page: Page) -> None:
    expect(page.locator("canvas[aria-label*='#']").first).to_be_attached()
    before = page.evaluate(SHOWN_S)
    wait_until(lambda: page.evaluate(SHOWN_S) > before, timeout_s=PATIENCE_S)
    page.keyboard.press("1")
    expect(page.locator(".tile.large")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".tile.large")).to_have_count(0)

    drawer = page.locator(".drawer")
    wait_until(lambda: bool(drawer.count() or page.evaluate(CLICK_A_LABEL)), timeout_s=PATIENCE_S)
    expect(page.locator(".drawer h1")).to_contain_text("#")
    expect(page.locator(".tile:visible")).not_to_have_count(0)
    page.keyboard.press("Escape")


def see_where_somebody_was(page: Page, address: str, number: int) -> None:
    page.locator(".rail").get_by_text("People").click()
    page.get_by_role("searchbox").fill(f"#{number}")
    page.locator(".card").click()
    seen = person(address, number)["presences"]
    lanes = page.locator(".timeline .lane")
    expect(lanes).to_have_text(sorted({one["camera_id"] for one in seen}))

    plan = page.locator(".plan svg")
    wait_until(lambda: plan.get_attribute("aria-label") == _way_of(address, number), timeout_s=PATIENCE_S)
    expect(plan.locator(".been")).to_have_count(len({one["camera_id"] for one in seen}))
    page.locator(".timeline rect:not(.cover)").first.click()
    expect(page.locator(".rows input:checked")).to_have_count(1)
    page.locator(".rows input:checked").uncheck()


def _way_of(address: str, number: int) -> str:
    way = [one["camera_id"] for one in person(address, number)["presences"]]
    places = [camera for camera, before in zip(way, [None, *way], strict=False) if camera != before]
    return f"The way over the cameras: {', then '.join(places[-12:])}"


def find_by_a_picture_and_by_a_track(page: Page, address: str, number: int, file: Path) -> None:
    """Search, and expect the people of the answer, in its order: who of them is first, is the gallery's matter."""
    known = person(address, number)
    crop = httpx.get(f"{address}/v1/tracks/{known['picture'] or known['crops'][0]}/crop", timeout=PATIENCE_S)
    file.write_bytes(crop.content)
    page.keyboard.press("/")
    with page.expect_response(re.compile(r"/v1/search\?")) as found:
        page.locator("input[type=file]").set_input_files(file)
    expect(page.locator(".frame").first).to_be_visible()
    assert person(address, number)["id"] in _hits(page, found.value.json()["people"][0]["lookalikes"])

    open_view(page, f"people/{number}")
    with page.expect_response(re.compile("/lookalikes")) as found:
        page.get_by_role("button", name="Find lookalikes").click()
    assert person(address, number)["id"] in _hits(page, found.value.json()["lookalikes"])


def _hits(page: Page, lookalikes: list[Any]) -> list[int]:
    """Ask for however unlike people, expect those of an answer, and return their numbers."""
    page.get_by_label("How many strangers may look as alike").fill("6")
    found = [one["identity"]["id"] for one in lookalikes]
    expect(page.locator(".hits .chip")).to_have_text([re.compile(rf"#{number}$") for number in found])
    return found


def merge_and_undo(page: Page, address: str, number: int) -> None:
    """Merge with somebody who is chosen among pictures, keep the picture of the other one, and undo that."""
    other = somebody_else(address, number)
    open_view(page, f"people/{number}")
    page.get_by_role("button", name="Merge with…").click()
    expect(page.locator(".picker .card").first).to_be_visible()
    page.get_by_role("searchbox", name="Merge with…").fill(f"#{other}")
    expect(page.locator(".picker .card")).to_have_text(re.compile(f"#{other}"))
    page.keyboard.press("Enter")
    page.locator(".merging").get_by_label(f"#{other}").check()
    page.locator(".merging").get_by_role("button", name="Merge").click()
    expect(page.locator(".toast")).to_contain_text("are one person")
    expect(page.locator(".person")).to_contain_text(re.compile(rf"Also was [^.]*#{other}\b"))
    kept = person(address, number)["picture"]  # of the other one's tracks the latest when they were merged
    undo(page)
    wait_until(lambda: {number, other} <= set(numbers(address)), timeout_s=PATIENCE_S)
    assert kept in [track for presence in person(address, other)["presences"] for track in presence["tracklets"]]


def move_and_undo(page: Page, address: str, number: int) -> None:
    """Say that a sighting shows somebody else who is known, and undo that."""
    other = somebody_else(address, number)
    before = person(address, other)["tracklets"]
    open_view(page, f"people/{number}")
    page.locator(".rows input").last.check()
    page.get_by_role("button", name="Somebody known…").click()
    page.get_by_role("searchbox", name="Somebody known…").fill(f"#{other}")
    expect(page.locator(".picker .card")).to_have_text(re.compile(f"#{other}"))
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text(f"1 sighting is of #{other}")
    wait_until(lambda: person(address, other)["tracklets"] > before, timeout_s=PATIENCE_S)
    undo(page)


def tell_apart_and_take_it_back_later(page: Page, address: str, number: int) -> None:
    """Say that two people are different, and undo it when the toast has gone: in the journal."""
    other = somebody_else(address, number)
    open_view(page, f"people/{number}")
    page.get_by_role("button", name="Not the same as…").click()
    page.get_by_role("searchbox", name="Not the same as…").fill(f"#{other}")
    expect(page.locator(".picker .card")).to_have_text(re.compile(f"#{other}"))
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text(f"#{number} and #{other} are different people")

    page.locator(".toast").get_by_role("button", name="Close").click()
    page.get_by_role("tab", name="Journal").click()
    said = page.locator(".journal li").first
    expect(said).to_contain_text(f"#{number} and #{other} are different people")
    said.get_by_role("button", name="Undo").click()
    expect(page.locator(".journal li").first).to_have_class("undone")


def hide_and_show_again(page: Page, number: int) -> None:
    """Hide somebody, who is in no list and no count then, not in that of who is here either; and show them again."""
    open_view(page, f"people/{number}")
    page.get_by_role("button", name="Hide").click()
    expect(page.locator(".toast")).to_contain_text(f"#{number} is hidden")
    open_view(page, "live")
    expect(page.locator(".live .tools")).to_contain_text("here now")
    expect(page.locator(".live .tools .chip", has_text=re.compile(rf"#{number}\b"))).to_have_count(0)
    open_view(page, "people")
    page.get_by_role("searchbox").fill(f"#{number}")
    for name in ("Here now", "All"):
        page.get_by_role("tab", name=name).click()
        expect(page.locator(".card")).to_have_count(0)
    page.get_by_role("tab", name="Hidden").click()
    page.locator(".card").click()
    page.get_by_role("button", name="Show again").click()
    expect(page.locator(".toast")).to_contain_text(f"#{number} is shown again")


def export(page: Page, number: int) -> None:
    """Download what is stored about somebody, and find their visits and crops in it."""
    open_view(page, f"people/{number}")
    with page.expect_download() as saved:
        page.get_by_role("link", name="Export").click()
    with ZipFile(saved.value.path()) as archive:
        names = archive.namelist()
    assert {"visits.csv", "sightings.jsonl", "about.json"} < set(names)
    assert saved.value.suggested_filename == f"person-{number}.zip"


def somebody_else(address: str, number: int) -> int:
    wait_until(lambda: len(numbers(address)) > 1, timeout_s=PATIENCE_S)
    return next(one for one in numbers(address) if one != number)


def split_and_undo(page: Page, address: str, number: int) -> None:
    open_view(page, f"people/{number}")
    before = set(numbers(address))
    page.locator(".rows input").last.check()
    page.get_by_role("button", name="Split off selected").click()
    expect(page.locator(".toast")).to_contain_text("split off")
    wait_until(lambda: bool(set(numbers(address)) - before), timeout_s=PATIENCE_S)
    split = max(numbers(address))
    undo(page)
    wait_until(lambda: split not in numbers(address), timeout_s=PATIENCE_S)


def name_and_undo(page: Page, number: int) -> None:
    open_view(page, f"people/{number}")
    page.get_by_role("button", name="Add a name").click()
    page.get_by_label("Name", exact=True).fill("Ada <b>Lovelace</b>")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Ada <b>Lovelace</b>")
    undo(page)
    expect(page.locator("h1")).not_to_contain_text("Ada")


def undo(page: Page) -> None:
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("Undone")


def see_why_and_confirm(page: Page, number: int) -> None:
    open_view(page, f"people/{number}")
    page.get_by_role("tab", name="Why").click()
    expect(page.locator(".why li").first).to_contain_text("% the same person")
    page.get_by_role("button", name="This is right").first.click()
    expect(page.locator(".why")).to_contain_text("Confirmed by a person.")


def draw_a_zone(page: Page, address: str) -> None:
    """Draw an area over the whole picture: one corner by the mouse, one by the keyboard, the rest by the mouse too."""
    open_view(page, "cameras/zones/cam1")
    page.get_by_role("button", name="Add an area").click()
    page.get_by_label("Name of the area").fill("Aisle")
    expect(page.locator(".drawing img")).to_be_visible()
    area = page.locator(".drawing").bounding_box()
    assert area is not None
    for corner, (x, y) in enumerate([(0.02, 0.02), (0.93, 0.02), (0.98, 0.98), (0.02, 0.98)]):
        page.locator(".corner").nth(corner).hover()
        page.mouse.down()
        page.mouse.move(area["x"] + x * area["width"], area["y"] + y * area["height"])
        page.mouse.up()
    page.locator(".corner").nth(1).focus()
    page.keyboard.press("Shift+ArrowRight")
    page.get_by_role("button", name="Add a corner after corner 3").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".zone-list")).to_contain_text("Aisle")
    (zone,) = httpx.get(f"{address}/v1/zones", timeout=PATIENCE_S).json()["zones"]
    assert zone["points"][0] == pytest.approx([0.02, 0.02], abs=0.02)
    assert zone["points"][1] == pytest.approx([0.98, 0.02], abs=0.02)
    assert len(zone["points"]) == 5


def add_a_webhook(page: Page, receiver: Receiver) -> bytes:
    """Have alerts sent to a receiver, and return the secret that the page has made up."""
    open_view(page, "alerts/outputs/new")
    page.get_by_label("Name", exact=True).fill("Shop")
    page.get_by_label("Address").fill(receiver.url)
    secret = page.get_by_label("Secret").input_value()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".output")).to_contain_text("Shop")
    return secret.encode()


def make_a_rule_and_try_it(page: Page, receiver: Receiver) -> None:
    open_view(page, "alerts/rules")
    page.get_by_role("button", name="Add a rule").click()
    page.get_by_label("Does what").select_option("stays")
    page.get_by_label("How long").fill("2")
    page.get_by_label("Unit").select_option("s")
    page.get_by_role("button", name="Aisle").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".rule .sentence")).to_have_text("When anybody stays longer than 2 s in Aisle → Shop")
    page.locator(".rule").get_by_role("button", name="Try it").click()
    first_request(receiver, test=True)


def come_back(address: str) -> None:
    """Have everybody come back after a visit is over: a rule tells nothing of who was there before it.

    The camera is paused for that long, since people who stay there never leave by themselves.
    """
    httpx.post(f"{address}/v1/cameras/cam1/pause", timeout=PATIENCE_S).raise_for_status()
    wait_until(lambda: since_seen_ns(address) > JOIN_NS + 2 * NS)
    httpx.post(f"{address}/v1/cameras/cam1/resume", timeout=PATIENCE_S).raise_for_status()


def since_seen_ns(address: str) -> int:
    """Return how long ago the camera's latest picture was taken."""
    cameras = httpx.get(f"{address}/v1/cameras", timeout=PATIENCE_S).json()["cameras"]
    (latest,) = (camera["state"]["time"] for camera in cameras if camera["camera_id"] == "cam1")
    return round((datetime.now(UTC) - datetime.fromisoformat(latest)).total_seconds() * NS)


def first_request(receiver: Receiver, *, test: bool) -> Request:
    """Return the first request about a trial, or about what happened: people walk by while a rule is tried."""
    while not (found := [request for request in receiver.requests if request.json()["test"] is test]):
        assert receiver.arrived.acquire(timeout=2 * PATIENCE_S)
    return found[0]


def receive_an_alert(page: Page, receiver: Receiver, secret: bytes) -> None:
    """Expect an alert at the receiver that is signed by the secret, and the same one in the log of the page."""
    alert = first_request(receiver, test=False)
    signed = alert.headers["Climbtrack-Timestamp"].encode() + b"." + alert.body
    assert alert.headers["Climbtrack-Signature"] == f"v1={hmac.new(secret, signed, hashlib.sha256).hexdigest()}"
    told = alert.json()
    assert (told["test"], told["place"], told["camera_id"]) == (False, "Aisle", "cam1")

    open_view(page, "alerts")
    expect(page.locator(".entry.test")).to_contain_text("was tried")
    entries = page.locator(".entry:not(.test)", has_text="Aisle").filter(has_text=f"#{told['identity']}")
    expect(entries.first).to_be_visible()
    entries.last.get_by_role("link", name="Watch").click()  # once its time is recorded
    expect(page.get_by_role("tab", name="Recordings")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".playback video").first).to_be_visible()


def erase_with_a_proof(page: Page, address: str, number: int) -> None:
    """Erase somebody, and expect the proof that the API gave, nobody behind the number, nor on another screen."""
    other = page.context.new_page()
    visit(other, f"{address}/#/people/{number}")
    expect(other.locator(".person h1")).to_contain_text("#")
    open_view(page, f"people/{number}")
    page.get_by_role("button", name="Erase").click()
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as erased:
        page.get_by_role("alertdialog").get_by_role("button", name="Erase").click()
    proof = erased.value.json()["erasure"]["digest"]
    expect(page.locator(".toast")).to_contain_text(f"Erased. Proof: {proof}")
    assert httpx.get(f"{address}/v1/identities/{number}", timeout=PATIENCE_S).status_code == 404
    expect(other.locator("main")).to_contain_text("There is nobody with this number.")
    other.close()
    open_view(page, "review/journal")
    expect(page.locator(".journal li").first).to_contain_text(f"#{number} was erased")
    expect(page.locator(".journal li").first.get_by_role("button", name="Undo")).to_have_count(0)
