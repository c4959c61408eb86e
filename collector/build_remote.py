"""From the settings to the sources that are asked: objects, an Elasticsearch index, the APIs of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector.config_parts import zone_of
from collector.config_remote import (
    DockerHubSource,
    ElasticsearchSource,
    FolderSource,
    KubernetesSource,
    QuaySource,
    S3Source,
)
from collector.feed import Feed

if TYPE_CHECKING:
    from collector.objects import Bucket
    from collector.stages import Source

Remote = FolderSource | S3Source | ElasticsearchSource | DockerHubSource | QuaySource | KubernetesSource


def remote(source: Remote) -> Feed:
    """Raises: SecretMissingError, AwsMissingError: as `collector.build.feeds`."""
    if isinstance(source, FolderSource):
        from collector.objects import FolderBucket

        return _listed(source, FolderBucket(source.name, source.folder, source.settle_seconds))
    if isinstance(source, S3Source):
        return _s3(source)
    if isinstance(source, ElasticsearchSource):
        return _elasticsearch(source)
    if isinstance(source, DockerHubSource):
        return Feed(source=_dockerhub(source))
    return Feed(source=_quay(source) if isinstance(source, QuaySource) else _kubernetes(source))


def _listed(source: FolderSource | S3Source, bucket: Bucket) -> Feed:
    from collector.sources.objects import ObjectSource

    reader = ObjectSource(
        source.name,
        bucket,
        prefix=source.prefix,
        match=source.match,
        by_day=source.by_day,
        late_days=source.late_days,
        registry=source.registry or source.name,
        interval_seconds=source.interval_seconds,
        overlap_seconds=source.overlap_seconds,
    )
    return Feed(source=reader, format=source.format, zone=zone_of(source.zone))


def _s3(source: S3Source) -> Feed:
    from collector.aws import S3Bucket, SqsQueue

    bucket = S3Bucket(source.bucket, region=source.region, endpoint_url=source.endpoint_url, profile=source.profile)
    if source.queue_url is None:
        return _listed(source, bucket)
    from collector.sources.object_queue import ObjectQueue

    queue = SqsQueue(
        source.queue_url,
        region=source.region,
        endpoint_url=source.queue_endpoint_url,
        profile=source.profile,
        visibility_seconds=source.visibility_seconds,
    )
    reader = ObjectQueue(
        source.name,
        bucket,
        queue,
        prefix=source.prefix,
        match=source.match,
        registry=source.registry or source.name,
    )
    return Feed(source=reader, format=source.format, zone=zone_of(source.zone))


def _elasticsearch(source: ElasticsearchSource) -> Feed:
    from collector.sources.elastic_index import Access, ElasticIndex

    reader = ElasticIndex(
        source.name,
        Access(
            url=source.url,
            username=source.username,
            password=source.password(),
            api_key=source.api_key(),
            ca_file=source.ca_file,
        ),
        source.index,
        field=source.field or None,
        time_field=source.time_field,
        query=source.query,
        registry=source.registry or source.name,
        interval_seconds=source.interval_seconds,
        overlap_seconds=source.overlap_seconds,
    )
    return Feed(source=reader, format=source.format, zone=zone_of(source.zone))


def _dockerhub(source: DockerHubSource) -> Source:
    from collector.sources.dockerhub import DockerHubAudit

    return DockerHubAudit(
        source.name,
        source.account,
        source.username,
        source.token(),
        url=source.url,
        registry=source.registry or source.name,
        interval_seconds=source.interval_seconds,
        overlap_seconds=source.overlap_seconds,
        first_days=source.first_days,
        ca_file=source.ca_file,
    )


def _quay(source: QuaySource) -> Source:
    from collector.sources.quay import QuayLogs

    return QuayLogs(
        source.name,
        source.url,
        source.of,
        source.token(),
        registry=source.registry or source.name,
        interval_seconds=source.interval_seconds,
        overlap_seconds=source.overlap_seconds,
        first_days=source.first_days,
        ca_file=source.ca_file,
    )


def _kubernetes(source: KubernetesSource) -> Source:
    from collector.sources.kubernetes import KubernetesEvents

    return KubernetesEvents(
        source.name,
        source.url,
        source.token,
        namespace=source.namespace,
        field_selector=source.field_selector,
        registry=source.registry or source.name,
        interval_seconds=source.interval_seconds,
        ca_file=source.ca_file if source.url.startswith("https:") else None,
    )
