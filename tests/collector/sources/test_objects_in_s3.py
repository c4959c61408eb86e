"""Objects in S3, listed and told of by a queue, against a server that speaks both."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from collecting import collect, embedded, events, pipeline, until
from format_samples import SAMPLES
from prometheus_client import CollectorRegistry
from servers.aws import REGION, Aws, aws

from collector.aws import AwsError, S3Bucket, SqsQueue
from collector.build import feeds
from collector.config import CollectorConfig
from collector.object_notice import Noticed, noticed
from collector.sources.object_queue import ObjectQueue
from collector.sources.objects import ObjectSource
from collector.telemetry import CollectorTelemetry
from store.contract import Store
from store.errors import Unavailable

PUT_IMAGE = json.loads((SAMPLES / "ecr-cloudtrail" / "put-image.json").read_bytes())
FORMAT = "ecr-cloudtrail"
BUCKET = "trail"


def document(first: int, count: int, padding: int = 0) -> bytes:
    records = [PUT_IMAGE | {"eventID": f"event-{first + n}", "padding": "x" * padding} for n in range(count)]
    return gzip.compress(json.dumps({"Records": records}).encode(), 1)


def key(name: str, region: str = "eu-west-1", day: str = "2026/11/24") -> str:
    return f"AWSLogs/123456789012/CloudTrail/{region}/{day}/{name}.json.gz"


@pytest.fixture(scope="module")
def server() -> Iterator[Aws]:
    with aws() as started:
        yield started


@pytest.fixture
def cloud(server: Aws) -> Iterator[Aws]:
    server.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    yield server
    for page in server.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for each in page.get("Contents", ()):
            server.s3.delete_object(Bucket=BUCKET, Key=each["Key"])
    server.s3.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with embedded(tmp_path / "store") as opened:
        yield opened


def bucket(cloud: Aws) -> S3Bucket:
    return S3Bucket(BUCKET, endpoint_url=cloud.url)


def listed(cloud: Aws, **options: Any) -> ObjectSource:
    return ObjectSource("trail", bucket(cloud), **({"registry": "ecr", "once": True} | options))


def test_a_bucket_is_read_once_and_late_objects_are_found(
    cloud: Aws, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More objects than a page of the listing holds, one of them far beyond a mebibyte unpacked in one line."""
    monkeypatch.setattr("collector.aws.PAGE", 7)
    for number in range(40):
        cloud.s3.put_object(Bucket=BUCKET, Key=key(f"b{number:04d}"), Body=document(number, 1))
    cloud.s3.put_object(Bucket=BUCKET, Key=key("large"), Body=document(5_000, 500, padding=8_000))
    summary = collect(store, listed(cloud), FORMAT)
    assert (summary.lines, summary.events, summary.dead_letters) == (540, 540, 0)
    assert collect(store, listed(cloud), FORMAT).lines == 0
    cloud.s3.put_object(Bucket=BUCKET, Key=key("a-late-one"), Body=document(9_000, 4))
    assert collect(store, listed(cloud), FORMAT).lines == 4
    assert {event["path"] for event in events(store) if event["event_id"]} >= {f"s3://{BUCKET}/{key('a-late-one')}"}


def test_days_are_listed_for_each_region(cloud: Aws, store: Store) -> None:
    """Each region has its own position; digests beside the trail are not read."""
    for number, region in enumerate(("eu-west-1", "us-east-1")):
        for year, day in enumerate(("2025/12/31", "2026/11/24")):
            body = document(100 * number + 10 * year, 2)
            cloud.s3.put_object(Bucket=BUCKET, Key=key("x", region, day), Body=body)
    digest = "AWSLogs/123456789012/CloudTrail-Digest/eu-west-1/2026/11/24/x.json.gz"
    cloud.s3.put_object(Bucket=BUCKET, Key=digest, Body=gzip.compress(b'{"digest": 1}'))
    by_day = {"prefix": "AWSLogs/", "by_day": True, "match": "*/CloudTrail/*"}
    assert collect(store, listed(cloud, **by_day), FORMAT).events == 8
    assert len(store.positions()) == 2 and not store.dead_letters()
    assert collect(store, listed(cloud, **by_day), FORMAT).lines == 0


