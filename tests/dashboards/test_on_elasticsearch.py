"""Every Elasticsearch query of every board, run as a real search over events that our own store has written."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from dashboards.build import build
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


@pytest.fixture(scope="module")
def search(elasticsearch_url):
    """Asks the alias that the provisioned data source names; the first request was seen in two logs."""
    store = ElasticStore(elasticsearch_url, namespace=NAMESPACE)
    rows = [*(event(number) for number in range(len(REQUESTS))), event(0, "access")]
    store.commit(pa.Table.from_pylist(rows, schema()), [])
    assert store.total() == len(REQUESTS)
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


def as_search(target, registries="* OR (NOT _exists_:service.name)"):
    """The search that Grafana's backend makes of a target: a range, the Lucene text, nested aggregations."""
    until = START + timedelta(hours=4)
    span = {"gte": START.isoformat(), "lte": until.isoformat(), "format": "strict_date_optional_time"}
    text = target["query"].replace("$stored_registry", registries)
    body = {
        "size": 0,
        "query": {
            "bool": {
                "filter": [
                    {"range": {"@timestamp": span}},
                    {"query_string": {"analyze_wildcard": True, "query": text}},
                ]
            }
        },
    }
    metric = target["metrics"][0]
    if metric["type"] == "logs":
        return body | {"size": int(metric["settings"]["limit"]), "sort": [{"@timestamp": {"order": "desc"}}]}
    inner = {} if metric["type"] == "count" else {metric["id"]: {metric["type"]: {"field": metric["field"]}}}
    for bucket in reversed(target["bucketAggs"]):
        agg = {bucket["id"]: _bucket(bucket)}
        if inner:
            agg[bucket["id"]]["aggs"] = inner
        inner = agg
    return body | {"aggs": inner}


def _bucket(bucket):
    settings = bucket["settings"]
    if bucket["type"] == "date_histogram":
        return {"date_histogram": {"field": bucket["field"], "fixed_interval": "10m", "min_doc_count": 0}}
    order = {"_count": "_count", "_term": "_key"}.get(settings["orderBy"], settings["orderBy"])
    return {
        "terms": {
            "field": bucket["field"],
            "size": int(settings["size"]),
            "min_doc_count": int(settings["min_doc_count"]),
            "order": {order: settings["order"]},
        }
    }


def targets(boards):
    return {
        panel["title"]: panel["targets"][0]
        for board in boards.values()
        for panel in board["panels"]
        if panel.get("datasource", {}).get("type") == "elasticsearch"
    }


def buckets(answer):
    return answer["aggregations"]["2"]["buckets"]


def ranking(answer):
    return {bucket["key"]: bucket["doc_count"] for bucket in buckets(answer)}


def test_every_query_returns_data(search, boards):
    """Each panel's search is accepted and finds something: no wrong field, no Lucene error."""
    asked = targets(boards)
    assert len(asked) >= 10
    for title, target in asked.items():
        answer = search("_search", as_search(target))
        if target["metrics"][0]["type"] == "logs":
            assert answer["hits"]["hits"], title
        else:
            assert buckets(answer), title
            last = answer["aggregations"]["2"]["buckets"][0]
            if len(target["bucketAggs"]) == 2:
                assert any(bucket["doc_count"] for bucket in last["3"]["buckets"]), title


def test_rankings_have_the_right_figures(search, boards):
    """A request told of by two logs counts once, and an event without a registry is part of "All"."""
    asked = targets(boards)
    assert ranking(search("_search", as_search(asked["Top repositories"]))) == {
        "team/web": 3,
        "team/db": 1,
        "team/secret": 1,
    }
    assert ranking(search("_search", as_search(asked["Top actors"]))) == {"anna": 2, "bert": 3, "carl": 1}
    assert ranking(search("_search", as_search(asked["Actions"]))) == {
        "pull": 3,
        "login": 2,
        "layer_download": 1,
        "push": 1,
    }
    downloads = buckets(search("_search", as_search(asked["Most downloaded repositories"])))
    assert [(bucket["key"], bucket["1"]["value"]) for bucket in downloads] == [("team/web", 6700), ("team/secret", 90)]
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
    assert [hit["_source"]["event.id"] for hit in hits] == ["e-5", "e-4", "e-3"]
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
    assert {bucket["key"] for bucket in answer["aggregations"]["1"]["buckets"]} == {"hub", "edge"}
