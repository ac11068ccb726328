"""Settings of the gallery and of its API."""

import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, FilePath, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from gallery.access.provider_address import is_safe_address
from gallery.store.accounts import Role
from wire.settings import Settings
from wire.url import NETWORK_SCHEMES

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?")
PREFIX = re.compile(r"(/(?!\.+(/|$))[A-Za-z0-9._~-]+)*")  # no segment consisting of dots only
CAMERA_SCHEMES = (*NETWORK_SCHEMES, "file", "device")
HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
OWN_HEADERS = ("authorization", "cookie", "host", "origin", "x-forwarded-for", "x-forwarded-proto")
OWN_PATHS = (["v1"], ["docs"], ["assets"], ["openapi.json"], ["healthz"], ["readyz"], ["metrics"])


LEAST_FALSE_MERGES = 0.0004  # likelihood ratios end at e^8 (`calibrate.MAX_LOGIT`): with 0.0003 nothing would match


class GallerySettings(Settings):
    """Settings for deciding and keeping identities.

    Attributes:
        window_s: Length of a window of event time, whose tracklets are decided together.
        live_window_s: The same for tracklets of cameras in `latency` mode; 0: only what a worker analysed together is
            decided together, as soon as all live cameras have got there. More makes people known later.
        latency_wait_s: Wall-clock time for which a window waits for cameras in `latency` mode; one that has been silent
            for so long is not waited for.
        complete_wait_s: Wall-clock time without progress of any camera after which windows stop waiting for cameras
            in `complete` mode; a camera that is silent while others progress is waited for ten times as long.
        false_merge_rate: Acceptable fraction of wrong matches, from 0.0004: a match, or a merge of two identities,
            needs a likelihood ratio of at least `(1 - rate) / rate`, times the square root of the number of other
            people, since one of many looks like somebody by chance.
        normalise_cameras: Estimate the shift that each camera's lighting and colours add to its embeddings, and
            subtract it before embeddings are compared.
        min_quality: An open tracklet below this quality is not decided until it closes.
        min_closing_quality: A closed tracklet below this quality gets no identity.
        min_frames: Boxes that a tracklet needs to create a new identity.
        min_alone_s: Time that a tracklet must last to create a new identity by itself; a shorter one waits half a
            minute for another that looks like it. Where the camera lost somebody within the five seconds before, its
            length times its quality counts instead.
        horizon_s: Age up to which tracklets are kept in memory, to determine who was visible at the same time.
        fade_after_s: Identities last seen longer ago than this are kept in the store only, until somebody who looks
            like them is seen, or a person says something about them; at least `horizon_s`. 0: all are kept in memory.
        retention_s: Tracklets and identities last seen longer ago than this are deleted.
        max_identities: Identities kept; of more, those seen longest ago are deleted, with their tracklets. 0 is no
            limit.
        erase_wait_s: Once a person is erased, records about them are deleted from Kafka as soon as every consumer group
            has committed them; groups other than the worker's and the gallery's are waited for so long.
        health_host, health_port: Address of `/healthz`, `/readyz` and `/metrics`.
    """

    section = "gallery"
    removed: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("same_mean", "same_std", "different_mean", "different_std"),
        "removed: the weights now come with their similarity distributions; delete this setting",
    ) | {"merge_probability": "removed: false_merge_rate applies to merges of identities too; delete this setting"}

    window_s: float = Field(default=1.0, gt=0, le=60)
    live_window_s: float = Field(default=0, ge=0, le=60)
    latency_wait_s: float = Field(default=2.0, ge=0, le=3600)
    complete_wait_s: float = Field(default=30.0, ge=0, le=86_400)
    false_merge_rate: float = Field(default=0.2, ge=LEAST_FALSE_MERGES, lt=1)
    normalise_cameras: bool = True
    min_quality: float = Field(default=0.2, ge=0, le=1)
    min_closing_quality: float = Field(default=0.1, ge=0, le=1)
    min_frames: int = Field(default=3, ge=1, le=10_000)
    min_alone_s: float = Field(default=0.8, ge=0, le=60)
    horizon_s: float = Field(default=900.0, gt=0, le=7 * 86_400.0)
    fade_after_s: float = Field(default=0.0, ge=0, le=3_650 * 86_400.0)
    retention_s: float = Field(default=7 * 86_400.0, gt=0, le=3_650 * 86_400.0)
    max_identities: int = Field(default=0, ge=0, le=100_000_000)
    erase_wait_s: float = Field(default=3_600.0, ge=0, le=7 * 86_400.0)
    health_host: str = "127.0.0.1"
    health_port: int = Field(default=9103, ge=0, le=65535)

    @model_validator(mode="after")
    def _check_fading(self) -> Self:
        """Reject that people fade whose tracklets are still in memory."""
        if 0 < self.fade_after_s < self.horizon_s:
            raise ValueError(
                f"fade_after_s is {self.fade_after_s:g}: it must be 0, or at least horizon_s, {self.horizon_s:g}"
            )
        return self


