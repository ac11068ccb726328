"""The page in a real browser, beside a real run on real video."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from ingest.sources.opening import NO_FILE
from tests import page_way
from tests.conftest import PATIENCE_S, wait_until
from tests.page_recordings import Recordings
from tests.page_tools import (
    NETWORK_CHANGED,
    PATIENCE_MS,
    Newcomer,
    add_cameras_that_never_end,
    address_in,
    faults_of_access,
    faults_of_layout,
    most_seen,
    numbers,
    open_view,
    run_command,
    visit,
    walk_through_the_wizard,
    write_lying,
)
from tests.servers.receiver import Receiver

ALERTS = ("alerts", "alerts/rules", "alerts/rules/new", "alerts/outputs", "alerts/outputs/new")
VIEWS = (
    "live",
    "people",
    "people/…",
    "people/…/why",
    "people/…/journal",
    "review",
    "review/journal",
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
SAME_PICTURE_S = 0.05
CHECKED = {("wide", "light"), ("phone", "dark")}  # where axe looks for what hinders people: it takes its time


@pytest.fixture(scope="module")
def newcomer(browser: Browser, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """A run without cameras, and somebody who adds one in the wizard; then two that never end and see one place.

    The second hangs on its side.
    """
    folder, film = tmp_path_factory.mktemp("page"), shared_data / "lab-4cam" / "cam1.mp4"
    told = folder / "log"
    with told.open("w") as log, subprocess.Popen(run_command(folder), stdout=log, stderr=log) as process:
        try:
            lying = write_lying(film, folder / "turned.mp4")  # while it starts
            wait_until(lambda: bool(address_in(told)) or process.poll() is not None, timeout_s=180)
            assert process.poll() is None, told.read_text()[-2000:]
            url = address_in(told)
            seen = walk_through_the_wizard(browser, url, film)
            add_cameras_that_never_end(url, {"cam1": film, "turned": lying})
            yield seen
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def address(newcomer: Newcomer) -> str:
    return newcomer.address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page whose errors fail the test, but for those that are no fault of it."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    made = context.new_page()
    made.on("pageerror", lambda error: errors.append(str(error)))
    made.on(
        "console", lambda told: errors.append(f"{told.text} {told.location['url']}") if told.type == "error" else None
    )
    visit(made, address)
    expect(made.locator(".rail")).to_be_visible()  # keys are heard from then on
    yield made
    context.close()
    assert [error for error in errors if NETWORK_CHANGED not in error and not is_of_somebody_erased(error)] == []


def is_of_somebody_erased(error: str) -> bool:
    """Return whether an error of the console is about somebody who was erased while an answer was on its way.

    Such is a person of whom the journal knows the erasure, or the crop of a track that there is no more.
    """
    text, _, url = error.rpartition(" ")
    if "404" not in text:
        return False
    if url.endswith("/crop"):
        return httpx.get(url.removesuffix("crop") + "why", timeout=PATIENCE_S).status_code == 404
    person = re.fullmatch(r"(.*/v1)/identities/(\d+)", url)
    return person is not None and int(person[2]) in erased_people(person[1])


def erased_people(api: str) -> set[int]:
    words = httpx.get(f"{api}/words", params={"sort": "newest"}, timeout=PATIENCE_S).json()["words"]
    return {number for word in words if word["erasure"] for number in word["erasure"]["identities"]}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as opened:
        yield opened


@pytest.mark.timeout(600)
def test_a_newcomer_gets_from_an_address_to_a_signed_alert_and_to_the_proof_of_an_erasure(
    newcomer: Newcomer, page: Page, receiver: Receiver, tmp_path: Path
) -> None:
    # Given the wizard, which has tested an address in vain, then one that shows something, and given them a number
    assert newcomer.problem == f"It shows nothing: the file does not exist; {NO_FILE}."
    assert re.fullmatch(r"H\.264, \d+ . \d+, [\d.]+ frames/s, first picture after [\d.]+ s", newcomer.about)
    assert newcomer.picture > 100
    assert re.fullmatch(r"This is number \d+", newcomer.number)
    # When they look at the wall, at somebody on it, and at where that person was
    page_way.see_boxes_on_moving_pictures_and_open_one(page)
    number = most_seen(newcomer.address)
    page_way.see_where_somebody_was(page, newcomer.address, number)
    page_way.find_by_a_picture_and_by_a_track(page, newcomer.address, number, tmp_path / "somebody.jpg")
    # And correct who is who
    page_way.merge_and_undo(page, newcomer.address, number)
    page_way.split_and_undo(page, newcomer.address, number)
    page_way.move_and_undo(page, newcomer.address, number)
    page_way.tell_apart_and_take_it_back_later(page, newcomer.address, number)
    page_way.name_and_undo(page, number)
    page_way.hide_and_show_again(page, number)
    page_way.export(page, number)
    page_way.see_why_and_confirm(page, number)
    # And want to be told who walks about
    page_way.draw_a_zone(page, newcomer.address)
    secret = page_way.add_a_webhook(page, receiver)
    page_way.make_a_rule_and_try_it(page, receiver)
    page_way.come_back(newcomer.address)
    # Then they are told of somebody, in words that nobody else can have sent, and can have anybody erased
    page_way.receive_an_alert(page, receiver, secret)
    page_way.erase_with_a_proof(page, newcomer.address, page_way.somebody_else(newcomer.address, number))


def test_every_view_fits_every_screen_and_can_be_used_by_its_names(page: Page, address: str) -> None:
    # Without motion: axe measured the contrast of a button that was changing its colour.
    found = {}
    for view in VIEWS:
        open_view(page, view.replace("…", str(numbers(address)[0])))
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            for size, (width, height) in SIZES.items():
                page.set_viewport_size({"width": width, "height": height})
                grave = faults_of_access(page) if (size, scheme) in CHECKED else []
                found[view, size, scheme] = faults_of_layout(page) + grave
    assert {place: faults for place, faults in found.items() if faults} == {}


def test_recordings_of_two_cameras_play_together_upright_and_stand_still_at_one_time(page: Page, address: str) -> None:
    # Given somebody whom two cameras saw at one time, and a time in the middle of that
    recordings = Recordings(page, address)
    assert all(wide > high for wide, high in recordings.sizes()), "the camera that hangs on its side is upright"

    recordings.move_to(recordings.middle)
    wait_until(lambda: recordings.apart_s() < SAME_PICTURE_S, timeout_s=PATIENCE_MS / 1000)

    before = recordings.moments()
    page.get_by_role("button", name="Play").click()
    wait_until(lambda: min(recordings.moments()) > max(before), timeout_s=PATIENCE_MS / 1000)
    page.get_by_role("button", name="Pause").click()
    wait_until(lambda: recordings.apart_s() < SAME_PICTURE_S, timeout_s=PATIENCE_MS / 1000)


def test_a_picture_that_cannot_be_read_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    (tmp_path / "page.png").write_text("<html>")
    page.keyboard.press("/")
    page.locator("input[type=file]").set_input_files(tmp_path / "page.png")
    expect(page.locator(".broken")).to_contain_text("Save it as JPEG, PNG or WebP")


def test_people_are_tagged_and_chosen_by_tag_and_by_how_sure_it_is(page: Page, address: str) -> None:
    number = numbers(address)[0]
    open_view(page, f"people/{number}")
    page.get_by_role("button", name="Add tags").click()
    page.get_by_label("Tags, separated by commas").fill("staff, morning, Staff")
    page.locator(".actions form").get_by_role("button", name="Tags").click()
    expect(page.locator(".person .tags")).to_have_text("morningstaff")

    open_view(page, "people")
    everybody = page.locator(".card").count()
    page.get_by_label("Tag", exact=True).select_option("staff")
    expect(page.locator(".card")).to_have_count(1)
    expect(page.locator(".card .tags")).to_have_text("morningstaff")
    page.get_by_label("Tag", exact=True).select_option("")
    expect(page.locator(".card")).to_have_count(everybody)
    with page.expect_response(lambda answer: "probability=0.9" in answer.url) as asked:
        page.get_by_label("How sure it is").select_option("0.9")
    sure = sum(not person["hidden"] for person in asked.value.json()["identities"])
    expect(page.locator(".card")).to_have_count(sure)


def test_a_camera_of_the_network_is_taken_with_its_login(page: Page) -> None:
    stream = {
        "url": "rtsp://USER:PASSWORD@10.0.0.7/1",
        "profile": "main",
        "codec": "H264",
        "width": 1920,
        "height": 1080,
    }
    camera = {"name": "axis", "host": "10.0.0.7", "model": "Axis P3245", "login": True, "streams": [], "problem": "no"}
    open_view(page, "cameras/add")
    page.route("**/v1/cameras/discover", lambda route: route.fulfill(json={"cameras": [camera]}))
    page.get_by_role("button", name="Find cameras on this network").click()
    page.get_by_label("User of the cameras").fill("me@home")
    page.get_by_label("Password of the cameras").fill("s/p")
    opened = {**camera, "streams": [stream], "problem": ""}
    page.route("**/v1/cameras/discover", lambda route: route.fulfill(json={"cameras": [opened]}))
    page.get_by_role("button", name="Search again").click()
    page.get_by_role("button", name=re.compile("1920")).click()

    expect(page.get_by_label("Address")).to_have_value("rtsp://me%40home:s%2Fp@10.0.0.7/1")
    expect(page.get_by_label("Name", exact=True)).to_have_value("axis")
    assert faults_of_layout(page) + faults_of_access(page) == []


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
    open_view(page, "people")
    expect(page.locator(".banner")).to_contain_text("attic")
    page.locator(".banner").get_by_role("link", name="See why").click()
    expect(page.locator(".health .warn", has_text="attic")).to_contain_text("check the address and the port")
    open_view(page, "cameras")
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("Paused")
    row.get_by_role("button", name="Remove").click()
    row.locator("button.solid").click()
    expect(row).to_have_count(0)
