"""Responses of the API, with a store and a bus in memory."""

from collections.abc import Iterator
from functools import partial
from http import HTTPStatus

import numpy as np
import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator
from prometheus_client import CollectorRegistry, Counter, generate_latest
from pydantic import SecretStr

from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.errors import StoreUnavailable
from gallery.store.memory import MemoryStore
from gallery.store.store import Identity, People, PeopleQuery, StoredProgress, StoredTracklet, Write
from wire import codec
from wire.bus import CAMERAS
from wire.memory import MemoryBus
from wire.messages import CameraProgress, CameraSpec, Tracklet
from wire.tracklet_id import TrackletId

S = 1_000_000_000
T0 = 1_700_000_000 * S  # 2023-11-14T22:13:20Z


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore("site")
    rows = [
        row("door/s/1/0", 1, 0, 4),
        row("door/s/1/1", 1, 5, 9),
        row("hall/s/1/0", 1, 20, 30, closed=False),
        row("hall/s/2/0", 3, 21, 24),
        row("hall/s/3/0", None, 21, 23),
    ]
    people = [
        Identity(1, T0, T0 + 30 * S, ("door", "hall"), 3, (2,)),
        Identity(3, T0 + 21 * S, T0 + 24 * S, ("hall",), 1),
    ]
    store.write(Write(0, T0, 4, tracklets=rows, crops={"door/s/1/0": b"\xff\xd8jpeg"}, identities=people))
    store.save_progress([StoredProgress(progress("hall", 31), 5, 0)])
    return store


@pytest.fixture
def bus() -> Iterator[MemoryBus]:
    bus = MemoryBus()
    bus.ensure_topics()
    producer = bus.producer()
    spec = CameraSpec(camera_id="hall", site_id="site", url="rtsp://me:secret@10.0.0.1/hall")
    producer.send(CAMERAS.name, "hall", codec.encode(spec))
    yield bus
    bus.close()


@pytest.fixture
def client(store: MemoryStore, bus: MemoryBus) -> Iterator[TestClient]:
    with TestClient(create_app(store, bus, ApiSettings(camera_folders=("/",)))) as client:
        yield client


def row(name: str, owner: int | None, first_s: int, last_s: int, *, closed: bool = True) -> StoredTracklet:
    tracklet = Tracklet(
        tracklet_id=name,
        camera_id=TrackletId.parse(name).camera_id,
        site_id="site",
        revision=0,
        closed=closed,
        times_ns=np.array([T0 + first_s * S, T0 + last_s * S]),
        frames=np.array([1, 2]),
        boxes=np.array([[0, 0, 1, 1], [1, 2, 3, 4]], np.float32),
        scores=np.ones(2, np.float32),
        embedding=np.eye(1, 8, dtype=np.float16)[0],
        model_id="m",
        quality=0.5,
        frames_used=2,
        crop=b"",
    )
    return StoredTracklet(tracklet, owner, 0.75, None)


def progress(camera: str, time_s: int) -> CameraProgress:
    return CameraProgress(
        camera_id=camera,
        site_id="site",
        stream_id="s",
        time_ns=T0 + time_s * S,
        frames=300,
        analysed=100,
        dropped=7,
        tracklets=3,
    )


def track_ids(client: TestClient, **query: str | int | bool) -> list[str]:
    return [track["tracklet_id"] for track in client.get("/v1/tracks", params=query).json()["tracks"]]


def test_cameras_are_listed_with_masked_urls_and_how_far_they_are(client: TestClient) -> None:
    answer = client.get("/v1/cameras")

    (camera,) = answer.json()["cameras"]
    assert camera["url"] == "rtsp://***@10.0.0.1/hall"
    assert "secret" not in answer.text
    assert camera["state"]["time"] == "2023-11-14T22:13:51.000Z"
    assert (camera["state"]["analysed"], camera["state"]["dropped"]) == (100, 7)


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        pytest.param({"url": "door.mp4"}, "complete", id="a file"),
        pytest.param({"url": "door.mp4", "mode": "latency"}, "latency", id="a file with a mode"),
        pytest.param({"url": "rtsp://host/stream"}, "latency", id="a camera"),
    ],
)
def test_a_file_that_is_added_is_read_completely(
    fields: dict[str, str], mode: str, client: TestClient, bus: MemoryBus
) -> None:
    answer = client.post("/v1/cameras", json={"camera_id": "door", **fields})

    assert answer.json()["mode"] == mode
    spec = codec.decode(bus.table(CAMERAS.name)["door"].value or b"")
    assert isinstance(spec, CameraSpec)
    assert spec.mode_in_use == mode


