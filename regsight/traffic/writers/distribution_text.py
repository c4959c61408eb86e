"""The registry's application log with the text formatter (version 3), mixed with its access lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from regsight.traffic.requests import Request
from regsight.traffic.writers.access import access_line
from regsight.traffic.writers.distribution_json import BCRYPT, HOST, NOTHING_PRESENTED, WRONG
from regsight.traffic.writers.timestamps import duration, rfc3339

AGENT = "http.request.useragent"  # written also where the client sent none
BARE = re.compile(r"[A-Za-z0-9\-._/@^+]+")  # logrus puts everything else in quotes


@lru_cache(maxsize=16_384)
def _value(text: str) -> str:
    if not text or BARE.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class DistributionText:
    """`time=… level=… msg=…`, then the fields in alphabetical order."""

    file = "registry.log"

    def __init__(self, instance: str) -> None:
        self._fixed = {
            "environment": "production",
            "go.version": "go1.26.8",
            "instance.id": instance,
            "service": "registry",
            "version": "v3.1.2+unknown",
        }

    def tell(self, request: Request) -> list[tuple[int, str]]:
        if request.admin is not None:
            return []
        access = (request.at + 2_000, access_line(request))
        if not request.routed:
            return [access]
        asked = self._fixed | _asked(request)
        if request.status == 401:
            return [*_refusal(request, asked), access]
        if request.actor:
            asked["auth.user.name"] = request.actor
        begun = min(request.at - request.duration + 900_000, request.at - 20_000)
        answered = asked | {
            "http.response.contenttype": request.answer_type,
            "http.response.duration": duration(request.duration),
            "http.response.status": str(request.status),
            "http.response.written": str(request.written),
        }
        level, message = "info", "response completed"
        if request.error is not None:
            answered |= dict(zip(("err.code", "err.message", "err.detail"), request.error, strict=True))
            level, message = "error", "response completed with error"
        return [
            (begun, _line(begun, "info", "authorized request", asked)),
            (request.at, _line(request.at, level, message, answered)),
            access,
        ]

    def pack(self, lines: Iterable[str]) -> Iterable[str]:
        return lines


def _asked(request: Request) -> dict[str, str]:
    return {
        "http.request.contenttype": request.sent_type,
        "http.request.host": HOST,
        "http.request.id": request.id,
        "http.request.method": request.method,
        "http.request.remoteaddr": f"{request.address}:{request.port}",
        "http.request.uri": request.uri,
        "http.request.useragent": request.agent,
        "vars.digest": request.digest,
        "vars.name": request.name,
        "vars.reference": request.reference,
        "vars.uuid": request.upload,
    }


def _refusal(request: Request, asked: dict[str, str]) -> list[tuple[int, str]]:
    if not request.refused:
        if request.error is not None:  # a bearer token that does not hold
            return [(request.at, _line(request.at, "warning", f"error authorizing context: {request.error[0]}", asked))]
        return [(request.at, _line(request.at, "warning", NOTHING_PRESENTED.replace("\\", ""), asked))]
    at = request.at - 60_000
    failed = _line(at, "info", "user failed to authenticate", asked | {"error": BCRYPT, "username": request.refused})
    return [(at, failed), (request.at, _line(request.at, "warning", WRONG.replace("\\", ""), asked))]


def _line(at: int, level: str, message: str, fields: dict[str, str]) -> str:
    told = " ".join(f"{key}={_value(value)}" for key, value in sorted(fields.items()) if value or key == AGENT)
    return f'time="{rfc3339(at)}" level={level} msg={_value(message)} {told}'
