"""What holds for events in every store: one suite for both."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import timedelta
from fnmatch import fnmatchcase

import pytest

from store.contract import SUBJECTS, WINDOW_COUNTS, DeadLetter, EventQuery, Position
from store.errors import Rejected
from store.event import FIELDS
from store.merge import merge

HOUR = timedelta(hours=1)


def test_an_empty_store_answers_every_question(store, start):
    """Nothing stored is an answer, not an error."""
    assert list(store.events(EventQuery())) == []
    assert (store.total(), store.span(), store.position("s1"), store.positions()) == (0, None, None, [])
    assert list(store.windows(start, start + HOUR, HOUR, "actor").columns) == list(WINDOW_COUNTS)
    assert list(store.counts(start, start + HOUR, ["action"], HOUR).columns) == [
        "action", "window_start", "events", "bytes", "duration_ns",
    ]  # fmt: skip
    assert len(store.counts(start, start + HOUR, [])) == 0


def test_a_commit_done_twice_counts_once(opened, row, table):
    """The same arguments again, even after a restart, store nothing new and say so."""
    rows, position = table(row(1), row(2)), Position(stream="s1", offset=300, detail={"path": "/var/log/x"})
    assert opened().commit(rows, [position]).known == 0
    again = opened().commit(rows, [position])
    assert (again.rows, again.known) == (2, 2)
    assert opened().total() == 2
    assert opened().position("s1") == position


def test_a_row_comes_back_as_it_was(store, row, table, start):
    """Every field of the schema survives, times to the microsecond and in UTC."""
    samples = {"string": "a'b\"c%\n日", "int": 2**53 + 1, "time": start + timedelta(microseconds=130889)}
    full = {field.name: samples.get(field.kind, ["s1:0"]) for field in FIELDS} | {"event_id": "l-1", "channel": "audit"}
    store.commit(table(full, row(1)), [])
    found = list(store.events(EventQuery()))
    assert {event["event_id"]: event for event in found} == {"l-1": full, row(1)["event_id"]: row(1)}
    assert all(event["timestamp"].utcoffset() == timedelta(0) for event in found)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("commits", [1, 2])
def test_parts_of_one_request_are_one_event(opened, row, table, start, order, commits):
    """Application line and notification make one event, in either order, in one commit or two with a restart between."""
    midnight = start + timedelta(days=1)
    line = row(1, event_id="r-1", channel="application", actor="ann", request_id="q", timestamp=midnight)
    told = row(2, event_id="r-1", channel="notification", actor="bob", digest="sha256:aa", request_id="q",
               stream="s2", timestamp=midnight - timedelta(microseconds=1))  # fmt: skip
    parts = [(line, told)[place] for place in order]
    if commits == 1:
        opened().commit(table(*parts), [])
    else:
        for part in parts:
            opened().commit(table(part), [])
    store = opened()
    (event,) = store.events(EventQuery())
    assert event == merge([line, told])
    assert (event["actor"], event["digest"], event["timestamp"]) == ("ann", "sha256:aa", midnight)
    assert (event["parts"], event["join_confidence"]) == (["s1:100", "s2:200"], "certain")
    assert store.total() == 1
    assert store.windows(start, start + timedelta(days=3), HOUR, "registry_wide")["requests"].tolist() == [1]


def test_a_third_part_is_merged_with_the_parts_not_with_their_merger(opened, row, table):
    """However parts arrive, the most trusted one that has a value gives it."""
    parts = [
        row(1, event_id="r-1", channel="access", actor="from access", status=200, request_id="q"),
        row(2, event_id="r-1", channel="application", stream="s2", request_id="q"),
        row(3, event_id="r-1", channel="notification", stream="s3", actor="from notification", request_id="q"),
        row(1, event_id="r-1", channel="access", actor="improved", revision=1, request_id="q"),
    ]
    for part in parts:
        opened().commit(table(part), [])
    (event,) = opened().events(EventQuery())
    assert event == merge(parts)
    assert (event["actor"], event["revision"], event["status"]) == ("from notification", 1, 200)


def test_the_position_moves_without_rows_and_never_back(opened, table, row):
    """Lines that are no event move the position too; an older position changes nothing."""
    opened().commit(table(), [Position(stream="s1", offset=500, detail={"inode": 7}), Position(stream="s2", offset=0)])
    opened().commit(table(row(1)), [Position(stream="s1", offset=100)])
    store = opened()
    assert store.position("s1") == Position(stream="s1", offset=500, detail={"inode": 7})
    assert [(p.stream, p.offset) for p in store.positions()] == [("s1", 500), ("s2", 0)]
    store.commit(table(), [Position(stream="s1", offset=500, detail={"inode": 8})])
    assert opened().position("s1").detail == {"inode": 8}
    assert store.total() == 1


def test_rows_without_an_id_or_a_time_are_rejected_whole(store, row, table):
    """What cannot be counted is refused before anything is written, the position included."""
    for broken in (row(1, event_id=None), row(1) | {"timestamp": None}):
        with pytest.raises(Rejected):
            store.commit(table(row(2), broken), [Position(stream="s1", offset=9)])
    assert (store.total(), store.position("s1")) == (0, None)


def test_dead_letters_are_kept_with_their_reason(opened, table, start):
    """Bytes nobody could read come back as they were; written twice, they are there once."""
    dead = [
        DeadLetter(stream="s1", offset=0, length=3, reason="torn", line=b"\x00\xffx", path="/a\udcff", format="nginx"),
        DeadLetter(stream="s2", offset=5, length=99, reason="binary", line=b"", read_at=start),
    ]
    for _ in range(2):
        opened().commit(table(), [Position(stream="s1", offset=3)], dead)
    store = opened()
    assert store.dead_letter_counts() == {"binary": 1, "torn": 1}
    assert store.dead_letters(stream="s2") == [dead[1]]
    assert store.dead_letters(limit=1) == [dead[1]]
    assert store.dead_letters(stream="s1")[0].line == b"\x00\xffx"


QUERIES = [
    {"action": ["push", "delete"]},
    {"outcome": ["denied"], "reason": ["bad_credentials"]},
    {"actor": "o'brien"},
    {"actor": "100%"},
    {"actor": "*'*"},
    {"actor": "back\\*"},
    {"actor": "a_*"},
    {"actor": "a?b"},
    {"client": "10.0.0.*"},
    {"client": "2001:db8::1"},
    {"repository": "50%_off/*"},
    {"repository": "base/[x]"},
    {"repository": "base/[*"},
    {"reference": "v1.*"},
    {"digest": "sha256:aa"},
    {"actor": "' OR 1=1 --"},
    {"limit": 7},
    {"limit": 7, "newest_first": True},
    {"limit": 0},
]


def test_each_filter_gives_what_it_names(store, traffic, table, start):
    """Filters look at merged events, names with quotes, percent signs and brackets mean themselves."""
    rows = traffic(1, 300)
    store.commit(table(*rows), [])
    events = _merged(rows)
    since, until = start + timedelta(hours=20), start + timedelta(hours=40, microseconds=1)
    ids = [event["event_id"] for event in events[:5]]
    cases = [*QUERIES, {"since": since, "until": until}, {"until": events[9]["timestamp"]}, {"ids": ids}]
    cases += [{"since": events[9]["timestamp"]}, {"since": until, "actor": "ci"}, {"ids": ids, "actor": "ci"}]
    for case in cases:
        wanted = _asked(events, **case)
        assert list(store.events(EventQuery(**case))) == wanted, case
        assert store.table(EventQuery(**case)).to_pylist() == wanted, case
        names = ("digest", "event_id", "parts")
        some = [{name: event[name] for name in names} for event in wanted]
        assert list(store.events(EventQuery(**case, columns=names))) == some, case
        found = store.table(EventQuery(**case, columns=names))
        assert (found.to_pylist(), tuple(found.schema.names)) == (some, names), case
    assert store.total() == len(events)
    assert store.span() == (events[0]["timestamp"], events[-1]["timestamp"])


@pytest.mark.parametrize("seed", [2, 3])
def test_windows_equal_counting_by_hand(store, traffic, table, start, seed):
    """Each subject's windows hold what a loop over the merged events counts."""
    rows = traffic(seed, 250)
    for part in range(0, len(rows), 90):
        store.commit(table(*rows[part : part + 90]), [])
    since, until = start + timedelta(hours=7), start + timedelta(hours=60, minutes=13)
    chosen = [event for event in _merged(rows) if since <= event["timestamp"] < until]
    for subject, width in [*((name, HOUR) for name in SUBJECTS), ("actor", timedelta(hours=7))]:
        found = store.windows(since, until, width, subject)
        assert found.index.names == ["subject", "window_start"]
        assert {str(kind) for kind in found.dtypes} == {"int64"}
        assert found.index.is_monotonic_increasing
        assert {key: tuple(values) for key, values in zip(found.index, found.to_numpy().tolist(), strict=True)} == (
            _windows(chosen, width, SUBJECTS[subject])
        ), subject


