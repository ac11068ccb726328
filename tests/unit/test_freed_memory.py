"""What a gallery has freed cannot be found in its memory, read from outside as a dump would be."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import need

CHILD = """
import sys
import numpy as np
from gallery.freed_memory import overwrite_freed_memory
if sys.argv[1] == "overwrite":
    assert overwrite_freed_memory()
vectors, between = [], []
for number in range(64):
    vectors.append(np.linspace(1 + number, 2 + number, 1024).astype(np.float32))
    between.append(np.zeros(1024, np.float32))
kept = vectors[:1]
del vectors
print("ready", flush=True)
sys.stdin.read()
"""
MAPPED = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r")


def found_in_memory(how: str) -> set[int]:
    """Return which of the vectors can be found in a process that has freed all but the first."""
    marks = [np.linspace(1 + n, 2 + n, 1024).astype(np.float32).tobytes()[1024:2048] for n in range(64)]
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        found: set[int] = set()
        process = Path(f"/proc/{child.pid}")
        with (process / "maps").open() as maps, (process / "mem").open("rb", 0) as memory:
            for match in filter(None, map(MAPPED.match, maps)):
                begin, end = (int(side, 16) for side in match.groups())
                try:
                    memory.seek(begin)
                    part = memory.read(end - begin)
                except (OSError, OverflowError, ValueError):
                    continue  # the kernel's own pages
                found |= {number for number, mark in enumerate(marks) if mark in part}
        child.communicate("")
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_what_was_freed_is_nowhere_in_the_memory_of_the_process() -> None:
    need(found=platform.libc_ver()[0] == "glibc", what="glibc")
    assert len(found_in_memory("leave")) > 1, "otherwise this shows nothing"
    assert found_in_memory("overwrite") == {0}
