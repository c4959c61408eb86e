"""The registry's application log with the JSON formatter, mixed with its access lines.

Two styles. Version 3 names the user on both lines of a request; 2.8 names it on error lines alone.
Keys are in alphabetical order, as logrus writes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

from regsight.traffic.requests import Request
from regsight.traffic.writers.access import access_line
from regsight.traffic.writers.timestamps import duration, rfc3339

HOST = "registry.example.net"
CHALLENGE = 'error authorizing context: basic authentication challenge for realm \\"Registry\\": '
NOTHING_PRESENTED = CHALLENGE + "invalid authorization credential"
WRONG = CHALLENGE + "authentication failure"
BCRYPT = "crypto/bcrypt: hashedPassword is not the hash of the given password"


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    """A JSON string as Go writes it with HTML escaping off."""
    return json.dumps(text, ensure_ascii=False)


class DistributionJson:
    """Version 3, or with `old` version 2.8."""

    file = "registry.log"

    def __init__(self, instance: str, *, old: bool = False) -> None:
        self.old = old
        self._before = "" if old else '"environment":"production",'
        self._go = '"go.version":"go1.19.8",' if old else '"go.version":"go1.26.8",'
        self._instance = "" if old else f'"instance.id":"{instance}",'
        self._service = "" if old else '"service":"registry",'
        self._version = "" if old else ',"version":"v3.1.2+unknown"'
        self._charset = "; charset=utf-8" if old else ""

    def tell(self, request: Request) -> list[tuple[int, str]]:
        if request.admin is not None:
            return []
        access = (request.at + 2_000, access_line(request))
        if not request.routed:
            return [access]
        (_, _, method, uri, actor, address, port, agent, *_) = request
        sent = f'"http.request.contenttype":"{request.sent_type}",' if request.sent_type else ""
        asked = (
            f'{sent}"http.request.host":"{HOST}","http.request.id":"{request.id}","http.request.method":"{method}",'
            f'"http.request.remoteaddr":"{address}:{port}","http.request.uri":"{uri}",'
            f'"http.request.useragent":{_quoted(agent)},'
        )
        variables = _variables(request)
        if request.status == 401:
            return [*self._refusal(request, asked, variables), access]
        user = f'"auth.user.name":{_quoted(actor)},' if actor else ""
        named, detailed = ("", "") if self.old else (user, variables)
        begun = request.at - request.duration + 900_000
        authorized = (
            f'{{{named}{self._before}{self._go}{asked}{self._instance}"level":"info","msg":"authorized request",'
            f'{self._service}"time":"{rfc3339(min(begun, request.at - 20_000))}"{variables}{self._version}}}'
        )
        kind = f'"http.response.contenttype":"{request.answer_type}{self._charset}",' if request.answer_type else ""
        answered = (
            f'{asked}{kind}"http.response.duration":"{duration(request.duration)}",'
            f'"http.response.status":{request.status},"http.response.written":{request.written},{self._instance}'
        )
        if request.error is None:
            completed = (
                f'{{{named}{self._before}{self._go}{answered}"level":"info","msg":"response completed",'
                f'{self._service}"time":"{rfc3339(request.at)}"{detailed}{self._version}}}'
            )
        else:
            code, message, detail = request.error
            error = f'"err.code":"{code}","err.detail":{_quoted(detail)},"err.message":"{message}",'
            completed = (
                f'{{{user}{self._before}{error}{self._go}{answered}"level":"error",'
                f'"msg":"response completed with error",{self._service}"time":"{rfc3339(request.at)}"{variables}{self._version}}}'
            )
        return [(min(begun, request.at - 20_000), authorized), (request.at, completed), access]

    def _refusal(self, request: Request, asked: str, variables: str) -> list[tuple[int, str]]:
        """The warning that asks for credentials; before it, if some were presented, the line that names the user."""
        head = f"{self._go}{asked}{self._instance}"
        at = request.at - 60_000
        if not request.refused:
            if request.error is not None:  # a bearer token that does not hold
                message = f"error authorizing context: {request.error[0]}"
                return [(request.at, self._warning(head, message, rfc3339(request.at), variables))]
            return [(request.at, self._warning(head, NOTHING_PRESENTED, rfc3339(request.at), variables))]
        warning = self._warning(head, WRONG, rfc3339(request.at), variables)
        if self.old:
            named = json.dumps(
                f'error authenticating user "{request.refused}": authentication failure', ensure_ascii=False
            )
            failed = f'{{{head}"level":"error","msg":{named},"time":"{rfc3339(at)}"{variables}}}'
        else:
            failed = (
                f'{{{self._before}"error":"{BCRYPT}",{head}"level":"info","msg":"user failed to authenticate",'
                f'{self._service}"time":"{rfc3339(at)}","username":{_quoted(request.refused)}'
                f"{variables}{self._version}}}"
            )
        return [(at, failed), (request.at, warning)]

    def _warning(self, head: str, message: str, time: str, variables: str) -> str:
        told = f'"level":"warning","msg":"{message}",{self._service}"time":"{time}"'
        return f"{{{self._before}{head}{told}{variables}{self._version}}}"

    def pack(self, lines: Iterable[str]) -> Iterable[str]:
        return lines


def _variables(request: Request) -> str:
    found = f',"vars.digest":"{request.digest}"' if request.digest else ""
    if request.name:
        found += f',"vars.name":"{request.name}"'
    if request.reference:
        found += f',"vars.reference":"{request.reference}"'
    if request.upload:
        found += f',"vars.uuid":"{request.upload}"'
    return found