def test_counts_equal_counting_by_hand(store, traffic, table, start):
    """Events, bytes and mean duration for each combination, nulls included, with windows and without."""
    rows = traffic(4, 250)
    store.commit(table(*rows), [])
    since, until = start + timedelta(hours=5), start + timedelta(hours=50)
    chosen = [event for event in _merged(rows) if since <= event["timestamp"] < until]
    for by, width in [(["action", "outcome"], None), (["actor", "status"], HOUR * 6), ([], HOUR), ([], None)]:
        groups = defaultdict(list)
        for event in chosen:
            groups[(*(event[name] for name in by), *([_start(event, width)] if width else []))].append(event)
        found = store.counts(since, until, by, width)
        keys = [*by, *(["window_start"] if width else [])]
        assert list(found.columns) == [*keys, "events", "bytes", "duration_ns"]
        assert len(found) == len(groups)
        for line in found.to_dict("records"):
            group = groups[tuple(None if line[name] != line[name] else line[name] for name in keys)]
            assert (line["events"], line["bytes"]) == (len(group), sum(_bytes(event) for event in group))
            times = [event["duration_ns"] for event in group if event["duration_ns"] is not None]
            assert line["duration_ns"] == pytest.approx(sum(times) / len(times) if times else math.nan, nan_ok=True)
        order = [(line.get("window_start"), -line["events"]) for line in found.to_dict("records")]
        assert order == sorted(order) if width else [n for _, n in order] == sorted(n for _, n in order)


