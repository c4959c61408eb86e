"""A syslog receiver: registries, containers and syslog daemons send, and nothing answers them.

What arrives is written to the spool before anything else, and read from there like a log file: a collector that is
killed loses nothing that it had received. A stream is what one program of one sender says; it has one format.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from collector.stages import Block
from collector.syslog_frames import HALF, Frame
from collector.syslog_record import PROBLEMS, STREAM_OF, spool_line
from collector.syslog_server import Limits, SyslogServer, TlsFiles
from collector.syslog_spool import Spool
from collector.whole_lines import Piece
from store.contract import Position

log = logging.getLogger(__name__)

WAIT_SECONDS = 0.1


class SyslogReceiver:
    """Source of what is sent. `spool` is a folder of its own; `dropped(source, reason, count)` is called for what was
    not taken."""

    follow = True
    patient = True

    def __init__(
        self,
        name: str,
        listen: str,
        spool: Path,
        *,
        transport: str = "tcp",
        registry: str | None = None,
        tls: TlsFiles | None = None,
        limits: Limits | None = None,
        spool_bytes: int = 256 << 20,
        zone: tzinfo = UTC,
        dropped: Callable[[str, str, int], None] = lambda source, reason, count: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name, self.registry = name, registry
        self._listen, self._folder, self._spool_bytes = listen, spool, spool_bytes
        self._transport, self._tls, self._limits = transport, tls, limits or Limits()
        self._zone, self._dropped, self._clock = zone, dropped, clock
        self._numbers = itertools.count(1)
        self._stopped = False
        self._spool: Spool | None = None
        self._server: SyslogServer | None = None
        self._listening = threading.Event()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, once `ready`."""
        assert self._server is not None
        return self._server.address

    def ready(self, seconds: float) -> bool:
        """Wait until the port is open."""
        return self._listening.wait(seconds)

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        """What an earlier run left in the spool comes first.

        Raises:
            OSError: the port or the spool cannot be had.
            SpoolInUse: another process has the spool.
        """
        self.close()  # what a run that failed left open
        spool = self._spool = Spool(self._folder, self._spool_bytes, torn=STREAM_OF[HALF])
        spool.open()
        self._server = self._serve(spool)
        self._listening.set()
        log.info("syslog receiver listens", extra={"source": self.name, "address": self.address})
        while True:
            stopped = self._stopped
            if stopped:
                self._close_server()
            any_piece = False
            for name, piece in spool.pieces(committed, self._label):
                any_piece = True
                yield self._block(name, piece)
            if stopped and not any_piece:
                return
            if not any_piece and not self._stopped:
                spool.filled.wait(WAIT_SECONDS)

    def _serve(self, spool: Spool) -> SyslogServer:
        def take(sender: str, frame: Frame) -> None:
            spool.append(*spool_line(frame, sender, self._clock(), next(self._numbers), self._zone))

        return SyslogServer(
            self._listen,
            udp=self._transport == "udp",
            tls=self._tls if self._transport == "tls" else None,
            limits=self._limits,
            take=take,
            room=spool.room,
            dropped=lambda reason, count: self._dropped(self.name, reason, count),
        )

    def _label(self, name: str) -> str:
        assert self._spool is not None
        return f"syslog:{self.name}:{self._spool.id}:{name}"

    def _block(self, name: str, piece: Piece) -> Block:
        stream, path = self._label(name), f"syslog:{self.name}/{name}"
        return Block(
            stream=stream,
            offset=piece.offset,
            data=piece.data,
            before=piece.before,
            path=path,
            registry=self.registry,
            after=Position(stream=stream, offset=piece.end, detail={"path": path, "spooled": name}),
            problem=PROBLEMS.get(name, ""),
        )

    def stored(self, after: Position) -> None:
        """Make room in the spool."""
        if self._spool is not None:
            self._spool.committed(str(after.detail["spooled"]), after.offset)

    def unread(self) -> int:
        """Bytes that wait in the spool."""
        return self._spool.unread() if self._spool is not None else 0

    def stop(self) -> None:
        """Take nothing more; what was taken is handed on, or waits in the spool for the next start."""
        self._stopped = True

    def close(self) -> None:
        """Close the port and the spool. After the last commit."""
        self._close_server()
        if self._spool is not None:
            self._spool.close()

    def _close_server(self) -> None:
        if self._server is not None:
            self._server.close()
            self._listening.clear()