def test_an_added_camera_is_in_the_topic_and_in_the_list(client: TestClient, bus: MemoryBus) -> None:
    answer = client.post("/v1/cameras", json={"camera_id": "door", "url": "http://me:secret@cam/x", "analysed_fps": 5})

    assert answer.status_code == 201
    assert answer.json()["url"] == "http://***@cam/x"
    spec = codec.decode(bus.table(CAMERAS.name)["door"].value or b"")
    assert isinstance(spec, CameraSpec)
    assert (spec.url, spec.site_id, spec.analysed_fps) == ("http://me:secret@cam/x", "site", 5)
    assert [camera["camera_id"] for camera in client.get("/v1/cameras").json()["cameras"]] == ["door", "hall"]


def test_a_camera_keeps_its_detail_and_its_areas(client: TestClient, bus: MemoryBus) -> None:
    areas = {"detail": "auto", "regions": [[[0.0, 0.5], [1.0, 0.5], [1.0, 1.0]]], "ignore": []}

    answer = client.post("/v1/cameras", json={"camera_id": "door", "url": "http://cam/x", **areas})

    assert answer.status_code == 201
    assert {key: answer.json()[key] for key in areas} == areas
    spec = codec.decode(bus.table(CAMERAS.name)["door"].value or b"")
    assert isinstance(spec, CameraSpec)
    assert (spec.detail, spec.regions, spec.ignore) == ("auto", (((0.0, 0.5), (1.0, 0.5), (1.0, 1.0)),), ())


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        pytest.param({"camera_id": "a b", "url": "x"}, "camera_id", id="a name with a space"),
        pytest.param({"camera_id": "a", "url": ""}, "url", id="no url"),
        pytest.param({"camera_id": "a", "url": "x", "analysed_fps": 0}, "analysed_fps", id="no frames"),
        pytest.param({"camera_id": "a", "url": "x", "colour": "red"}, "colour", id="an unknown field"),
        pytest.param({"camera_id": "a"}, "url", id="a missing field"),
        pytest.param({"camera_id": "a", "url": "x", "analysed_fps": True}, "analysed_fps", id="a truth value"),
        pytest.param({"camera_id": "a", "url": "x", "analysed_fps": "5"}, "analysed_fps", id="text for a number"),
        pytest.param({"camera_id": "a", "url": "x", "clock_offset_ms": 1e300}, "clock_offset_ms", id="a huge offset"),
        pytest.param({"camera_id": "a", "url": "x", "enabled": 1}, "enabled", id="a number for a truth value"),
        pytest.param({"camera_id": "a", "url": "x", "tags": {"a": "b" * 257}}, "tags", id="an endless tag"),
        pytest.param({"camera_id": "../a", "url": "x"}, "camera_id", id="a path for a name"),
        pytest.param({"camera_id": "a", "url": "x", "detail": "best"}, "detail", id="no such detail"),
        pytest.param({"camera_id": "a", "url": "x", "privacy": "none"}, "privacy", id="no such privacy"),
        pytest.param({"camera_id": "a", "url": "x", "ignore": [[[0, 0], [9, 0], [9, 9]]]}, "divide", id="pixels"),
        pytest.param({"camera_id": "a", "url": "x", "regions": [[[0, 0], [1, 1]]]}, "2 corners", id="half a region"),
        pytest.param({"camera_id": "a", "url": "x", "regions": [[[0], [1, 0], [1, 1]]]}, "regions", id="half a corner"),
        pytest.param({"camera_id": "a", "site_id": "a{b}", "url": "x"}, "site_id", id="braces in a site"),
    ],
)
def test_a_wrong_camera_is_refused_with_the_field_that_is_wrong(
    client: TestClient, bus: MemoryBus, body: dict[str, object], complaint: str
) -> None:
    answer = client.post("/v1/cameras", json=body)

    assert answer.status_code == 422
    assert complaint in answer.text
    assert list(bus.table(CAMERAS.name)) == ["hall"]


