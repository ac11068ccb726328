"""The lists in requirements/: what each part needs, so that a part can be installed without the others' libraries."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LISTS = ROOT / "requirements"
OURS = {"wire", "ingest", "reid_worker", "gallery", "training", "deploy"}
# tried, and done without where they are missing
OPTIONAL = {"mamba_ssm", "selective_scan_cuda", "triton", "llvmlite", "opentelemetry"}
BROUGHT = {
    "anyio",
    "pydantic_core",
    "starlette",
    "click",
    "google",
    "torchvision",
    "huggingface_hub",
}  # by a library of the same list


def listed(*names: str) -> set[str]:
    lines = [line for name in names for line in (LISTS / f"{name}.txt").read_text().splitlines()]
    found = [re.match(r"[\w-]+", line) for line in lines if line and not line.startswith("#")]
    return {match[0].lower().replace("_", "-") for match in found if match}


def imported(*folders: str) -> set[str]:
    """Return the distributions that the modules of some folders import, at their top or inside functions."""
    known = packages_distributions()
    roots = set()
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    roots |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    roots.add(node.module.partition(".")[0])
    roots -= {*sys.stdlib_module_names, *OURS, *OPTIONAL, *BROUGHT}
    return {known[root][0].lower().replace("_", "-") for root in roots}


@pytest.mark.parametrize(
    ("folders", "lists"),
    [
        pytest.param(["wire", "ingest"], ["base", "ingest"], id="ingest"),
        pytest.param(["wire", "reid_worker"], ["base", "worker"], id="worker"),
        pytest.param(["wire", "gallery"], ["base", "gallery"], id="gallery"),
        pytest.param(["wire", "reid_worker", "training"], ["base", "worker", "train", "export"], id="training"),
    ],
)
def test_a_part_imports_only_what_its_lists_name(folders: list[str], lists: list[str]) -> None:
    assert imported(*folders) - listed(*lists) == set()


def test_an_ingest_or_gallery_machine_needs_no_torch() -> None:
    assert "torch" not in listed("base", "ingest", "gallery")


def test_a_library_has_the_same_range_in_every_list() -> None:
    ranges: dict[str, set[str]] = {}
    for path in LISTS.glob("*.txt"):
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                ranges.setdefault(re.split(r"[<>=; ]", line)[0], set()).add(line)
    assert {name: lines for name, lines in ranges.items() if len(lines) > 1} == {}


def test_the_plain_install_has_every_list_but_those_of_gpus_and_tracing() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["dynamic"]
    plain = {Path(name).stem for name in settings["dependencies"]["file"]}
    assert plain == {path.stem for path in LISTS.glob("*.txt")} - {"gpu", "mamba", "otel"}
    assert settings["optional-dependencies"]["all"] == settings["dependencies"]