class ApiSettings(Settings):
    """Address of the API, and who may access it.

    Attributes:
        host, port: Address it listens on; port 0 picks a free port.
        tls_certificate_file, tls_key_file: PEM files with which HTTPS is served: the certificate with those of its
            authorities behind it, and its key, without a password. They are read at the start.
        token: Bearer token of an admin. If it is set, or the site has users, every request under `/v1` but
            `/v1/session` needs this token, another one, or a session.
        cors_origins: Origins whose pages may call the API from a browser, such as `https://wall.example.org`; a list,
            or separated by commas; `*` allows all.
        root_path: Path prefix under which a proxy serves the API, such as `/climbtrack`, whether it strips it or not.
        trusted_proxies: Addresses or networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed;
            a list, or separated by commas. Without any, those of this machine are.
        trusted_user_header: Header in which a trusted proxy names the user it has signed in, such as
            `X-Forwarded-User`; needs `trusted_proxies`, and the proxy must take it out of what clients send.
        trusted_user_role: Role of somebody whom the proxy names and who is not a user of the site.
        oidc_issuer: Issuer of an OpenID Connect provider by which people can sign in, such as
            `https://login.example.org/realms/site`; its sign-in comes back to `/v1/session/oidc/callback`.
        oidc_client_id: What the provider calls this API.
        oidc_client_secret: The secret that the provider gave it; none for a public client.
        oidc_scopes: What the provider is asked for; some state groups only for another scope.
        oidc_ca_file: PEM file of the CA that signed the provider's certificate, if the system does not trust it.
        oidc_user_claim: Claim of the ID token that names the user.
        oidc_groups_claim: Claim of the ID token that lists the user's groups; a dot looks into an object, as in
            `realm_access.roles`.
        oidc_allowed_groups: Groups of which a user needs one, if there are any; a list, or separated by commas.
        oidc_roles: The role of each group, such as `{guards: operator}`; whoever is in several has the highest.
        oidc_other_role: The role of whoever is in none of these groups; None lets them not in.
        audit_days: Days for which the audit log is kept.
        audit_entries: Entries of the audit log; of more, the oldest are deleted.
        camera_schemes: Kinds of source that cameras added by the API may have: schemes, `file` for files and folders,
            `device` for cameras of this machine; a list, or separated by commas.
        camera_hosts: Names, addresses and networks of cameras that may be added, such as `192.168.1.0/24`; a list, or
            separated by commas. Without one, all.
        camera_discovery: Whether admins may look for ONVIF cameras on the networks of this machine.
        camera_folders: Folders whose files may be added as cameras; a list, or separated by commas; `/` is all. Without
            one, the folder of the configuration file; without a file, the one in which `climbtrack run` was started.
            Neither `/` nor the home folder is meant by that: name them.
    """

    section = "api"

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    tls_certificate_file: FilePath | None = None
    tls_key_file: FilePath | None = None
    token: SecretStr | None = None
    token_file: Path | None = None
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    root_path: str = Field(default="", max_length=256)
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    trusted_user_header: str = Field(default="", max_length=64)
    trusted_user_role: Role = "viewer"
    oidc_issuer: str = Field(default="", max_length=2048)
    oidc_client_id: str = Field(default="", max_length=512)
    oidc_client_secret: SecretStr | None = None
    oidc_client_secret_file: Path | None = None
    oidc_scopes: str = Field(default="openid profile email", max_length=1024)
    oidc_ca_file: FilePath | None = None
    oidc_user_claim: str = Field(default="preferred_username", min_length=1, max_length=256)
    oidc_groups_claim: str = Field(default="groups", min_length=1, max_length=256)
    oidc_allowed_groups: Annotated[tuple[str, ...], NoDecode] = ()
    oidc_roles: dict[str, Role] = Field(default={})
    oidc_other_role: Role | None = None
    audit_days: float = Field(default=365.0, gt=0, le=36_500, allow_inf_nan=False)
    audit_entries: int = Field(default=100_000, ge=100, le=10_000_000)
    camera_schemes: Annotated[tuple[str, ...], NoDecode] = CAMERA_SCHEMES
    camera_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    camera_discovery: bool = True
    camera_folders: Annotated[tuple[str, ...], NoDecode] = ()

    @classmethod
    def load(cls, config: Path | None = None, **overrides: Any) -> Self:
        """Return the settings as those of every section, with the folder of the file for cameras.

        Raises:
            SettingsError: As for every section.
        """
        settings = super().load(config, **overrides)
        return settings if config is None else settings.with_folder(config.parent)

    def with_folder(self, folder: Path) -> Self:
        """Return these settings, by which files of this folder may be added as cameras if they name no folder.

        Nobody chooses the root or their home when they start a program there: everything would lie in it.
        """
        taken = folder.resolve()
        if self.camera_folders or taken in {Path(taken.anchor), Path("~").expanduser().resolve()}:
            return self
        return self.model_copy(update={"camera_folders": (str(taken),)})

    @field_validator(
        "cors_origins",
        "trusted_proxies",
        "oidc_allowed_groups",
        "camera_schemes",
        "camera_hosts",
        "camera_folders",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        """Split a comma-separated text."""
        return (
            tuple(origin.strip() for origin in value.split(",") if origin.strip()) if isinstance(value, str) else value
        )

    @field_validator("camera_schemes")
    @classmethod
    def _check_schemes(cls, schemes: tuple[str, ...]) -> tuple[str, ...]:
        """Reject kinds of source that do not exist."""
        if not set(schemes) <= set(CAMERA_SCHEMES):
            raise ValueError(f"expected some of {', '.join(CAMERA_SCHEMES)}")
        return schemes

    @field_validator("camera_folders")
    @classmethod
    def _check_folders(cls, folders: tuple[str, ...]) -> tuple[str, ...]:
        """Reject folders that depend on where the API was started."""
        if any(not folder.startswith("/") for folder in folders):
            raise ValueError("expected folders like /srv/videos, from the root")
        return folders

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """Reject what no browser sends as its origin."""
        for origin in origins:
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ValueError("expected * or origins like https://wall.example.org:8443, without a path")
        return origins

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        """Reject names of hosts, which are never the address that a connection comes from."""
        for proxy in proxies:
            try:
                ip_network(proxy)
            except ValueError:
                raise ValueError("expected addresses or networks like 10.0.0.5 or 10.0.0.0/24") from None
        return proxies

    @field_validator("trusted_user_header")
    @classmethod
    def _check_header(cls, header: str) -> str:
        """Reject what cannot be the name of a header, or is used otherwise."""
        if header and (not HEADER.fullmatch(header) or header.lower() in OWN_HEADERS):
            raise ValueError("expected the name of a header like X-Forwarded-User")
        return header

    @model_validator(mode="after")
    def _check_trust(self) -> Self:
        """Reject a user header that anybody could send."""
        if self.trusted_user_header and not self.trusted_proxies:
            raise ValueError("trusted_user_header needs trusted_proxies: anybody could send that header otherwise")
        return self

    @field_validator("oidc_issuer")
    @classmethod
    def _check_issuer(cls, issuer: str) -> str:
        """Reject a provider to which others could listen."""
        if issuer and (not is_safe_address(issuer) or "?" in issuer or "#" in issuer):
            raise ValueError("expected https://HOST/PATH, as the provider states it; http only on this machine")
        return issuer

    @field_validator("oidc_scopes")
    @classmethod
    def _check_scopes(cls, scopes: str) -> str:
        """Reject scopes without which there is no ID token."""
        if "openid" not in scopes.split():
            raise ValueError("must contain openid, as in 'openid profile groups'")
        return scopes

    @model_validator(mode="after")
    def _check_oidc(self) -> Self:
        """Reject an incomplete sign-in, one that lets nobody in, and settings that would not be used."""
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("oidc_issuer needs oidc_client_id")
        if self.oidc_issuer and not self.oidc_roles and self.oidc_other_role is None:
            raise ValueError(
                "oidc_issuer needs oidc_roles, such as {guards: operator}, or oidc_other_role: nobody has a role"
            )
        if not self.oidc_issuer and (
            given := [name for name in sorted(self.model_fields_set) if name.startswith("oidc_")]
        ):
            raise ValueError(f"{given[0]} needs oidc_issuer")
        return self

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        """Reject half of what TLS needs: nobody would notice that the page is served without."""
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_certificate_file and tls_key_file need each other")
        return self

    @field_validator("root_path")
    @classmethod
    def _check_root_path(cls, path: str) -> str:
        """Reject what is not a path prefix, or would shadow the API's own paths."""
        kept = path.rstrip("/")
        if not PREFIX.fullmatch(kept) or kept.split("/")[1:2] in OWN_PATHS:
            raise ValueError("expected a path prefix like /climbtrack, other than /v1, /docs and the probes")
        return kept
