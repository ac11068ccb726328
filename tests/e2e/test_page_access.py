"""Signing in, users and roles on the page, in a real browser."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from prometheus_client import CollectorRegistry

from deploy.local.api_server import ApiServer, bind
from gallery.access import users
from gallery.access.passwords import hash_password
from gallery.api.app import create_app
from gallery.config import ApiSettings, GallerySettings
from gallery.handler import build_service
from gallery.store.accounts import Role
from gallery.store.memory import MemoryStore
from tests.gallery_tools import tracklet
from tests.page_tools import faults_of_access, faults_of_layout, open_view, visit
from tests.words_tools import Talk, alike, several_people
from wire import codec
from wire.bus import CAMERAS
from wire.memory import MemoryBus
from wire.messages import CameraSpec
from wire.metrics import ServiceMetrics

PASSWORD = "correct horse battery"
HASHED = hash_password(PASSWORD)
SCREENS = ((1440, 900, "light"), (390, 844, "dark"))
VIEWS = (
    "access",
    "access/tokens",
    "access/tokens/add",
    "access/users/add",
    "access/users",
    "access/audit",
)


def add_user(store: MemoryStore, name: str, role: Role) -> None:
    store.accounts.change_users(lambda known: users.added(known, name, role, HASHED, 0, must_change=False))


@contextmanager
def served(store: MemoryStore) -> Iterator[str]:
    """Serve a site with a paused camera, and a gallery that carries out what people say; yield its address."""
    bus = MemoryBus()
    bus.ensure_topics()
    spec = CameraSpec(camera_id="door", site_id="site", url="rtsp://10.0.0.1/door", enabled=False)
    bus.producer().send(CAMERAS.name, "door", codec.encode(spec))
    registry, stop = CollectorRegistry(), threading.Event()
    service = build_service(GallerySettings(), bus, ServiceMetrics(registry), registry, lambda _: store)
    thread = threading.Thread(target=service.run, args=(stop,))
    thread.start()
    try:
        with ApiServer(create_app(store, bus, ApiSettings()), bind("127.0.0.1", 0)) as server:
            yield server.url
    finally:
        stop.set()
        thread.join()
        bus.close()


def leave_in_doubt(store: MemoryStore) -> None:
    """Have three tracks seen that look like two people each."""
    talk = Talk(store, first_offset=1_000)
    for place, (one, other) in enumerate(((0, 1), (1, 2), (0, 2))):
        start = 100 + 20 * place
        talk.see(tracklet(f"c/s/{7 + place}.0/0", start, start + 6, alike(one, other, 0.6)), until_s=start + 15)
    talk.see(until_s=200)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A site with three people, tracks that look like two of them, and a user of each role.

    Every test leaves it as it was, but for further users.
    """
    store = several_people().store
    assert isinstance(store, MemoryStore)
    leave_in_doubt(store)
    add_user(store, "anna", "admin")
    add_user(store, "otto", "operator")
    add_user(store, "vera", "viewer")
    with served(store) as address:
        yield address


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1440, "height": 900})
    made.set_default_timeout(20_000)
    yield made
    made.close()


def sign_in(context: BrowserContext, address: str, name: str, password: str = PASSWORD) -> Page:
    page = context.new_page()
    visit(page, address)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    return page


def test_a_wrong_password_is_told_and_the_right_one_opens_the_page(context: BrowserContext, address: str) -> None:
    page = sign_in(context, address, "vera", "wrong horse battery")
    expect(page.get_by_role("alert")).to_have_text("wrong name or password")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(".rail .me")).to_contain_text("vera")

    page.locator(".rail .me").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator(".signin")).to_be_visible()
    expect(page.locator(".rail")).to_have_count(0)


def test_somebody_added_chooses_a_password_and_is_let_in(context: BrowserContext, address: str) -> None:
    page = sign_in(context, address, "anna")
    expect(page.locator(".rail .me")).to_be_visible()
    visit(page, f"{address}/#/access/users/add")
    page.get_by_role("textbox", name=re.compile("^Name")).fill("New.Colleague")
    page.get_by_label(re.compile("^Operator")).check()
    page.get_by_role("button", name="Add user").click()
    one_time = page.locator(".once code").inner_text()

    page.context.clear_cookies()
    page.reload()
    page.get_by_label("Name").fill("new.colleague")
    page.get_by_label("Password").fill(one_time)
    page.keyboard.press("Enter")
    page.get_by_label("One-time password").fill(one_time)
    page.get_by_label("New password", exact=False).first.fill("another horse battery")
    page.get_by_label("New password again").fill("another horse battery")
    page.keyboard.press("Enter")

    expect(page.locator(".rail .me")).to_contain_text("new.colleague")


