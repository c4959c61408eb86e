"""CloudEvents 1.0 over HTTP, in its three modes: structured (one JSON object), batched (a list of them), and binary.

In binary mode the attributes are headers (`ce-type`, `ce-id`, …) and the body is the data alone; such a request is kept as
`collector.posted` says. Specification: cloudevents/spec, cloudevents/bindings/http-protocol-binding.md.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from collector.posted import Posted

_PREFIX = "ce-"


def cloud_events(posted: Posted) -> list[Any] | None:
    """The events of a request, each as in structured mode; None if they are no CloudEvents."""
    if _PREFIX + "type" in posted.headers:
        attributes: dict[str, Any] = {
            name.removeprefix(_PREFIX): unquote(value)
            for name, value in posted.headers.items()
            if name.startswith(_PREFIX)
        }
        return [attributes | {"data": posted.body}]
    events = posted.body if isinstance(posted.body, list) else [posted.body]
    return events if events and all(isinstance(event, dict) and "specversion" in event for event in events) else None
