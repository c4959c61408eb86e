"""What a user may set for collecting: sources, the receiver, batches.

A secret is never written into the settings: `…_file` names a file, `…_env` an environment variable.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from collector.config_parts import (
    HEADER,
    NAME,
    Network,
    Settings,
    TrustedProxies,
    Zone,
    exactly_one,
    host_and_port,
)
from collector.config_remote import (
    DockerHubSource,
    ElasticsearchSource,
    FolderSource,
    KubernetesSource,
    QuaySource,
    S3Source,
)
from collector.secret import read_secret


class FileSource(Settings):
    """Log files, followed over rotation and restarts."""

    type: Literal["file"] = "file"
    name: str = Field(pattern=NAME)
    paths: list[str] = Field(min_length=1, description="paths or glob patterns")
    format: str | None = Field(None, description="name of the format; recognised from the first lines when left out")
    registry: str | None = Field(None, description="name of the registry; the source's name when left out")
    poll_seconds: float = Field(0.25, gt=0, le=60)
    quiet_seconds: float = Field(5.0, gt=0, description="how long a renamed file must be still to count as finished")
    zone: Zone = Field("UTC", description="time zone of syslog prefixes, which name none")
    trusted_proxies: TrustedProxies = None
    log_format: str | None = Field(
        None,
        description="nginx' own log_format of the lines: its text with the $variables, or with nginx_config its name",
    )
    nginx_config: Path | None = Field(None, description="file of nginx' configuration, or what `nginx -T` prints")

    @model_validator(mode="after")
    def _one_format(self) -> Self:
        if self.format is not None and (self.log_format is not None or self.nginx_config is not None):
            raise ValueError(
                "format names a format of Regsight's; log_format and nginx_config describe one of your own"
            )
        return self


class HarborSource(Settings):
    """Harbor's audit log, asked from its REST API."""

    type: Literal["harbor"]
    name: str = Field(pattern=NAME)
    url: str = Field(pattern=r"^https?://[^@\s]+$", description="Harbor's address, without user or password")
    username: str
    password_file: Path | None = None
    password_env: str | None = None
    registry: str | None = None
    interval_seconds: float = Field(30.0, gt=0)
    overlap_seconds: float = Field(300.0, ge=0, description="how far back rows are asked again, for late ones")
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        exactly_one(self.password_file, self.password_env, "password_file, password_env")
        return self

    def password(self) -> SecretStr:
        """Raises: SecretMissingError."""
        secret = read_secret(f"password of source {self.name}", self.password_file, self.password_env)
        assert secret is not None
        return secret


class SyslogSource(Settings):
    """A syslog receiver, by UDP, TCP or TLS."""

    type: Literal["syslog"]
    name: str = Field(pattern=NAME)
    listen: str = Field("127.0.0.1:5514", description="address:port; port 0 takes a free one")
    transport: Literal["udp", "tcp", "tls"] = "tcp"
    spool: Path = Field(description="a folder of its own, in which messages wait until the store has them")
    spool_bytes: int = Field(256 << 20, ge=32 << 20, description="when so much waits, nothing more is read")
    cert_file: Path | None = None
    key_file: Path | None = None
    client_ca_file: Path | None = Field(None, description="whose client certificates are accepted")
    format: str | None = Field(
        None, description="format of the messages; recognised per sender and program if left out"
    )
    registry: str | None = Field(None, description="name of the registry; the source's name when left out")
    max_message_bytes: int = Field(64 << 10, ge=480, le=1_000_000)
    peers: list[IPv4Network | IPv6Network] = Field([], description="who may send; whoever reaches the port if empty")
    connections: int = Field(256, gt=0, le=10_000, description="how many at once; one peer may have half of them")
    idle_seconds: float = Field(3600.0, gt=0, description="a connection that was silent for so long is closed")
    zone: Zone = Field("UTC", description="time zone of traditional headers, which name none")
    trusted_proxies: TrustedProxies = None

    @field_validator("listen")
    @classmethod
    def _host_and_port(cls, listen: str) -> str:
        return host_and_port(listen)

    @model_validator(mode="after")
    def _tls_whole(self) -> Self:
        files = (self.cert_file, self.key_file, self.client_ca_file)
        if self.transport == "tls" and None in files:
            raise ValueError("transport tls needs cert_file, key_file and client_ca_file")
        if self.transport != "tls" and files != (None, None, None):
            raise ValueError("cert_file, key_file and client_ca_file are for transport tls")
        return self


Source = Annotated[
    FileSource
    | HarborSource
    | SyslogSource
    | FolderSource
    | S3Source
    | ElasticsearchSource
    | DockerHubSource
    | QuaySource
    | KubernetesSource,
    Field(discriminator="type"),
]


