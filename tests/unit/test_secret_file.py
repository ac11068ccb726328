"""Files of secrets that every user of a machine can read or write are noticed; those of containers are let be."""

import stat
from pathlib import Path

import pytest

from wire import secret_file
from wire.errors import SettingsError
from wire.settings import RedisSettings


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in a folder that every user can enter, whatever the folder of the tests allows."""
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    true_stat = Path.stat

    def stat_of(self: Path, *, follow_symlinks: bool = True) -> object:
        found = true_stat(self, follow_symlinks=follow_symlinks)
        open_folder = stat.S_ISDIR(found.st_mode) and self.name != "private"
        return type("Stat", (), {"st_mode": found.st_mode | stat.S_IXOTH})() if open_folder else found

    monkeypatch.setattr(Path, "stat", stat_of)
    return file


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o444, True)])
def test_a_secret_that_everybody_can_read_is_used_and_named(
    secret: Path, mode: int, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    secret.chmod(mode)
    settings = RedisSettings.load(password_file=secret)
    assert settings.password is not None
    assert settings.password.get_secret_value() == "hunter2"
    assert (f"password_file = {str(secret)!r}: every user of this machine can read it" in caplog.text) is warned
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("mode", [0o666, 0o602, 0o646])
def test_a_secret_that_everybody_can_write_is_refused(secret: Path, mode: int) -> None:
    secret.chmod(mode)
    with pytest.raises(SettingsError, match=r"can write it; `chmod 600` it"):
        RedisSettings.load(password_file=secret)


def test_a_readable_secret_in_a_private_folder_is_no_matter(secret: Path, caplog: pytest.LogCaptureFixture) -> None:
    private = secret.parent / "private"
    private.mkdir(mode=0o700)
    moved = secret.rename(private / "password")
    moved.chmod(0o644)
    RedisSettings.load(password_file=moved)
    assert caplog.text == ""


def test_a_link_is_followed_to_the_file_it_means(secret: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret.chmod(0o644)
    link = secret.with_name("link")
    link.symlink_to(secret)
    RedisSettings.load(password_file=link)
    assert "every user of this machine can read it" in caplog.text


def test_what_a_container_is_given_is_let_be(
    secret: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret.chmod(0o444)
    monkeypatch.setattr(secret_file, "MOUNTED", (secret.parent,))
    RedisSettings.load(password_file=secret)
    assert caplog.text == ""
