"""Made log lines of the hottest formats, from a seed: the usual ones, and odd ones (`odd`: their share) for the equality tests."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 1, tzinfo=UTC)
AGENTS = (
    "docker/27.3.1 go/go1.22.7 git-commit/41ca978 kernel/6.1.0-28-amd64 os/linux arch/amd64 "
    "UpstreamClient(Docker-Client/27.3.1 \\(linux\\))",
    "containerd/v2.0.1",
    "skopeo/1.9.3",
    "containers/5.33.0 (github.com/containers/image)",
    "kaniko/v1.23.2",
    "Helm/3.16.3",
    "curl/7.88.1",
)
_ODD_NAMES = ("Übung", 'a"b', "a\\b", "x y", "", "-", "a%40b", "名前", "tab\there", "\U0001f40b", "[x]", "null")
_ODD_ADDRESSES = (
    "::1",
    "2001:db8::1",
    "2001:DB8:0:0:0:0:0:1",
    "::ffff:10.1.2.3",
    "fe80::1%eth0",
    "host.test",
    "01.2.3.4",
    "",
)
_ODD_URIS = (
    "/", "/v2", "/v2/?x=1", "/v2/_catalog?n=5", "/v2/caf%C3%A9/manifests/latest", "/v2/a//b/manifests/x", "/v2/A/manifests/x",
    "/service/token?account=a&service=x", "/v2//manifests/x", "/v2/a/blobs/uploads", "/v2/a/tags/list?last=x", "/v2/a/tags/x",
    "/v2/a/referrers/sha256:" + "a" * 64, "/v2/a/manifests/sha256-" + "b" * 64 + ".sig", "/v2/../../etc/passwd?x=%00%0a",
    "http://x/v2/", "/v2/a/blobs/uploads/?mount=sha256%3A" + "c" * 64 + "&from=b%2Fc", "/v2/a/blobs/uploads/?mount=bad&from=",
    "/v2/ä/manifests/1", "/v2/manifests/manifests/manifests", "/v2/a/manifests/", "/x y", "*", "/v2/a/blobs/sha256:zz",
)  # fmt: skip
_MESSAGES = (
    "error authorizing context: basic authentication challenge for realm \"R\": invalid authorization credential",
    "error authorizing context: basic authentication challenge for realm \"R\": authentication failure",
    "error authorizing context: authorization token required",
    "error authorizing context: insufficient scope",
    "error authorizing context: something else",
    'error authenticating user "bob\\"x": crypto/bcrypt',
    'error authenticating user "": authentication failure',
    "user failed to authenticate",
    "error checking authorization: x",
    "client disconnected during blob PATCH",
    "authorized request",
)  # fmt: skip


@dataclass
class Lines:
    """One stream of requests. `odd` is the share of what only the Python path may understand."""

    seed: int = 1
    odd: float = 0.0
    step: timedelta = timedelta(milliseconds=40)
    at: datetime = START
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.repositories = [f"team{i % 37:02d}/{'deep/' if i % 3 == 0 else ''}svc-{i:04d}" for i in range(2000)]
        self.digests = ["sha256:" + hashlib.sha256(b"%d" % i).hexdigest() for i in range(5000)]

    def _is_odd(self) -> bool:
        return self.odd > 0 and self.chance.random() < self.odd

    def _few(self, count: int) -> int:
        """A number below `count`, small ones far more often."""
        return min(count - 1, int(count ** self.chance.random()) - 1)

    def _request(self) -> tuple[str, str, int, int]:
        """(method, URI, status, bytes)"""
        c = self.chance
        if self._is_odd():
            method = c.choice(("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "get"))
            return (
                method,
                c.choice(_ODD_URIS),
                c.choice((200, 201, 301, 401, 403, 404, 405, 429, 499, 500, 501)),
                c.choice((0, 19, 87)),
            )
        name, digest = self.repositories[self._few(2000)], self.digests[self._few(5000)]
        tag = c.choice(("latest", "main", f"{c.randrange(9)}.{c.randrange(30)}.{c.randrange(9)}"))
        upload = f"{c.getrandbits(128):032x}"
        kind = c.choices(range(10), (20, 12, 8, 27, 6, 4, 4, 4, 2, 8))[0]
        made = (
            ("GET", f"/v2/{name}/manifests/{tag}", 200, 1500), ("GET", f"/v2/{name}/manifests/{digest}", 200, 1500),
            ("HEAD", f"/v2/{name}/manifests/{tag}", 200, 0), ("GET", f"/v2/{name}/blobs/{digest}", 200, c.randrange(1 << 30)),
            ("HEAD", f"/v2/{name}/blobs/{digest}", 404, 157), ("PUT", f"/v2/{name}/manifests/{tag}", 201, 0),
            ("POST", f"/v2/{name}/blobs/uploads/", 202, 0),
            ("PUT", f"/v2/{name}/blobs/uploads/{upload}?_state=abc&digest=sha256%3A{digest[7:]}", 201, 0),
            ("GET", f"/v2/{name}/tags/list?n=100", 200, 900), ("GET", "/v2/", c.choice((200, 401)), 2),
        )  # fmt: skip
        return made[kind]

    def _who(self) -> tuple[str, str, str]:
        """(user, address, agent)"""
        user, n = f"user{self._few(500):04d}", self._few(5000)
        address, agent = f"10.{n >> 8 & 255}.{n & 255}.{1 + n % 250}", AGENTS[self._few(len(AGENTS))]
        if self._is_odd():
            user = self.chance.choice(_ODD_NAMES)
        if self._is_odd():
            address = self.chance.choice(_ODD_ADDRESSES)
        if self._is_odd():
            agent = self.chance.choice(_ODD_NAMES)
        return user, address, agent

    def _duration(self) -> str:
        c = self.chance
        if self._is_odd():
            return c.choice(("", "1h2m3.5s", "0s", "1m", "1.s", "x", "999999999999h", "12345678901234s", "1us2μs", "5"))
        return c.choice(
            (
                f"{c.uniform(1, 999):.6f}ms",
                f"{c.uniform(1, 59):.9f}s",
                f"{c.uniform(1, 999):.3f}µs",
                f"1m{c.uniform(1, 59):.6f}s",
            )
        )

    def _entry(self) -> dict[str, object]:
        """The fields of an application line of Distribution, in their order."""
        c = self.chance
        self.at += self.step
        method, uri, status, size = self._request()
        user, address, agent = self._who()
        refused = (status == 401 and uri == "/v2/") or self._is_odd()
        message = "response completed" if status < 400 else "response completed with error"
        entry: dict[str, object] = {"auth.user.name": user} if user and not refused else {}
        if status >= 400 and not refused:
            detail = self.chance.choice(
                ("unknown tag=1", {"Tag": "x", "n": [1, {"a": None}]}, "client disconnected", "é" * 600, 7)
            )
            entry |= {
                "err.code": "unsupported" if status == 405 else "manifest unknown",
                "err.detail": detail,
                "err.message": "unknown",
            }
        entry |= {
            "environment": "production", "go.version": "go1.26.8", "http.request.host": "registry.example.net",
            "http.request.id": f"{c.getrandbits(128):032x}", "http.request.method": method,
            "http.request.remoteaddr": f"{f'[{address}]' if ':' in address else address}:{c.randrange(1, 65536)}",
            "http.request.uri": uri, "http.request.useragent": agent,
        }  # fmt: skip
        if not refused:
            entry |= {
                "http.response.contenttype": "application/json", "http.response.duration": self._duration(),
                "http.response.status": status, "http.response.written": size,
            }  # fmt: skip
        level = "warning" if refused else "info" if status < 400 else "error"
        entry |= {"instance.id": "01a20b57-6a09-72dd-856c-cc104250d2be", "level": level}
        entry |= {"msg": self._refusal() if refused else message, "service": "registry", "time": self._time()}
        if refused and entry["msg"] == "user failed to authenticate":
            entry["username"] = user
        entry["version"] = "v3.1.2+unknown"
        if self._is_odd():
            self._twist(entry)
        return entry

    def _refusal(self) -> str:
        return self.chance.choice(_MESSAGES) if self.odd else _MESSAGES[0]

    def _twist(self, entry: dict[str, object]) -> None:
        name = self.chance.choice(list(entry))
        entry[name] = self.chance.choice(
            (None, 7, -1, 1.5, True, [], {"a": 1}, "", "x\x00y", 10**18, "200", "é", "\u2028", "=", "a b")
        )

    def _time(self) -> str:
        nanoseconds = f"{self.at.microsecond:06d}{self.chance.randrange(1000):03d}".rstrip("0")
        if self._is_odd():
            return self.chance.choice(
                (
                    "2026-11-24T02:17:47+01:00",
                    "2026-02-30T00:00:00Z",
                    "0001-01-01T00:00:00Z",
                    "now",
                    "2026-11-24 02:17:47Z",
                )
            )
        return f"{self.at:%Y-%m-%dT%H:%M:%S}.{nanoseconds or 0}Z"

    def json(self) -> str:
        if self._is_odd():
            return self.chance.choice(
                (self.combined(), "", "2026/11/24 02:17:31 http: x", "panic: x", self.text(), "{", '{"a":1}')
            )
        return json.dumps(self._entry(), separators=(",", ":"), ensure_ascii=self._is_odd())

    def text(self) -> str:
        entry = self._entry()
        front = {"time": entry.pop("time"), "level": entry.pop("level"), "msg": entry.pop("msg")}
        return " ".join(f"{key}={_logrus(value)}" for key, value in (front | entry).items())

    def combined(self) -> str:
        self.at += self.step
        method, uri, status, size = self._request()
        user, address, agent = self._who()
        user = "-" if self.chance.random() < 0.2 else user
        forwarded = self.chance.choice(("", ' "-"', ' "203.0.113.9, 10.0.0.1"', ' ""')) if self.odd else ""
        zone = self.chance.choice(("+0000", "+0130", "-0800")) if self.odd else "+0000"
        line = f'{address} - {user} [{self.at:%d/%b/%Y:%H:%M:%S} {zone}] "{method} {uri} HTTP/1.1" {status} {size}'
        line += f' "-" "{_nginx(agent)}"{forwarded}'
        return self._torn(line)

    def timed(self) -> str:
        self.at += self.step
        method, uri, status, size = self._request()
        _, address, agent = self._who()
        seconds = f"{self.chance.uniform(0, 3):.3f}"
        line = f'{address} - "{method} {uri} HTTP/1.1" {status} {size} "-" "{_nginx(agent)}" {seconds} {seconds} .'
        if self._is_odd():
            return self._torn(self.chance.choice((line, f"[{self.at:%d/%b/%Y:%H:%M:%S} +0000]: {line}", "x: " + line)))
        return self._torn(f"{self.at:%b %d %H:%M:%S} 172.18.0.1 proxy[1065]: {line}".replace(" 0", "  ", 1))

    def audit_row(self) -> str:
        self.at += self.step
        method, _, status, _ = self._request()
        user, _, _ = self._who()
        name, digest = self.repositories[self._few(2000)], self.digests[self._few(5000)]
        operation = {"PUT": "create", "DELETE": "delete"}.get(method, "pull")
        row: dict[str, object] = {
            "id": self.chance.randrange(1 << 40), "op_time": f"{self.at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z", "operation": operation,
            "operation_description": f"{operation} artifact: {name}@{digest}", "operation_result": status < 400,
            "resource": f"{name}:1.{self.chance.randrange(9)}", "resource_type": "artifact", "username": user,
        }  # fmt: skip
        if self._is_odd():
            row["resource_type"] = self.chance.choice(("user", "robot", "project", "repository", "tag", "member", "x"))
            row["operation"] = self.chance.choice(("login", "logout", "create", "delete", "update"))
        if self._is_odd():
            self._twist(row)
        if self._is_odd():
            del row[self.chance.choice(list(row))]
        if self._is_odd():
            return self.chance.choice(
                (
                    "[",
                    "{",
                    "",
                    '{"errors":[{"code":"x"}]}',
                    f"[{json.dumps(row)},{json.dumps(row)}]",
                    "x",
                    json.dumps(row, indent=1),
                )
            )
        return self._torn(json.dumps(row, separators=(",", ":"), ensure_ascii=False))

    def audit_forwarded(self) -> str:
        self.at += self.step
        user, _, _ = self._who()
        c, name, digest = self.chance, self.repositories[self._few(2000)], self.digests[self._few(5000)]
        kind, operation = ("artifact", c.choice(("pull", "create", "delete")))
        if self._is_odd():
            kind, operation = (
                c.choice(("user", "robot", "project", "repository", "tag", "member")),
                c.choice(("login", "create", "update")),
            )
        stamp, resource = f"{self.at:%Y-%m-%dT%H:%M:%SZ}", c.choice((f"{name}:latest", f"{name}@{digest}"))
        described = f", operation_description:{operation} artifact: {name}@{digest}" if not self._is_odd() else ""
        head = (
            c.choice(("", f"<6>{stamp} vm audit[14730]: ", f"{self.at:%b %d %H:%M:%S} core-1 audit[14730]: "))
            if self.odd
            else f"<6>{stamp} vm audit[14730]: "
        )
        return self._torn(
            f'{head}{stamp} [INFO] [/pkg/auditext/manager.go:83][operator="{user}" resourceType="{kind}" '
            f'time="{self.at:%Y-%m-%d %H:%M:%S.%f}123 +0000 UTC m=+12.5"]: action:{operation}, resource:{resource}{described}'
        )

    def _torn(self, line: str) -> str:
        if not self._is_odd():
            return line
        at = self.chance.randrange(len(line) + 1)
        return self.chance.choice(
            (line[:at], line[:at] + self.chance.choice('"\\[] \t\x01é') + line[at:], line + " ", line + "\r")
        )


def _logrus(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if text and all((char.isalnum() and char.isascii()) or char in "-._/@^+" for char in text):
        return text
    return json.dumps(text, ensure_ascii=False)


def _nginx(text: str) -> str:
    return "".join(f"\\x{ord(char):02X}" if char in '"\\' or char < " " else char for char in text)


MAKERS: dict[str, Callable[[Lines], str]] = {
    "distribution-json": Lines.json,
    "distribution-text": Lines.text,
    "distribution-access": Lines.combined,
    "nginx-combined": Lines.combined,
    "nginx-timed-combined": Lines.timed,
    "harbor-audit": Lines.audit_row,
    "harbor-audit-syslog": Lines.audit_forwarded,
}


def made(name: str, count: int, *, seed: int = 1, odd: float = 0.0) -> bytes:
    """`count` lines (a few more where an odd one is several) of a format."""
    lines = Lines(seed=seed, odd=odd)
    return "".join(MAKERS[name](lines) + "\n" for _ in range(count)).encode("utf-8", "surrogatepass")
