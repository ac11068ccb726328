"""Exports traces by OTLP, if asked to: what each service read and sent, as spans; see `wire.otlp`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry
from pydantic import Field, field_validator

from wire import trace
from wire.errors import SettingsError
from wire.metrics import TracingMetrics
from wire.settings import Settings
from wire.url import read_url


class TracingSettings(Settings):
    """Which traces are exported, and where to.

    Attributes:
        sample_ratio: Share of chunks that are traced to the identities they lead to, from 0 (none, and nothing of
            OpenTelemetry is loaded) to 1. Ingest chooses; every other service with a ratio above 0 exports what it
            chose. Needs `pip install 'climbtrack[otel]'`.
        endpoint: Where an OpenTelemetry collector takes traces by OTLP over HTTP. Its headers, if it requires any, are
            in the standard variable `OTEL_EXPORTER_OTLP_HEADERS`.
    """

    section = "tracing"

    sample_ratio: float = Field(default=0.0, ge=0, le=1)
    endpoint: str = "http://127.0.0.1:4318/v1/traces"

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, endpoint: str) -> str:
        """Reject what no exporter can reach."""
        url = read_url(endpoint)
        if url.scheme not in {"http", "https"} or not url.host:
            raise ValueError("expected http://HOST:4318/v1/traces or https://…")
        return endpoint


@contextmanager
def exported(config: Path | None, registry: CollectorRegistry) -> Iterator[None]:
    """Export traces of this process during the block, if the configuration says so.

    Raises:
        SettingsError: A setting is wrong, or OpenTelemetry is not installed.
    """
    settings, metrics = TracingSettings.load(config), TracingMetrics(registry)
    if not settings.sample_ratio:
        yield
        return
    try:
        from wire.otlp import SpanExport
    except ModuleNotFoundError:
        raise SettingsError(
            f"tracing.sample_ratio = {settings.sample_ratio:g}: OpenTelemetry is not installed: pip install"
            " 'climbtrack[otel]', or set it to 0"
        ) from None
    with SpanExport(settings.endpoint, metrics) as export, trace.observed(export, settings.sample_ratio):
        yield
