"""Single rules of folding requests into sessions, and that nothing but the events decides."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from captured_events import captured
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics.open_sessions
from analytics.session import Kind, Session, State
from analytics.sessions import Folding, sessions_between, sessions_of
from store.event import schema
from store.locate import open_store

START = datetime(2026, 11, 24, 9, tzinfo=UTC)
INDEX, PLATFORM, OTHER = (f"sha256:{letter * 64}" for letter in "abc")
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
IMAGE_TYPE = "application/vnd.oci.image.manifest.v1+json"
_numbers = itertools.count()


def layer(number: int) -> str:
    return f"sha256:{number:064x}"


def event(seconds: float, action: str, reference: str | None = None, **fields: Any) -> dict[str, Any]:
    """One event of one client at shop/web, as a store gives it."""
    number = next(_numbers)
    by_digest = reference is not None and reference.startswith("sha256:")
    ordinary: dict[str, Any] = {
        "event_id": f"e-{number}",
        "timestamp": START + timedelta(seconds=seconds),
        "action": action,
        "outcome": "success",
        "registry": "main",
        "repository": None if action == "ping" else "shop/web",
        "client_ip": "10.0.0.7",
        "user_agent": "containerd/v2.1.0",
        "client_class": "containerd",
        "reference": reference,
        "tag": None if by_digest else reference,
        "digest": reference if by_digest else None,
        "stream": "s",
        "offset": number * 100,
        "status": 200,
    }
    return dict.fromkeys(schema().names) | ordinary | fields


def only(sessions: list[Session]) -> Session:
    assert len(sessions) == 1, sessions
    return sessions[0]


def test_the_tag_comes_back_from_the_head() -> None:
    """Docker and containerd ask for the tag with HEAD and fetch by digest: HEAD, index, platform, layers are one pull."""
    found = only(
        sessions_of(
            [
                event(0, "check", "1.4", digest=INDEX),
                event(0.1, "pull", INDEX, media_type=INDEX_TYPE, response_bytes=500),
                event(0.2, "pull", PLATFORM, media_type=IMAGE_TYPE, response_bytes=700),
                event(2, "layer_download", layer(1), response_bytes=10_000, duration_ns=1_500_000_000),
                event(3, "layer_download", layer(2), response_bytes=20_000),
            ]
        )
    )
    assert (found.kind, found.tag, found.tag_from, found.digest) == ("pull", "1.4", "head", INDEX)
    assert found.manifests == (INDEX, PLATFORM)
    assert (found.layers_fetched, found.bytes, found.requests, found.state) == (2, 31_200, 5, State.COMPLETE)
    assert (found.start, found.end) == (START, START + timedelta(seconds=3))


@pytest.mark.parametrize(
    ("heads", "tag"),
    [
        ([event(0, "check", "1.4")], "1.4"),  # the log alone does not say which digest the HEAD answered
        ([event(0, "check", "1.4"), event(0.1, "check", "1.5")], None),  # nothing says which of the two it is
        ([event(0, "check", "1.4", digest=OTHER)], None),  # another image
        ([event(0, "check", "1.4", digest=INDEX), event(0.1, "check", "1.5", digest=OTHER)], "1.4"),
        ([event(-60, "check", "1.4", digest=INDEX)], None),  # a minute ago
        ([event(0, "check", "1.4", client_ip="10.0.0.8", digest=INDEX)], None),  # another client
        ([event(0, "check", "1.4", outcome="failure")], None),
    ],
)
def test_a_tag_is_joined_only_where_it_is_certain(heads: list[dict[str, Any]], tag: str | None) -> None:
    pull = next(one for one in sessions_of([*heads, event(0.3, "pull", INDEX)]) if one.kind is Kind.PULL)
    assert (pull.tag, pull.tag_from) == (tag, "head" if tag else None)


def test_a_head_alone_is_no_pull() -> None:
    """A node that has the image asks whether the tag still stands for it, and that is all."""
    assert only(sessions_of([event(0, "check", "1.4", digest=INDEX)])).kind is Kind.CHECK


def test_the_same_manifest_again_is_another_pull() -> None:
    """Also at the same time: of six pulls at once each has its own layers."""
    events = [event(n / 1000, "pull", "1.4", digest=OTHER) for n in range(6)]
    events += [event(1 + n / 1000, "layer_download", layer(n % 3)) for n in range(18)]
    assert [(one.kind, one.layers_fetched) for one in sessions_of(events)] == [(Kind.PULL, 3)] * 6


def test_a_refusal_without_a_token_is_the_first_step_of_the_pull() -> None:
    """401, a token, and the same request again: one pull, and it succeeded."""
    refused = {"outcome": "denied", "reason": None, "status": 401}
    found = only(sessions_of([event(0, "pull", "1.4", **refused), event(0.4, "pull", "1.4", actor="node")]))
    assert (found.outcome, found.actor, found.requests) == ("success", "node", 2)
    found = only(sessions_of([event(0, "check", "1.4", **refused), event(0.4, "check", "1.4")]))
    assert (found.kind, found.outcome) == (Kind.CHECK, "success")


def test_a_wrong_password_is_final() -> None:
    """Each try is a pull of its own that failed."""
    tries = [event(n, "pull", "1.4", outcome="denied", reason="bad_credentials", actor="eve") for n in range(3)]
    assert [(one.state, one.outcome) for one in sessions_of(tries)] == [(State.FAILED, "denied")] * 3


def test_layers_that_were_not_needed_are_known_from_the_push() -> None:
    """A pull fetches what the client lacks; the rest was there already."""
    pushed = [event(n, "layer_upload", layer(n), method="PUT", status=201, client_ip="10.0.0.1") for n in range(3)]
    pushed.append(event(4, "push", "1.4", digest=OTHER, client_ip="10.0.0.1", status=201))
    sessions = sessions_of([*pushed, event(9, "pull", "1.4", digest=OTHER), event(10, "layer_download", layer(1))])
    assert [(one.kind, one.layers_uploaded, one.layers_fetched, one.layers_present) for one in sessions] == [
        (Kind.PUSH, 3, 0, 0),
        (Kind.PULL, 0, 1, 2),
    ]


def test_a_push_counts_what_it_sent_mounted_and_found_there() -> None:
    found = only(
        sessions_of(
            [
                event(0, "layer_check", layer(1), status=200),
                event(1, "layer_check", layer(2), outcome="failure", status=404),
                event(2, "mount", layer(2), status=201, from_repository="shop/base"),
                event(3, "layer_upload", method="POST", status=202),
                event(
                    4,
                    "layer_upload",
                    method="PATCH",
                    status=202,
                    request_bytes=900,
                    uri="/v2/shop/web/blobs/uploads/u1",
                ),
                event(5, "layer_upload", layer(3), method="PUT", status=201, uri="/v2/shop/web/blobs/uploads/u1"),
                event(6, "push", "1.4", digest=OTHER, status=201, request_bytes=100),
            ]
        )
    )
    assert (found.layers_uploaded, found.layers_mounted, found.layers_present) == (1, 1, 1)
    assert (found.bytes, found.tag, found.digest, found.resumed) == (1_000, "1.4", OTHER, False)


def test_an_upload_that_broke_off_and_went_on_was_resumed() -> None:
    upload = {"method": "PATCH", "uri": "/v2/shop/web/blobs/uploads/u1?_state=x"}
    events = [
        event(0, "layer_upload", method="POST", status=202),
        event(1, "layer_upload", outcome="failure", reason="aborted", status=500, **upload),
        event(9, "layer_upload", status=202, **upload),
        event(10, "layer_upload", layer(1), status=201, **upload | {"method": "PUT"}),
        event(11, "push", "1.4", status=201),
    ]
    assert only(sessions_of(events)).resumed
    abandoned = only(sessions_of(events[:2]))
    assert (abandoned.kind, abandoned.state, abandoned.reason) == (Kind.PUSH, State.ABANDONED, "aborted")


def test_a_download_that_broke_off() -> None:
    """Broken off and not fetched again it is incomplete; a range that follows makes it whole."""
    broken = event(1, "layer_download", layer(1), outcome="failure", reason="aborted")
    pull = event(0, "pull", "1.4")
    found = only(sessions_of([pull, broken]))
    assert (found.state, found.outcome, found.reason) == (State.INCOMPLETE, "failure", "aborted")
    found = only(sessions_of([pull, broken, event(5, "layer_download", layer(1), status=206, response_bytes=3)]))
    assert (found.state, found.resumed, found.layers_fetched) == (State.COMPLETE, True, 1)


def test_a_redirect_to_an_object_store_says_nothing_of_bytes() -> None:
    """What the registry wrote is the redirect; the layer's size is known where a notification names it."""
    pull, sent = event(0, "pull", "1.4", response_bytes=700), {"status": 307, "response_bytes": 0}
    assert only(sessions_of([pull, event(1, "layer_download", layer(1), **sent)])).bytes == 700
    assert only(sessions_of([pull, event(1, "layer_download", layer(1), **sent, size_bytes=9_000)])).bytes == 9_700


