"""`climbtrack cameras discover` against fake ONVIF cameras on the loopback, over real multicast and HTTP."""

import json
from typing import Literal

import pytest

from deploy.cameras import parse_cameras
from deploy.cli.main import main
from tests.servers.onvif import PASSWORD, USER, FakeCamera

ASK = ["cameras", "discover", "--interface", "lo", "--timeout", "0.4"]
Login = Literal["none", "token", "digest"]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main([*ASK, *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_camera_without_a_login_is_given_as_an_option_to_paste(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeCamera() as camera:
        code, out, _ = run(capsys)

    head, option = out.splitlines()
    assert code == 0
    assert head.startswith("# 127.0.0.1  Axis P3245  H264 1920x1080; also H264 640x360")
    url = "rtsp://127.0.0.1:8554/live/main?channel=1&unicast=true"
    assert option == f"--camera 'axis-p3245={url}'"
    assert parse_cameras([f"axis-p3245={url}"], "site")["axis-p3245"].url == url
    assert camera.asked == ["GetSystemDateAndTime", "GetCapabilities", "GetProfiles", "GetStreamUri", "GetStreamUri"]


@pytest.mark.parametrize(
    ("login", "slow_s"),
    [
        pytest.param("token", 0, id="in the message"),
        pytest.param("token", 86_400, id="in the message, dated by a camera whose clock is a day slow"),
        pytest.param("digest", 0, id="by HTTP"),
    ],
)
def test_a_login_is_used_and_never_printed(
    login: Login, slow_s: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIMBTRACK_CAMERA_PASSWORD", PASSWORD)
    with FakeCamera(login=login, slow_s=slow_s):
        code, out, err = run(capsys, "--user", USER)

    assert code == 0
    assert "--camera 'axis-p3245=rtsp://USER:PASSWORD@127.0.0.1:8554/live/main" in out
    assert PASSWORD not in out + err


@pytest.mark.parametrize("login", ["token", "digest"])
@pytest.mark.parametrize(
    ("words", "password", "problem"),
    [
        pytest.param([], "", "it wants a user and a password: repeat with --user", id="nobody"),
        pytest.param(["--user", USER], "wrong", "it refuses this user or password", id="a wrong password"),
    ],
)
def test_a_camera_that_lets_nobody_in_is_named_with_what_to_do(
    login: Login,
    words: list[str],
    password: str,
    problem: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLIMBTRACK_CAMERA_PASSWORD", password)
    with FakeCamera(login=login):
        code, out, _ = run(capsys, *words)

    assert code == 0
    assert out == f"# 127.0.0.1  Axis P3245: {problem}\n"


def test_cameras_of_one_name_get_different_names_and_json_holds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeCamera(), FakeCamera(), FakeCamera("Hikvision DS-2CD"):
        code, out, _ = run(capsys, "--json")

    cameras = json.loads(out)["cameras"]
    assert code == 0
    assert sorted(camera["model"] for camera in cameras) == ["Axis P3245", "Axis P3245", "Hikvision DS-2CD"]
    assert len({camera["name"] for camera in cameras}) == 3
    assert [stream["width"] for stream in cameras[0]["streams"]] == [1920, 640]


def test_a_camera_that_multicast_does_not_reach_is_asked_at_its_address(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeCamera() as camera:
        assert main(["cameras", "discover", camera.address]) == 0

    assert "rtsp://127.0.0.1:8554/live/main" in capsys.readouterr().out


def test_nothing_found_says_what_may_be_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys)

    assert (code, out) == (1, "")
    for reason in ("no ONVIF camera answered on lo", "another subnet", "firewall", "switched off"):
        assert reason in err


def test_an_interface_that_is_not_there_is_refused_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cameras", "discover", "--interface", "nonsense7"]) == 2

    assert "lo" in capsys.readouterr().err
