"""`climbtrack cameras` over the API of a running system."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from deploy.cli.main import main
from deploy.local.api_server import ApiServer, bind
from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.store.memory import MemoryStore
from wire.memory import MemoryBus


@pytest.mark.parametrize(
    ("given", "sent"),
    [("door.mp4", "{folder}/door.mp4"), ("file:door.mp4", "{folder}/door.mp4"), ("rtsp://door/1", "rtsp://door/1")],
)
def test_a_file_is_that_of_the_folder_where_the_camera_is_added(
    given: str, sent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "door.mp4").touch()
    monkeypatch.chdir(tmp_path)
    with closing(MemoryBus()) as bus:
        settings = ApiSettings(token=SecretStr("open sesame"), camera_folders=("/",))
        with ApiServer(create_app(MemoryStore("site"), bus, settings), bind("127.0.0.1", 0)) as server:
            where = ["--api", server.url, "--token", "open sesame"]
            assert main(["cameras", "add", f"door={given}", *where]) == 0
            capsys.readouterr()
            assert main(["cameras", "ls", "--json", *where]) == 0
            (camera,) = json.loads(capsys.readouterr().out)["cameras"]
    assert camera["url"] == sent.format(folder=tmp_path)
