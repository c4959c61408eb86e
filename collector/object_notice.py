"""Which objects a message in a queue tells of: S3's own notifications, also inside SNS, S3 over EventBridge, CloudTrail's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

import orjson

from collector.documents import as_object
from collector.errors import Unreadable
from collector.lines import word

NO_NOTICE = "no notification of objects"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """An object that is there now, or was when the message was written."""

    bucket: str
    key: str


def noticed(body: str) -> list[Noticed]:
    """The objects that came; none for the message that tests the connection, and for those that went.

    Raises:
        Unreadable: the message is something else.
    """
    told = _loaded(body)
    if told.get("Type") == "Notification" and isinstance(told.get("Message"), str):
        told = _loaded(told["Message"])
    if told.get("Event") == "s3:TestEvent":
        return []
    if isinstance(records := told.get("Records"), list):
        return [found for record in records if (found := _of_record(as_object(record))) is not None]
    if told.get("source") == "aws.s3":
        return _of_event_bridge(told)
    if isinstance(keys := told.get("s3ObjectKey"), list) and word(told.get("s3Bucket")):
        return [Noticed(bucket=told["s3Bucket"], key=key) for key in keys if word(key)]
    raise Unreadable(NO_NOTICE)


def _loaded(text: str) -> dict[str, Any]:
    try:
        return as_object(orjson.loads(text))
    except ValueError:
        raise Unreadable(NO_NOTICE) from None


def _of_record(record: dict[str, Any]) -> Noticed | None:
    s3 = as_object(record.get("s3"))
    bucket, key = word(as_object(s3.get("bucket")).get("name")), word(as_object(s3.get("object")).get("key"))
    if bucket is None or key is None:
        raise Unreadable(NO_NOTICE)
    came = str(record.get("eventName", "")).removeprefix("s3:").startswith("ObjectCreated:")
    return Noticed(bucket=bucket, key=unquote_plus(key)) if came else None


def _of_event_bridge(told: dict[str, Any]) -> list[Noticed]:
    detail = as_object(told.get("detail"))
    bucket, key = word(as_object(detail.get("bucket")).get("name")), word(as_object(detail.get("object")).get("key"))
    if bucket is None or key is None:
        raise Unreadable(NO_NOTICE)
    return [Noticed(bucket=bucket, key=key)] if told.get("detail-type") == "Object Created" else []
