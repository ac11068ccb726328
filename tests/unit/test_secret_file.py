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


@pytest.mark.parametrize("content", [b"hunter2", b"hunter2\n", b"hunter2\r\n", b"\xef\xbb\xbfhunter2\r\n"])
def test_what_an_editor_adds_is_no_part_of_a_secret(secret: Path, content: bytes) -> None:
    secret.write_bytes(content)
    password = RedisSettings.load(password_file=secret).password
    assert password is not None
    assert password.get_secret_value() == "hunter2"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\r\n\n", "is empty", id="only line breaks"),
        pytest.param(b"\xff\xfe\x00", "must be UTF-8 text", id="no text"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused(secret: Path, content: bytes, said: str) -> None:
    secret.write_bytes(content)
    with pytest.raises(SettingsError, match=f"password_file = .*: {said}"):
        RedisSettings.load(password_file=secret)


def test_a_folder_or_nothing_where_a_secret_should_be_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"password_file = .*: Is a directory"):
        RedisSettings.load(password_file=tmp_path)
    with pytest.raises(SettingsError, match=r"password_file = .*: No such file"):
        RedisSettings.load(password_file=tmp_path / "none")


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
