"""From the settings to the sources of a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from collector.build_remote import remote
from collector.config import CollectorConfig, FileSource, HarborSource, ReceiverConfig, Source, SyslogSource
from collector.config_parts import zone_of
from collector.feed import Feed
from collector.gaps import GapLog
from collector.nginx_log_format import read_own_formats
from collector.sources.file_tail import FileTail
from collector.telemetry import CollectorTelemetry
from store.contract import Position


def feeds(
    config: CollectorConfig,
    known: Callable[[], Iterable[Position]],
    telemetry: CollectorTelemetry,
    gaps: GapLog | None = None,
) -> list[Feed]:
    """The sources that the settings name, ready to be run. `known` is the store's `positions`; `gaps` is told of losses.

    Raises:
        SecretMissingError: a file or variable that should hold a secret does not.
        LogFormatError, OSError: the nginx log_format that a source names cannot be used.
        AwsMissingError: a source in S3, and boto3 is not installed.
    """
    made = [_source(source, known, telemetry, gaps) for source in config.sources]
    if config.receiver is not None:
        made.append(_receiver(config.receiver, telemetry))
    return made


def _source(
    source: Source, known: Callable[[], Iterable[Position]], telemetry: CollectorTelemetry, gaps: GapLog | None
) -> Feed:
    if isinstance(source, FileSource):
        return _file(source, known, gaps)
    if isinstance(source, SyslogSource):
        return _syslog(source, telemetry, gaps)
    if isinstance(source, HarborSource):
        return _harbor(source)
    return remote(source)


def _file(source: FileSource, known: Callable[[], Iterable[Position]], gaps: GapLog | None) -> Feed:
    tail = FileTail(
        source.name,
        source.paths,
        registry=source.registry or source.name,
        follow=True,
        poll_seconds=source.poll_seconds,
        quiet_seconds=source.quiet_seconds,
        known=known,
        gaps=gaps,
    )
    own = read_own_formats(source.log_format, source.nginx_config)
    return Feed(source=tail, format=source.format, zone=zone_of(source.zone), own=own)


def _harbor(source: HarborSource) -> Feed:
    from collector.sources.harbor_api import HarborAuditPoller

    poller = HarborAuditPoller(
        source.name,
        source.url,
        source.username,
        source.password(),
        registry=source.registry or source.name,
        interval_seconds=source.interval_seconds,
        overlap_seconds=source.overlap_seconds,
        ca_file=source.ca_file,
    )
    return Feed(source=poller)


def _syslog(source: SyslogSource, telemetry: CollectorTelemetry, gaps: GapLog | None) -> Feed:
    from collector.sources.syslog import SyslogReceiver
    from collector.syslog_server import LOST, Limits, TlsFiles

    def dropped(name: str, reason: str, count: int = 1) -> None:
        telemetry.dropped(name, reason, count)
        if gaps is not None and reason in LOST:
            gaps.lost_messages(name, source.registry or name, reason, count)

    tls = None
    if source.cert_file and source.key_file and source.client_ca_file:
        tls = TlsFiles(cert=source.cert_file, key=source.key_file, client_ca=source.client_ca_file)
    receiver = SyslogReceiver(
        source.name,
        source.listen,
        source.spool,
        transport=source.transport,
        registry=source.registry or source.name,
        tls=tls,
        limits=Limits(
            message_bytes=source.max_message_bytes,
            peers=tuple(source.peers),
            connections=source.connections,
            idle_seconds=source.idle_seconds,
        ),
        spool_bytes=source.spool_bytes,
        zone=zone_of(source.zone),
        dropped=dropped,
    )
    return Feed(source=receiver, format=source.format)


def _receiver(config: ReceiverConfig, telemetry: CollectorTelemetry) -> Feed:
    from collector.sources.webhook import WebhookReceiver
    from collector.webhook_proof import Endpoint

    endpoints = [
        Endpoint(
            path=endpoint.path,
            format=endpoint.format,
            registry=endpoint.registry,
            token=endpoint.token(),
            token_header=endpoint.token_header,
            token_query=endpoint.token_query,
            hmac_secret=endpoint.hmac_secret(),
            signature_header=endpoint.signature_header,
            timestamp_header=endpoint.timestamp_header,
            signed_id_header=endpoint.signed_id_header,
            replay_seconds=endpoint.replay_seconds,
            delivery_header=endpoint.delivery_header,
            keep_headers=endpoint.keep_headers,
            max_body_bytes=endpoint.max_body_bytes,
        )
        for endpoint in config.endpoints
    ]
    receiver = WebhookReceiver(
        config.listen,
        endpoints,
        counted=telemetry.request,
        answer_seconds=config.answer_seconds,
        request_seconds=config.request_seconds,
    )
    return Feed(source=receiver)
