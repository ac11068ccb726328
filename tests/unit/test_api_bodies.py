"""No request makes the API keep more than a bounded body, whether it says beforehand how much it sends or not."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from gallery.api.app import create_app
from gallery.api.bodies import MAX_BYTES
from gallery.config import ApiSettings
from gallery.store.memory import MemoryStore
from wire.memory import MemoryBus

BEGIN, PIECE = b'{"name": "', b"a" * 65_536


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    bus = MemoryBus()
    with TestClient(create_app(MemoryStore("site"), bus, ApiSettings(token=SecretStr("t")))) as client:
        yield client
    bus.close()


def test_a_body_that_is_said_to_be_too_large_is_refused_before_anybody_signs_in(client: TestClient) -> None:
    answer = client.post("/v1/identities/1/name", content=b"a" * (MAX_BYTES + 1))

    assert answer.status_code == 413
    assert answer.json()["detail"].startswith("the body has more than 1 MiB")


def test_of_a_body_without_an_announced_length_no_more_is_taken_than_is_kept(client: TestClient) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield BEGIN
        while taken < 64 * MAX_BYTES:
            taken += len(PIECE)
            yield PIECE

    answer = client.post("/v1/identities/1/name", content=endless(), headers={"Content-Type": "application/json"})

    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_largest_body_that_means_anything_is_read(client: TestClient) -> None:
    tracklets = {"tracklets": ["a" * 512] * 1_000}
    answer = client.post("/v1/identities/1/split", json=tracklets, headers={"Authorization": "Bearer t"})

    assert answer.status_code == 404  # there is no person 1: it was read


def test_every_operation_with_a_body_says_that_it_may_be_too_large(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for methods in paths.values():
        for operation in methods.values():
            assert "requestBody" not in operation or "413" in operation["responses"]
