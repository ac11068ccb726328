"""The base class of all settings, and the settings shared by all services (Kafka, Redis).

In order of precedence, values come from arguments, the environment (`CLIMBTRACK_<SECTION>_<KEY>`), the section of the
YAML file, and defaults. A secret such as `password` has a twin `password_file` that names a file to read it from.
"""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, FilePath, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import (
    SettingsError as SourceError,
)

from wire.config_file import SECTIONS, section_of
from wire.errors import SettingsError
from wire.mask import mask_url
from wire.secret_file import read_secret
from wire.url import UrlError, check_text, read_url
from wire.wording import known_names, shown

_PREFIX = "CLIMBTRACK_"
MISSPELT = 0.85  # likeness from which on the name of a variable is taken for another one's
_SECRET_WORDS = ("pas", "pw", "secret", "token", "key", "auth", "cred")
NO_HOST = "must not be empty, which is every address; 127.0.0.1 is this machine alone, 0.0.0.0 is for everybody"
REDIS_SCHEMES = ("redis", "rediss", "unix")


class Settings(BaseSettings):
    """Settings of one section: frozen, without unknown keys, with secrets and passwords in URLs masked in its repr.

    Calling the class uses only its arguments; `load` also reads the file and the environment.
    """

    section: ClassVar[str]
    removed: ClassVar[Mapping[str, str]] = {}  # keys of earlier versions, and what replaced them
    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        hide_input_in_errors=True,  # it may be a secret
        allow_inf_nan=False,
    )

    @classmethod
    def load(cls, config: Path | None = None, **overrides: Any) -> Self:
        """Return the settings of this section; overrides that are None are ignored.

        Raises:
            SettingsError: The file cannot be read, a key is unknown, or a value is invalid; names the key, the value
                and what is allowed.
        """
        values = {**section_of(config, cls.section), **cls._environment()}
        values |= {key: value for key, value in overrides.items() if value is not None}
        try:
            return cls(**values)
        except ValidationError as error:
            lines = (_explain(cls, detail) for detail in error.errors(include_url=False))
            raise SettingsError("; ".join(lines)) from None  # the cause would show secrets

    @classmethod
    def env_prefix(cls) -> str:
        """Return the prefix of this section's environment variables."""
        return f"{_PREFIX}{cls.section.upper()}_"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the base class fixes the signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keep the environment out of plain construction."""
        return (init_settings,)

    @classmethod
    def _environment(cls) -> dict[str, Any]:
        prefix = cls.env_prefix()
        for name in os.environ:
            key = name.removeprefix(prefix).lower()
            if name.startswith(prefix) and key not in cls.model_fields:
                shown = _shown(cls, key, os.environ[name])
                raise SettingsError(f"environment variable {name} = {shown}: {_unknown(cls, key, 'unknown')}")
            if (meant := _misspelt(cls, name)) is not None:
                raise SettingsError(f"environment variable {name} is of no section; did you mean {meant}?")
        try:
            return EnvSettingsSource(cls, env_prefix=prefix)()
        except SourceError as error:
            raise SettingsError(f"environment {prefix}*: {error}, expected JSON") from None  # the cause shows the value

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        found = dict(values)
        for key in cls.model_fields:
            path = found.get(f"{key}_file")
            if f"{key}_file" not in cls.model_fields or path is None:
                continue
            if found.get(key) is not None:
                raise ValueError(f"{key} and {key}_file are both given, only one is allowed")
            found[key] = read_secret(f"{key}_file", Path(str(path)))
        return found

    @field_validator("*", mode="before")
    @classmethod
    def _check_kind(cls, value: Any, info: ValidationInfo) -> Any:
        """Reject values that would be misread: a boolean as a number, or text that no library accepts."""
        field = cls.model_fields[str(info.field_name)]
        if isinstance(value, bool) and field.annotation in {int, float}:
            raise ValueError("should be a number")
        if value == "" and str(info.field_name).endswith("host"):
            raise ValueError(NO_HOST)
        if isinstance(value, str) and value:
            check_text(value)
        return value

    def __repr_args__(self) -> Any:
        for key, value in super().__repr_args__():
            yield key, mask_url(value) if isinstance(value, str) else value


def _misspelt(cls: type[Settings], name: str) -> str | None:
    """Return the environment variable of a section that is nearly this one, which is of no section at all."""
    if not name.startswith(_PREFIX) or name.startswith(tuple(f"{_PREFIX}{s.upper()}_" for s in SECTIONS)):
        return None
    names = [f"{cls.section}_{key}".upper() for key in cls.model_fields]
    close = get_close_matches(name.removeprefix(_PREFIX), names, n=1, cutoff=MISSPELT)
    return _PREFIX + close[0] if close else None


class TlsSettings(Settings):
    """The settings of a TLS connection to a server, which the sections of servers share and explain.

    Attributes:
        ssl_ca_file: PEM file of the CA that signed the server's certificate.
        ssl_certificate_file, ssl_key_file: PEM files of our client certificate and its private key.
        ssl_key_password: The password of that key.
        ssl_check_hostname: Whether the certificate must match the host name.
    """

    ssl_ca_file: FilePath | None = None
    ssl_certificate_file: FilePath | None = None
    ssl_key_file: FilePath | None = None
    ssl_key_password: SecretStr | None = None
    ssl_key_password_file: Path | None = None
    ssl_check_hostname: bool = True

    @model_validator(mode="after")
    def _check_key(self) -> Self:
        """Reject a key without its certificate."""
        if self.ssl_key_file is not None and self.ssl_certificate_file is None:
            raise ValueError("ssl_key_file needs ssl_certificate_file")
        return self


class KafkaSettings(TlsSettings):
    """How to connect to Kafka.

    Attributes:
        servers: Comma-separated `host:port` of bootstrap brokers; user and password have separate settings.
        topic_prefix: Prefix of every topic and group, so that installations can share a cluster.
        replication_factor: Replicas of every partition when topics are created.
        camera_partitions: Partitions of the topics whose key is a camera, which is how many ingest instances or workers
            can share the cameras. `climbtrack topics apply` adds some to topics that exist; none can be removed.
        site_partitions: The same for the topics whose key is a site or an identity: how many galleries can share.
        session_timeout_ms: A member without a heartbeat for this long loses its partitions to other members.
        heartbeat_interval_ms: How often a member sends a heartbeat; well below a third of the session timeout.
        max_poll_interval_ms: The longest a batch may take; a slower member loses its partitions.
        connect_timeout_ms: How long to wait for a connection to a broker.
        request_timeout_ms: How long to wait for a broker to answer a request.
        security_protocol: Whether connections are encrypted (SSL) and authenticated with a user and password (SASL).
        sasl_mechanism: The SASL mechanism that authenticates the user.
        sasl_username: The SASL user.
        sasl_password: The password of that user.
        ssl_ca_file: PEM file of the CA that signed the brokers' certificates, if the system does not trust it.
        ssl_certificate_file: PEM file of the client certificate, if the brokers require one.
        ssl_key_file: PEM file of its private key.
        ssl_key_password: The password of that key, if it has one.
        ssl_check_hostname: Whether a broker's certificate must match the host name of the connection.
    """

    section = "kafka"

    servers: str = Field(default="127.0.0.1:9092", min_length=1)
    topic_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,64}$")
    replication_factor: int = Field(default=1, ge=1, le=16)
    camera_partitions: int = Field(default=32, ge=1, le=1024)
    site_partitions: int = Field(default=8, ge=1, le=1024)
    session_timeout_ms: int = Field(default=10_000, ge=1000, le=1_800_000)
    heartbeat_interval_ms: int = Field(default=3000, ge=100, le=600_000)
    max_poll_interval_ms: int = Field(default=300_000, ge=1000, le=86_400_000)
    connect_timeout_ms: int = Field(default=5000, ge=100, le=600_000)
    request_timeout_ms: int = Field(default=30_000, ge=1000, le=600_000)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    sasl_password_file: Path | None = None

    @field_validator("servers")
    @classmethod
    def _check_servers(cls, servers: str) -> str:
        """Reject anything but a list of addresses."""
        _check_addresses(servers)
        return servers

    @model_validator(mode="after")
    def _check_security(self) -> Self:
        """Reject an incomplete login, and a login or certificates that would not be used."""
        protocol = self.security_protocol
        if protocol.startswith("SASL_"):
            for key in ("sasl_mechanism", "sasl_username", "sasl_password"):
                if getattr(self, key) is None:
                    raise ValueError(f"security_protocol = {protocol!r} needs {key}")
        elif given := _given(self, "sasl_"):
            raise ValueError(f"{given} needs security_protocol SASL_SSL (or SASL_PLAINTEXT), got {protocol}")
        if not protocol.endswith("SSL") and (given := _given(self, "ssl_")):
            raise ValueError(f"{given} needs security_protocol SSL or SASL_SSL, got {protocol}")
        return self


class RedisSettings(TlsSettings):
    """How to connect to Redis.

    Attributes:
        url: `redis://host:port/db`, `rediss://…` with TLS, or `unix:///path`. With `sentinels`, its host is the name by
            which they know the primary, and there is no port.
        sentinels: Comma-separated `host:port` of Redis Sentinels, which name the primary at every failover.
        sentinel_username: The ACL user at the Sentinels, if they have one; it is not that of Redis.
        sentinel_password: The password of that user, or of the Sentinels' default user.
        username: The ACL user, if Redis has one; instead of a user in the URL.
        password: The password of that user, or of the default user.
        ssl_ca_file: PEM file of the CA that signed Redis's certificate, if the system does not trust it.
        ssl_certificate_file: PEM file of the client certificate, if Redis requires one.
        ssl_key_file: PEM file of its private key.
        ssl_key_password: The password of that key, if it has one.
        ssl_check_hostname: Whether Redis's certificate must match the host of the URL.
    """

    section = "redis"

    url: str = "redis://127.0.0.1:6379/0"
    sentinels: str = ""
    sentinel_username: str | None = None
    sentinel_password: SecretStr | None = None
    sentinel_password_file: Path | None = None
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        """Reject anything but the address of a Redis server."""
        parts = read_url(url)
        path = parts.rest.partition("?")[0]
        if parts.scheme not in REDIS_SCHEMES or (parts.scheme == "unix" and path[:1] != "/"):
            raise ValueError("expected redis://HOST:PORT/DB, rediss://HOST:PORT/DB with TLS, or unix:///PATH")
        if parts.scheme != "unix" and not re.fullmatch(r"/?[0-9]{0,5}", path):
            raise ValueError("expected a database number after the host, like redis://HOST:PORT/0")
        return url.strip()

    @field_validator("sentinels")
    @classmethod
    def _check_sentinels(cls, sentinels: str) -> str:
        """Reject anything but a list of addresses, or nothing."""
        if sentinels:
            _check_addresses(sentinels)
        return sentinels

    @model_validator(mode="after")
    def _check_primary(self) -> Self:
        """Reject the address of a server where the name of a primary is expected, and an unused login."""
        if not self.sentinels and (given := _given(self, "sentinel_")):
            raise ValueError(f"{given} needs sentinels")
        if self.sentinels and (read_url(self.url).port is not None or not read_url(self.url).host):
            raise ValueError(
                "sentinels need a url without a port, like redis://NAME/0, whose NAME they know the primary by"
            )
        return self

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        """Reject certificates that would not be used."""
        if read_url(self.url).scheme != "rediss" and (given := _given(self, "ssl_")):
            raise ValueError(f"{given} needs a url that begins with rediss://")
        return self


def _check_addresses(text: str) -> None:
    """Reject anything but comma-separated addresses.

    Raises:
        ValueError: One of them is none.
    """
    for one in text.split(","):
        try:
            address = read_url(f"server://{one.strip()}")
        except UrlError:
            address = None
        if address is None or address.login is not None or address.rest:
            raise ValueError("expected host:port, several separated by commas; ports are 1 to 65535")


def _given(settings: Settings, prefix: str) -> str:
    """Return the name of the first setting with this prefix that differs from its default; empty if none does."""
    fields = type(settings).model_fields
    changed = (key for key in fields if key.startswith(prefix) and getattr(settings, key) != fields[key].default)
    return next(changed, "")


def _unknown(cls: type[Settings], name: str, said: str) -> str:
    return cls.removed.get(name) or f"{said}; {known_names(name, cls.model_fields)}"


def _explain(cls: type[Settings], detail: ErrorDetails) -> str:
    if not detail["loc"]:  # a rule over several keys, whose message names them
        return f"{cls.section}: {detail['msg'].removeprefix('Value error, ')}"
    name = str(detail["loc"][0])
    key = ".".join((cls.section, *map(str, detail["loc"])))
    if detail["type"] == "extra_forbidden":
        return f"{key} = {_shown(cls, name, detail['input'])}: {_unknown(cls, name, 'unknown key')}"
    allowed = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if detail["type"] == "string_type" and isinstance(detail["input"], int | float):
        allowed += "; put it in quotes"
    return f"{key} = {_shown(cls, name, detail['input'])}: {allowed}"


def _shown(cls: type[Settings], name: str, value: object) -> str:
    if _is_secret(cls, name) or (name not in cls.model_fields and _may_be_secret(cls, name.lower())):
        return "'***'"
    return "a mapping" if isinstance(value, Mapping) else shown(value)


def _is_secret(cls: type[Settings], name: str) -> bool:
    field = cls.model_fields.get(name)
    return field is not None and "SecretStr" in str(field.annotation)


def _may_be_secret(cls: type[Settings], name: str) -> bool:
    """Tell whether an unknown key may be meant as a secret: misspelt, or named as in other programs."""
    ours = [key for key in cls.model_fields if _is_secret(cls, key)]
    return any(word in name for word in _SECRET_WORDS) or bool(get_close_matches(name, ours))
