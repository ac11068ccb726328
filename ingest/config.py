"""Settings of the ingest service."""

from pydantic import Field, FilePath

from wire.privacy import Privacy
from wire.settings import Settings


class IngestSettings(Settings):
    """How cameras are read.

    Attributes:
        health_host, health_port: Address that serves `/healthz`, `/readyz` and `/metrics`.
        connect_timeout_s: How long to wait for a camera to answer.
        stall_s: A camera that has not sent a packet for this long is reported as stalled.
        read_timeout_s: A connection that has not delivered a packet for this long is closed.
        backoff_first_s: Pause before the first reconnection; doubles with every attempt.
        backoff_max_s: The longest pause between two attempts.
        tls_verify: Whether `rtsps://` and `https://` cameras must show a certificate that is trusted and names them.
        tls_ca_file: PEM file of the certificates to trust: those of authorities, or of cameras that signed their own;
            None trusts what the system trusts.
        camera_clock_s: The clock of a camera that states its time (RTCP sender reports) gives the capture times as long
            as it differs from this machine's by less than this; 0 always uses the arrival of the frames.
        outbox_bytes: How much a camera in latency mode buffers while the bus is full, before it drops the oldest.
        max_backlog_chunks: A file waits while more chunks than this in its partition are unprocessed. A worker leaves
            up to 120 s (240 chunks) of each camera uncommitted if keyframes are rare, so this must stay well above
            240 times the number of cameras in a partition.
        worker_group: Consumer group whose backlog is measured.
        folder_fps: Frame rate of image folders, unless the camera has an `fps` tag.
        jpeg_quality: JPEG quality for frames that are not already H.264, HEVC or JPEG.
        privacy: What of the pictures of cameras that do not say it themselves may leave the worker: `full`, all;
            `blurred`, pictures in which nobody can be recognised; `embeddings`, none.
    """

    section = "ingest"

    health_host: str = "127.0.0.1"
    health_port: int = Field(default=9101, ge=0, le=65535)
    connect_timeout_s: float = Field(default=10.0, gt=0, le=120)
    stall_s: float = Field(default=3.0, gt=0, le=120)
    read_timeout_s: float = Field(default=10.0, gt=0, le=300)
    backoff_first_s: float = Field(default=0.5, gt=0, le=60)
    backoff_max_s: float = Field(default=30.0, gt=0, le=3600)
    tls_verify: bool = True
    tls_ca_file: FilePath | None = None
    camera_clock_s: float = Field(default=2.0, ge=0, le=60)
    outbox_bytes: int = Field(default=16 * 1024 * 1024, ge=1024 * 1024, le=64 * 1024**3)
    max_backlog_chunks: int = Field(default=1000, ge=1, le=10_000_000)
    worker_group: str = Field(default="reid_worker", pattern=r"^[A-Za-z0-9._-]{1,128}$")
    folder_fps: float = Field(default=25.0, gt=0, le=240)
    jpeg_quality: int = Field(default=90, ge=1, le=100)
    privacy: Privacy = "full"
