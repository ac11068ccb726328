"""onnxruntime tells its publisher nothing about a site: it would, from its import on, if nobody said otherwise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs_tools import ROOT

PACKAGES = ("wire", "ingest", "reid_worker", "gallery", "training", "deploy")
IMPORT = re.compile(r"^\s*(import|from) onnxruntime", re.MULTILINE)


def after_import(module: str, then: str, cache: Path) -> str:
    """Run a fresh Python outside of CI, where onnxruntime would be quiet by itself."""
    env = {name: value for name, value in os.environ.items() if name not in {"CI", "ORT_DISABLE_TELEMETRY"}}
    words = [sys.executable, "-c", f"import os, {module}; {then}"]
    env |= {"XDG_CACHE_HOME": str(cache), "HOME": str(cache)}
    return subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout.strip()


def test_loading_onnxruntime_keeps_no_number_of_this_machine(tmp_path: Path) -> None:
    assert after_import("reid_worker.onnx_session", "print(os.environ['ORT_DISABLE_TELEMETRY'])", tmp_path) == "1"
    assert [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name] == []


@pytest.mark.parametrize(
    "package",
    [name for name in PACKAGES if any(IMPORT.search(path.read_text()) for path in (ROOT / name).rglob("*.py"))],
)
def test_a_package_that_uses_onnxruntime_silences_it_first(package: str, tmp_path: Path) -> None:
    assert after_import(package, "print(os.environ['ORT_DISABLE_TELEMETRY'])", tmp_path) == "1"
