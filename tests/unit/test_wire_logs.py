"""Logs as JSON: an object a line, whatever is logged, and no secret in it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wire.errors import SettingsError
from wire.logs import LogSettings

BEGIN = """
import logging
from wire.logs import log_to_stderr
log_to_stderr(logging.DEBUG, as_json=True)
log = logging.getLogger("ingest.camera")
"""
URL = "rtsp://user:hunter2@192.168.1.20/live"


def logged(program: str) -> list[dict[str, Any]]:
    """Return what a program of its own logs: the settings are those of a whole process."""
    done = subprocess.run([sys.executable, "-c", BEGIN + program], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_log_is_an_object_with_time_level_logger_and_message() -> None:
    (entry,) = logged('log.warning("nobody \\"here\\" since %d s\\nat all", 5)')
    assert entry.pop("time").endswith("Z")
    assert entry == {"level": "WARNING", "logger": "ingest.camera", "message": 'nobody "here" since 5 s\nat all'}


def test_a_message_about_a_camera_names_it_in_a_field() -> None:
    (entry, other) = logged('log.info("camera %s: %s", "door", "live"); log.info("%s cameras", 3)')
    assert (entry["camera"], entry["message"]) == ("door", "camera door: live")
    assert "camera" not in other


def test_a_traced_message_names_camera_tracklet_and_trace() -> None:
    program = """
from tests.gallery_tools import tracklet
from wire.trace import note_sent, started
import msgspec
message = msgspec.structs.replace(tracklet("door/s/1.0/0", 0, 1), traceparent=started("x"))
note_sent(log, "reid_worker", "tracklets", message)
"""
    (entry,) = logged(program)
    assert (entry["camera"], entry["tracklet"]) == ("door", "door/s/1.0/0")
    assert f"trace={entry['trace_id']}" in entry["message"]


def test_secrets_are_masked_in_messages_and_tracebacks() -> None:
    (told, failed) = logged(f"""
log.info("camera %s: cannot open %s, says a library", "door", {URL!r})
try:
    raise ValueError("no stream at " + {URL!r})
except ValueError:
    log.exception("failed")
""")
    assert "hunter2" not in json.dumps([told, failed])
    assert "rtsp://***@192.168.1.20/live" in told["message"]
    assert "rtsp://***@192.168.1.20/live" in failed["exception"]
    assert failed["exception"].startswith("Traceback")


def run(config: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.cli", "gallery", "--config", str(config)]
    return subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **environment})


def test_a_service_writes_json_where_file_or_environment_ask_for_it_even_for_the_error_that_ends_it(
    tmp_path: Path,
) -> None:
    config = tmp_path / "site.yaml"
    config.write_text("gallery: {window_s: -1}\nlog: {format: json}\n")
    done = run(config)
    assert done.returncode == 2
    (last,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert last["level"] == "CRITICAL"
    assert "gallery.window_s" in last["message"]

    done = run(config, CLIMBTRACK_LOG_FORMAT="text")
    assert done.stderr.startswith("climbtrack: ")


def test_another_format_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"log\.format = 'xml'"):
        LogSettings.load(None, format="xml")
