"""NumPy is loaded with one thread: those of OpenBLAS wait for one another by spinning, and the matrices are small."""

import os
import subprocess
import sys

import pytest

from tests.docs_tools import ROOT

# Entered before NumPy is imported, this prints what OpenBLAS would read then.
WATCH = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print(os.environ.get("OPENBLAS_NUM_THREADS"))
sys.meta_path.insert(0, Watch())
"""


def read_by_numpy(module: str, **environment: str) -> str:
    """Return the number of threads that NumPy finds when a fresh Python imports a module."""
    env = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"} | environment
    words = [sys.executable, "-c", f"{WATCH}import {module}"]
    return subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    "module", ["ingest.handler", "reid_worker.handler", "gallery.handler", "gallery.api.app", "deploy.local.embedded"]
)
def test_what_runs_all_day_gives_numpy_one_thread(module: str) -> None:
    assert read_by_numpy(module) == "1"


def test_who_sets_the_number_of_threads_has_their_way() -> None:
    assert read_by_numpy("gallery.handler", OPENBLAS_NUM_THREADS="3") == "3"