def test_one_layer_of_another_time_is_no_pull() -> None:
    """Layers without a manifest: the log begins there, or somebody goes on with a download."""
    assert only(sessions_of([event(0, "layer_download", layer(1))])).kind is Kind.LAYERS


@pytest.mark.parametrize(
    ("tag", "artifact"),
    [
        (f"sha256-{'0' * 64}.sig", "signature"),
        (f"sha256-{'0' * 64}.att", "attestation"),
        (f"sha256-{'0' * 64}.sbom", "sbom"),
        (f"sha256-{'0' * 64}", "referrers"),
        ("sha256-0.sig", "image"),
    ],
)
def test_evidence_is_no_image(tag: str, artifact: str) -> None:
    uri = f"/v2/shop/web/manifests/{tag}"
    for action in ("pull", "referrers") if artifact != "image" else ("pull",):
        assert only(sessions_of([event(0, action, tag, uri=uri, method="GET")])).artifact == artifact
    assert sessions_of([event(0, "referrers", OTHER, uri=f"/v2/shop/web/referrers/{OTHER}", method="GET")]) == []


def test_an_audit_row_names_who_the_address_was() -> None:
    """Harbor's registry does not know the account, its audit log not the address: one session has both."""
    row = {"client_ip": None, "user_agent": None, "client_class": None, "actor": "robot$ci", "channel": "audit"}
    for moment in (0.95, 1.05):  # the row may be written before the line and after it
        found = only(sessions_of([event(1, "pull", OTHER), event(moment, "pull", "1.4", **row)]))
        assert (found.client_ip, found.actor, found.tag, found.tag_from) == ("10.0.0.7", "robot$ci", "1.4", "audit")
    far = sessions_of([event(1, "pull", OTHER), event(9, "pull", "1.4", **row)])
    assert [(one.client_ip, one.actor) for one in far] == [("10.0.0.7", None), (None, "robot$ci")]


