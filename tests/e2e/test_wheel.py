"""The wheel that users install has everything that is not Python: a wheel without it would start, and then fail."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("wire", "ingest", "reid_worker", "gallery", "training", "deploy")
LEFT_OUT = {
    "deploy/docker",
    "deploy/helm",
    "deploy/grafana",
    "deploy/prometheus",
}  # of the repository, not of the package


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in a wheel built from what is committed or about to be."""
    folder = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        if name.startswith(("requirements/", *(f"{package}/" for package in PACKAGES))) or "/" not in name:
            source = ROOT / name
            if source.is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, folder / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*command, str(folder / "out"), str(folder)], check=True, capture_output=True, text=True)
    (built,) = (folder / "out").glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_every_file_of_the_page_is_in_the_wheel(wheel: set[str]) -> None:
    assets = ROOT / "gallery" / "page" / "assets"
    assert {str(path.relative_to(ROOT)) for path in assets.rglob("*") if path.is_file()} <= wheel


@pytest.mark.parametrize(
    "pattern",
    [
        "gallery/store/*.lua",
        "reid_worker/weights/*",
        "reid_worker/detectors/*.jpg",
        "training/configs/*.yaml",
        "training/recipes/*.yaml",
    ],
)
def test_what_programs_read_is_in_the_wheel(pattern: str, wheel: set[str]) -> None:
    found = {str(path.relative_to(ROOT)) for path in ROOT.glob(pattern) if path.is_file()}
    assert found
    assert found <= wheel


def test_every_module_is_in_the_wheel_and_no_test_is(wheel: set[str]) -> None:
    modules = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    packed = {name for name in modules if not any(name.startswith(f"{folder}/") for folder in LEFT_OUT)}
    assert packed <= wheel
    assert not [name for name in wheel if name.startswith(("tests/", "docs/"))]
