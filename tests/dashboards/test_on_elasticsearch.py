"""Every Elasticsearch query of every board, run as a real search over events that our own store has written."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from dashboards.build import build
from dashboards.preview.asked import Span, for_lucene, search_of
from store.elastic import ElasticStore
from store.event import FIELDS, schema

pytestmark = pytest.mark.external_service

NAMESPACE = "boards"
START = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)  # the events lie in the indices of two days
REQUESTS = [
    # registry, actor, client, action, outcome, reason, repository, response_bytes
    ("hub", "anna", "10.0.0.1", "pull", "success", None, "team/web", 1000),
    ("hub", "anna", "10.0.0.1", "layer_download", "success", None, "team/web", 5000),
    ("hub", "bert", "10.0.0.2", "push", "success", None, "team/db", 20),
    ("hub", "bert", "10.0.0.2", "login", "denied", "bad_credentials", None, 80),
    ("hub", "bert", "10.0.0.9", "login", "denied", "bad_credentials", None, 80),
    ("edge", "carl", "10.0.0.3", "pull", "denied", "forbidden", "team/secret", 90),
    (None, None, "10.0.0.4", "pull", "success", None, "team/web", 700),
]
OLD, NEW, LAYER, OTHER = ("sha256:" + letter * 64 for letter in "abcd")
# One image's life at another registry: pushed, pulled before it was scanned, its tag moved, signed, fetched again, removed.
LIFE = [
    {"action": "layer_upload", "digest": LAYER, "request_bytes": 9000},
    {"action": "push", "digest": OLD, "tag": "1.0", "request_bytes": 500},
    {"action": "pull", "digest": OLD, "tag": "1.0", "actor": "node-1", "actor_kind": "node", "response_bytes": 500},
    {"action": "layer_download", "digest": LAYER, "actor": "node-1", "response_bytes": 9000},
    {"action": "layer_download", "digest": LAYER, "actor": "node-2", "response_bytes": 9000},
    {"action": "layer_download", "digest": OTHER, "actor": "node-2", "response_bytes": 100},
    {"action": "scan", "digest": OLD, "actor": None, "actor_kind": "internal"},
    {"action": "push", "digest": NEW, "tag": "1.0", "request_bytes": 500},
    {"action": "pull", "digest": NEW, "tag": "1.0", "actor": "node-1", "actor_kind": "node", "response_bytes": 500},
    {"action": "sign", "digest": NEW, "tag": "sha256-cc.sig"},
    {"action": "referrers", "digest": NEW, "actor": "node-1"},
    {"action": "pull", "actor": "mallory", "outcome": "denied", "reason": "forbidden"},
    {"action": "untag", "tag": "1.0"},
]
ROBOT = {
    "registry": "images",
    "actor": "robot$ci",
    "actor_kind": "robot",
    "client_ip": "10.0.1.5",
    "client_class": "docker",
    "traffic_class": "ci",
    "outcome": "success",
    "repository": "shop/api",
    "project": "shop",
    "uri": "/v2/",
}


def event(number, channel="application"):
    registry, actor, client, action, outcome, reason, repository, size = REQUESTS[number]
    known = {
        "event_id": f"e-{number}",
        "revision": 0,
        "channel": channel,
        "timestamp": START + timedelta(minutes=20 * number),
        "read_at": START + timedelta(hours=3),
        "action": action,
        "outcome": outcome,
        "reason": reason,
        "dataset": "distribution",
        "registry": registry,
        "actor": actor,
        "client_ip": client,
        "uri": "/v2/",
        "repository": repository,
        "response_bytes": size,
        "stream": channel,
        "offset": number,
        "parts": [f"{channel}:{number}"],
    }
    return {field.name: known.get(field.name) for field in FIELDS}


def life():
    """The events of the image's life, ten minutes apart."""
    for number, said in enumerate(LIFE):
        known = {
            **ROBOT,
            **said,
            "event_id": f"life-{number}",
            "revision": 0,
            "channel": "application",
            "timestamp": START + timedelta(minutes=10 * number),
            "read_at": START + timedelta(hours=3),
            "dataset": "distribution",
            "stream": "life",
            "offset": number,
            "parts": [f"life:{number}"],
        }
        yield {field.name: known.get(field.name) for field in FIELDS}