def test_an_object_that_is_replaced_or_gone_meanwhile_does_no_harm(cloud: Aws, store: Store) -> None:
    """What was listed with another tag is left to the next listing."""
    cloud.s3.put_object(Bucket=BUCKET, Key=key("x"), Body=document(0, 2))
    tag = next(bucket(cloud).listed("", "")).tag
    cloud.s3.put_object(Bucket=BUCKET, Key=key("x"), Body=document(10, 3))
    assert bucket(cloud).open(key("x"), tag) is None and bucket(cloud).open(key("gone"), "") is None
    assert collect(store, listed(cloud), FORMAT).events == 3


def test_refusals_name_the_place_and_no_secret(server: Aws) -> None:
    """A bucket that is not there, and a server that is not there, are errors of this folder."""
    missing = ObjectSource("trail", S3Bucket("not-there", endpoint_url=server.url), once=True)
    with pytest.raises(AwsError, match="not-there") as refused:
        list(missing.blocks(lambda _: None))
    away = S3Bucket(BUCKET, endpoint_url="http://127.0.0.1:9")
    with pytest.raises(AwsError, match="EndpointConnectionError") as silent:
        away.now()
    assert "the-secret-key" not in str(refused.value) + str(silent.value)


# The queue.


@pytest.fixture
def queue(cloud: Aws) -> Iterator[str]:
    url = cloud.sqs.create_queue(QueueName="notices")["QueueUrl"]
    yield url
    cloud.sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def notified(cloud: Aws, queue: str) -> str:
    """The bucket tells the queue of what comes."""
    arn = cloud.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    configuration = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    cloud.s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=configuration)
    return queue


def told(cloud: Aws, queue: str, **options: Any) -> ObjectQueue:
    return ObjectQueue(
        "trail",
        bucket(cloud),
        SqsQueue(queue, endpoint_url=cloud.url, visibility_seconds=30),
        **({"registry": "ecr", "once": True} | options),
    )


def test_a_queue_tells_of_objects(cloud: Aws, notified: str, store: Store) -> None:
    """S3's own messages, its test message among them, with a key that has to be unescaped; the queue is empty afterwards."""
    cloud.s3.put_object(Bucket=BUCKET, Key=key("plus + space"), Body=document(0, 3))
    cloud.s3.put_object(Bucket=BUCKET, Key=key("large"), Body=document(10, 300, padding=8_000))
    summary = collect(store, told(cloud, notified), FORMAT)
    assert (summary.events, summary.dead_letters) == (303, 0)
    assert cloud.messages_left(notified) == 0


def test_a_message_is_deleted_only_after_the_commit(cloud: Aws, notified: str, store: Store) -> None:
    """While the store is away the message stays; a run that ends then leaves it to the next."""

    class Away:
        away = True
        tried = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def commit(self, *arguments: Any) -> Any:
            self.tried += 1
            if self.away:
                raise Unavailable("away", retry_after_seconds=0.01)
            return store.commit(*arguments)

    cloud.sqs.purge_queue(QueueUrl=notified)  # the test message
    cloud.s3.put_object(Bucket=BUCKET, Key=key("x"), Body=document(0, 3))
    away = Away()
    run = pipeline(away, told(cloud, notified, once=False), FORMAT, stop_seconds=0.5)
    thread = threading.Thread(target=run.run)
    thread.start()
    until(lambda: away.tried > 1)
    assert cloud.messages_left(notified) == 1
    run.stop()
    thread.join(20)
    assert not thread.is_alive() and cloud.messages_left(notified) == 1 and not events(store)
    # Its time of being hidden is over.
    cloud.sqs.set_queue_attributes(QueueUrl=notified, Attributes={"VisibilityTimeout": "0"})
    cloud.s3.put_object(Bucket=BUCKET, Key=key("x"), Body=document(0, 3))  # and the same once more
    away.away = False
    run = pipeline(away, told(cloud, notified, once=False), FORMAT)
    thread = threading.Thread(target=run.run)
    thread.start()
    until(lambda: len(events(store)) == 3)
    run.stop()
    thread.join(20)
    assert not thread.is_alive() and len(events(store)) == 3
    assert cloud.messages_left(notified) <= 1  # the first is still hidden from us


