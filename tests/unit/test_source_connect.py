"""What libav is told about an address: transport, certificates, where to join."""

import ssl
from pathlib import Path
from types import SimpleNamespace

import pytest

from ingest.config import IngestSettings
from ingest.sources import connect
from ingest.sources.connect import options_of
from wire.mask import mask_url
from wire.url import UrlError, check_source, read_url


def options(url: str, **settings: object) -> dict[str, str]:
    check_source(url)
    return options_of(read_url(url), IngestSettings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("rtsp://host/x", {"rtsp_transport": "tcp+udp", "rtsp_flags": "prefer_tcp"}, id="TCP first"),
        pytest.param("rtsp://host/x#transport=udp", {"rtsp_transport": "udp"}, id="UDP only"),
        pytest.param("rtsp://host/x#transport=tcp", {"rtsp_transport": "tcp"}, id="TCP only"),
        pytest.param("rtsp://host/x#transport=multicast", {"rtsp_transport": "udp_multicast"}, id="multicast"),
        pytest.param("rtsps://host/x", {"tls_verify": "1"}, id="a certificate is checked"),
        pytest.param("https://host/live.m3u8", {"tls_verify": "1", "live_start_index": "-1"}, id="newest segment"),
        pytest.param("udp://@:5000", {"overrun_nonfatal": "1"}, id="a burst is survived"),
    ],
)
def test_an_address_is_opened_with(url: str, expected: dict[str, str]) -> None:
    assert expected.items() <= options(url).items()


@pytest.mark.parametrize("url", ["rtsp://host/x", "http://host/x", "udp://@:5000"])
def test_without_encryption_there_is_no_certificate_to_check(url: str) -> None:
    assert "tls_verify" not in options(url)


def test_certificates_of_the_settings_come_before_those_of_the_system(tmp_path: Path) -> None:
    mine = tmp_path / "camera.pem"
    mine.touch()

    assert options("rtsps://host/x", tls_ca_file=mine)["ca_file"] == str(mine)
    assert "ca_file" not in options("rtsps://host/x", tls_ca_file=mine, tls_verify=False)


def test_where_openssl_names_no_file_that_of_the_distribution_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = tmp_path / "bundle.pem"
    present.touch()
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: SimpleNamespace(cafile=None))
    monkeypatch.setattr(connect, "BUNDLES", (tmp_path / "missing.pem", present))

    assert options("rtsps://host/x")["ca_file"] == str(present)


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        pytest.param("rtsp://u:p#x@10.0.0.1/s#transport=udp", "rtsp://u:p%23x@10.0.0.1/s", id="a login with a hash"),
        pytest.param("rtsp://host/s?a=1#transport=tcp", "rtsp://host/s?a=1", id="a query"),
        pytest.param("rtsp://host/s#track1", "rtsp://host/s#track1", id="another fragment is the camera's"),
    ],
)
def test_the_camera_does_not_see_which_transport_was_chosen(url: str, opened: str) -> None:
    assert read_url(url).without_transport().quoted() == opened


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        pytest.param("udp://@:5000", "udp://0.0.0.0:5000", id="a port"),
        pytest.param("udp://:5000", "udp://0.0.0.0:5000", id="a port without the sign"),
        pytest.param(
            "udp://@239.1.1.1:5000?localaddr=10.0.0.5", "udp://239.1.1.1:5000?localaddr=10.0.0.5", id="a group"
        ),
        pytest.param("udp://[ff02::1]:5000", "udp://[ff02::1]:5000", id="a group of IPv6"),
    ],
)
def test_an_address_to_listen_at(url: str, opened: str) -> None:
    assert read_url(url).quoted() == opened
    assert mask_url(url) == opened


@pytest.mark.parametrize(
    ("url", "why"),
    [
        pytest.param("udp://@", "udp://@:PORT", id="no port"),
        pytest.param("udp://host", "udp://@:PORT", id="a host alone"),
        pytest.param("udp://@:0", "udp://@:PORT", id="port 0"),
        pytest.param("udp://@:99999", "udp://@:PORT", id="a port that is none"),
        pytest.param("udp://ann:secret@host:5000", "udp://@:PORT", id="a login"),
        pytest.param("rtsp://host/x#transport=quic", "tcp, udp or multicast", id="an unknown transport"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_with_what_can(url: str, why: str) -> None:
    with pytest.raises(UrlError, match=why) as refused:
        check_source(url)
    assert "secret" not in str(refused.value)
