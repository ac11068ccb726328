"""`climbtrack gallery weights` and `reembed`: what they show, change and refuse."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import cv2
import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

import deploy.cli.find_store
import reid_worker.appearance.choose
from deploy.cli.main import main
from deploy.weights import RunningGallery
from gallery.store.memory import MemoryStore
from reid_worker.crops import Cutout, is_blurred, leaving
from tests.gallery_tools import LiveSite, axis, progress, tracklet
from tests.worker_tools import FakeEmbedder
from wire import codec
from wire.bus import TRACKLETS
from wire.memory import MemoryBus
from wire.messages import WeightsChoice
from wire.tracklet import Look

COLOURS = {1: (200, 30, 30), 2: (30, 200, 30), 3: (30, 30, 200)}


def picture(person: int) -> bytes:
    return Cutout.of(np.full((96, 40, 3), COLOURS[person], np.uint8)).jpeg()


def look(person: int) -> Look:
    """Return how the new weights see somebody: by the colour of their picture."""
    (vector,) = FakeEmbedder().embed([[np.full((96, 40, 3), COLOURS[person], np.uint8)[..., ::-1]]])
    return Look(embedding=vector.astype(np.float16), model_id="new-1")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> LiveSite:
    """Return a site of three people, each seen twice: the first in both spaces, the others in the old one."""
    made = LiveSite(MemoryStore("site"))
    for n, person in enumerate((1, 2, 3, 1, 2, 3)):
        one = tracklet(f"a/s/{n}.0/0", 10 * n, 10 * n + 4, axis(person))
        one = replace(one, crop=picture(person), shadow=look(person) if person == 1 else None)
        made.show(one, progress("a", 10 * n + 9, mode="latency"))

    @contextmanager
    def opened(*_: object) -> Iterator[MemoryStore]:
        yield made.store  # type: ignore[misc]

    monkeypatch.setattr(deploy.cli.find_store, "open_store", opened)
    monkeypatch.setattr(reid_worker.appearance.choose, "load_network", lambda *_, **__: FakeEmbedder(model_id="new-1"))
    return made


def told(capsys: pytest.CaptureFixture[str], *command: str) -> dict[str, object]:
    assert main(["gallery", *command, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_whom_each_weights_know_is_shown(site: LiveSite, capsys: pytest.CaptureFixture[str]) -> None:
    shown = told(capsys, "weights", "show")

    assert (shown["active"], shown["chosen"], shown["people"], shown["lately"]) == ("m", False, 3, 3)
    assert shown["models"] == [
        {"model_id": "m", "people": 3, "lately": 3, "only": 2, "found": 1.0},
        {"model_id": "new-1", "people": 1, "lately": 1, "only": 0, "found": 1.0},
    ]
    assert (shown["compared"], shown["agree"]) == (2, 1.0)
    assert main(["gallery", "weights", "show"]) == 0
    assert "new-1: knows 1, and 1 of 3 seen lately, finds 100% of 2 tracklets back" in capsys.readouterr().out


def test_spaces_that_find_other_people_do_not_agree(site: LiveSite, capsys: pytest.CaptureFixture[str]) -> None:
    # Given that the new weights see person 2 as person 1 every second time
    for n, seen_as in enumerate((2, 1, 2, 1), 6):
        one = replace(tracklet(f"a/s/{n}.0/0", 10 * n, 10 * n + 4, axis(2)), crop=b"", shadow=look(seen_as))
        site.show(one, progress("a", 10 * n + 9, mode="latency"))
    # Then the old ones find all of them, and the new ones do not
    shown = told(capsys, "weights", "show")
    assert shown["compared"] == 6
    assert [one["found"] < 1 for one in shown["models"]] == [False, True]  # type: ignore[attr-defined]
    assert shown["agree"] < 1  # type: ignore[operator]


def test_weights_that_know_few_decide_only_if_told_so_twice(site: LiveSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gallery", "weights", "use", "new"]) == 1
    assert "new-1 knows 1 of 3 people seen lately; the others would get new numbers" in capsys.readouterr().err

    assert told(capsys, "weights", "use", "new", "--anyway") == {"site": "site", "active": "new-1", "before": "m"}
    assert told(capsys, "weights", "show")["active"] == "new-1"
    assert told(capsys, "weights", "use", "m")["before"] == "new-1"


@pytest.mark.parametrize("command", ["use", "forget"])
def test_weights_that_nobody_is_known_under_are_named_with_those_there_are(
    command: str, site: LiveSite, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gallery", "weights", command, "old"]) == 2
    assert "old: nobody is known under it; there are m, new-1" in capsys.readouterr().err


def test_what_decides_cannot_be_forgotten_and_the_rest_says_whom_it_leaves(
    site: LiveSite, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gallery", "weights", "forget", "m"]) == 1
    assert "m decides: let others decide first" in capsys.readouterr().err

    told(capsys, "weights", "use", "new", "--anyway")
    assert told(capsys, "weights", "forget", "m") == {"site": "site", "forgotten": "m", "kept": 2}


def test_kept_pictures_make_people_known_who_keep_their_numbers(
    site: LiveSite, capsys: pytest.CaptureFixture[str]
) -> None:
    first = [site.identity_of(f"a/s/{n}.0/0") for n in range(3)]

    done = told(capsys, "reembed", "--weights", "new.safetensors")

    assert done == {"site": "site", "model_id": "new-1", "people": 2, "known": 2, "pictures": 4}
    assert told(capsys, "reembed", "--weights", "new.safetensors")["people"] == 0
    told(capsys, "weights", "use", "new")
    site.restart()
    for n, person in enumerate((3, 2, 1), 20):
        seen = look(person)
        one = replace(tracklet(f"a/s/{n}.0/0", 10 * n, 10 * n + 4), embedding=seen.embedding, model_id="new-1")
        site.show(one, progress("a", 10 * n + 9, mode="latency"))
    assert [site.identity_of(f"a/s/{n}.0/0") for n in (20, 21, 22)] == first[::-1]


def test_a_picture_that_shows_nobody_recognisable_is_not_embedded() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (96, 48, 3)).astype(np.uint8)
    assert is_blurred(decoded(leaving(Cutout.of(noise), "blurred")))
    assert not is_blurred(decoded(Cutout.of(noise).jpeg()))
    assert not is_blurred(decoded(picture(1)))


def decoded(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def test_a_running_gallery_is_told_over_the_bus_and_waited_for(site: LiveSite) -> None:
    # Given a gallery that reads the bus
    bus, stop = MemoryBus(), threading.Event()

    def serve() -> None:
        with closing(bus.consumer("gallery", [TRACKLETS.name], start="beginning")) as consumer:
            while not stop.is_set():
                site.show(*(codec.decode(record.value or b"") for record in consumer.poll(16, 0.05)))

    bus.ensure_topics()
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        gallery = RunningGallery(bus, site.store)
        # When a tracklet is sent again with a second embedding, and then a choice
        (row,) = site.store.tracklets(["a/s/1.0/0"])
        gallery.look_again([replace(row.tracklet, shadow=look(2))])
        gallery.choose(WeightsChoice(site_id="site", use="new-1", time_ns=1))
    finally:
        stop.set()
        thread.join()
    # Then both were carried out when it returns
    assert {one.model_id for one in site.store.load(10**18).prototypes[2]} == {"m", "new-1"}