@pytest.mark.parametrize(
    ("name", "person", "cameras"),
    [
        ("vera", {"Find lookalikes"}, set()),
        (
            "otto",
            {"Add a name", "Add tags", "Merge with…", "Not the same as…", "Find lookalikes", "Hide", "Export"},
            {"Zones", "Resume"},
        ),
        (
            "anna",
            {"Add a name", "Add tags", "Merge with…", "Not the same as…", "Find lookalikes", "Hide", "Export", "Erase"},
            {"Add a camera", "Zones", "Resume", "Remove"},
        ),
    ],
)
def test_a_role_sees_the_buttons_that_it_may_press(
    context: BrowserContext, address: str, name: str, person: set[str], cameras: set[str]
) -> None:
    page = sign_in(context, address, name)
    expect(page.locator(".rail")).to_be_visible()
    assert page.locator(".rail a[href='#/review']").count() == (0 if name == "vera" else 1)

    visit(page, f"{address}/#/people/1")
    expect(page.locator(".person h1")).to_be_visible()
    assert set(page.locator(".actions > :is(button, a):visible").all_inner_texts()) == person
    visit(page, f"{address}/#/cameras")
    expect(page.locator(".camera")).to_be_visible()
    assert set(page.locator(".cameras button:visible").all_inner_texts()) == cameras


def test_the_first_user_chooses_a_password_and_is_signed_in_at_once(context: BrowserContext) -> None:
    page = context.new_page()
    with served(MemoryStore("site")) as address:
        visit(page, f"{address}/#/access")
        page.get_by_role("button", name="Add the first user").click()
        page.get_by_label("Name").fill("Anna")
        page.locator("input[type=password]").first.fill(PASSWORD)
        page.get_by_label("Password again").fill(PASSWORD)
        page.keyboard.press("Enter")

        expect(page.locator(".rail .me")).to_contain_text("anna")
        expect(page.locator(".who")).to_contain_text("Admin")
        page.close()


def test_every_tab_fits_the_screen_and_hinders_nobody_when_its_tables_are_full(
    context: BrowserContext, address: str
) -> None:
    page = sign_in(context, address, "anna")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    expect(page.locator(".rail")).to_be_visible()
    for name, role in (("a.user.with.quite.a.long.name@example.org", "operator"), ("kim", "viewer")):
        page.request.post(f"{address}/v1/users", data={"name": name, "role": role}).dispose()
    for days in (None, 30):
        token = {"name": f"door-sync-of-the-north-wing-{days}", "role": "viewer", "days": days}
        page.request.post(f"{address}/v1/tokens", data=token).dispose()
    found = {}
    for view in VIEWS:
        open_view(page, view)
        for width, height, scheme in SCREENS:
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            page.set_viewport_size({"width": width, "height": height})
            found[view, width, scheme] = faults_of_layout(page) + faults_of_access(page)
    assert {place: faults for place, faults in found.items() if faults} == {}
    expect(page.locator(".audit")).to_contain_text("signed in")
    open_view(page, "access/users")
    expect(page.locator(".rows-list")).to_contain_text("a.user.with.quite.a.long.name@example.org")
    open_view(page, "access/tokens")
    expect(page.locator(".rows-list li")).to_have_count(2)
    assert errors == []


def test_the_review_queue_is_answered_by_keys_and_keeps_its_place(context: BrowserContext, address: str) -> None:
    page = sign_in(context, address, "otto")
    expect(page.locator(".rail")).to_be_visible()
    visit(page, f"{address}/#/review")
    left = page.locator(".review .tools")
    expect(left).to_contain_text("3 left")

    page.keyboard.press("s")
    expect(left).to_contain_text("2 left, 1 answered")
    page.keyboard.press("n")
    expect(left).to_contain_text("1 left, 2 answered")
    page.reload()
    expect(left).to_contain_text("1 left")
    page.keyboard.press("u")  # what was told apart
    expect(page.locator(".toast")).to_contain_text("Undone")
    page.keyboard.press("u")  # what was skipped
    page.reload()
    expect(left).to_contain_text("3 left")

    for keys, end in (("nss", "Nothing to review"), ("uuu", "3 left")):  # faster than answers come back
        for key in keys:
            page.keyboard.press(key)
        expect(page.locator("main")).to_contain_text(end)
