"""What tests of the images do about how their build ended: only the machine can excuse them."""

from pathlib import Path

import pytest

from tests.servers.images import BUILT, FORBIDDEN, OUT_OF_TIME, UNTIL, await_build, leave_time


def ended(folder: Path, code: str) -> Path:
    (folder / "log").write_text("building\nthis kernel mounts nothing\n")
    (folder / "outcome").write_text(f"{code}\n")
    return folder


def test_images_that_are_built_are_tested(tmp_path: Path) -> None:
    await_build(ended(tmp_path, BUILT))


def test_a_machine_that_forbids_containers_skips_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match=r"containers \(this kernel mounts nothing\): missing"):
        await_build(ended(tmp_path, FORBIDDEN))


def test_a_build_that_fails_is_a_failure_with_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"this kernel mounts nothing\n.* ended with 1"):
        await_build(ended(tmp_path, "1"))


@pytest.mark.parametrize("code", OUT_OF_TIME)
def test_a_build_that_a_busy_machine_did_not_finish_in_time_skips_and_says_where_it_was(
    code: str, tmp_path: Path
) -> None:
    with pytest.raises(
        pytest.skip.Exception, match=r"not built in time .* \(last: this kernel mounts nothing\): missing"
    ):
        await_build(ended(tmp_path, code))


def test_a_build_of_which_nothing_is_heard_skips_as_well(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    with pytest.raises(pytest.skip.Exception, match=r"not built in time .*nothing was logged"):
        await_build(tmp_path, limit_s=0)


def test_images_that_are_built_late_are_left_so_that_all_other_tests_are_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(UNTIL, "1000")
    leave_time(999)
    with pytest.raises(pytest.skip.Exception, match="built too late to be tried in time: missing"):
        leave_time(1001)
    monkeypatch.delenv(UNTIL)
    leave_time(1001)
