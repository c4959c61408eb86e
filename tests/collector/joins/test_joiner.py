"""The joining stage on rows made here: who takes over whose id, how sure, and what is taken from whom."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from rows_to_join import READ, START, application, audit, nginx, table

from collector.config import JoinsConfig
from collector.joins.joiner import Joiner
from store.contract import EventQuery, Voice
from store.embedded import EmbeddedStore
from store.errors import Unavailable


@pytest.fixture
def store(tmp_path: Any) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(tmp_path / "store")
    yield opened
    opened.close()


def events_of(store: EmbeddedStore, *batches: list[dict[str, Any]], restart: bool = False) -> list[dict[str, Any]]:
    joiner = Joiner(store)
    for batch in batches:
        store.commit(joiner.join(table(*batch)), [])
        joiner = Joiner(store) if restart else joiner
    return list(store.events(EventQuery()))


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("application_first", [False, True])
def test_a_late_partner_takes_over_the_id(store: EmbeddedStore, restart: bool, application_first: bool) -> None:
    """From memory, or from the store after a restart; whichever comes first."""
    batches = [[application(0.3, client_ip="10.0.0.1")], [nginx(0, client_ip="10.0.0.1", actor="ann")]]
    (event,) = events_of(store, *(batches if application_first else batches[::-1]), restart=restart)
    assert (event["actor"], event["join_confidence"], len(event["parts"])) == ("ann", "certain", 2)


def test_what_has_no_partner_stays(store: EmbeddedStore) -> None:
    """Another status, user agent, actor or time is another request."""
    others = [
        nginx(0, 1, status=404, outcome="failure"),
        nginx(0, 2, user_agent="b"),
        nginx(0, 3, actor="bob"),
        nginx(9, 4),
    ]
    events = events_of(store, [application(0.3, user_agent="a", actor="ann"), *others])
    assert len(events) == 5
    assert {event["join_confidence"] for event in events} == {None}


def test_identical_requests_are_matched_in_order_and_only_likely(store: EmbeddedStore) -> None:
    """Three of a kind within a second, told twice: three events."""
    told = [application(0.1 + 0.1 * number, number, request=f"q{number}") for number in range(3)]
    events = events_of(store, [*told, *(nginx(0, number) for number in range(3))])
    assert [event["parts"] for event in events] == [[f"app:{number}", f"nginx:{number}"] for number in range(3)]
    assert {event["join_confidence"] for event in events} == {"likely"}


def test_two_people_at_two_addresses_in_one_second_are_only_possible(store: EmbeddedStore) -> None:
    """The other way round would be as good, and would name others: both are marked."""
    lines = [nginx(0, number, client_ip=f"10.0.0.{number}", dataset="nginx-timed-combined") for number in (1, 2)]
    rows = [audit(0.2 * number, number, actor=name) for number, name in ((1, "ann"), (2, "bob"))]
    events = events_of(store, lines, rows)
    assert [event["join_confidence"] for event in events] == ["possible", "possible"]


def test_one_person_at_two_addresses_is_likely(store: EmbeddedStore) -> None:
    """Whichever line belongs to which row, both are that person's."""
    lines = [nginx(0, number, client_ip=f"10.0.0.{number}") for number in (1, 2)]
    events = events_of(store, lines, [audit(0.2 * number, number, actor="ann") for number in (1, 2)])
    assert [(event["actor"], event["join_confidence"]) for event in events] == [("ann", "likely")] * 2


def test_a_line_read_again_keeps_the_event_it_had(store: EmbeddedStore) -> None:
    """Its partner was taken over before the restart; reading again neither moves it nor makes another event."""
    lines = [nginx(0, number) for number in range(3)]
    told = [application(0.1 + 0.1 * number, number, request=f"q{number}") for number in range(3)]
    events = events_of(store, told, lines, lines[1:], restart=True)
    assert [event["parts"] for event in events] == [[f"app:{number}", f"nginx:{number}"] for number in range(3)]


def test_rows_of_a_document_that_come_on_another_page_are_known(store: EmbeddedStore) -> None:
    """The audit row has the id of the registry's event by then, and comes again at another offset."""
    page = [audit(0.31, 0, actor="ann", event_id="a-7")]
    again = [audit(0.31, 500, actor="ann", event_id="a-7")]
    events = events_of(store, [application(0.3, client_ip="10.0.0.1")], page, again, restart=True)
    assert [(event["actor"], event["client_ip"]) for event in events] == [("ann", "10.0.0.1")]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("application_first", [False, True])
def test_the_clients_address_stands_before_the_proxys(
    store: EmbeddedStore, together: bool, application_first: bool
) -> None:
    """Without X-Forwarded-For the registry knows the proxy only; also when it was stored before."""
    one = application(0.3, client_ip="127.0.0.1", client_port=4711)
    other = nginx(0, client_ip="203.0.113.9")
    rows = [one, other] if application_first else [other, one]
    (event,) = events_of(store, rows) if together else events_of(store, *([each] for each in rows))
    assert (event["client_ip"], event["peer_ip"]) == ("203.0.113.9", "127.0.0.1")


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("audit_first", [False, True])
def test_the_account_of_harbors_core_is_never_the_person(
    store: EmbeddedStore, together: bool, audit_first: bool
) -> None:
    """The registry's log is trusted more than the audit log, and knows core's account only."""
    rows = [application(0.3, actor="harbor_registry_user", client_ip="10.0.0.1"), audit(0.31, actor="ann")]
    rows = rows[::-1] if audit_first else rows
    (event,) = events_of(store, rows) if together else events_of(store, *([each] for each in rows))
    assert (event["actor"], event["client_ip"]) == ("ann", "10.0.0.1")