def test_a_camera_that_is_removed_is_gone_and_removing_it_again_is_an_error(
    client: TestClient, store: MemoryStore
) -> None:
    assert client.delete("/v1/cameras/hall").status_code == 204

    assert client.get("/v1/cameras").json()["cameras"] == []
    assert store.progress() == {}
    assert client.delete("/v1/cameras/hall").status_code == 404


def test_people_are_listed_in_pages(client: TestClient) -> None:
    first = client.get("/v1/identities", params={"limit": 1}).json()
    second = client.get("/v1/identities", params={"limit": 1, "after": first["next"]}).json()

    assert [person["id"] for page in (first, second) for person in page["identities"]] == [1, 3]
    assert first["identities"][0]["sightings"] == 2
    assert client.get("/v1/identities").json()["next"] is None


def test_another_site_is_not_served(client: TestClient) -> None:
    assert client.get("/v1/identities", params={"site": "other"}).status_code == 404
    assert client.get("/v1/identities", params={"site": "site"}).status_code == 200


def test_a_person_is_shown_with_every_presence(client: TestClient) -> None:
    person = client.get("/v1/identities/1").json()

    assert person["cameras"] == ["door", "hall"]
    assert [(p["camera_id"], p["seconds"], p["live"]) for p in person["presences"]] == [
        ("door", 9.0, False),
        ("hall", 10.0, True),
    ]
    assert person["presences"][0]["tracklets"] == ["door/s/1/0", "door/s/1/1"]
    assert (person["first"], person["last"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:50.000Z")


def test_nobody_is_there_any_more_whom_an_earlier_run_left_open(client: TestClient, store: MemoryStore) -> None:
    # Given somebody in hall whose track no worker has closed, and a run of today that is minutes further
    assert _goes_on(client) == [True, True, True]

    store.save_progress([StoredProgress(progress("hall", 300), 6, 0)])

    assert _goes_on(client) == [False, False, False]


def _goes_on(client: TestClient) -> list[bool]:
    """Return what the person, their tracks and their visits say of whether they are in hall now."""
    person = client.get("/v1/identities/1").json()
    (visit,) = client.get("/v1/visits", params={"from": 0, "camera": "hall"}).json()["visits"][:1]
    (track,) = (one for one in person["tracks"] if one["camera_id"] == "hall")
    return [person["presences"][-1]["live"], track["live"], visit["live"]]


def test_a_number_that_was_merged_away_shows_the_person(client: TestClient) -> None:
    assert client.get("/v1/identities/2").json()["id"] == 1
    assert track_ids(client, identity=2) == ["hall/s/1/0", "door/s/1/1", "door/s/1/0"]


def test_an_unknown_person_is_a_clear_404(client: TestClient) -> None:
    answer = client.get("/v1/identities/77")

    assert answer.status_code == 404
    assert "77" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"camera": "door"}, ["door/s/1/1", "door/s/1/0"], id="one camera"),
        pytest.param({"identity": 3}, ["hall/s/2/0"], id="one person"),
        pytest.param({"to": "2023-11-14T22:13:22Z"}, ["door/s/1/0"], id="until an ISO time"),
        pytest.param({"from": "1700000024.5"}, ["hall/s/1/0"], id="from seconds since 1970"),
        pytest.param({"live": True}, ["hall/s/1/0"], id="visible now"),
        pytest.param({"limit": 1}, ["hall/s/1/0"], id="the newest"),
    ],
)
def test_tracks_are_found(client: TestClient, query: dict[str, str | int | bool], expected: list[str]) -> None:
    assert track_ids(client, **query) == expected


