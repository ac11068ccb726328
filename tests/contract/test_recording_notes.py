"""What the recorder and the rest of a site tell each other through the store, in memory and in Redis alike."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from gallery.recording.clips import kept
from gallery.recording.config import RecordingSettings
from gallery.recording.folder import RecordingFolder
from gallery.recording.handler import RecordingHandler
from gallery.recording.kept_crops import KeptCrops
from gallery.recording.metrics import RecordingMetrics
from gallery.recording.recorder import Recorder
from gallery.store.said import Erasure, Seen, StoredWord
from gallery.store.store import Store, Write
from tests.worker_tools import START_NS, numbered_image, packets
from wire.bus import FRAMES, IDENTITIES, Record
from wire.cameras import ListedCamera
from wire.messages import AnyMessage, CameraSpec, IdentityEvent, Word
from wire.service import Received

S = 1_000_000_000
SEEN = Seen("door", START_NS + S, START_NS + 2 * S)


class OneCamera:
    """The list of one camera."""

    def cameras(self) -> dict[str, ListedCamera]:
        return {"door": ListedCamera(CameraSpec(camera_id="door", site_id="site", url="rtsp://a"), 0)}

    def catch_up(self) -> dict[str, ListedCamera]:
        return self.cameras()


def erase(store: Store) -> IdentityEvent:
    """Erase person 1 as the gallery does, and return its event."""
    word = Word(word_id="w1", kind="erase", site_id="site", author="anna", time_ns=START_NS, identity_id=1)
    proof = Erasure(START_NS, (1,), "0", tracklets=1, crops=1, prototypes=1, events=1, words=0, seen=(SEEN,))
    store.write(Write(version=0, now_ns=START_NS, next_identity=2, words=[StoredWord(word, 1, erasure=proof)]))
    return IdentityEvent(
        event_id="e1", kind="erased", site_id="site", identity_id=1, previous_ids=(), tracklet_id="", camera_id="",
        probability=1.0, reason="anna said so", time_ns=START_NS,
    )  # fmt: skip


def handle(store: Store, path: Path, messages: list[AnyMessage]) -> None:
    """Give messages to a new recorder, which stops afterwards."""
    settings = RecordingSettings(cameras="all", folder=path, min_free_gb=0)
    with RecordingFolder(settings.folder, settings.bounds()) as folder:
        crops = KeptCrops(path / "crops")
        recorder = Recorder(folder, RecordingMetrics(CollectorRegistry()), 0, clock=lambda: START_NS, crops=crops)
        handler = RecordingHandler(settings, recorder, OneCamera(), lambda _: store, replayed=True)
        topics = [IDENTITIES.name if isinstance(one, IdentityEvent) else FRAMES.name for one in messages]
        records = [Record(topic, 0, number, "", b"", 0) for number, topic in enumerate(topics)]
        assert not list(handler.handle([Received(*pair) for pair in zip(records, messages, strict=True)]))
        handler.revoked({record.source for record in records})


def test_states_are_noted_changed_and_forgotten(store: Store) -> None:
    notes = store.recordings
    assert notes.states() == {}
    notes.put_state("door", "no space")
    notes.put_state("hall", "")
    notes.put_state("door", "")
    notes.forget_state("hall")
    assert notes.states() == {"door": ""}


def test_an_erasure_deletes_what_shows_the_person_and_leaves_a_proof(store: Store, tmp_path: Path) -> None:
    video = packets([numbered_image(number) for number in range(40)])
    handle(store, tmp_path, list(video.chunks()))
    assert kept(tmp_path, "door", SEEN.first_ns, SEEN.last_ns)
    crop = tmp_path / "crops" / "door" / "s_1.0_0" / f"{SEEN.first_ns}.jpg"
    crop.parent.mkdir(parents=True)
    crop.write_bytes(b"jpeg")
    handle(store, tmp_path, [erase(store)])
    assert not list(tmp_path.rglob("*.mp4"))
    assert not crop.parent.exists()
    proof = store.recordings.erased("w1")
    assert proof is not None
    assert (proof.segments, proof.crops, [one.camera_id for one in proof.cameras]) == (1, 1, ["door"])
    # And a replay brings nothing back, nor does it change the proof
    handle(store, tmp_path, list(video.chunks()))
    assert not list(tmp_path.rglob("*.mp4"))
    assert store.recordings.erased("w1") == proof


def test_an_erasure_while_the_recorder_was_away_is_carried_out_when_it_returns(store: Store, tmp_path: Path) -> None:
    video = packets([numbered_image(number) for number in range(40)])
    handle(store, tmp_path, list(video.chunks()))
    erase(store)
    handle(store, tmp_path, [video.chunks(camera="yard")[0]])
    assert store.recordings.erased("w1") is not None
    assert not kept(tmp_path, "door", SEEN.first_ns, SEEN.last_ns)
