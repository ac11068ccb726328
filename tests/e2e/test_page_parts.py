"""Parts of the page over a site that the test makes: quiet cameras, zones' history, proofs, clips of one person."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect
from prometheus_client import CollectorRegistry

from deploy.local.api_server import ApiServer, bind
from gallery.api.app import create_app
from gallery.api.others import NO_OTHERS, OtherSettings
from gallery.config import ApiSettings, GallerySettings
from gallery.handler import build_service
from gallery.recording.config import RecordingSettings
from gallery.store.memory import MemoryStore
from gallery.store.store import Identity, Write
from tests.alert_tools import LEFT_HALF
from tests.conftest import wait_until
from tests.page_tools import faults_of_access, faults_of_layout, visit
from tests.unit.test_person_archive import MINE, THEIRS, checks, detail, recorded, stored
from tests.words_tools import several_people
from tests.worker_tools import START_NS, packets
from wire import codec
from wire.bus import BOXES, CAMERAS
from wire.memory import MemoryBus
from wire.messages import CameraSpec, SeenPeople
from wire.metrics import ServiceMetrics

S = 1_000_000_000
HISTORY = "**/v1/zones/history?*"
NAMES = tuple(f"cam{number}" for number in range(6))


@contextmanager
def served(
    store: MemoryStore, bus: MemoryBus, cameras: tuple[str, ...], others: OtherSettings = NO_OTHERS
) -> Iterator[str]:
    """Serve a site with cameras that send nothing by themselves, and a gallery; yield its address."""
    for name in cameras:
        spec = CameraSpec(camera_id=name, site_id="site", url=f"rtsp://10.0.0.1/{name}")
        bus.producer().send(CAMERAS.name, name, codec.encode(spec))
    registry, stop = CollectorRegistry(), threading.Event()
    service = build_service(GallerySettings(), bus, ServiceMetrics(registry), registry, lambda _: store)
    thread = threading.Thread(target=service.run, args=(stop,))
    thread.start()
    try:
        with ApiServer(create_app(store, bus, ApiSettings(), others=others), bind("127.0.0.1", 0)) as server:
            yield server.url
    finally:
        stop.set()
        thread.join()
        bus.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    made = context.new_page()
    yield made
    context.close()


def tell(bus: MemoryBus, camera: str, until_ns: int, *, somebody: bool) -> None:
    """Say that a camera was analysed up to a moment, when somebody was there, or nobody."""
    n = int(somebody)
    seen = SeenPeople(
        camera_id=camera,
        site_id="site",
        stream_id="s",
        width=320,
        height=180,
        until_ns=until_ns,
        tracklet_ids=(f"{camera}/s/1.0/0",) * n,
        times_ns=np.full(n, until_ns, np.int64),
        which=np.zeros(n, np.int64),
        boxes=np.array([[100, 40, 140, 160]] * n, np.float32).reshape(-1, 4),
    )
    bus.producer().send(BOXES.name, camera, codec.encode(seen))


def test_cameras_where_nobody_is_make_room_until_somebody_is_there(page: Page) -> None:
    store, bus = several_people().store, MemoryBus()
    assert isinstance(store, MemoryStore)
    with served(store, bus, NAMES) as address:
        visit(page, address)
        expect(page.locator(".tile")).to_have_count(6)
        resting, moments = page.locator(".tile.resting"), count(time.time_ns(), 5 * S)

        def rests(number: int, seen_by: str) -> bool:
            """Let all cameras be analysed for five seconds more, and tell whether so many tiles rest."""
            until_ns = next(moments)
            for name in NAMES:
                tell(bus, name, until_ns, somebody=name == seen_by)
            page.wait_for_timeout(500)
            return resting.count() == number

        # Given six cameras, of which one goes on seeing somebody; then the others become small, and that one large
        wait_until(lambda: rests(5, "cam2"))
        small, large = resting.first.bounding_box(), page.locator(".tile:not(.resting)").bounding_box()
        assert small is not None
        assert large is not None
        assert large["width"] > 1.9 * small["width"]
        assert faults_of_layout(page) == []
        # And whoever appears somewhere else makes that camera large again
        tell(bus, "cam4", next(moments), somebody=True)
        expect(resting).to_have_count(4)
        # And all are alike if one wants that
        page.keyboard.press("q")
        expect(resting).to_have_count(0)


class Dropped:
    """Drops so many requests for an address, as a browser does with all of them when the network changes."""

    def __init__(self, page: Page, address: str, times: int) -> None:
        self.left, self.asked = times, 0
        page.route(address, self._answer)

    def _answer(self, route: Route) -> None:
        self.asked += 1
        self.left -= 1
        route.abort("internetdisconnected") if self.left >= 0 else route.continue_()


@pytest.mark.parametrize("part", ["app.js", "views/people.js", "page.css"])
def test_a_page_of_which_a_part_did_not_arrive_is_loaded_again_and_says_so_meanwhile(page: Page, part: str) -> None:
    with served(MemoryStore("site"), MemoryBus(), ("a",)) as address:
        dropped = Dropped(page, f"**/assets/{part}", 2)
        visit(page, address)
        expect(page.locator("#incomplete")).to_be_visible()
        wait_until(lambda: page.locator(".rail").is_visible() and dropped.asked > 2)
        expect(page.locator("#incomplete")).to_be_hidden()
        assert page.evaluate("sessionStorage.length") == 0


def test_what_is_only_asked_for_is_asked_for_again_and_what_is_said_is_not_said_twice(page: Page) -> None:
    talk = several_people()
    assert isinstance(talk.store, MemoryStore)
    with served(talk.store, MemoryBus(), ("a", "b")) as address:
        asked, said = Dropped(page, "**/v1/identities/1", 1), Dropped(page, "**/v1/identities/1/hide", 1)
        visit(page, f"{address}#/people/1")
        expect(page.locator(".person h1")).to_contain_text("#1")
        assert asked.asked == 2
        page.get_by_role("button", name="Hide").click()
        expect(page.locator(".toast")).to_contain_text("does not answer")
        assert said.asked == 1


def busy_zone() -> dict[str, object]:
    """Return what the API tells of an area in which up to four people were in each hour of a day."""
    counts = [hour % 5 for hour in range(24)]
    periods = [
        {"start": f"2026-11-28T{hour:02}:00:00+00:00", "people": n, "visits": n, "average": 0.1, "most": min(n, 2)}
        for hour, n in enumerate(counts)
    ]
    zone = {"zone_id": "left", "name": "Left half", "camera_id": "a", "kind": "area"}
    return zone | {"people": 14, "visits": sum(counts), "median_s": 41.0, "periods": periods}


def test_zones_have_a_history_that_is_drawn_and_can_be_downloaded(page: Page) -> None:
    store, bus = several_people().store, MemoryBus()
    assert isinstance(store, MemoryStore)
    store.alerting.save_zone(LEFT_HALF)
    told = json.dumps({"since": "", "until": "", "zones": [busy_zone()]})
    with served(store, bus, ("a",)) as address:
        visit(page, f"{address}#/cameras/zones/a")
        expect(page.locator(".zone-hours")).to_contain_text("Left half nobody")
        page.route(HISTORY, lambda route: route.fulfill(body=told, content_type="application/json"))
        page.reload()
        expect(page.locator(".zone-hours")).to_contain_text("14 people, at most 2 at once, for 41 s in the median")
        bars = page.locator(".hour-bars i")
        expect(bars).to_have_count(24)
        expect(bars.nth(4)).to_have_attribute("title", "From 04:00: 4 people, at most 2 at once")
        page.unroute(HISTORY)
        with page.expect_download() as download:
            page.get_by_role("link", name="Download as CSV").click()
        assert Path(download.value.path()).read_text().startswith("zone_id,name,camera_id,kind,start,people")
        assert faults_of_layout(page) == []
        assert faults_of_access(page) == []


def test_the_proof_of_an_erasure_says_what_kafka_had_and_what_is_left(page: Page) -> None:
    talk, bus = several_people(), MemoryBus()
    assert isinstance(talk.store, MemoryStore)
    bus.append(BOXES.name, "a", b"a record about somebody")
    with served(talk.store, bus, ("a", "b")) as address:
        visit(page, f"{address}#/people/1")
        page.get_by_role("button", name="Erase").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Erase").click()
        expect(page.locator(".toasts")).to_contain_text("Erased")
        visit(page, f"{address}#/review/journal")
        page.get_by_role("button", name="Proof").click()
        expect(page.locator(".proof")).to_contain_text("2 tracklets")
        expect(page.locator(".proof")).to_contain_text("Kafka's records: all ")
        assert faults_of_access(page) == []


def test_a_clip_is_saved_in_which_nobody_but_the_person_is_to_be_seen(page: Page, tmp_path: Path) -> None:
    # Given a recording of a place full of detail, and two people who are there all the time
    settings = RecordingSettings(cameras="all", folder=tmp_path / "recordings", min_free_gb=0)
    rows = [stored("door/s1/1.0/0", MINE, 0, 3.9, 1), stored("door/s1/2.0/0", THEIRS, 0, 3.9, None)]
    store = MemoryStore("site")
    person = Identity(1, START_NS, START_NS + 4 * S, ("door",), 1)
    store.write(Write(0, START_NS, 2, tracklets=rows, identities=[person]))
    recorded(settings, store, packets([checks()] * 40).chunks())
    with served(store, MemoryBus(), ("door",), OtherSettings(recording=settings)) as address:
        visit(page, f"{address}#/people/1")
        page.get_by_role("tab", name="Recordings").click()
        # When the clip is saved without the other
        with page.expect_download(timeout=120_000) as download:
            page.get_by_role("button", name="Save without the others").click()
        path = Path(download.value.path())
        assert download.value.suggested_filename.startswith("person-1-door-")
    # Then in every picture the one is there in full detail, and neither the other nor the place
    with av.open(path) as file:
        pictures = [frame.to_ndarray(format="bgr24") for frame in file.decode(video=0)]
    assert len(pictures) > 5
    for picture in pictures:
        assert detail(picture, MINE) > 0.5
        assert detail(picture, THEIRS) < 0.1
        assert detail(picture, (100, 16, 180, 112)) < 0.1
