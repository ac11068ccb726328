"""What tests of the images do about how their build ended: only a machine that forbids containers excuses them."""

from pathlib import Path

import pytest

from tests.servers.images import BUILT, FORBIDDEN, await_build


def ended(folder: Path, code: str) -> Path:
    (folder / "log").write_text("building\nthis kernel mounts nothing\n")
    (folder / "outcome").write_text(f"{code}\n")
    return folder


def test_images_that_are_built_are_tested(tmp_path: Path) -> None:
    await_build(ended(tmp_path, BUILT))


def test_a_machine_that_forbids_containers_skips_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match="containers: this kernel mounts nothing"):
        await_build(ended(tmp_path, FORBIDDEN))


def test_a_build_that_fails_is_a_failure_with_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"this kernel mounts nothing\n.* ended with 1"):
        await_build(ended(tmp_path, "1"))


def test_a_build_that_never_ends_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="not true within"):
        await_build(tmp_path, limit_s=0)