class EndpointConfig(Settings):
    """One address that a registry posts to. It must prove itself by a token or by a signature of the body."""

    path: str = Field(pattern=r"^/[A-Za-z0-9/_.~-]{0,200}$")
    format: str = "distribution-notifications"
    registry: str | None = None
    token_file: Path | None = None
    token_env: str | None = None
    token_header: str = Field(
        "Authorization", pattern=HEADER, description="there as `Bearer …`, Basic password or bare"
    )
    token_query: str | None = Field(None, pattern=NAME, description="query parameter, for senders that set no header")
    hmac_secret_file: Path | None = None
    hmac_secret_env: str | None = None
    signature_header: str = Field(
        "X-Hub-Signature-256", pattern=HEADER, description="HMAC-SHA256 in hex or base64, with or without `sha256=`"
    )
    timestamp_header: str | None = Field(
        None, pattern=HEADER, description="time of sending, which is signed with the body: `<time>.<body>`"
    )
    signed_id_header: str | None = Field(
        None, pattern=HEADER, description="with timestamp_header: an id that is signed in front: `<id>.<time>.<body>`"
    )
    replay_seconds: float = Field(300.0, gt=0, le=86_400, description="how far such a time may be from ours")
    delivery_header: str | None = Field(
        None, pattern=HEADER, description="id of a delivery: one that was stored is not stored again"
    )
    keep_headers: bool = Field(False, description="store the headers too, for formats that read them")
    max_body_bytes: int = Field(1 << 20, gt=0, le=64 << 20)
    trusted_proxies: TrustedProxies = None

    @field_validator("path")
    @classmethod
    def _not_ours(cls, path: str) -> str:
        if path == "/healthz":
            raise ValueError("/healthz is the receiver's own")
        return path

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        fields = (self.token_file, self.token_env, self.hmac_secret_file, self.hmac_secret_env)
        exactly_one(*fields, "token_file, token_env, hmac_secret_file, hmac_secret_env")
        signed = self.hmac_secret_file is not None or self.hmac_secret_env is not None
        if self.timestamp_header is not None and not signed:
            raise ValueError("timestamp_header is for endpoints with a signature")
        if self.signed_id_header is not None and self.timestamp_header is None:
            raise ValueError("signed_id_header needs timestamp_header")
        if self.token_query is not None and signed:
            raise ValueError("token_query is for endpoints with a token")
        return self

    def token(self) -> SecretStr | None:
        """Raises: SecretMissingError."""
        return read_secret(f"token of endpoint {self.path}", self.token_file, self.token_env)

    def hmac_secret(self) -> SecretStr | None:
        """Raises: SecretMissingError."""
        return read_secret(f"hmac_secret of endpoint {self.path}", self.hmac_secret_file, self.hmac_secret_env)


class ReceiverConfig(Settings):
    """The HTTP receiver for notifications and webhooks."""

    listen: str = Field("127.0.0.1:5080", description="address:port; port 0 takes a free one")
    endpoints: list[EndpointConfig] = Field(min_length=1)
    answer_seconds: float = Field(10.0, gt=0, description="how long a sender waits for the commit before it gets 503")
    request_seconds: float = Field(30.0, gt=0, description="a request that is not whole after so long is broken off")

    @field_validator("listen")
    @classmethod
    def _host_and_port(cls, listen: str) -> str:
        return host_and_port(listen)

    @model_validator(mode="after")
    def _paths_once(self) -> Self:
        paths = [endpoint.path for endpoint in self.endpoints]
        if len(set(paths)) != len(paths):
            raise ValueError("two endpoints have the same path")
        return self


class IdentityConfig(Settings):
    """What is known of accounts and addresses that their names do not say."""

    kinds: dict[str, Literal["human", "robot", "ci", "node", "anonymous", "internal"]] = Field(
        {}, description="account, or a pattern with * and ?, to what it is"
    )
    runners: dict[str, list[Network]] = Field({}, description="CI system to the networks that its runners have")


class JoinsConfig(Settings):
    """How rows of different logs that tell of one request are found and become one event."""

    enabled: bool = True
    window_seconds: float = Field(
        900.0,
        ge=10,
        le=86_400,
        description="how late, in the time of the events, a partner may come and still be found",
    )
    tolerance_seconds: float = Field(
        0.5,
        gt=0,
        le=10,
        description="how far the clocks of two logs may differ; for times finer than a second half of it",
    )
    memory_rows: int = Field(
        50_000, ge=1_000, description="rows kept in memory for each registry; the store has the rest"
    )
    ask_again_seconds: float = Field(
        60.0, ge=0, description="how long what was asked of the store is relied upon, where other processes write too"
    )


class CollectorConfig(Settings):
    """Everything about collecting."""

    sources: list[Source] = Field([])
    receiver: ReceiverConfig | None = None
    trusted_proxies: list[Network] = Field(
        [], description="networks of proxies whose X-Forwarded-For is believed where the line names the peer"
    )
    identity: IdentityConfig = IdentityConfig()
    joins: JoinsConfig = JoinsConfig()
    batch_rows: int = Field(20_000, gt=0)
    batch_seconds: float = Field(1.0, gt=0, le=60, description="age at which a batch is stored, at the latest")
    stop_seconds: float = Field(8.0, gt=0)

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names) or "receiver" in names:
            raise ValueError("each source needs a name of its own, and `receiver` is taken")
        return self
