"""From the settings to the sources of a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from collector.config import CollectorConfig, FileSource, HarborSource, ReceiverConfig, Source, SyslogSource
from collector.feed import Feed
from collector.sources.file_tail import FileTail
from collector.telemetry import CollectorTelemetry
from store.contract import Position


def feeds(
    config: CollectorConfig, known: Callable[[], Iterable[Position]], telemetry: CollectorTelemetry
) -> list[Feed]:
    """The sources that the settings name, ready to be run. `known` is the store's `positions`.

    Raises:
        SecretMissingError: a file or variable that should hold a secret does not.
    """
    made = [_source(source, known, telemetry) for source in config.sources]
    if config.receiver is not None:
        made.append(_receiver(config.receiver, telemetry))
    return made


def _source(source: Source, known: Callable[[], Iterable[Position]], telemetry: CollectorTelemetry) -> Feed:
    if isinstance(source, FileSource):
        return _file(source, known)
    if isinstance(source, SyslogSource):
        return _syslog(source, telemetry)
    return _harbor(source)


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _file(source: FileSource, known: Callable[[], Iterable[Position]]) -> Feed:
    tail = FileTail(
        source.name,
        source.paths,
        registry=source.registry or source.name,
        follow=True,
        poll_seconds=source.poll_seconds,
        quiet_seconds=source.quiet_seconds,
        known=known,
    )
    return Feed(source=tail, format=source.format, zone=_zone(source.zone))


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


def _syslog(source: SyslogSource, telemetry: CollectorTelemetry) -> Feed:
    from collector.sources.syslog import SyslogReceiver
    from collector.syslog_server import Limits, TlsFiles

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
        zone=_zone(source.zone),
        dropped=telemetry.dropped,
    )
    return Feed(source=receiver, format=source.format)


def _receiver(config: ReceiverConfig, telemetry: CollectorTelemetry) -> Feed:
    from collector.sources.webhook import Endpoint, WebhookReceiver

    endpoints = [
        Endpoint(
            path=endpoint.path,
            format=endpoint.format,
            registry=endpoint.registry,
            token=endpoint.token(),
            hmac_secret=endpoint.hmac_secret(),
            signature_header=endpoint.signature_header,
            max_body_bytes=endpoint.max_body_bytes,
        )
        for endpoint in config.endpoints
    ]
    receiver = WebhookReceiver(
        config.listen, endpoints, counted=telemetry.request, answer_seconds=config.answer_seconds
    )
    return Feed(source=receiver)