def test_an_invalid_time_is_refused(client: TestClient) -> None:
    answer = client.get("/v1/tracks", params={"from": "yesterday"})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("from: expected an ISO 8601 time like 2026-11-26T13:07:34.890+02:00")
    assert answer.json()["detail"].endswith("or seconds since 1970, got 'yesterday'")


def test_a_refusal_is_a_sentence_and_repeats_no_password(client: TestClient) -> None:
    answer = client.post("/v1/cameras", json={"url": "rtsp://me:secret@cam/x", "colour": "red"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": HTTPStatus(422).phrase,
        "status": 422,
        "detail": "camera_id: Field required; colour: Extra inputs are not permitted",
    }
    refusal = client.get("/openapi.json").json()["paths"]["/v1/cameras"]["post"]["responses"]["422"]
    assert refusal["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/ProblemOut"}


def test_the_boxes_of_a_track_come_when_asked_for(client: TestClient) -> None:
    (short,) = client.get("/v1/tracks", params={"identity": 3}).json()["tracks"]
    (full,) = client.get("/v1/tracks", params={"identity": 3, "boxes": True}).json()["tracks"]

    assert (short["last_box"], short["boxes"]) == ([1, 2, 3, 4], None)
    assert full["boxes"] == [[0, 0, 1, 1], [1, 2, 3, 4]]
    assert full["times"] == ["2023-11-14T22:13:41.000Z", "2023-11-14T22:13:44.000Z"]


def test_a_box_is_shown_with_one_decimal(client: TestClient, store: MemoryStore) -> None:
    fresh = row("yard/s/1/0", 7, 0, 1)
    fresh.tracklet.boxes[:] = np.array([454.04, 161.70001, 487.16, 235.9], np.float32)
    store.write(Write(1, T0, 5, tracklets=[fresh], crops={}, identities=[]))

    answer = client.get("/v1/tracks", params={"camera": "yard", "boxes": True}).text

    assert '"last_box":[454.0,161.7,487.2,235.9]' in answer
    assert '"boxes":[[454.0,161.7,487.2,235.9],[454.0,161.7,487.2,235.9]]' in answer


def test_the_picture_of_a_track_is_a_jpeg(client: TestClient) -> None:
    answer = client.get("/v1/tracks/door/s/1/0/crop")

    assert (answer.content, answer.headers["content-type"]) == (b"\xff\xd8jpeg", "image/jpeg")
    assert client.get("/v1/tracks/hall/s/1/0/crop").status_code == 404


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/identities/7", "DELETE, GET"),
        ("/v1/session", "DELETE, GET, POST"),
        ("/v1/cameras/door/pause", "POST"),
        ("/v1/tracks/a/b/c/why", "GET"),
    ],
)
def test_a_wrong_method_is_answered_with_all_that_are_right(client: TestClient, path: str, methods: str) -> None:
    answer = client.request("PATCH", path)

    assert (answer.status_code, answer.headers["allow"]) == (405, methods)


def test_a_number_may_have_a_fraction_of_zero_as_some_programs_write_it(client: TestClient) -> None:
    assert client.post("/v1/identities/1/different", json={"from": 77.0}).status_code == 404
    assert client.post("/v1/identities/1/different", json={"from": 77.5}).status_code == 422


def test_stats_count_what_is_known(client: TestClient) -> None:
    stats = client.get("/v1/stats").json()

    assert (stats["identities"], stats["tracklets"], stats["crops"], stats["cameras"]) == (2, 5, 1, 1)


def test_a_token_is_needed_when_one_is_set(store: MemoryStore, bus: MemoryBus) -> None:
    with TestClient(create_app(store, bus, ApiSettings(token=SecretStr("correct horse")))) as client:
        for path in ("/v1/cameras", "/v1/identities", "/v1/tracks", "/v1/stats", "/v1/events", "/v1/identities/1"):
            assert client.get(path).status_code == 401, path
            assert client.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401, path
        assert client.post("/v1/cameras", json={"camera_id": "a", "url": "x"}).status_code == 401
        assert client.get("/v1/stats", headers={"Authorization": "Bearer correct horse"}).status_code == 200
        assert client.get("/healthz").status_code == 200


