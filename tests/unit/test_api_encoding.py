"""Answers are encoded where they are made, as FastAPI would; what routes need is built before the first request."""

import threading

import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field, TypeAdapter, field_serializer

from gallery.api.app import create_app, prepare
from gallery.api.encoding import new_router
from gallery.config import ApiSettings
from gallery.store.memory import MemoryStore
from wire.memory import MemoryBus


class Out(BaseModel):
    size: float = Field(serialization_alias="width")
    encoded_in: int = 0

    @field_serializer("encoded_in")
    def tell_thread(self, _: int) -> int:
        return threading.get_ident()


class More(Out):
    secret: str = "never stated to be in the answer"


@pytest.fixture
def client() -> TestClient:
    router, app = new_router(prefix="/v1"), FastAPI()
    router.add_api_route("/made", made, methods=["POST"], status_code=201)
    router.add_api_route("/changed", changed)
    router.add_api_route("/raw", raw)
    app.include_router(router)
    return TestClient(app)


def made() -> Out:
    return More(size=threading.get_ident())


def changed(response: Response) -> Out:
    response.status_code = 202
    return Out(size=1.5)


def raw() -> Response:
    return Response(b"1,2", media_type="text/csv")


def test_an_answer_is_encoded_in_the_thread_that_made_it_as_it_is_stated(client: TestClient) -> None:
    answer = client.post("/v1/made")

    assert (answer.status_code, answer.headers["content-type"]) == (201, "application/json")
    assert answer.json().keys() == {"width", "encoded_in"}
    assert answer.json()["width"] == answer.json()["encoded_in"]


def test_an_endpoint_that_changes_its_response_or_makes_one_is_left_alone(client: TestClient) -> None:
    assert client.get("/v1/changed").status_code == 202
    assert client.get("/v1/changed").json()["width"] == 1.5
    assert client.get("/v1/raw").text == "1,2"


def test_the_document_still_states_what_an_endpoint_returns(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    stated = document["paths"]["/v1/made"]["post"]["responses"]["201"]["content"]["application/json"]["schema"]
    assert stated == {"$ref": "#/components/schemas/Out"}


@pytest.mark.parametrize("prepared", [False, True])
def test_a_prepared_application_builds_nothing_when_its_first_request_comes(
    monkeypatch: pytest.MonkeyPatch, *, prepared: bool
) -> None:
    bus, built = MemoryBus(), []
    bus.ensure_topics()
    app = create_app(MemoryStore("site"), bus, ApiSettings())
    if prepared:
        prepare(app)
    build = TypeAdapter.__init__

    def counted(adapter: TypeAdapter[object], *given: object, **named: object) -> None:
        built.append(given)
        build(adapter, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(TypeAdapter, "__init__", counted)
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/v1/identities").status_code == 200
    bus.close()
    assert bool(built) is not prepared
