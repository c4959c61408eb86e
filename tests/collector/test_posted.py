"""Requests that were kept with their headers, and CloudEvents in them."""

from __future__ import annotations

from typing import Any

import pytest

from collector.cloudevents import cloud_events
from collector.errors import Unreadable
from collector.posted import Posted, read_posted


@pytest.mark.parametrize("headers", [{"X-A": "1", "x-a": "2"}, {"X-A": ["1", "2"]}, [["X-A", "1"], ["x-a", "2"]]])
def test_headers_in_every_form(headers: Any) -> None:
    """By lower-case name; of several the first."""
    assert read_posted({"headers": headers, "body": "[1]"}) == Posted(body=[1], headers={"x-a": "1"})


@pytest.mark.parametrize("document", [[1], {"body": "{}"}, {"headers": 1, "body": "{}"}, {"headers": {}}, None, "x"])
def test_what_is_no_request_is_the_body_itself(document: Any) -> None:
    assert read_posted(document) == Posted(body=document)


def test_odd_headers_are_left_out() -> None:
    odd = [["a"], 7, ["b", None], [3, "c"], ["d", "e", "f"], ["ok", "1"], None]
    assert read_posted({"headers": odd, "body": {}}).headers == {"ok": "1"}
    assert read_posted({"headers": {"a": [], "b": {}, "c": 3}, "body": {}}).headers == {}


def test_a_torn_body() -> None:
    with pytest.raises(Unreadable):
        read_posted({"headers": {}, "body": '{"a":'})


def test_binary_mode() -> None:
    """Attributes are percent-encoded headers; the body is the data."""
    headers = {"ce-type": "t", "ce-id": "1", "ce-source": "/a%20b", "host": "h"}
    told = cloud_events(Posted(body=[1, 2], headers=headers))
    assert told == [{"type": "t", "id": "1", "source": "/a b", "data": [1, 2]}]


def test_structured_and_batched() -> None:
    event = {"specversion": "1.0", "type": "t", "id": "1"}
    assert cloud_events(Posted(body=event)) == [event]
    assert cloud_events(Posted(body=[event, event])) == [event, event]


@pytest.mark.parametrize("body", [None, [], {}, {"type": "t"}, [{"specversion": "1.0"}, {}], "specversion", 3])
def test_what_is_no_cloudevent(body: Any) -> None:
    assert cloud_events(Posted(body=body)) is None