@pytest.fixture(scope="module")
def search(elasticsearch_url):
    """Asks the alias that the provisioned data source names; the first request was seen in two logs."""
    store = ElasticStore(elasticsearch_url, namespace=NAMESPACE)
    rows = [*(event(number) for number in range(len(REQUESTS))), event(0, "access"), *life()]
    store.commit(pa.Table.from_pylist(rows, schema()), [])
    assert store.total() == len(REQUESTS) + len(LIFE)
    store.close()

    def post(path, body):
        request = urllib.request.Request(
            f"{elasticsearch_url}/regsight-events-{NAMESPACE}/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(error.read().decode()) from None

    return post


def as_search(target, registries="* OR (NOT _exists_:service.name)", actors="* OR (NOT _exists_:user.name)"):
    """The search that Grafana's backend makes of a target, with these texts in the place of the variables."""
    chosen = {"stored_registry": registries, "actor": actors, "repository": for_lucene("shop/api")}
    return search_of(target, Span(START, START + timedelta(hours=4)), chosen, step=600)


def every_target(boards):
    """(board, panel title, target) of all that is asked of Elasticsearch."""
    return [
        (board["uid"], panel["title"], target)
        for board in boards.values()
        for panel in board["panels"]
        for target in panel.get("targets", ())
        if target["datasource"]["type"] == "elasticsearch"
    ]


def targets(boards, *uids):
    """By panel title: the first question of a panel, on these boards or the first two."""
    of = uids or ("regsight-overview", "regsight-security")
    return {title: target for uid, title, target in reversed(every_target(boards)) if uid in of}


def buckets(answer):
    return answer["aggregations"]["2"]["buckets"]


def ranking(answer):
    return {bucket["key"]: bucket["doc_count"] for bucket in buckets(answer)}


def test_every_query_returns_data(search, boards):
    """Each panel's search is accepted and finds something: no wrong field, no Lucene error."""
    asked = every_target(boards)
    assert len(asked) >= 45
    for uid, title, target in asked:
        where = (uid, title, target["refId"])
        answer = search("_search", as_search(target))
        if target["metrics"][0]["type"] == "logs":
            assert answer["hits"]["hits"], where
            continue
        found = buckets(answer)
        assert found, where
        if len(target["bucketAggs"]) == 2:
            found = [inner for bucket in found for inner in bucket["3"]["buckets"]]
        filled = [bucket for bucket in found if bucket["doc_count"]]
        assert filled, where
        for metric in target["metrics"]:
            if metric["type"] != "count":
                assert any(bucket[metric["id"]]["value"] for bucket in filled), where


def test_rankings_have_the_right_figures(search, boards):
    """A request told of by two logs counts once, and an event without a registry is part of "All"."""
    asked = targets(boards)
    assert ranking(search("_search", as_search(asked["Top repositories"]))) == {
        "shop/api": 13,
        "team/web": 3,
        "team/db": 1,
        "team/secret": 1,
    }
    actors = ranking(search("_search", as_search(asked["Top actors"])))
    assert actors == {"robot$ci": 5, "node-1": 4, "bert": 3, "anna": 2, "node-2": 2, "carl": 1, "mallory": 1}
    actions = ranking(search("_search", as_search(asked["Actions"])))
    assert (actions["pull"], actions["login"], actions["layer_download"], actions["push"]) == (6, 2, 4, 3)
    downloads = buckets(search("_search", as_search(asked["Most downloaded repositories"])))
    assert [(bucket["key"], bucket["1"]["value"]) for bucket in downloads] == [
        ("shop/api", 19100),
        ("team/web", 6700),
        ("team/secret", 90),
    ]
    refused = search("_search", as_search(asked["Bad credentials by client address"]))
    assert ranking(refused) == {"10.0.0.2": 1, "10.0.0.9": 1}


@pytest.mark.parametrize(
    ("chosen", "found"),
    [('("hub")', {"anna": 2, "bert": 3}), ('("hub" OR "edge")', {"anna": 2, "bert": 3, "carl": 1})],
)
def test_chosen_registries_narrow_the_answer(search, boards, chosen, found):
    """One or several registries chosen, as Grafana writes them into the query."""
    assert ranking(search("_search", as_search(targets(boards)["Top actors"], chosen))) == found


def test_newest_denied_events_show_the_log_field(search, boards, tmp_path):
    """The logs panel finds the denied events, newest first, with the fields that the data source shows of each."""
    hits = search("_search", as_search(targets(boards)["Newest denied requests"]))["hits"]["hits"]
    assert [hit["_source"]["event.id"] for hit in hits] == ["life-11", "e-5", "e-4", "e-3"]
    build(tmp_path, namespace=NAMESPACE)
    provisioned = (tmp_path / "provisioning/datasources/regsight.yml").read_text()
    assert f'index: "regsight-events-{NAMESPACE}"' in provisioned
    for name in ("url.original", "event.outcome"):
        assert name in provisioned
        assert all(name in hit["_source"] for hit in hits)


def test_known_fields_are_those_of_the_real_mapping(search, fields, elasticsearch_url):
    """What the validator takes for a field is mapped in the index that the store made."""
    with urllib.request.urlopen(f"{elasticsearch_url}/regsight-events-{NAMESPACE}/_mapping", timeout=30) as answer:
        index = next(iter(json.load(answer).values()))

    def leaves(properties, prefix=""):
        for name, inner in properties.items():
            if "properties" in inner:
                yield from leaves(inner["properties"], f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}"

    assert fields <= set(leaves(index["mappings"]["properties"]))


def test_list_of_registries_is_filled(search, boards):
    """The terms question behind the list of registries finds those with events."""
    listed = boards["regsight-overview"]["templating"]["list"][1]
    question = json.loads(listed["query"])
    body = {"size": 0, "aggs": {"1": {question["find"]: {"field": question["field"]}}}}
    answer = search("_search", body)
    assert {bucket["key"] for bucket in answer["aggregations"]["1"]["buckets"]} == {"hub", "edge", "images"}


def values(answer, *ids):
    """Key → metric values of a ranking."""
    return {bucket["key"]: tuple(bucket[id]["value"] for id in ids) for bucket in buckets(answer)}


def test_one_repository(search, boards):
    """The chosen repository alone: its pulls, who pulls it, and the tag that moved."""
    asked = targets(boards, "regsight-repositories")
    assert ranking(search("_search", as_search(asked["Who pulls"]))) == {"node-1": 2}
    assert ranking(search("_search", as_search(asked["Who pushes"]))) == {"robot$ci": 2}
    moved = search("_search", as_search(asked["Tags that moved"]))
    latest = (START + timedelta(minutes=70)).timestamp() * 1000
    assert values(moved, "1", "3") == {"1.0": (2, latest)}
    hits = search("_search", as_search(asked["What changed it"]))["hits"]["hits"]
    assert [hit["_source"]["event.action"] for hit in hits] == ["untag", "push", "push"]
    other = as_search(asked["Who pulls"])
    text = other["query"]["bool"]["filter"][1]["query_string"]
    text["query"] = text["query"].replace("shop\\/api", "team/web")  # as it stands, within quotation marks
    assert ranking(search("_search", other)) == {"anna": 1}


def test_chosen_accounts(search, boards):
    """Several accounts as Grafana writes them; all of them include requests without one."""
    asked = targets(boards, "regsight-actors")["Addresses"]
    two = search("_search", as_search(asked, actors='("robot$ci" OR "node-1")'))
    assert values(two, "3") == {"10.0.1.5": (2,)}
    assert "10.0.0.4" in ranking(search("_search", as_search(asked)))


def test_pulled_before_it_was_scanned(search, boards):
    """The two questions that the panel joins: the first image was scanned after its first pull, the second never."""
    pulls, scans = (target for _, title, target in every_target(boards) if title == "Pulled, and scanned?")
    first_pull = values(search("_search", as_search(pulls)), "3")
    first_scan = values(search("_search", as_search(scans)), "1")
    assert set(first_pull) == {OLD, NEW}
    assert set(first_scan) == {OLD}
    assert first_pull[OLD] < first_scan[OLD]


def test_what_was_fetched_again(search, boards):
    """Three downloads of two layers: one of them a cache would have answered."""
    asked = targets(boards, "regsight-capacity-and-cost")
    again = search("_search", as_search(asked["Downloaded again"]))
    assert ranking(again) == {"shop/api": 3}
    assert values(again, "3", "4") == {"shop/api": (2, 18100)}
    assert values(search("_search", as_search(asked["Heaviest accounts"])), "1") == {
        "anna": (5000,),
        "node-1": (9000,),
        "node-2": (9100,),
    }


def test_every_list_of_stored_values_is_filled(search, boards):
    """The terms question behind each list finds what was stored."""
    lists = {v["name"]: v for b in boards.values() for v in b["templating"]["list"] if v["type"] == "query"}
    for name, some in (("repository", "shop/api"), ("actor", "robot$ci")):
        question = json.loads(lists[name]["query"])
        body = {"size": 0, "aggs": {"1": {"terms": {"field": question["field"], "size": question["size"]}}}}
        assert some in {bucket["key"] for bucket in search("_search", body)["aggregations"]["1"]["buckets"]}
