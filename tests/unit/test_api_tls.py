"""The API over TLS by files: what it serves, and which files are refused in words."""

import shutil
import ssl
import subprocess
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from deploy.local.api_process import ApiProcess, ServedSite
from deploy.local.api_server import bind
from gallery.api.others import NO_OTHERS
from gallery.api.tls import tls_options
from gallery.config import ApiSettings
from tests.conftest import PATIENCE_S, need
from wire.errors import SettingsError
from wire.memory import MemoryBus
from wire.served.server import BusServer

NEW = [
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-days",
    "2",
    "-subj",
    "/CN=x",
]


def certificate(folder: Path, name: str, *options: str) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that nobody vouches for; return its file and that of its key."""
    need(found=shutil.which("openssl") is not None, what="openssl")
    made, key = folder / f"{name}.pem", folder / f"{name}.key"
    words = ["-keyout", str(key), "-out", str(made), "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*NEW, *words, *(options or ["-nodes"])], check=True, capture_output=True)
    return made, key


def settings_with(made: Path, key: Path) -> ApiSettings:
    return ApiSettings(tls_certificate_file=made, tls_key_file=key, token=SecretStr("open sesame"))


def test_the_page_is_served_over_tls_and_its_cookie_never_leaves_it(tmp_path: Path, redis_url: str) -> None:
    made, key = certificate(tmp_path, "own")
    site = ServedSite("site", redis_url, settings_with(made, key), NO_OTHERS)
    with (
        closing(MemoryBus()) as bus,
        BusServer(bus, lambda: b"") as server,
        ApiProcess(site, server, bind("127.0.0.1", 0)) as api,
    ):
        api.wait_until_ready()
        assert api.url.startswith("https://127.0.0.1:")
        trust = ssl.create_default_context(cafile=str(made))
        with httpx.Client(base_url=api.url, verify=trust, timeout=PATIENCE_S) as client:
            assert "<title>climbtrack" in client.get("/").text
            signed_in = client.post("/v1/session", json={"token": "open sesame"})
            assert "Secure" in signed_in.headers["set-cookie"]
            assert client.get("/v1/stats").status_code == 200  # by the cookie
        with pytest.raises(httpx.TransportError):
            httpx.get(api.url.replace("https", "http"), timeout=PATIENCE_S)


def test_half_of_what_tls_needs_is_refused(tmp_path: Path) -> None:
    made, key = certificate(tmp_path, "own")
    for half in ({"tls_certificate_file": made}, {"tls_key_file": key}):
        with pytest.raises(ValueError, match="need each other"):
            ApiSettings.model_validate(half)
    assert tls_options(ApiSettings()) == {}


def test_files_that_cannot_be_used_are_refused_in_words(tmp_path: Path) -> None:
    made, key = certificate(tmp_path, "own")
    _, other = certificate(tmp_path, "other")
    _, locked = certificate(tmp_path, "locked", "-passout", "pass:sesame")
    (text := tmp_path / "text.pem").write_text("no certificate")

    for given, said in (
        ((made, other), "the key is that of another certificate"),
        ((made, locked), "the key has a password"),
        ((text, key), "they hold no certificate, or no key"),
    ):
        with pytest.raises(SettingsError, match=said):
            tls_options(settings_with(*given))
