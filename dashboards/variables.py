"""The lists above the boards. Several values may be chosen; at first it is all of them."""

from __future__ import annotations

import json

from dashboards.board import Entry, Source, Variable
from dashboards.stored_queries import ALL_ACTORS
from dashboards.words import ALL_STORED

# "All" is spelled differently in the two languages and must let events without a registry's name through in both, hence
# two lists where a board asks both data sources.
REGISTRY = Variable(
    name="registry",
    label="Registry",
    source=Source.PROMETHEUS,
    query="label_values(regsight_collector_events_total, registry)",
    all_value=".*",
)
STORED_REGISTRY = Variable(
    name="stored_registry",
    label="Registry (stored events)",
    source=Source.ELASTICSEARCH,
    query=json.dumps({"find": "terms", "field": "service.name"}),
    all_value=ALL_STORED,
)
SOURCE = Variable(
    name="source",
    label="Source",
    source=Source.PROMETHEUS,
    query="label_values(regsight_collector_lines_total, source)",
    all_value=".*",
)
REPOSITORY = Variable(
    name="repository",
    label="Repository",
    source=Source.ELASTICSEARCH,
    query=json.dumps({"find": "terms", "field": "oci.repository", "size": 1000}),
    all_value=None,
)
ACTOR = Variable(
    name="actor",
    label="Account",
    source=Source.ELASTICSEARCH,
    query=json.dumps({"find": "terms", "field": "user.name", "size": 1000}),
    all_value=ALL_ACTORS,
)
PRICE = Entry(name="price", label="Price of a gigabyte out", value="0")
