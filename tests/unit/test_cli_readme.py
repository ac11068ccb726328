"""README.md, docs/ and ARCHITECTURE.md say what is true: folders, commands, settings, metrics, links, named tests."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer.main

from deploy.cameras import configured_cameras
from deploy.cli.main import app
from docs.tables import (
    PAGE,
    SECTIONS,
    attributes,
    describe,
    fill,
    metrics_table,
    section,
    settings_tables,
    tracked_files,
)
from gallery.api.schemas import CameraIn, EventOut
from ingest.config import IngestSettings
from tests.docs_tools import PAGES, README, ROOT, Command, anchors, blocks, commands, links
from wire.messages import CameraSpec

OPERATING = (ROOT / PAGE).read_text()
OTHER_PAGES = [*sorted((ROOT / "docs" / "runbooks").glob("*.md")), *sorted((ROOT / "deploy").glob("**/README.md"))]
MAX_README_LINES = 150
MAX_FOLDERS = 25


def of_climbtrack() -> list[Command]:
    return [command for command in commands() if command.words.startswith("climbtrack ")]


@pytest.mark.parametrize("before", ["", "y", "old\n"])
def test_a_section_is_filled_and_the_rest_of_the_page_stays(before: str) -> None:
    page = "a lobby\n<!-- x: written by `make readme` -->\n{}<!-- end of x -->\nthe only y\n"
    assert fill(page.format(before), {"x": "new\n"}) == page.format("new\n")


def test_readme_is_short_enough_to_be_read() -> None:
    assert len(README.read_text().splitlines()) <= MAX_README_LINES


def test_the_table_of_folders_names_every_folder() -> None:
    named = re.findall(r"^\| `([\w./]+)/` \|", README.read_text(), re.MULTILINE)
    assert sorted(named) == sorted({name.partition("/")[0] for name in tracked_files(ROOT) if "/" in name})
    assert len(named) <= MAX_FOLDERS


def test_the_table_of_packages_names_every_package() -> None:
    named = re.findall(r"^\| `([a-z_.]+)` \|", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(named) == sorted(packages)


def test_every_page_is_linked_from_readme_or_a_page_above_it_and_starts_with_its_purpose() -> None:
    named = {path for path, _ in links(README)}
    named |= {
        path for page in PAGES if page.parent == ROOT / "docs" for path, _ in links(page) if path.parent != page.parent
    }
    for page in PAGES[1:]:
        assert page in named
        assert page.read_text().split("\n\n")[1].startswith(("This page ", "With this page "))


def test_every_module_says_what_it_is() -> None:
    assert [name for name in tracked_files(ROOT) if name.endswith(".py") and not describe(ROOT / name)] == []


@pytest.mark.parametrize(
    "page", [*PAGES, *OTHER_PAGES, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name
)
def test_every_link_leads_somewhere(page: Path) -> None:
    for path, anchor in links(page):
        assert path.exists(), path
        assert not anchor or anchor in anchors(path), f"{path.name}#{anchor}"


@pytest.mark.parametrize("example", of_climbtrack(), ids=str)
def test_every_example_is_a_command_with_options_that_exist(example: Command) -> None:
    command, words = typer.main.get_command(app), shlex.split(example.words)[1:]
    while words and words[0] in getattr(command, "commands", {}):
        command = getattr(command, "commands", {})[words.pop(0)]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert getattr(command, "invoke_without_command", not hasattr(command, "commands")), f"{example}: no such command"
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


def test_the_tables_of_settings_list_every_key() -> None:
    """`make readme` writes them."""
    assert section(OPERATING, "settings") == settings_tables()


def test_every_setting_is_explained() -> None:
    explained = {f"{one.section}.{name}" for one in SECTIONS for name in attributes(one)}
    files = {f"{one.section}.{name}_file" for one in SECTIONS for name in one.model_fields}
    assert {f"{one.section}.{name}" for one in SECTIONS for name in one.model_fields} <= explained | files


def test_the_explanation_of_a_setting_is_found_however_it_is_broken_into_lines() -> None:
    class Example:
        """What it is.

        Attributes:
            one_s, two_s: Both: of a
                long sentence.
            three: A short one.
        """

    assert attributes(Example) == {
        "one_s": "Both: of a long sentence.",
        "two_s": "Both: of a long sentence.",
        "three": "A short one.",
    }


def test_the_fields_of_a_camera_are_listed_with_their_defaults() -> None:
    text = (ROOT / "docs" / "cameras.md").read_text()
    table = text[text.index("| field | default |") :].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE)
    spec = CameraSpec(camera_id="door", site_id="mall", url="0")
    assert [name for name, _ in rows] == [
        name for name in CameraSpec.__struct_fields__ if name not in {"camera_id", "site_id", "bounds"}
    ]
    for name, default in rows:
        shown = re.match(r"`(\w+)`", default)
        assert not shown or shown[1] == str(getattr(spec, name)).lower().removesuffix(".0"), name


def test_the_documented_camera_errors_are_those_of_ingest() -> None:
    text = (ROOT / "docs" / "cameras.md").read_text()
    rows = re.findall(r"^\| (`.*?) \|", text[text.index("| message |") :], re.MULTILINE)
    shown = {re.sub(r"\d+", "#", cause) for row in rows for cause in re.findall(r"`([^`]+)`", row)}
    code = "\n".join(path.read_text() for path in (ROOT / "ingest").rglob("*.py"))
    said = re.sub(r"\{[^}]*\}", "#", code)
    assert len(shown) > 8
    assert [cause for cause in sorted(shown) if cause not in said] == []


def test_a_camera_over_the_api_takes_every_field_but_its_start_and_its_bounds() -> None:
    assert set(CameraSpec.__struct_fields__) - set(CameraIn.model_fields) == {"start_ns", "bounds"}


def test_the_table_of_metrics_lists_every_family() -> None:
    """`make readme` writes it."""
    assert section(OPERATING, "metrics") == metrics_table()


def test_the_example_of_an_event_has_the_keys_of_one() -> None:
    (shown,) = re.findall(r"^data: (.*)$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert list(json.loads(shown)) == list(EventOut.model_fields)


def test_examples_in_json_can_be_read() -> None:
    assert all(json.loads(block.text) for page in PAGES for block in blocks(page) if block.language == "json")


BESIDE_A_MODEL = re.compile(r"size: \[")  # its first key; such a file is not a configuration


def test_every_configuration_file_on_a_page_is_taken_as_it_is(tmp_path: Path) -> None:
    files = [block for page in PAGES for block in blocks(page) if block.language == "yaml"]
    shown = [block for block in files if not BESIDE_A_MODEL.match(block.text)]
    assert shown
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    for name in set(re.findall(r"/run/secrets/(\w+)", "".join(block.text for block in shown))):
        (secrets / name).write_text("secret")
        (secrets / name).chmod(0o600)
    for block in shown:
        config = tmp_path / "site.yaml"
        config.write_text(block.text.replace("/run/secrets", str(secrets)))
        for one in SECTIONS:
            one.load(config)
        if re.search("^cameras:", block.text, re.MULTILINE):
            assert configured_cameras(config)


def test_every_description_of_a_model_on_a_page_is_taken_as_it_is(tmp_path: Path) -> None:
    from reid_worker.appearance.description import Description, beside, written

    files = [block for page in PAGES for block in blocks(page) if block.language == "yaml"]
    shown = [block for block in files if BESIDE_A_MODEL.match(block.text)]
    assert shown
    for block in shown:
        model = tmp_path / "osnet.onnx"
        beside(model).write_text(block.text)
        assert written(model) != Description()


def test_the_invariants_name_tests_that_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    named = set(re.findall(r"`(test_\w+)`", text))
    assert named
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []


def test_what_ingest_waits_for_is_the_group_of_the_worker() -> None:
    from reid_worker.handler import NAME

    assert IngestSettings().worker_group == NAME