def test_messages_about_other_objects_are_let_go(cloud: Aws, queue: str, store: Store) -> None:
    """Another bucket, another prefix, an object that is gone: nothing is read, and the messages do not come again. What is no
    notification is a dead letter."""
    cloud.s3.put_object(Bucket=BUCKET, Key="elsewhere/x.json.gz", Body=document(0, 3))
    for body in (
        notice("others", key("x")),
        notice(BUCKET, "elsewhere/x.json.gz"),
        notice(BUCKET, key("gone")),
        notice(BUCKET, key("x"), "ObjectRemoved:Delete"),
        "no notification",
        json.dumps({"Records": [{"s3": {}}]}),
    ):
        cloud.sqs.send_message(QueueUrl=queue, MessageBody=body)
    summary = collect(store, told(cloud, queue, prefix="AWSLogs/"), FORMAT)
    assert (summary.events, summary.dead_letters) == (0, 2) and cloud.messages_left(queue) == 0
    assert {letter.reason for letter in store.dead_letters()} == {"no notification of objects"}


def test_notifications_through_a_topic(cloud: Aws, queue: str, store: Store) -> None:
    """S3 → SNS → SQS wraps the message once more."""
    topic = cloud.sns.create_topic(Name="trail")["TopicArn"]
    arn = cloud.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    cloud.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    cloud.s3.put_object(Bucket=BUCKET, Key=key("x"), Body=document(0, 3))
    cloud.sns.publish(TopicArn=topic, Message=notice(BUCKET, key("x")))
    assert collect(store, told(cloud, queue), FORMAT).events == 3 and cloud.messages_left(queue) == 0


def notice(name: str, at: str, event: str = "ObjectCreated:Put") -> str:
    s3 = {"bucket": {"name": name}, "object": {"key": quote_plus(at, safe="/"), "size": 1}}
    return json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": event, "s3": s3}]})


def test_what_messages_say() -> None:
    """Each kind of message that tells of objects, and the one that only tests."""
    found = [Noticed(bucket="b", key="a/x y+z")]
    assert noticed(notice("b", "a/x y+z")) == found
    assert noticed(json.dumps({"Type": "Notification", "Message": notice("b", "a/x y+z")})) == found
    bridge = {"source": "aws.s3", "detail-type": "Object Created"}
    detail = {"bucket": {"name": "b"}, "object": {"key": "a/x y+z"}}
    assert noticed(json.dumps(bridge | {"detail": detail})) == found
    assert noticed(json.dumps({"s3Bucket": "b", "s3ObjectKey": ["a/x y+z"]})) == found
    assert noticed(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})) == []


def test_settings_become_a_bucket_and_a_queue(cloud: Aws, notified: str, store: Store) -> None:
    """As in the docs; the credentials are in none of the settings."""
    config = CollectorConfig.model_validate({
        "sources": [
            {"type": "s3", "name": "listed", "bucket": BUCKET, "endpoint_url": cloud.url, "by_day": True, "prefix": "AWSLogs/"},
            {"type": "s3", "name": "queued", "bucket": BUCKET, "endpoint_url": cloud.url,
             "queue_url": notified, "queue_endpoint_url": cloud.url},
        ]
    })  # fmt: skip
    made = feeds(config, lambda: [], CollectorTelemetry(CollectorRegistry()))
    assert [type(feed.source) for feed in made] == [ObjectSource, ObjectQueue]
    assert "the-secret-key" not in repr(config) + repr(made)
