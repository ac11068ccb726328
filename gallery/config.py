"""Settings of the gallery and of its API."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from wire.settings import Settings

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?")
PREFIX = re.compile(r"(/(?!\.+(/|$))[A-Za-z0-9._~-]+)*")  # no segment of dots alone
OWN_PATHS = (["v1"], ["docs"], ["redoc"], ["openapi.json"], ["healthz"], ["readyz"], ["metrics"])


class GallerySettings(Settings):
    """How identities are decided and kept.

    Attributes:
        window_s: Tracklets of so much event time are decided together.
        latency_wait_s: Wall clock for which a window waits for cameras in `latency` mode.
        complete_wait_s: Wall clock without progress of any camera after which cameras in `complete` mode are not
            waited for; one that is silent while others go on is waited for ten times as long.
        false_merge_rate: How many of a hundred matches, as a fraction, may be wrong: a match needs a probability of
            at least one minus this.
        merge_probability: Two identities become one from this probability on.
        min_quality: A tracklet below it is only decided when it closes.
        min_closing_quality: A tracklet below it gets no identity, even when it closes.
        min_frames: A new identity needs a tracklet with at least so many boxes.
        horizon_s: Tracklets so recent are kept in memory, to tell who was visible together.
        retention_s: Tracklets and identities last seen longer ago are forgotten.
        health_host, health_port: Where `/healthz`, `/readyz` and `/metrics` answer.
    """

    section = "gallery"
    removed: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("same_mean", "same_std", "different_mean", "different_std"),
        "gone: what similarities mean comes with the weights now; leave it out",
    )

    window_s: float = Field(default=1.0, gt=0, le=60)
    latency_wait_s: float = Field(default=2.0, ge=0, le=3600)
    complete_wait_s: float = Field(default=30.0, ge=0, le=86_400)
    false_merge_rate: float = Field(default=0.2, ge=1e-6, lt=1)
    merge_probability: float = Field(default=0.9, ge=0.5, lt=1)
    min_quality: float = Field(default=0.2, ge=0, le=1)
    min_closing_quality: float = Field(default=0.1, ge=0, le=1)
    min_frames: int = Field(default=3, ge=1, le=10_000)
    horizon_s: float = Field(default=900.0, gt=0, le=7 * 86_400.0)
    retention_s: float = Field(default=7 * 86_400.0, gt=0, le=3_650 * 86_400.0)
    health_host: str = "127.0.0.1"
    health_port: int = Field(default=9103, ge=0, le=65535)


class ApiSettings(Settings):
    """Where the API listens, and who may ask.

    Attributes:
        host, port: Address it listens on; port 0 takes a free one.
        token: Bearer token that every request under `/v1` must carry, when one is set.
        cors_origins: Pages of other origins that may ask from a browser, like `https://wall.example.org`, several as a
            list or with commas between; `*` is all.
        root_path: Path prefix under which a proxy shows the API, like `/climbtrack`; whether it strips it or not.
    """

    section = "api"

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    token: SecretStr | None = None
    token_file: Path | None = None
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    root_path: str = Field(default="", max_length=256)

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        """Take a text as the list that it is."""
        return (
            tuple(origin.strip() for origin in value.split(",") if origin.strip()) if isinstance(value, str) else value
        )

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what no browser sends as its origin."""
        for origin in origins:
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ValueError("expected * or origins like https://wall.example.org:8443, without a path")
        return origins

    @field_validator("root_path")
    @classmethod
    def _check_root_path(cls, path: str) -> str:
        """Refuse what is not a path prefix, or would hide our own paths."""
        kept = path.rstrip("/")
        if not PREFIX.fullmatch(kept) or kept.split("/")[1:2] in OWN_PATHS:
            raise ValueError("expected a path prefix like /climbtrack, other than /v1, /docs and the probes")
        return kept