def test_two_at_the_same_time_are_not_mixed_up() -> None:
    """Two addresses and two accounts within a millisecond: each row is counted once, and nobody is named by guess."""
    row = {"client_ip": None, "user_agent": None, "client_class": None}
    events = [
        event(1, "pull", OTHER),
        event(1.001, "pull", OTHER, client_ip="10.0.0.8"),
        event(1.002, "pull", "1.4", actor="ann", **row),
        event(1.003, "pull", "1.4", actor="bob", **row),
    ]
    assert [one.actor for one in sessions_of(events)] == [None, None]
    assert [one.actor for one in sessions_of([*events[:3], events[3] | {"actor": "ann"}])] == ["ann", "ann"]


def test_events_of_one_time_come_in_the_order_of_their_lines() -> None:
    """Whole seconds, or none at all: however the ids are sorted, the lines' order holds."""
    events = [
        event(0, "check", "1.4"),
        event(0, "pull", INDEX),
        event(0, "layer_download", layer(1)),
        event(0, "check", "1.5"),
        event(0, "pull", OTHER),
        event(0, "layer_download", layer(2)),
    ]
    expected = sessions_of(events)
    assert [(one.tag, one.layers_fetched) for one in sorted(expected, key=lambda s: s.tag or "")] == [
        ("1.4", 1),
        ("1.5", 1),
    ]
    for seed in range(5):
        assert sessions_of(random.Random(seed).sample(events, len(events))) == expected


