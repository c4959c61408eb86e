"""S3, SQS and SNS as moto's server answers for them, in a thread of the tests. It is no AWS: it keeps their API, not their
consistency, limits or rights.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

REGION = "eu-west-1"


@dataclass(frozen=True)
class Aws:
    """Where it answers, and a client of each service."""

    url: str
    s3: Any
    sqs: Any
    sns: Any

    def messages_left(self, queue: str) -> int:
        """Visible and hidden ones."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(told[name]) for name in names)


@contextmanager
def aws() -> Iterator[Aws]:
    """A fresh, empty server, with credentials in the environment as AWS tools look for them."""
    import boto3
    from moto.server import ThreadedMotoServer

    known = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "the-secret-key", "AWS_DEFAULT_REGION": REGION}
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with mock.patch.dict(os.environ, known):
        server.start()
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        clients = {name: boto3.client(name, endpoint_url=url, region_name=REGION) for name in ("s3", "sqs", "sns")}
        try:
            yield Aws(url=url, **clients)
        finally:
            server.stop()
