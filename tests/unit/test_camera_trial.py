"""An address is tested: opened once, for a bounded time, and answered with pictures or with cause and remedy."""

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from ingest import errors
from ingest.config import IngestSettings
from ingest.errors import AccessDenied, NotFound, NoVideo, SourceError, Stalled, Unreachable
from ingest.source import SourcePacket
from ingest.state import Outcome
from ingest.trial import BUSY, MOST, NO_PICTURE, Trials, tried
from tests.conftest import wait_until
from tests.ingest_tools import FakeClock, FakeSource, IngestWorker, Recipe, around, make_video, opens, packets
from wire import codec
from wire.bus import CAMERA_TESTS, DEAD_LETTERS, QUERY_ANSWERS, Follower, Record
from wire.memory import MemoryBus
from wire.messages import CameraTest, CameraTested, DeadLetter
from wire.privacy import Privacy

INGEST = Path(errors.__file__).parent
TEST = CameraTest(query_id="q", asker="api", time_ns=0, url="rtsp://anna:secret@10.0.0.1/door")


def result_of(*results: FakeSource | SourceError) -> CameraTested:
    return tried(TEST, around(MemoryBus(), FakeClock(), opens(*results)), threading.Event())


def test_a_camera_is_shown_from_its_first_keyframe_with_its_rate() -> None:
    source = FakeSource(packets(40)[3:], finite=False)  # the next keyframe is number 10

    shown = result_of(source).first

    assert shown is not None
    assert (shown.codec, shown.width, shown.height) == ("h264", 64, 48)
    assert shown.fps == pytest.approx(10.0)
    assert shown.packets[0] == bytes([10]) * 100
    assert len(shown.packets) == 11  # a second and no more: the camera would go on for ever
    assert source.closed


@pytest.mark.parametrize("privacy", ["blurred", "embeddings"])
def test_no_picture_of_a_test_leaves_ingest_where_the_site_shows_none(privacy: Privacy) -> None:
    surroundings = around(MemoryBus(), FakeClock(), opens(FakeSource(packets(20), finite=False)))
    private = replace(surroundings, settings=IngestSettings(privacy=privacy))

    shown = tried(TEST, private, threading.Event()).first

    assert shown is not None
    assert (shown.codec, shown.width, shown.packets) == ("h264", 64, ())


def test_a_camera_that_breaks_off_after_a_picture_has_shown_one() -> None:
    result = result_of(FakeSource(packets(2), finite=False, error=Stalled("no data for 10 s")))

    assert (result.problem, result.first is not None) == ("", True)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (AccessDenied("user or password refused"), "check the user and the password"),
        (NotFound("there is no such stream at this address"), "check the path"),
        (Unreachable("no answer within 10 s"), "check the address and the port"),
        (NoVideo("it has no video"), "check the path and the kind of stream"),
        (Stalled("no data for 10 s"), "restart it"),
    ],
)
def test_what_went_wrong_comes_with_what_to_do(error: SourceError, remedy: str) -> None:
    result = result_of(error)

    assert result.first is None
    assert result.problem.startswith(f"{error}; ")
    assert remedy in result.problem


def every_kind(kind: type[SourceError]) -> Iterator[type[SourceError]]:
    """Yield a class of errors and all below it."""
    yield kind
    for below in kind.__subclasses__():
        yield from every_kind(below)


@pytest.mark.parametrize("kind", list(every_kind(SourceError)), ids=lambda kind: kind.__name__)
def test_every_cause_for_which_a_camera_is_away_names_its_remedy(kind: type[SourceError]) -> None:
    outcome = Outcome.of(kind("it is away"), finite=False)

    assert outcome.cause == f"it is away; {kind.usual_remedy}"
    assert Outcome.of(None, finite=False).cause.startswith("the camera ended the stream; ")


def test_no_error_of_a_source_hides_a_remedy_in_its_cause() -> None:
    raised = re.compile(
        r"(?:{})\(\s*f?\"([^\"]*)\"".format("|".join(kind.__name__ for kind in every_kind(SourceError)))
    )
    causes = [text for path in INGEST.rglob("*.py") for text in raised.findall(path.read_text())]

    assert len(causes) > 20
    assert [text for text in causes if ";" in text] == []


def test_an_own_remedy_stands_for_the_usual_one() -> None:
    assert result_of(NoVideo("not a video", "copy it again")).problem == "not a video; copy it again"


def test_a_camera_without_keyframes_is_named_as_such() -> None:
    assert result_of(FakeSource(packets(9, every=100)[1:], finite=False)).problem == NO_PICTURE


class Endless(FakeSource):
    """A live source that never has a keyframe, until whoever reads it stops."""

    def packets(self) -> Iterator[SourcePacket]:
        while True:
            time.sleep(0.001)  # as a camera does
            yield packets(2)[1]


def test_no_more_than_a_few_tests_run_at_once_and_all_end_when_ingest_does() -> None:
    trials = Trials(around(MemoryBus(), FakeClock(), opens(*(Endless([], finite=False) for _ in range(MOST)))))
    for _ in range(MOST + 1):
        trials.begin(TEST)

    assert [result.problem for result in trials.results()] == [BUSY]
    trials.close()
    ended: list[CameraTested] = []

    def all_ended() -> bool:
        ended.extend(trials.results())
        return len(ended) == MOST

    wait_until(all_ended)
    assert {result.problem for result in ended} == {NO_PICTURE}


def first_of(follower: Follower) -> list[Record]:
    """Return the first records that come."""
    found: list[Record] = []

    def any_came() -> bool:
        found.extend(follower.poll(0.1))
        return bool(found)

    wait_until(any_came)
    return found


def test_a_running_ingest_answers_tests_and_forgets_those_for_which_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = make_video(tmp_path / "hall.mp4", Recipe(frames=20))
    with IngestWorker() as worker:
        follower = worker.bus.follow(QUERY_ANSWERS.name)
        producer = worker.bus.producer()
        for name, age_ns in (("old", 10**12), ("new", 0)):
            stored_ns = time.time_ns() - age_ns
            monkeypatch.setattr("wire.memory_log.time", SimpleNamespace(time_ns=partial(int, stored_ns)))
            test = CameraTest(query_id=name, asker="api", time_ns=time.time_ns(), url=str(video))
            producer.send(CAMERA_TESTS.name, name, codec.encode(test))
        (answer,) = (codec.decode(record.value or b"") for record in first_of(follower))
    assert isinstance(answer, CameraTested)
    assert (answer.query_id, answer.problem) == ("new", "")
    assert answer.first is not None
    assert answer.first.fps == pytest.approx(10.0)


def test_a_test_that_cannot_be_read_leaves_no_password_behind() -> None:
    with IngestWorker() as worker:
        letters = worker.bus.follow(DEAD_LETTERS.name)
        worker.bus.producer().send(CAMERA_TESTS.name, "q", b"\x01 rtsp://anna:secret@10.0.0.1/door")
        (found,) = first_of(letters)

    letter = codec.decode(found.value or b"")
    assert isinstance(letter, DeadLetter)
    assert (letter.topic, letter.value) == (CAMERA_TESTS.name, b"")
