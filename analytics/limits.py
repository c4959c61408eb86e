"""What runs out: `[[analytics.limits]]` of the settings. The logs tell of the use; the limit only its owner knows."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from store.durations import Span

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kKMGTP]?)(i?)B\s*")
_POWERS = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}


def size(text: object) -> Any:
    """Bytes of `500 GiB`, `2TB`; numbers are passed on. ValueError for anything else."""
    if not isinstance(text, str):
        return text
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no size: write a number and B, kB, MB, GB, TB or KiB, MiB, GiB, TiB")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** _POWERS[match[2]])


Size = Annotated[int, BeforeValidator(size), Field(ge=0)]


def _midnight(value: object) -> object:
    """A day alone begins at midnight UTC."""
    return f"{value}T00:00:00Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)) else value


Moment = Annotated[AwareDatetime, BeforeValidator(_midnight)]


class Limit(BaseModel):
    """One thing that can run out. Which keys it needs depends on its kind:

    `pulls`: at most `pulls` manifests in any span of `per`, by the accounts, addresses or registry that are named.
    `storage`: at most `bytes` of a registry, project or repository, of which `used` were used at `since`.
    `disk`: the file system at `path`.
    `certificate`: the one in the PEM file `path`, or shown at `address` (`host:port`).
    `token`: of the account `actor`, `valid` for so long since `since`, or since the log last told of its creation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=80, description="what people call it, such as Docker Hub of the builds")
    kind: Literal["pulls", "storage", "disk", "certificate", "token"]
    pulls: int | None = Field(None, gt=0)
    per: Span = Field(timedelta(hours=6), gt=timedelta(0))
    bytes: Size | None = None
    used: Size = 0
    since: Moment | None = None
    path: Path | None = None
    address: str | None = Field(None, pattern=r"^[^\s/:]+:\d{1,5}$")
    valid: Span | None = None
    actor: str | None = None
    client: str | None = None
    registry: str | None = None
    project: str | None = None
    repository: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Limit:
        needed: dict[str, tuple[object, str]] = {
            "pulls": (self.pulls, "pulls"),
            "storage": (self.bytes, "bytes"),
            "disk": (self.path, "path"),
            "certificate": (self.path or self.address, "path or address"),
            "token": (self.valid and (self.since or self.actor), "valid, and since or actor"),
        }
        given, names = needed[self.kind]
        if not given:
            raise ValueError(f"limit {self.name!r} of kind {self.kind} needs {names}")
        return self

    def fits(self, row: dict[str, Any]) -> bool:
        """Whether counts of these fields are about it."""
        wanted = {"actor": self.actor, "client_ip": self.client, "registry": self.registry}
        wanted |= {"project": self.project, "repository": self.repository}
        return all(value is None or row.get(name) == value for name, value in wanted.items())

    def fields(self) -> list[str]:
        """The fields that it is bound to."""
        wanted = {"actor": self.actor, "client_ip": self.client, "registry": self.registry}
        wanted |= {"project": self.project, "repository": self.repository}
        return [name for name, value in wanted.items() if value is not None]
