"""Harbor's registryctl.log and exporter.log. The exporter tells nothing of what clients did; registryctl is told by the garbage
collection what to delete from the storage, and answers health probes.

registryctl writes Apache's common form (`127.0.0.1 - - [24/Nov/2026:02:45:01 +0000] "GET /api/health HTTP/1.1" 200 9`). Its routes:
src/registryctl/handlers/router.go of goharbor/harbor.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from collector.access_line import QUOTED, TIME, split_request, unescape
from collector.errors import LineError, NotMine
from collector.go_output import is_go_output
from collector.harbor_logger import read_logger_line
from collector.image_reference import is_digest
from collector.lines import address, apache_moment, as_text
from collector.logrus_line import read_text
from collector.one_by_one import Line, one_by_one, share_of_lines
from collector.stages import Facts
from store.event import Action, Channel, Event, Outcome

_COMMON = re.compile(rf"(\S{{1,255}}) - \S{{1,255}} {TIME} {QUOTED} (\d{{3}}) (?:\d{{1,18}}|-)\s*")
_SWEEP = re.compile(r"/api/registry/(?:gc|blob/([^/?]{1,300})|(.{1,300})/manifests/([^/?]{1,300}))")
_OWN = (b"/registryctl/", b"/pkg/exporter/", b"/cmd/exporter/", b"/api/health", b"REGISTRY_CONTROLLER_URL")


def claims(head: bytes) -> float:
    return 0.93 * share_of_lines(head, _is_mine) if any(word in head for word in _OWN) else 0.0


def _is_mine(data: bytes) -> bool:
    text = as_text(data)
    return read_logger_line(text) is not None or _COMMON.fullmatch(text) is not None or _is_start_up(data)


def _is_start_up(data: bytes) -> bool:
    """Distribution's configuration reader, which registryctl uses."""
    if not data.startswith(b"time="):
        return False
    try:
        return str(read_text(data)["msg"]).startswith("Ignoring unrecognized environment variable")
    except LineError:
        return False


def parse_line(line: Line) -> Event | None:
    text = as_text(line.data)
    found = _COMMON.fullmatch(text)
    if found is not None:
        return _swept(*found.groups())
    if read_logger_line(text) is not None or _is_start_up(line.data) or is_go_output(line.data):
        return None
    raise NotMine("not a line of registryctl or the exporter")


def _swept(host: str, time: str, request_line: str, status: str) -> Event | None:
    method, uri, _ = split_request(unescape(request_line))
    found = _SWEEP.fullmatch(unquote(uri))
    if found is None or method not in ("DELETE", "POST"):
        return None
    blob, repository, manifest = found.groups()
    digest, client = blob or manifest, address(host)
    event: Event = {
        "channel": Channel.APPLICATION.value,
        "timestamp": apache_moment(time),
        "action": Action.GC.value,
        "outcome": (Outcome.SUCCESS if status[0] in "23" else Outcome.FAILURE).value,
        "actor_kind": "internal",
        "client_ip": client,
        "client_via": "peer" if client else None,
        "method": method,
        "uri": uri,
        "status": int(status),
        "repository": repository,
        "reference": digest if digest and is_digest(digest) else None,
    }
    if event["outcome"] == Outcome.FAILURE:
        event["reason"] = "not_found" if status == "404" else "server_error" if status[0] == "5" else "invalid"
    return event


FORMAT = one_by_one(
    "harbor-component",
    claims,
    parse_line,
    title="Harbor registryctl and exporter (what garbage collection deletes)",
    registry_kind="harbor",
    facts=Facts(versions="2.x", tested=True, never=("user", "user agent", "pulls", "pushes", "duration")),
)
