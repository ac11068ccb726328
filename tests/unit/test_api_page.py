"""The page's files, sessions of browsers, and what pages of other origins may not do."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.websockets import WebSocketDisconnect

from gallery.access.attempts import MOST
from gallery.access.gate import SESSION_S, Gate
from gallery.api.access.auth import COOKIE
from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.store.memory import MemoryStore
from tests.conftest import wait_until
from tests.worker_tools import numbered_image, packets
from wire import codec
from wire.bus import CAMERA_STATES, CAMERAS, FRAMES
from wire.memory import MemoryBus
from wire.messages import CameraHealth, CameraSpec
from wire.privacy import Privacy

ASSETS = Path(__file__).parents[2] / "gallery" / "page" / "assets"


@pytest.fixture
def bus() -> Iterator[MemoryBus]:
    bus = MemoryBus()
    spec = CameraSpec(camera_id="door", site_id="site", url="rtsp://me:secret@10.0.0.1/door")
    bus.producer().send(CAMERAS.name, "door", codec.encode(spec))
    yield bus
    bus.close()


def client_of(bus: MemoryBus, **settings: object) -> TestClient:
    return TestClient(create_app(MemoryStore("site"), bus, ApiSettings.model_validate(settings)))


@pytest.fixture
def client(bus: MemoryBus) -> Iterator[TestClient]:
    with client_of(bus) as client:
        yield client


@pytest.fixture
def locked(bus: MemoryBus) -> Iterator[TestClient]:
    with client_of(bus, token=SecretStr("open sesame")) as client:
        yield client


def test_the_page_and_every_file_it_names_are_served(client: TestClient) -> None:
    index = client.get("/")
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    named = re.findall(r'(?:src|href)="(assets/[^"]+)"', index.text)
    assert len(named) >= 3
    for path in ASSETS.rglob("*.js"):
        folder = path.parent.relative_to(ASSETS)
        named += [
            str(Path("assets") / folder / name)
            for name in re.findall(r'^import .* from "(\.[^"]+)";', path.read_text(), re.MULTILINE)
        ]
    for name in {str(Path(name)) for name in named}:
        found = client.get(f"/{(ASSETS.parent / name).resolve().relative_to(ASSETS.parent)}")
        assert found.status_code == 200, name


def test_a_state_is_drawn_as_a_dot_and_nothing_else_goes_by_its_name() -> None:
    styles = "".join(path.read_text() for path in ASSETS.glob("*.css"))
    states = set(re.findall(r"\.dot\.(\w+)", styles))
    assert {"live", "failed"} <= states

    assert {name for name in states if re.search(rf"(?:^|[\s,}}])\.{name}\b", styles)} == set()


def test_the_page_runs_no_script_but_its_own_and_asks_nobody_else(client: TestClient) -> None:
    policy = client.get("/").headers["content-security-policy"]

    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    sources = "".join(path.read_text() for path in ASSETS.rglob("*") if path.suffix in {".js", ".css", ".html"})
    elsewhere = set(re.findall(r"https?://[\w.-]+", sources)) - {"http://www.w3.org"}
    assert elsewhere <= {"http://…"}, elsewhere


NAMES = {"climbtrack", "API", "curl"}  # of things: they are the same in every language
SHOWN = re.compile(r">([^<>`${}=(|]*[A-Za-z]{2}[^<>`${}=(|]*)(?=<|\$\{)")
SPOKEN = re.compile(r'(?:aria-label|title|alt)="([^"]*[A-Za-z][^"]*)"')


def test_everything_that_people_read_is_in_one_file() -> None:
    found = {}
    for path in ASSETS.rglob("*.js"):
        if path.name != "texts.js" and "vendor" not in path.parts:
            code = re.sub(r"(^|\s)//.*$", "", path.read_text(), flags=re.MULTILINE)
            words = {text.strip(' "') for text in SHOWN.findall(code) + SPOKEN.findall(code)}
            found[path.name] = {word for word in words - NAMES if not re.fullmatch(r"\w+\.\w+", word)}  # code
    assert {name: words for name, words in found.items() if words} == {}


def test_what_is_not_ours_is_what_its_readme_says() -> None:
    listed = dict(re.findall(r"\| `([^`]+)` \| `([0-9a-f]{64})` \|", (ASSETS / "vendor" / "README.md").read_text()))
    scripts = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (ASSETS / "vendor").glob("*.js")}

    assert listed == scripts


@pytest.mark.parametrize("name", ["../serve.py", "..%2Fserve.py", "/etc/passwd", "vendor", "", "x" * 5000])
def test_nothing_but_the_pages_files_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/assets/{name}").status_code == 404


def test_a_file_that_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    etag = client.get("/assets/app.js").headers["etag"]

    again = client.get("/assets/app.js", headers={"If-None-Match": etag})

    assert (again.status_code, again.content) == (304, b"")


def test_everything_that_is_sent_for_the_page_is_small() -> None:
    import gzip

    assert sum(len(gzip.compress(path.read_bytes())) for path in ASSETS.rglob("*.*")) < 150_000


def test_behind_a_prefix_the_page_ends_with_a_slash_so_that_its_files_are_found(bus: MemoryBus) -> None:
    with client_of(bus, root_path="/climbtrack") as client:
        moved = client.get("/climbtrack", follow_redirects=False)
        assert moved.headers["location"] == "/climbtrack/"
        assert client.get("/climbtrack/assets/app.js").status_code == 200


def test_a_browser_exchanges_the_token_for_a_cookie_that_scripts_cannot_read(locked: TestClient) -> None:
    assert locked.get("/v1/session").json()["open"] is False
    assert locked.get("/v1/stats").status_code == 401
    assert locked.post("/v1/session", json={"token": "wrong"}).status_code == 401

    answer = locked.post("/v1/session", json={"token": "open sesame"})

    assert {"HttpOnly", "SameSite=strict"} <= set(answer.headers["set-cookie"].split("; "))
    assert locked.get("/v1/stats").status_code == 200
    assert locked.get("/v1/session").json()["open"] is True
    stolen = locked.cookies[COOKIE]
    locked.delete("/v1/session")
    locked.cookies.set(COOKIE, stolen)
    assert locked.get("/v1/stats").status_code == 401


def test_a_session_ends_after_half_a_day() -> None:
    now_s = 10**9
    gate = Gate(MemoryStore("site").accounts, token="t", clock=lambda: now_s * 10**9)
    cookie = gate.sign_in_by_token("t", "10.0.0.1")

    assert gate.of_session(cookie) is not None
    now_s += SESSION_S
    assert gate.of_session(cookie) is None


def test_guessing_the_token_is_slow(locked: TestClient) -> None:
    answers = [locked.post("/v1/session", json={"token": str(guess)}).status_code for guess in range(MOST + 1)]

    assert answers == [401] * MOST + [429]
    assert locked.post("/v1/session", json={"token": "open sesame"}).status_code == 429
    assert locked.get("/v1/stats", headers={"Authorization": "Bearer open sesame"}).status_code == 200


def test_a_page_of_another_origin_changes_nothing_and_watches_nobody(client: TestClient) -> None:
    evil = {"Origin": "https://evil.example"}

    assert client.delete("/v1/cameras/door", headers=evil).status_code == 403
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/v1/live?cameras=door", headers=evil):
        pass
    assert client.post("/v1/cameras/door/pause", headers={"Origin": "http://testserver"}).status_code == 200


def test_a_listed_origin_may_change_things(bus: MemoryBus) -> None:
    with client_of(bus, cors_origins=["https://wall.example"]) as client:
        assert client.post("/v1/cameras/door/pause", headers={"Origin": "https://wall.example"}).status_code == 200
        assert client.post("/v1/cameras/door/pause", headers={"Origin": "https://evil.example"}).status_code == 403


def test_live_video_needs_the_token_too(locked: TestClient, bus: MemoryBus) -> None:
    (chunk, *_) = packets([numbered_image(number) for number in range(5)]).chunks()
    bus.producer().send(FRAMES.name, "door", codec.encode(chunk))
    with pytest.raises(WebSocketDisconnect) as refused, locked.websocket_connect("/v1/live?cameras=door"):
        pass
    assert "token" in refused.value.reason

    with locked.websocket_connect("/v1/live?cameras=door", headers={"Authorization": "Bearer open sesame"}) as socket:
        assert socket.receive_json()["kind"] == "video"


@pytest.mark.parametrize("cameras", ["", "a b", ",", "../x", ",".join(f"c{i}" for i in range(37))])
def test_a_wrong_list_of_cameras_is_refused_with_the_reason(client: TestClient, cameras: str) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect(f"/v1/live?cameras={cameras}") as socket,
    ):
        socket.receive()
    assert refused.value.reason


def test_video_is_sent_with_the_number_of_its_camera(client: TestClient, bus: MemoryBus) -> None:
    for chunk in packets([numbered_image(number) for number in range(20)]).chunks():
        bus.producer().send(FRAMES.name, "door", codec.encode(chunk))

    with client.websocket_connect("/v1/live?cameras=hall,door") as socket:
        begin = socket.receive_json()
        assert (begin["camera"], begin["kind"]) == ("door", "video")
        assert socket.receive_json()["kind"] == "type"
        assert socket.receive_json()["kind"] == "clock"
        piece = socket.receive_bytes()
    assert (piece[0], piece[1], piece[6:10]) == (1, 0, b"ftyp")


def test_what_a_camera_shows_is_a_picture(client: TestClient, bus: MemoryBus) -> None:
    for chunk in packets([numbered_image(number) for number in range(20)]).chunks():
        bus.producer().send(FRAMES.name, "door", codec.encode(chunk))

    answer = client.get("/v1/cameras/door/picture")

    assert (answer.status_code, answer.content[:2]) == (200, b"\xff\xd8")


@pytest.mark.parametrize("privacy", ["blurred", "embeddings"])
def test_a_camera_whose_privacy_is_not_full_shows_no_picture(client: TestClient, bus: MemoryBus, privacy: str) -> None:
    for chunk in packets([numbered_image(number) for number in range(20)]).chunks():
        private = msgspec.structs.replace(chunk, privacy=privacy)
        bus.producer().send(FRAMES.name, "door", codec.encode(private))

    answer = client.get("/v1/cameras/door/picture")

    assert (answer.status_code, "privacy is not `full`" in answer.json()["detail"]) == (404, True)


def test_a_camera_is_listed_with_the_state_in_which_ingest_has_it(client: TestClient, bus: MemoryBus) -> None:
    health = CameraHealth(camera_id="door", state="backing off", cause="password refused", reconnects=3, time_ns=10**9)
    bus.producer().send(CAMERA_STATES.name, "door", codec.encode(health))

    def source() -> object:
        return client.get("/v1/cameras").json()["cameras"][0]["source"]

    wait_until(lambda: source() is not None)
    assert source() == {
        "state": "backing off",
        "cause": "password refused",
        "reconnects": 3,
        "since": "1970-01-01T00:00:01.000Z",
    }
    client.post("/v1/cameras/door/pause")
    assert source() is None, "ingest says nothing any more of a camera that is paused"


@pytest.mark.parametrize(("own", "site", "applies"), [(None, "blurred", "blurred"), ("full", "blurred", "full")])
def test_a_camera_is_listed_with_the_privacy_that_applies_to_it(
    client: TestClient, bus: MemoryBus, own: str | None, site: str, applies: str
) -> None:
    camera = {"camera_id": "yard", "url": "rtsp://10.0.0.1/yard", "privacy": own}
    assert client.post("/v1/cameras", json=camera).json()["privacy_in_use"] == own, "ingest has not said what applies"

    health = CameraHealth(
        camera_id="yard", state="live", cause="", reconnects=0, time_ns=10**9, site_privacy=cast("Privacy", site)
    )
    bus.producer().send(CAMERA_STATES.name, "yard", codec.encode(health))

    def listed() -> dict[str, object]:
        return next(one for one in client.get("/v1/cameras").json()["cameras"] if one["camera_id"] == "yard")

    wait_until(lambda: listed()["source"] is not None)
    assert (listed()["privacy"], listed()["privacy_in_use"]) == (own, applies)


def test_a_paused_camera_keeps_its_address_and_runs_again(client: TestClient, bus: MemoryBus) -> None:
    assert client.post("/v1/cameras/door/pause").json()["enabled"] is False
    assert client.post("/v1/cameras/door/resume").json()["enabled"] is True
    assert client.post("/v1/cameras/attic/pause").status_code == 404

    stored = codec.decode(bus.table(CAMERAS.name)["door"].value or b"")
    assert isinstance(stored, CameraSpec)
    assert stored.url == "rtsp://me:secret@10.0.0.1/door"
