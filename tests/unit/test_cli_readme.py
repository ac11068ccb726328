"""README.md and ARCHITECTURE.md say what is true: every file, command, option, setting, metric and named test."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from deploy.cli import app
from deploy.readme import describe, fill, metrics_table, section, settings_table, tracked_files
from ingest.config import IngestSettings
from wire.messages import CameraSpec

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def _tree() -> list[str]:
    names, folder = [], ""
    for line in section(README, "tree").splitlines()[1:-1]:
        name = line.split()[0]
        if name.endswith("/"):
            folder = name
        else:
            names.append(folder + name if line.startswith(" ") else name)
    return names


def _examples() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("climbtrack ")]


@pytest.mark.parametrize("before", ["", "y", "old\n"])
def test_a_section_is_filled_and_the_rest_of_the_page_stays(before: str) -> None:
    page = "a lobby\n<!-- x: written by `make readme` -->\n{}<!-- end of x -->\nthe only y\n"
    assert fill(page.format(before), {"x": "new\n"}) == page.format("new\n")


def test_the_tree_names_every_file() -> None:
    """`make readme` writes it."""
    assert sorted(_tree()) == tracked_files(ROOT)


def test_every_file_says_what_it_is() -> None:
    assert [name for name in tracked_files(ROOT) if not describe(ROOT, name)] == []


@pytest.mark.parametrize("line", _examples())
def test_every_example_is_a_command_with_options_that_exist(line: str) -> None:
    command, words = typer.main.get_command(app), shlex.split(line, comments=True)[1:]
    while words and words[0] in getattr(command, "commands", {}):
        command = getattr(command, "commands", {})[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert not hasattr(command, "commands"), f"{line}: no command of this name"
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


def test_the_table_of_settings_lists_every_key() -> None:
    """`make readme` writes it."""
    assert section(README, "settings") == settings_table()


def test_the_fields_of_a_camera_are_listed() -> None:
    fields = re.search(r"A camera takes the\s+fields (.*?)\.", README, re.DOTALL)
    assert fields is not None
    assert re.findall(r"`(\w+)`", fields[1]) == [
        name for name in CameraSpec.__struct_fields__ if name not in {"camera_id", "site_id"}
    ]


def test_the_table_of_metrics_lists_every_family() -> None:
    """`make readme` writes it."""
    assert section(README, "metrics") == metrics_table()


def test_the_invariants_name_tests_that_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    named = set(re.findall(r"`(test_\w+)`", text))
    assert named
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []


def test_what_ingest_waits_for_is_the_group_of_the_worker() -> None:
    from reid_worker.handler import NAME

    assert IngestSettings().worker_group == NAME
