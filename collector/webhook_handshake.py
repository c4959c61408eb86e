"""What some senders ask before they send: that whoever owns the endpoint wants it. Nothing of this is stored.

Azure Event Grid posts a code that must be given back (event type `Microsoft.EventGrid.SubscriptionValidationEvent`); senders of
CloudEvents ask with OPTIONS whether they may (cloudevents/spec, cloudevents/http-webhook.md, section 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"


def validation_answer(document: Any) -> dict[str, str] | None:
    """What Event Grid wants back; None for whatever else was posted."""
    first = document[0] if isinstance(document, list) and len(document) == 1 else None
    if not isinstance(first, dict) or first.get("eventType") != _VALIDATION or not isinstance(first.get("data"), dict):
        return None
    code = first["data"].get("validationCode")
    return {"validationResponse": code} if isinstance(code, str) and len(code) <= 200 else None


def permission(headers: Mapping[str, str]) -> dict[str, str] | None:
    """Headers that permit the asking origin to send; None if it does not ask."""
    origin = headers.get("webhook-request-origin", "")
    if not origin or len(origin) > 255 or not origin.isprintable():
        return None
    return {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*", "Allow": "POST"}