def test_an_unreachable_store_is_reported(bus: MemoryBus) -> None:
    class Away(MemoryStore):
        def ping(self) -> None:
            raise StoreUnavailable("Redis at 127.0.0.1:1 is away")

        def people(self, query: PeopleQuery) -> People:
            raise StoreUnavailable("Redis at 127.0.0.1:1 is away")

    with TestClient(create_app(Away("site"), bus, ApiSettings())) as client:
        assert client.get("/healthz").status_code == 200
        for path in ("/readyz", "/v1/identities"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "127.0.0.1:1 is away" in answer.text


def test_metrics_and_documentation_are_served(store: MemoryStore, bus: MemoryBus) -> None:
    registry = CollectorRegistry()
    Counter("climbtrack_seen", "Seen", registry=registry).inc()
    with TestClient(create_app(store, bus, ApiSettings(), metrics=partial(generate_latest, registry))) as client:
        assert "climbtrack_seen_total 1.0" in client.get("/metrics").text
        assert client.get("/docs", follow_redirects=False).headers["location"] == "./#/api"
        paths = client.get("/openapi.json").json()["paths"]
    assert {"/v1/cameras", "/v1/identities", "/v1/identities/{number}", "/v1/tracks", "/v1/events"} <= set(paths)


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/stats",
        "/v1/cameras",
        "/v1/identities/1",
        "/v1/tracks/door/s/1/0/crop",
        "/v1/events",
    ],
)
def test_head_answers_as_get_does_without_its_body(client: TestClient, path: str) -> None:
    answer = client.head(path)

    assert answer.status_code == 200
    assert answer.content == b""
    if path != "/v1/events":
        assert answer.headers["content-length"] == client.get(path).headers["content-length"]


def test_head_reports_errors_like_get(client: TestClient) -> None:
    assert client.head("/v1/identities/77").status_code == 404
    assert client.head("/v1/tracks", params={"limit": 0}).status_code == 422


def test_pages_of_other_origins_are_allowed_if_the_settings_list_them(store: MemoryStore, bus: MemoryBus) -> None:
    origin = {"Origin": "https://wall.example.org"}
    asked = {**origin, "Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}
    settings = ApiSettings(cors_origins=("https://wall.example.org",), token=SecretStr("correct horse"))
    with TestClient(create_app(store, bus, settings)) as client:
        refused = client.get("/v1/stats", headers=origin)
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, origin["Origin"])
        before = client.options("/v1/cameras/door", headers=asked)
        assert before.status_code == 200, "a browser asks without the token first"
        assert "DELETE" in before.headers["access-control-allow-methods"]
        other = client.get("/v1/stats", headers={"Origin": "https://elsewhere.example.org"})
        assert "access-control-allow-origin" not in other.headers


def test_without_the_setting_pages_of_other_origins_are_not_allowed(client: TestClient) -> None:
    answer = client.get("/v1/stats", headers={"Origin": "https://wall.example.org"})

    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("seen", ["/climb/track", ""], ids=["the proxy keeps the prefix", "the proxy strips it"])
def test_behind_a_path_prefix_everything_answers_and_the_description_names_it(
    store: MemoryStore, bus: MemoryBus, seen: str
) -> None:
    with TestClient(create_app(store, bus, ApiSettings(root_path="/climb/track/"))) as client:
        assert client.get(f"{seen}/v1/stats").json()["site_id"] == "site"
        assert client.head(f"{seen}/readyz").status_code == 200
        assert client.get(f"{seen}/openapi.json").json()["servers"] == [{"url": "/climb/track"}]
        assert "assets/app.js" in client.get(f"{seen}/docs").text


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        pytest.param({"identity": "nan"}, "identity", id="no number"),
        pytest.param({"identity": "1e300"}, "identity", id="no whole number"),
        pytest.param({"identity": str(2**53)}, "identity", id="a number that JSON does not keep"),
        pytest.param({"limit": "true"}, "limit", id="a truth value for a number"),
        pytest.param({"limit": "1001"}, "limit", id="too many"),
        pytest.param({"camera": "../door"}, "camera", id="a path for a name"),
        pytest.param({"camera": "a" * 65}, "camera", id="an endless name"),
        pytest.param({"camera": "a\n"}, "camera", id="a line break"),
        pytest.param({"from": "nan"}, "from", id="no time"),
        pytest.param({"to": "1e300"}, "to", id="a time beyond all"),
        pytest.param({"live": "perhaps"}, "live", id="no truth value"),
    ],
)
def test_an_invalid_filter_is_refused_by_name(client: TestClient, query: dict[str, str], complaint: str) -> None:
    answer = client.get("/v1/tracks", params=query)

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{complaint}: ")


