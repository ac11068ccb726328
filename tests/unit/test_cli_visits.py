"""`climbtrack identities visits` writes what the API answers, in the format of the file's ending."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest

from deploy.cli.main import main
from deploy.local.api_server import ApiServer, bind
from gallery.api.app import create_app
from gallery.config import ApiSettings
from tests.words_tools import several_people
from wire.memory import MemoryBus

EVER = ("--from", "0", "--to", "4e9")


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    """Return the address of an API of a site with three people, the second of whom is tagged."""
    talk = several_people()
    talk.say("tag", identity_id=2, tags=("Staff",))
    bus = MemoryBus()
    bus.ensure_topics()
    with (
        bind("127.0.0.1", 0) as taken,
        ApiServer(create_app(talk.store, bus, ApiSettings(), trusted=True), taken) as server,
    ):
        yield server.url
    bus.close()


def visits(*words: str, api: str) -> int:
    return main(["identities", "visits", "--api", api, *EVER, *words])


def test_the_same_visits_are_written_in_every_format(api: str, tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl", "A.PARQUET"):
        assert visits("--out", str(tmp_path / name), api=api) == 0

    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    table = pyarrow.parquet.read_table(tmp_path / "A.PARQUET").to_pylist()
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    keys = ("identity", "camera_id")
    of_each = [[[str(one[key]) for key in keys] for one in found] for found in (lines, table, rows)]
    assert of_each[0] == of_each[1] == of_each[2]
    assert len(lines) > 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A.PARQUET", "a.csv", "a.jsonl"]


def test_the_format_may_be_named_and_people_chosen_by_tag_and_camera(api: str, tmp_path: Path) -> None:
    out = tmp_path / "visits"
    assert visits("--out", str(out), "--format", "jsonl", "--tag", "staff", "--camera", "a", api=api) == 0
    assert {(one["identity"], one["camera_id"]) for one in map(json.loads, out.read_text().splitlines())} == {(2, "a")}


def test_without_a_file_visits_are_shown(api: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert visits("--json", api=api) == 0
    assert len(json.loads(capsys.readouterr().out)["visits"]) > 3


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(["--out", "visits.xlsx"], "expected csv, jsonl or parquet", id="an ending that is none"),
        pytest.param(["--out", "visits"], "expected csv, jsonl or parquet", id="no ending"),
        pytest.param(["--out", "a.csv", "--format", "xml"], "--format xml", id="a format that is none"),
        pytest.param(["--format", "csv"], "give --out as well", id="a format of nothing"),
        pytest.param(["--out", "/nowhere/a.csv"], "No such file", id="a folder that is not there"),
        pytest.param(["--from", "yesterday"], "from", id="a time that is none"),
    ],
)
def test_what_cannot_be_written_is_refused_in_words(
    api: str, words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert visits(*words, api=api) in {1, 2}
    assert why in " ".join(capsys.readouterr().err.replace("│", " ").split())
