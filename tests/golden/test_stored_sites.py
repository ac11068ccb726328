"""Sites that earlier versions wrote are loaded and continued, and what later ones add to values does not stop this one.

`site_layout_1.json` to `site_layout_3.json` are all keys of a site as the gallery before
ec57e96, before 0be6049 and of 7c17f00 wrote them to a real Redis: three people, each seen by cameras a and b, and a
glimpse of somebody. In the last, 1 has a name, 2 a tag, and 2 is hidden. `site_layout_4.json` is the last one as the
gallery of d58ccb1 brought it up to date.
"""

import json
import uuid
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from gallery.backup.file import Reader
from gallery.backup.make import back_up
from gallery.backup.restore import restore
from gallery.config import GallerySettings
from gallery.site_worker import plan_of
from gallery.store import records
from gallery.store.layout import LAYOUT
from gallery.store.redis import RedisStore
from gallery.store.store import Identity, PeopleQuery, StoredTracklet
from tests.gallery_tools import axis, tracklet
from tests.words_tools import Talk

FOLDER = Path(__file__).parent
OLD = tuple(f"site_layout_{layout}.json" for layout in range(1, LAYOUT))


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


def written_before(client: Any, name: str) -> str:
    """Put a stored site into Redis, and return its name."""
    site = f"site-{uuid.uuid4().hex[:8]}"
    for key, content in json.loads((FOLDER / name).read_text()).items():
        place = f"climbtrack:{{{site}}}:{key}"
        for first, second in content.get("hash", ()):
            client.hset(place, b64decode(first), b64decode(second))
        for member, score in content.get("zset", ()):
            client.zadd(place, {b64decode(member): float(score)})
        for member in content.get("set", ()):
            client.sadd(place, b64decode(member))
    return site


def check(client: Any, site: str) -> None:
    """Let a gallery go on with such a site."""
    talk = Talk(RedisStore(client, site), first_offset=1_000)
    talk.see(tracklet("c/s/1.0/0", 150, 156, axis(1)), until_s=180)
    talk.see(tracklet("c/s/5.0/0", 190, 196, axis(5)), until_s=220)
    talk.see(until_s=260)
    owners = talk.owners()
    assert owners.pop("a/s/9.0/0") is None  # the glimpse
    assert {key[2:]: number for key, number in owners.items() if key.startswith("c")} == {"s/1.0/0": 2, "s/5.0/0": 4}
    assert {key: number for key, number in owners.items() if not key.startswith("c")} == {
        f"{camera}/s/{person}.0/0": person + 1 for camera in "ab" for person in range(3)
    }
    assert talk.store.sightings([1, 2, 3, 4]) == [2, 3, 2, 1]
    latest = talk.store.people(PeopleQuery(by_last=True)).identities
    assert [one.number for one in latest] == [4, 2, 3, 1]
    assert client.hget(f"climbtrack:{{{site}}}:meta", "layout") == str(LAYOUT).encode()


@pytest.mark.parametrize("name", OLD)
def test_a_site_that_an_earlier_version_wrote_is_continued(client: Any, name: str) -> None:
    check(client, written_before(client, name))


def test_people_whom_an_earlier_version_named_are_found_by_name_and_tag(client: Any) -> None:
    site = written_before(client, "site_layout_3.json")
    talk = Talk(RedisStore(client, site), first_offset=1_000)
    queries = {name: PeopleQuery(name=name) for name in ("GROSSMANN", "ann, a", "staff")}
    queries["tag"] = PeopleQuery(tag="STAFF")

    def found() -> dict[str, list[int]]:
        people = {said: talk.store.people(query).identities for said, query in queries.items()}
        return {said: [one.number for one in known] for said, known in people.items()}

    # by an API that is upgraded before the gallery, and once the gallery has brought the site up to date
    expected = {"GROSSMANN": [1], "ann, a": [1], "staff": [], "tag": [2]}
    assert found() == expected
    talk.see(until_s=200)
    assert client.exists(f"climbtrack:{{{site}}}:names")
    assert found() == expected


@pytest.mark.parametrize("name", OLD)
def test_a_backup_of_a_site_that_an_earlier_version_wrote_is_restored_and_continued(
    client: Any, name: str, tmp_path: Path
) -> None:
    site = written_before(client, name)
    back_up(client, site, tmp_path / "b")
    copy = f"{site}-copy"
    restore(client, Reader(tmp_path / "b"), copy, plan_of(GallerySettings()).rules)
    check(client, copy)


def test_stored_values_with_fields_of_a_later_version_are_read() -> None:
    person = Identity(7, 1, 2, ("a",), 3, name="Ada")
    later = msgspec.msgpack.decode(records.encode_identity(person)) | {"shoe_size": 43}
    assert records.decode_identity(msgspec.msgpack.encode(later)) == person
    row = StoredTracklet(tracklet("a/s/1.0/0", 0, 2), 7, 0.5, None)
    fields = [*msgspec.msgpack.decode(records.encode_tracklet(row)), {"gait": [1, 2]}]
    assert records.decode_tracklet(msgspec.msgpack.encode(fields), 7).tracklet.last_ns == row.tracklet.last_ns
