"""Every rule of the pack fires on its own sample and stays silent on the other, through a real store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analytics.detector import Suspicion
from analytics.detectors.rules import Rules
from analytics.replay import Replay
from analytics.rules.condition import condition, field_name
from analytics.rules.load import WrongRule, pack, read_folder, read_rule
from analytics.rules.model import Kind, Rule, expanded
from store.contract import Position, Store
from store.event import schema
from store.locate import open_store

START = datetime(2026, 11, 16, 9, tzinfo=UTC)
REST = timedelta(hours=8)


def as_event(place: int, given: dict[str, Any]) -> dict[str, Any]:
    event = {field_name(name): value for name, value in given.items() if name != "at"}
    return {
        "event_id": f"e{place}",
        "timestamp": START + timedelta(minutes=given["at"]),
        "channel": "application",
        "stream": "s",
        "offset": place,
        "parts": [f"s:{place}"],
    } | event


@contextmanager
def stored(rule: Rule, samples: Sequence[dict[str, Any]], folder: Path) -> Iterator[Store]:
    store = open_store(f"delta:{folder}")
    assert rule.samples is not None
    rows = [as_event(place, one) for place, one in enumerate(expanded([*rule.samples.history, *samples]))]
    store.commit(pa.Table.from_pylist(rows, schema=schema()), [Position(stream="s", offset=len(rows))])
    yield store
    store.close()


def fired(rule: Rule, samples: Sequence[dict[str, Any]], folder: Path) -> Sequence[Suspicion]:
    with stored(rule, samples, folder) as store:
        return Rules(rules=(rule,)).detect(store, START, START + REST)


@pytest.mark.parametrize("rule", pack(), ids=lambda rule: rule.id)
def test_fires_and_stays_silent(rule: Rule, tmp_path: Path) -> None:
    """Asked live and in a replay of the span alike."""
    end = START + REST
    assert rule.samples is not None
    with stored(rule, rule.samples.fires, tmp_path / "fires") as store:
        found = Rules(rules=(rule,)).detect(store, START, end)
        again = Rules(rules=(rule,)).detect(Replay(store, START - timedelta(days=40), end), START, end)
    assert found, "the sample that should fire does not"
    assert [one.cause for one in again] == [one.cause for one in found]
    for suspicion in found:
        assert suspicion.kind == rule.id and suspicion.severity.rank >= rule.severity.rank
        assert "{" not in suspicion.title and suspicion.evidence and suspicion.next_step == rule.next_step
    assert fired(rule, rule.samples.silent, tmp_path / "silent") == []


def test_the_pack_is_wide() -> None:
    """At least forty, and each kind is used by one of them."""
    assert len(pack()) >= 40
    assert {rule.kind for rule in pack()} == set(Kind)


GOOD = (Path(read_rule.__code__.co_filename).parent / "pack" / "mass_delete.toml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "says", "line_of"),
    [
        ('kind = "frequency"', 'kind = "often"', "kind", 'kind = "often"'),
        ("[when]", "[when]\nbuy = 1", "buy", "buy = 1"),
        ('outcome = "success"', 'outcom = "success"', "did you mean 'outcome'", "[match]"),
        ('action = ["delete", "untag"]', 'action = ["shred"]', "no action 'shred'", "[match]"),
        ("count = 30", "", "needs when.count", None),
        ('within = "10m"', 'within = "soon"', "duration", 'within = "soon"'),
        ('attack = ["T1485", "T1490"]', 'attack = ["delete"]', "no technique", "attack ="),
        ('title = "', 'title = """', "Unterminated string", None),
    ],
)
def test_a_wrong_rule_is_refused_with_its_line(
    old: str, new: str, says: str, line_of: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "mass_delete.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(WrongRule, match=says) as raised:
        read_rule(path)
    if line_of is not None:
        number = next(n for n, line in enumerate(path.read_text().splitlines(), 1) if line.startswith(line_of))
        assert f"{path}:{number}:" in str(raised.value)


def test_ids_and_file_names_agree(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(GOOD)
    with pytest.raises(WrongRule, match="named after it"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("wanted", "event", "fits"),
    [
        ({"actor": "ann"}, {"actor": "ann"}, True),
        ({"actor": ["robot$*", "ci"]}, {"actor": "robot$x"}, True),
        ({"actor": {"not": ["ann"]}}, {"actor": None}, False),
        ({"user.name": "ann"}, {"actor": "ann"}, True),
        ({"status": {"above": 399, "below": 500}}, {"status": 404}, True),
        ({"status": {"above": 399}}, {"status": None}, False),
        ({"client": {"network": "10.0.0.0/8"}}, {"client_ip": "10.2.3.4"}, True),
        ({"client": {"not_network": ["10.0.0.0/8"]}}, {"client_ip": "nonsense"}, True),
        ({"tag": {"matches": "^v[0-9]"}}, {"tag": "v1"}, True),
        ({"timestamp": {"hour": [2, 3]}}, {"timestamp": START}, False),
        ({"any": [{"action": "push"}, {"action": "tag"}]}, {"action": "tag"}, True),
        ({"none": [{"action": "push"}]}, {"action": "push"}, False),
        ({"digest": {"present": False}}, {"digest": None}, True),
    ],
)
def test_conditions(wanted: dict[str, Any], event: dict[str, Any], fits: bool) -> None:
    assert condition(wanted)(event) is fits


def sequence(*times: float) -> list[dict[str, Any]]:
    refusals = [{"at": at, "action": "login", "outcome": "denied", "actor": "ann"} for at in times[:-1]]
    return [*refusals, {"at": times[-1], "action": "push", "outcome": "success", "actor": "ann"}]


def test_a_sequence_with_a_count(tmp_path: Path) -> None:
    """Three refusals within the window and then the success; the window slides over the first step."""
    fields = pack()[0].model_dump() | {
        "id": "let_in",
        "kind": Kind.SEQUENCE,
        "match": {"actor": {"present": True}},
        "when": {
            "by": ["actor"],
            "within": "10m",
            "steps": [{"outcome": "denied", "count": 3}, {"outcome": "success", "action": "push"}],
        },
    }
    rule = Rule.model_validate(fields)
    assert len(fired(rule, sequence(0, 1, 2, 5), tmp_path / "a")) == 1
    assert len(fired(rule, sequence(0, 30, 31, 32, 35), tmp_path / "b")) == 1
    assert fired(rule, sequence(0, 1, 5), tmp_path / "c") == []
    assert fired(rule, sequence(0, 1, 2, 55), tmp_path / "d") == []


def test_a_project_that_was_opened_is_one_finding(tmp_path: Path) -> None:
    """Its repositories are asked for by nobody named one after the other; another project is another finding."""
    rule = next(one for one in pack() if one.id == "pulled_without_name")
    assert rule.samples is not None
    pull = {"action": "pull", "outcome": "success", "registry_kind": "distribution", "channel": "application"}
    names = [("shop", "shop/api"), ("shop", "shop/web"), ("bank", "bank/api")]
    before = [{**pull, "at": -14400, "actor": "ci", "project": project, "repository": name} for project, name in names]
    now = [{**pull, "at": at, "project": names[at][0], "repository": names[at][1]} for at in range(3)]
    found = fired(rule, [*before, *now], tmp_path)
    assert [one.subjects["repository"] for one in found] == [["shop/api"], ["shop/web"], ["bank/api"]]
    assert found[0].cause == found[1].cause != found[2].cause


@pytest.mark.parametrize(("id", "many", "old"), [("tags_made_up", 6, 5), ("layers_in_slices", 16, 9)])
def test_what_was_done_before_as_often_and_a_young_store_are_nothing_unusual(
    id: str, many: int, old: int, tmp_path: Path
) -> None:
    """`old`: so many days before it was done as often, or the store began."""
    rule = next(one for one in pack() if one.id == id)
    assert rule.samples is not None
    fires = expanded(rule.samples.fires)
    assert len(fires) == many and len(fired(rule, fires, tmp_path / "fires")) == 1
    before = [one | {"at": one["at"] - old * 1440} for one in fires]
    assert fired(rule, [*before, *fires], tmp_path / "before") == []
    alone = rule.model_copy(update={"samples": rule.samples.model_copy(update={"history": ()})})
    first = fires[0] | {"at": -old * 1440}
    assert bool(fired(alone, [first, *fires], tmp_path / "young")) == (old >= 7)
