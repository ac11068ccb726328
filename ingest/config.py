"""Settings of the ingest service."""

from pydantic import Field

from wire.settings import Settings


class IngestSettings(Settings):
    """How cameras are read.

    Attributes:
        health_host, health_port: Where `/healthz`, `/readyz` and `/metrics` answer.
        connect_timeout_s: How long a camera may take to answer.
        stall_s: Without a packet for so long a camera shows as stalled.
        read_timeout_s: Without a packet for so long the connection is given up.
        backoff_first_s: Pause before the first reconnection; it doubles with each.
        backoff_max_s: The longest pause between two.
        outbox_bytes: What a camera in latency mode keeps while the bus is full, before its oldest is dropped.
        max_backlog_chunks: A file waits while its partition holds more chunks that are not processed. A worker leaves
            up to 120 s (240 chunks) of each camera uncommitted where keyframes are rare, so this must stay well above
            240 times the cameras of a partition.
        worker_group: Consumer group whose backlog is meant.
        folder_fps: Frame rate of image folders, unless the camera has a tag `fps`.
        jpeg_quality: Of frames that are neither H.264, HEVC nor JPEG already.
    """

    section = "ingest"

    health_host: str = "127.0.0.1"
    health_port: int = Field(default=9101, ge=0, le=65535)
    connect_timeout_s: float = Field(default=10.0, gt=0, le=120)
    stall_s: float = Field(default=3.0, gt=0, le=120)
    read_timeout_s: float = Field(default=10.0, gt=0, le=300)
    backoff_first_s: float = Field(default=0.5, gt=0, le=60)
    backoff_max_s: float = Field(default=30.0, gt=0, le=3600)
    outbox_bytes: int = Field(default=16 * 1024 * 1024, ge=1024 * 1024, le=64 * 1024**3)
    max_backlog_chunks: int = Field(default=1000, ge=1, le=10_000_000)
    worker_group: str = Field(default="reid_worker", pattern=r"^[A-Za-z0-9._-]{1,128}$")
    folder_fps: float = Field(default=25.0, gt=0, le=240)
    jpeg_quality: int = Field(default=90, ge=1, le=100)
