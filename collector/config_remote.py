"""What a user may set for sources that are asked: objects, an Elasticsearch index, and the APIs of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from collector.config_parts import NAME, URL, Settings, TrustedProxies, Zone, exactly_one
from collector.secret import read_secret

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class _Source(Settings):
    name: str = Field(pattern=NAME)
    registry: str | None = Field(None, description="name of the registry; the source's name when left out")


class _Objects(_Source):
    prefix: str = Field("", description="what the keys begin with")
    match: str = Field("*", description="pattern for the rest of the key; `*` matches slashes too")
    by_day: bool = Field(False, description="keys go on with …/YYYY/MM/DD/: only the last days are listed again")
    late_days: int = Field(2, ge=0, le=60, description="with by_day: how many more days in front of them")
    format: str | None = Field(None, description="name of the format; recognised from the first lines when left out")
    interval_seconds: float = Field(60.0, gt=0)
    overlap_seconds: float = Field(900.0, ge=0, description="how far back in time each listing looks for late ones")
    zone: Zone = Field("UTC", description="time zone of syslog prefixes, which name none")
    trusted_proxies: TrustedProxies = None


class FolderSource(_Objects):
    """A folder into which finished files are put: exported logs, a synchronised bucket."""

    type: Literal["objects"]
    folder: Path
    settle_seconds: float = Field(2.0, ge=0, description="how long a file must be still before it is read")


class S3Source(_Objects):
    """A bucket, listed, or told of by a queue. Credentials come from the usual places of AWS tools."""

    type: Literal["s3"]
    bucket: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$")
    region: str | None = None
    profile: str | None = Field(None, description="of the AWS configuration; its default when left out")
    endpoint_url: str | None = Field(None, pattern=URL, description="of a store that speaks S3; AWS when left out")
    queue_url: str | None = Field(None, pattern=URL, description="SQS queue of notifications: then nothing is listed")
    queue_endpoint_url: str | None = Field(None, pattern=URL)
    visibility_seconds: int = Field(300, ge=30, le=43_200, description="for how long a message taken is hidden")


class ElasticsearchSource(_Source):
    """An index of somebody else's that holds logs."""

    type: Literal["elasticsearch"]
    url: str = Field(pattern=URL)
    index: str = Field(pattern=r"^[^/\\?\"<>| #\s]{1,255}$", description="index, pattern, alias or data stream")
    field: str | None = Field(
        "message", description='field that holds the line; "" hands on the whole document as JSON'
    )
    time_field: str = "@timestamp"
    query: dict[str, Any] | None = Field(None, description="only documents that match, as in the query DSL")
    format: str | None = None
    username: str | None = None
    password_file: Path | None = None
    password_env: str | None = None
    api_key_file: Path | None = None
    api_key_env: str | None = None
    ca_file: Path | None = None
    interval_seconds: float = Field(30.0, gt=0)
    overlap_seconds: float = Field(300.0, ge=0, description="how late a document may come")
    zone: Zone = Field("UTC", description="time zone of syslog prefixes, which name none")
    trusted_proxies: TrustedProxies = None

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        given = [self.password_file, self.password_env, self.api_key_file, self.api_key_env]
        if sum(each is not None for each in given) > 1:
            raise ValueError("only one of password_file, password_env, api_key_file, api_key_env")
        if (self.username is None) == (self.password_file is not None or self.password_env is not None):
            raise ValueError("username needs password_file or password_env, and the other way round")
        return self

    def password(self) -> SecretStr | None:
        """Raises: SecretMissingError."""
        return read_secret(f"password of source {self.name}", self.password_file, self.password_env)

    def api_key(self) -> SecretStr | None:
        """Raises: SecretMissingError."""
        return read_secret(f"api_key of source {self.name}", self.api_key_file, self.api_key_env)


class DockerHubSource(_Source):
    """Docker Hub's audit log of an organisation."""

    type: Literal["dockerhub"]
    account: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{1,62}$", description="the organisation")
    username: str = Field(description="whose token it is: a user's name, or the organisation's")
    token_file: Path | None = None
    token_env: str | None = None
    url: str = Field("https://hub.docker.com", pattern=URL)
    interval_seconds: float = Field(300.0, ge=1)
    overlap_seconds: float = Field(900.0, ge=0, le=43_200)
    first_days: float = Field(30.0, ge=0, le=366, description="how far back the first start asks")
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        exactly_one(self.token_file, self.token_env, "token_file, token_env")
        return self

    def token(self) -> SecretStr:
        """Raises: SecretMissingError."""
        return _needed(self.name, self.token_file, self.token_env)


class QuaySource(_Source):
    """Quay's action logs."""

    type: Literal["quay"]
    url: str = Field(pattern=URL)
    of: str = Field(
        pattern=r"^(superuser|user|organization/[A-Za-z0-9._-]+|repository/[A-Za-z0-9._-]+/[A-Za-z0-9._/-]+)$",
        description="organization/<name>, repository/<namespace>/<name>, user or superuser",
    )
    token_file: Path | None = None
    token_env: str | None = None
    interval_seconds: float = Field(60.0, ge=1)
    overlap_seconds: float = Field(300.0, ge=0, le=43_200)
    first_days: float = Field(30.0, ge=0, le=366, description="how far back the first start asks")
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        exactly_one(self.token_file, self.token_env, "token_file, token_env")
        return self

    def token(self) -> SecretStr:
        """Raises: SecretMissingError."""
        return _needed(self.name, self.token_file, self.token_env)


class KubernetesSource(_Source):
    """Events of a cluster. Inside of one, the defaults are those of the pod's own service account."""

    type: Literal["kubernetes"]
    url: str = Field("https://kubernetes.default.svc", pattern=URL)
    namespace: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$", description="all when left out")
    field_selector: str = Field("involvedObject.kind=Pod", description="which events; empty asks for all")
    token_file: Path | None = _SERVICE_ACCOUNT / "token"
    token_env: str | None = None
    ca_file: Path | None = Field(_SERVICE_ACCOUNT / "ca.crt", description="left out for http")
    interval_seconds: float = Field(30.0, ge=1)

    def token(self) -> SecretStr:
        """Read anew each time, since it is renewed. A variable goes before the file. Raises: SecretMissingError."""
        return _needed(self.name, None if self.token_env else self.token_file, self.token_env)


def _needed(name: str, file: Path | None, env: str | None) -> SecretStr:
    secret = read_secret(f"token of source {name}", file, env)
    assert secret is not None
    return secret
