"""S3 and SQS: the one door of boto3, which is installed with the extra `regsight[aws]`.

Credentials come from where every AWS tool looks (environment, profile, role of the machine), never from the settings.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO

from collector.errors import CollectorError
from collector.objects import Listed

CONNECT_SECONDS, READ_SECONDS = 10, 60
PAGE = 1_000  # the most that S3 gives
_GONE = {"NoSuchKey", "404", "PreconditionFailed", "412"}


class AwsError(CollectorError):
    """S3 or SQS refused, or did not answer. Asking again later may help; for a missing right once it is given."""


class AwsMissingError(ValueError):
    """boto3 is not installed. Permanent until it is."""


def _client(service: str, region: str | None, endpoint_url: str | None, profile: str | None) -> Any:
    try:
        import boto3
        import botocore.config
        import botocore.exceptions
    except ImportError:
        raise AwsMissingError("sources of type s3 need boto3: install regsight[aws]") from None
    config = botocore.config.Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 3},
        user_agent_extra="regsight",
    )
    try:
        session = boto3.session.Session(profile_name=profile, region_name=region)
        return session.client(service, endpoint_url=endpoint_url, config=config)
    except botocore.exceptions.BotoCoreError as error:
        raise AwsMissingError(f"{service}: {error}") from None


@contextmanager
def _said(what: str) -> Iterator[None]:
    """Refusals in the words of this folder: the code and the place, not the request."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise AwsError(f"{what}: {_code(error)}") from None
    except BotoCoreError as error:
        raise AwsError(f"{what}: {type(error).__name__}") from None


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))


class S3Bucket:
    """A `collector.objects.Bucket` in S3, or in what speaks like it (`endpoint_url`)."""

    def __init__(
        self, bucket: str, *, region: str | None = None, endpoint_url: str | None = None, profile: str | None = None
    ) -> None:
        self.bucket = bucket
        self._s3 = _client("s3", region, endpoint_url, profile)
        self._ahead = 0.0  # how far S3's clock, which stamps the objects, is ahead of ours

    def listed(self, prefix: str, after: str) -> Iterator[Listed]:
        with _said(f"listing s3://{self.bucket}/{prefix}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix, StartAfter=after, PaginationConfig={"PageSize": PAGE}
            )
            for page in pages:
                for each in page.get("Contents", ()):
                    yield Listed(
                        key=each["Key"],
                        tag=each["ETag"],
                        size=each["Size"],
                        modified=each["LastModified"].timestamp(),
                    )

    def folders(self, prefix: str) -> list[str]:
        with _said(f"listing s3://{self.bucket}/{prefix}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
            return [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ())]

    def open(self, key: str, tag: str) -> BinaryIO | None:
        """With an empty tag whatever object is there now."""
        from botocore.exceptions import ClientError

        condition = {"IfMatch": tag} if tag else {}
        with _said(self.path(key)):
            try:
                answer = self._s3.get_object(Bucket=self.bucket, Key=key, **condition)
            except ClientError as error:
                if _code(error) in _GONE:
                    return None
                raise
        return _Body(answer["Body"], self.path(key))  # type: ignore[return-value] # as much of one as is read from

    def stream(self, key: str) -> str:
        return self.path(key)

    def path(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def now(self) -> float:
        with _said(f"s3://{self.bucket}"):
            answer = self._s3.head_bucket(Bucket=self.bucket)
        told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        return parsedate_to_datetime(told).timestamp() if told else time.time()


class _Body:
    """The body of an answer. A connection that ends too early is an error, never the end of the object."""

    def __init__(self, body: Any, what: str) -> None:
        self._body, self._what = body, what

    def read(self, size: int = -1) -> bytes:
        with _said(self._what):
            return bytes(self._body.read(size))

    def close(self) -> None:
        self._body.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a queue gave: `handle` deletes it, or keeps it ours for longer."""

    body: str
    handle: str


class SqsQueue:
    """One queue. Messages that are given are hidden from others for `visibility_seconds`."""

    MOST = 10  # a call

    def __init__(
        self,
        url: str,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        profile: str | None = None,
        visibility_seconds: int = 300,
    ) -> None:
        self.url, self.visibility_seconds = url, visibility_seconds
        self._sqs = _client("sqs", region, endpoint_url, profile)

    def receive(self, wait_seconds: int) -> list[Message]:
        with _said("receiving from the queue"):
            answer = self._sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=self.MOST,
                WaitTimeSeconds=wait_seconds,
                VisibilityTimeout=self.visibility_seconds,
            )
        return [Message(body=each["Body"], handle=each["ReceiptHandle"]) for each in answer.get("Messages", ())]

    def delete(self, handles: Sequence[str]) -> None:
        """What cannot be deleted comes again, and is read again, which its ids make harmless."""
        for at in range(0, len(handles), self.MOST):
            entries = [{"Id": str(n), "ReceiptHandle": each} for n, each in enumerate(handles[at : at + self.MOST])]
            with _said("deleting from the queue"):
                self._sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)

    def keep(self, handles: Sequence[str]) -> None:
        """Hide these from others for another `visibility_seconds`."""
        for at in range(0, len(handles), self.MOST):
            entries = [
                {"Id": str(n), "ReceiptHandle": each, "VisibilityTimeout": self.visibility_seconds}
                for n, each in enumerate(handles[at : at + self.MOST])
            ]
            with _said("keeping messages of the queue"):
                self._sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)