def test_what_core_asks_for_itself_is_nobodys_pull(store: EmbeddedStore) -> None:
    """Core looks at each manifest that was pushed; no audit row is about that."""
    own = application(0.3, user_agent="harbor-registry-client", client_ip="127.0.0.1")
    assert len(events_of(store, [own, audit(0.31, actor="ann")])) == 2


def test_a_line_without_a_time_takes_its_place_between_others(store: EmbeddedStore) -> None:
    """Known from the order of lines; never certain, and stored at the time when it happened."""
    told = []
    for number in range(3):
        asked = {"uri": f"/v2/team/app/manifests/{number}", "reference": str(number), "tag": str(number)}
        told.append(application(number + 0.25, number, request=f"q{number}", **asked))
    lines = [
        nginx(
            0,
            number,
            timestamp=READ,
            dataset="nginx-timed-combined",
            uri=one["uri"],
            reference=one["tag"],
            tag=one["tag"],
        )
        for number, one in enumerate(told)
    ]
    refused = nginx(
        0, 9, timestamp=READ, dataset="nginx-timed-combined", uri="/v2/x/manifests/1", status=401, outcome="denied"
    )
    events = events_of(
        store, told, [*lines[:2], refused | {"offset": 1, "parts": ["nginx:r"], "stream": "nginx"}, lines[2]]
    )
    joined = [event for event in events if event["outcome"] == "success"]
    assert [event["join_confidence"] for event in joined] == ["likely"] * 3
    (alone,) = [event for event in events if event["outcome"] == "denied"]
    assert told[1]["timestamp"] <= alone["timestamp"] <= told[2]["timestamp"]


class Counting:
    """A reader of parts that counts how often it is asked, and the rows that it gives."""

    def __init__(self, store: EmbeddedStore) -> None:
        self.store, self.asked, self.rows = store, 0, 0

    def parts(
        self, query: EventQuery, *, numbered_by: Sequence[str] = (), besides: Collection[Voice] = ()
    ) -> Iterator[dict[str, Any]]:
        self.asked += 1
        for part in self.store.parts(query, numbered_by=numbered_by, besides=besides):
            self.rows += 1
            yield part


def test_one_log_alone_is_neither_compared_nor_remembered(store: EmbeddedStore) -> None:
    """The store is asked once whether there is another; then nothing is done."""
    reader = Counting(store)
    joiner = Joiner(reader, clock=lambda: START)
    for number in range(50):
        batch = table(nginx(number, number))
        assert joiner.join(batch) is batch
    assert reader.asked == 1


def test_of_one_log_alone_nothing_is_fetched(store: EmbeddedStore) -> None:
    """However much the store has of it: only rows of other logs would matter, and of the other registries none."""
    store.commit(table(*(nginx(number / 10, number) for number in range(500)), audit(3, registry="other")), [])
    reader = Counting(store)
    batch = table(nginx(60, 1000))
    assert Joiner(reader, clock=lambda: START).join(batch) is batch
    assert reader.rows == 0


def test_no_more_is_fetched_than_can_be_remembered(store: EmbeddedStore) -> None:
    """With more rows in the window than memory: the last are taken, and what made room is not fetched batch by batch."""
    store.commit(table(*(nginx(number / 10, number) for number in range(5000))), [])
    reader = Counting(store)
    joiner = Joiner(reader, JoinsConfig(memory_rows=1000), clock=lambda: START)
    first = joiner.join(table(application(499.9, 0, "q0")))
    assert any(first["join_confidence"].to_pylist())
    assert reader.rows <= 1010
    for number in range(1, 20):
        joiner.join(table(application(500 + number, number, f"q{number}"), nginx(500 + number, 5000 + number)))
    assert reader.rows < 2200


def test_registries_are_kept_apart(store: EmbeddedStore) -> None:
    """The same request at the same second at two registries."""
    events = events_of(store, [application(0.3), nginx(0, registry="other")])
    assert len(events) == 2


def test_a_partner_later_than_the_window_is_not_looked_for(store: EmbeddedStore) -> None:
    """The memory was lost; what the store has is asked for the window around the batch only."""
    joiner = Joiner(store, JoinsConfig(window_seconds=10))
    reader = Counting(store)
    store.commit(joiner.join(table(application(0.3))), [])
    Joiner(reader, JoinsConfig(window_seconds=10)).join(table(nginx(3600)))
    assert reader.asked == 1
    assert list(store.parts(EventQuery(since=START + timedelta(seconds=3580)))) == []


def test_a_store_that_does_not_answer_is_told_to_the_pipeline(store: EmbeddedStore) -> None:
    """The same batch can be handed in again."""

    class Away:
        down = True

        def parts(self, query: EventQuery, **options: Any) -> Iterator[dict[str, Any]]:
            if self.down:
                raise Unavailable("not now")
            return store.parts(query, **options)

    reader = Away()
    joiner = Joiner(reader)
    batch = table(application(0.3), nginx(0))
    with pytest.raises(Unavailable):
        joiner.join(batch)
    reader.down = False
    assert len(set(joiner.join(batch)["event_id"].to_pylist())) == 1