def test_a_zone_whose_plus_was_not_escaped_is_understood(client: TestClient) -> None:
    escaped = client.get("/v1/tracks?from=2023-11-15T00:13:35%2B02:00")
    unescaped = client.get("/v1/tracks?from=2023-11-15T00:13:35+02:00")

    assert unescaped.json() == escaped.json()
    assert {track["camera_id"] for track in escaped.json()["tracks"]} == {"hall"}, "nobody was in the door any more"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        pytest.param(
            "/v1/tracks?identiy=1", "identiy: unknown parameter; did you mean identity? known are", id="misspelt"
        ),
        pytest.param("/v1/tracks?since=5", "since: unknown parameter", id="a name inside the program"),
        pytest.param("/v1/cameras?camera=a&x=1", "camera: unknown parameter; known are site; x: ", id="two"),
        pytest.param("/v1/stats?a=", "a: unknown parameter; there are none here", id="none known"),
    ],
)
def test_an_unknown_query_parameter_is_refused_by_its_name(client: TestClient, path: str, said: str) -> None:
    response = client.get(path)
    assert response.status_code == 422
    assert said in response.json()["detail"]
    assert client.get(path.partition("?")[0]).status_code == 200


CAMERA = {"camera_id": "door", "url": "rtsp://10.0.0.1/1"}
ZONE = {"name": "Door", "camera_id": "door", "points": [[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]]}
WEBHOOK = {"name": "Shop", "url": "https://shop.example.org/hook"}


@pytest.mark.parametrize(
    ("method", "path", "body", "schema", "is_right"),
    [
        pytest.param("post", "/v1/cameras", CAMERA | {"ignore": [[]]}, "CameraIn", False, id="polygon without corners"),
        pytest.param("post", "/v1/cameras", CAMERA | {"regions": [ZONE["points"]]}, "CameraIn", True, id="polygon"),
        pytest.param("put", "/v1/zones/door", ZONE | {"points": []}, "ZoneIn", False, id="area without corners"),
        pytest.param("put", "/v1/zones/door", ZONE | {"colour": 1.0}, "ZoneIn", True, id="whole colour"),
        pytest.param(
            "put", "/v1/alert-outputs/shop", WEBHOOK | {"secret": "short"}, "OutputIn", False, id="short secret"
        ),
        pytest.param(
            "put", "/v1/alert-outputs/shop", WEBHOOK | {"secret": "é" * 20}, "OutputIn", False, id="odd secret"
        ),
        pytest.param("put", "/v1/alert-outputs/shop", WEBHOOK | {"secret": "s" * 16}, "OutputIn", True, id="secret"),
        pytest.param("post", "/v1/tracks/a/s/1.0/0/confirm", {"identity": 1.0}, "ConfirmIn", True, id="whole number"),
        pytest.param("post", "/v1/tracks/a/s/1.0/0/confirm", {"identity": 0}, "ConfirmIn", False, id="nobody's number"),
    ],
)
def test_the_document_says_what_is_refused(
    client: TestClient, method: str, path: str, body: dict[str, object], schema: str, *, is_right: bool
) -> None:
    client.post("/v1/cameras", json=CAMERA)
    document = client.get("/openapi.json").json()
    validator = Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": document["components"]})

    assert validator.is_valid(body) == is_right
    assert (client.request(method, path, json=body).status_code != HTTPStatus.UNPROCESSABLE_ENTITY) == is_right