def test_what_cannot_be_counted_by_is_refused_alike(store, start):
    """Free text, lists and unknown names are a ValueError in every store."""
    for name in ("uri", "parts", "timestamp", 'nonsense"; DROP TABLE x'):
        with pytest.raises(ValueError, match="not counted by"):
            store.counts(start, start + HOUR, [name])


def test_days_older_than_kept_are_dropped_and_nothing_else(opened, row, table, start):
    """Upkeep drops whole days, keeps positions, and changes no other event."""
    store = opened()
    for day in range(4):
        rows = [row(day * 10 + n, timestamp=start + timedelta(days=day, hours=n)) for n in range(3)]
        store.commit(table(*rows), [Position(stream="s1", offset=day)])
    done = store.maintain(start + timedelta(days=3, hours=1), timedelta(days=1))
    assert done["days_dropped"] == 2
    assert opened().total() == 6
    assert opened().position("s1").offset == 3
    assert store.maintain(start + timedelta(days=3, hours=1), timedelta(days=1))["days_dropped"] == 0
    store.commit(table(row(99, timestamp=start + timedelta(days=3))), [Position(stream="s1", offset=4)])
    assert opened().total() == 7


def _merged(rows):
    groups = defaultdict(list)
    for one in rows:
        groups[one["event_id"]].append(one)
    return sorted((merge(group) for group in groups.values()), key=lambda e: (e["timestamp"], e["event_id"]))


def _asked(events, since=None, until=None, ids=(), limit=None, newest_first=False, client=None, **names):
    def fits(event):
        for name, wanted in (names | {"client_ip": client}).items():
            if wanted is None:
                continue
            # `[` is no wildcard of ours, but one of fnmatch's.
            hit = event[name] in wanted if isinstance(wanted, list) else (
                event[name] is not None and fnmatchcase(event[name], wanted.replace("[", "[[]"))
            )  # fmt: skip
            if not hit:
                return False
        inside = (since is None or event["timestamp"] >= since) and (until is None or event["timestamp"] < until)
        return inside and (not ids or event["event_id"] in ids)

    found = [event for event in (reversed(events) if newest_first else events) if fits(event)]
    return found if limit is None else found[:limit]


def _start(event, width):
    moment = event["timestamp"]
    return moment - timedelta(seconds=moment.timestamp() % width.total_seconds())


def _bytes(event):
    if event["action"] in ("pull", "layer_download"):
        return event["response_bytes"] or 0
    if event["action"] in ("push", "layer_upload"):
        sent = event["request_bytes"] if event["request_bytes"] is not None else event["size_bytes"]
        return sent or 0
    return 0


def _windows(events, width, column):
    groups = defaultdict(list)
    for event in events:
        subject = "*" if column is None else event[column]
        if subject is not None:
            seconds = event["timestamp"].timestamp() // width.total_seconds() * width.total_seconds()
            groups[subject, type(event["timestamp"]).fromtimestamp(seconds, event["timestamp"].tzinfo)].append(event)
    actions = ["pull", "push", "delete", "check", "layer_download", "layer_upload", "login"]
    return {
        key: (
            len(group),
            *(sum(event["action"] == action for event in group) for action in actions),
            sum(event["outcome"] == "denied" for event in group),
            sum(event["outcome"] == "denied" and event["reason"] == "bad_credentials" for event in group),
            sum(event["outcome"] == "failure" for event in group),
            *(len({e[name] for e in group} - {None}) for name in ("client_ip", "actor", "repository", "digest")),
            sum(_bytes(event) for event in group),
        )
        for key, group in groups.items()
    }
