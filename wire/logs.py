"""Logs to stderr: lines for people, or one JSON object a line for a log store. Secrets are masked in both."""

import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from wire.mask import scrub
from wire.settings import Settings

PACKAGES = ("wire", "ingest", "reid_worker", "gallery", "deploy")
ABOUT_A_CAMERA = "camera %s"  # how messages about one begin


class LogSettings(Settings):
    """How logs are written.

    Attributes:
        format: `text`: lines for people; `json`: an object a line, with `time`, `level`, `logger` and `message`, and
            `camera`, `tracklet` and `trace_id` where the message is about one.
    """

    section = "log"

    format: Literal["text", "json"] = "text"


def log_to_stderr(level: int = logging.INFO, *, plain: bool = False, as_json: bool = False) -> None:
    """Send logs to stderr, one line each, with UTC times; libraries log warnings and above only.

    `plain` omits time and module, for a user at a terminal; `as_json` writes objects instead.
    """
    formatter: logging.Formatter = MaskingFormatter(
        "%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    if as_json:
        formatter = JsonFormatter()
    elif plain:
        formatter = MaskingFormatter("note: %(message)s")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for package in PACKAGES:
        logging.getLogger(package).setLevel(level)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # failures reach us as exceptions; the rest is noise


@dataclass(frozen=True, slots=True)
class LogForm:
    """How a process logs; the arguments of `log_to_stderr`."""

    level: int
    plain: bool
    as_json: bool


def form_of_logs() -> LogForm:
    """Return how this process logs, for another one that it starts."""
    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    plain = not any(isinstance(one, MaskingFormatter) and one.usesTime() for one in formatters)
    return LogForm(logging.getLogger(PACKAGES[0]).getEffectiveLevel(), plain, logs_are_json())


def logs_are_json() -> bool:
    """Return whether logs are objects, so that nothing else may be written between them."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers)


class MaskingFormatter(logging.Formatter):
    """Masks the passwords of URLs in lines and tracebacks, including those of libraries."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the formatted record with URLs masked."""
        return scrub(super().format(record))


class JsonFormatter(logging.Formatter):
    """Writes a record as a JSON object in one line, with URLs masked as in lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON; the time is RFC 3339 in UTC, with milliseconds."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        content = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": scrub(record.getMessage()),
            "camera": _camera_of(record),
            "tracklet": getattr(record, "tracklet", None),
            "trace_id": getattr(record, "trace_id", None),
            "exception": scrub(self.formatException(record.exc_info)) if record.exc_info else None,
            "stack": scrub(self.formatStack(record.stack_info)) if record.stack_info else None,
        }
        return json.dumps({key: value for key, value in content.items() if value}, ensure_ascii=False)


def _camera_of(record: logging.LogRecord) -> str | None:
    """Return the camera that a record is about, from its fields or from how its message begins."""
    camera: str | None = getattr(record, "camera", None)
    if camera is None and isinstance(record.args, tuple) and record.args and record.msg.startswith(ABOUT_A_CAMERA):
        return str(record.args[0])
    return camera