def test_state_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many clients begin something, the oldest are closed."""
    monkeypatch.setattr(analytics.open_sessions, "MOST_OPEN", 50)
    folding, given = Folding(), 0
    for number in range(500):
        events = event(number / 100, "pull", "1.4", client_ip=f"10.1.{number // 250}.{number % 250}")
        given += len(list(folding.take(events)))
        assert len(folding._open) <= 52
        assert len(folding._open._at) == len(folding._open)
    assert given + len(list(folding.finish())) == 500
    assert not len(folding._open) and not folding._open._at


def test_a_session_ends_when_nothing_more_comes() -> None:
    """After five minutes; and a client that never stops begins a new one after an hour."""
    folding = Folding()
    assert list(folding.take(event(0, "pull", "1.4"))) == []
    assert list(folding.take(event(299, "ping"))) == []
    list(folding.take(event(302, "ping")))
    assert [one.tag for one in folding.take(event(303, "ping"))] == ["1.4"]
    steady = [event(0, "pull", "1.4"), *(event(60 * n, "layer_download", layer(n)) for n in range(1, 90))]
    assert [one.kind for one in sessions_of(steady)] == [Kind.PULL, Kind.LAYERS]


LOGS = ("distribution-live/v3-json/registry.log", "distribution-live/v3-json/notifications.jsonl")
HARBOR = tuple(
    f"harbor-live/v2.12.4/{name}" for name in ("registry.text.log", "registry.json.log", "api.audit-logs.json")
)


@pytest.mark.parametrize("paths", [LOGS, HARBOR], ids=["distribution", "harbor"])
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_pieces_of_any_size_give_the_same(paths: tuple[str, ...], data: st.DataObject) -> None:
    """Fed in pieces, with what is done taken out between them, or at once: the same sessions."""
    events = list(captured(*paths))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=8)))
    folding, found = Folding(), []
    for first, last in itertools.pairwise([0, *cuts, len(events)]):
        piece = [session for one in events[first:last] for session in folding.take(one)]
        found += piece
    found += folding.finish()
    assert sorted(found, key=lambda one: (one.start, one.id)) == sessions_of(events)


def test_spans_of_a_store_give_each_session_once(tmp_path: Path) -> None:
    """Consecutive spans, however they are cut, together give what one long span gives."""
    store = open_store(f"delta:{tmp_path}")
    rows = [dict(one) for one in captured(*LOGS)]
    store.commit(pa.Table.from_pylist(rows, schema=schema()), [])
    first, last = rows[0]["timestamp"], rows[-1]["timestamp"] + timedelta(microseconds=1)
    whole = sorted(sessions_between(store, first - timedelta(hours=1), last), key=lambda one: one.id)
    assert whole == sorted(sessions_of(captured(*LOGS)), key=lambda one: one.id)
    for seed in range(3):
        chance = random.Random(seed)
        cuts = sorted(first + (last - first) * chance.random() for _ in range(4))
        spans = itertools.pairwise([first - timedelta(hours=1), *cuts, last])
        pieces = [one for since, until in spans for one in sessions_between(store, since, until)]
        assert sorted(pieces, key=lambda one: one.id) == whole
    store.close()
