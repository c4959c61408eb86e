"""Harbor's audit pages, as real servers gave them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

from format_samples import SAMPLES, read_sample, rows

from collector.formats.harbor_audit import FORMAT, parse_page
from store.event import to_ecs

CLASSIC = "harbor-live/v2.12.4/api.audit-logs.json"
EXT = "harbor-live/v2.15.2-harbor-log/api.auditlog-exts.page1.json"


def test_operations_of_the_classic_table() -> None:
    """Every row of a page of the old table is one event of the right action."""
    parsed = read_sample("harbor-audit", CLASSIC)
    assert Counter((row["action"], row["outcome"]) for row in rows(parsed)) == {
        ("push", "success"): 25,
        ("pull", "success"): 26,
        ("delete", "success"): 6,  # 5 artifacts, 1 repository
        ("config", "success"): 6,  # projects
        ("permission", "success"): 8,  # robots
        ("tag", "success"): 1,
        ("untag", "success"): 1,
    }
    assert (parsed.lines, parsed.extra, parsed.ignored) == (1, 72, 0)


def test_operations_of_the_ext_table() -> None:
    """The newer table also says how it ended: failed logins are denied, failed user creations are failures."""
    counts = Counter((row["action"], row["outcome"], row["reason"]) for row in rows(read_sample("harbor-audit", EXT)))
    written = Counter(
        (row["operation"], row["resource_type"], row["operation_result"])
        for row in json.loads((SAMPLES / EXT).read_text())
    )
    assert counts["push", "success", None] == written["create", "artifact", True] == 14
    assert counts["pull", "success", None] == written["pull", "artifact", True] == 12
    assert counts["login", "success", None] == written["login", "user", True] == 3
    assert counts["login", "denied", "bad_credentials"] == written["login", "user", False] == 4
    assert counts["logout", "success", None] == 1
    assert counts["permission", "failure", None] == written["create", "user", False] == 2
    assert (counts["tag", "success", None], counts["untag", "success", None]) == (1, 1)
    assert sum(counts.values()) == 51


def test_a_push_in_full() -> None:
    """Tag from the resource, digest from the description."""
    pushed = next(row for row in rows(read_sample("harbor-audit", EXT)) if row["tag"] == "0.4.2")
    assert to_ecs(pushed | {"read_at": None}) == {
        "event.id": pushed["event_id"],
        "oci.revision": 0,
        "oci.channel": "audit",
        "@timestamp": "2026-11-24T03:03:06.943000Z",
        "event.action": "push",
        "event.outcome": "success",
        "event.dataset": "harbor-audit",
        "service.name": "r1",
        "service.type": "harbor",
        "user.name": "tomasz",
        "oci.repository": "payments/charts/api",
        "oci.project": "payments",
        "oci.reference": "0.4.2",
        "oci.tag": "0.4.2",
        "oci.digest": "sha256:79b834cd2cbca3bc5dc4b1a8aabfb397fd12c0084adda96d6073bcaa44384a38",
        "oci.stream": "s",
        "oci.offset": 0,
        "log.file.path": EXT,
        "oci.parts": ["s:0"],
    }


def test_a_failed_login_in_full() -> None:
    """Login rows hold the name as the URL had it; the event holds the name."""
    denied = next(row for row in rows(read_sample("harbor-audit", EXT)) if (row["actor"] or "").startswith("eve"))
    assert denied["actor"] == "eve@evil.test & co"
    assert (denied["action"], denied["outcome"], denied["reason"]) == ("login", "denied", "bad_credentials")
    assert denied["timestamp"] == datetime(2026, 11, 24, 3, 3, 5, 990_000, tzinfo=UTC)
    assert denied["repository"] is denied["reference"] is denied["client_ip"] is denied["status"] is None


def test_a_page_gives_the_same_ids_from_a_file_and_from_the_api() -> None:
    """What the poller read is not counted again when the same rows come from a file, or in other pages."""
    body = (SAMPLES / EXT).read_bytes()
    polled = parse_page(body, table="ext", stream="other", path="https://h/api", registry="r1", offset=77)
    assert polled.lines == 1
    ids = [row["event_id"] for row in rows(polled)]
    assert ids == [row["event_id"] for row in rows(read_sample("harbor-audit", EXT))]
    assert len(set(ids)) == 51


def test_ids_name_the_table() -> None:
    """A database that was upgraded has the same ids in both tables: they are different events."""
    row = b'[{"id":7,"op_time":"2026-11-24T02:46:18.755Z","operation":"pull","resource":"a/b:1","resource_type":"artifact"}]'
    ids = {
        rows(parse_page(row, table=table, stream="s", path="p", registry=registry))[0]["event_id"]
        for table in ("ext", "classic")
        for registry in ("r1", "r2")
    }
    assert len(ids) == 4


def test_an_error_answer_is_a_reject() -> None:
    """A body that is no page at all is kept with the reason, as is a row without its id."""
    answer = parse_page(b'{"errors":[{"code":"NOT_FOUND"}]}', table="ext", stream="s", path="p", registry=None)
    assert (answer.events.num_rows, [reject.reason for reject in answer.rejects]) == (0, ["no page of an audit log"])
    mixed = parse_page(b'[{"id":1},7]', table="ext", stream="s", path="p", registry=None)
    assert (len(mixed.rejects), mixed.lines) == (2, 1)
    assert FORMAT.claims(b'{"errors":[{"code":"NOT_FOUND"}]}') == 0.0
