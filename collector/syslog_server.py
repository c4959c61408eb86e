"""The sockets of a syslog receiver, in a thread of their own: UDP, TCP, or TLS 1.3 with client certificates.

Syslog has no answer, so waiting is all that can be done when there is no room: nothing is read, and the sender's TCP stops
it. Datagrams that the kernel throws away meanwhile are counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path

from collector.syslog_frames import TOO_LARGE, Frame, Framing

log = logging.getLogger(__name__)

REASONS = ("stranger", "too_many", "idle", "handshake", "kernel", "disk")
LOST = ("kernel", "disk")  # those of them that are messages, not connections

_READ_BYTES = 64 << 10
_SLICE_SECONDS = 0.2
_HANDSHAKE_SECONDS = 10.0
_DRAIN_SECONDS = 2.0  # at a stop, for what senders have already handed over
_SO_RXQ_OVFL = 40  # Linux: how many datagrams the socket has lost so far
_RECEIVE_BUFFER_BYTES = 4 << 20

Take = Callable[[str, Frame], None]  # (address of the sender, message); raises OSError if it cannot be kept


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Own certificate and key, and whose clients are let in."""

    cert: Path
    key: Path
    client_ca: Path

    def context(self) -> ssl.SSLContext:
        """Raises: OSError, ssl.SSLError: a file is missing or is not what it should be."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.cert, self.key)
        context.load_verify_locations(self.client_ca)
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a peer may do."""

    message_bytes: int = 64 << 10
    peers: Sequence[IPv4Network | IPv6Network] = ()  # none: everybody who reaches the port
    connections: int = 256
    idle_seconds: float = 3600.0

    def admits(self, address: str) -> bool:
        if not self.peers:
            return True
        known = ip_address(address.partition("%")[0])
        plain = getattr(known, "ipv4_mapped", None) or known
        return any(plain in network for network in self.peers)


class SyslogServer:
    """`take` is called in the server's thread for every message, `room` before each reading."""

    def __init__(
        self,
        listen: str,
        *,
        udp: bool,
        tls: TlsFiles | None,
        limits: Limits,
        take: Take,
        room: Callable[[], bool],
        dropped: Callable[[str, int], None],
    ) -> None:
        self._limits, self._take, self._room, self._dropped = limits, take, room, dropped
        self._context = tls.context() if tls is not None else None
        self._udp = udp
        host, _, port = listen.rpartition(":")
        self._socket = _bound(host.strip("[]"), int(port), udp)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self._stopping = threading.Event()
        self._deadline = float("inf")
        self._from: Counter[str] = Counter()  # connections by peer
        self._lost = 0
        self._said = float("-inf")
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="syslog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take what has already been handed over, and end."""
        self._deadline = time.monotonic() + _DRAIN_SECONDS
        self._stopping.set()
        self._thread.join()
        self._socket.close()

    async def _serve(self) -> None:
        await (self._datagrams() if self._udp else self._connections())

    # UDP.

    async def _datagrams(self) -> None:
        """Every datagram is a message."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_reader(self._socket, arrived.set)
        try:
            while not self._stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_SLICE_SECONDS):
                        await arrived.wait()
                arrived.clear()
                await self._take_datagrams()
            await self._take_datagrams()
        finally:
            loop.remove_reader(self._socket)

    async def _take_datagrams(self) -> None:
        while await self._wait_for_room():
            try:
                data, extra, flags, sender = self._socket.recvmsg(self._limits.message_bytes + 1, 64)
            except (BlockingIOError, InterruptedError):
                return
            self._count_lost(extra)
            data = data.rstrip(b"\r\n\0 ")
            if not self._limits.admits(sender[0]):
                self._dropped("stranger", 1)
            elif len(data) > self._limits.message_bytes or flags & socket.MSG_TRUNC:
                await self._keep(sender[0], Frame(data[: self._limits.message_bytes], TOO_LARGE, len(data)))
            elif data:
                await self._keep(sender[0], Frame(data))

    def _count_lost(self, extra: list[tuple[int, int, bytes]]) -> None:
        for level, kind, value in extra:
            if level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL:
                (lost,) = struct.unpack("=I", value[:4])
                if lost != self._lost:
                    self._dropped("kernel", (lost - self._lost) % (1 << 32))
                    self._lost = lost

    # TCP and TLS.

    async def _connections(self) -> None:
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[None]] = set()
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(_SLICE_SECONDS):
                    connection, peer = await loop.sock_accept(self._socket)
            except TimeoutError:
                continue
            except OSError as error:  # out of descriptors: those that we have must go on
                self._say("connections cannot be accepted", error)
                await asyncio.sleep(_SLICE_SECONDS)
                continue
            if self._refused(peer[0], len(tasks)):
                connection.close()
                continue
            self._from[peer[0]] += 1
            task = loop.create_task(self._connection(connection, peer[0]))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks)

    def _refused(self, peer: str, open_now: int) -> bool:
        if not self._limits.admits(peer):
            self._dropped("stranger", 1)
            return True
        # One peer must not keep out the others; behind a bridge many containers look like one peer.
        if open_now >= self._limits.connections or self._from[peer] >= max(1, self._limits.connections // 2):
            self._dropped("too_many", 1)
            self._say("too many syslog connections; further ones are refused", None)
            return True
        return False

    async def _connection(self, connection: socket.socket, peer: str) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        reader = asyncio.StreamReader(limit=_READ_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport: asyncio.BaseTransport | None = None
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._context else None,
            )
            await self._read(reader, peer)
        except (OSError, asyncio.IncompleteReadError) as error:  # ssl.SSLError is an OSError
            if transport is None:
                self._dropped("handshake", 1)
                self._say("a syslog connection was not made", error)
        finally:
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()  # there is nothing to say to the peer, and TLS would wait for its farewell
            else:
                connection.close()
            self._from[peer] -= 1
            if not self._from[peer]:
                del self._from[peer]

    async def _read(self, reader: asyncio.StreamReader, peer: str) -> None:
        framing = Framing(self._limits.message_bytes)
        try:
            while not framing.lost and await self._wait_for_room():
                data = await self._some(reader)
                if not data:
                    break
                for frame in framing.feed(data):
                    await self._keep(peer, frame)
        except OSError as error:
            log.debug("syslog connection broke", extra={"error": str(error)})
        finally:
            for frame in framing.end():
                await self._keep(peer, frame)

    async def _some(self, reader: asyncio.StreamReader) -> bytes:
        """The next bytes; none at the end, after too long a silence, or at a stop when nothing more is there."""
        idle_since = time.monotonic()
        while True:
            stopping = self._stopping.is_set()
            try:
                async with asyncio.timeout(_SLICE_SECONDS):
                    return await reader.read(_READ_BYTES)
            except TimeoutError:
                if stopping:
                    return b""
                if time.monotonic() - idle_since > self._limits.idle_seconds:
                    self._dropped("idle", 1)
                    return b""

    # Both.

    async def _wait_for_room(self) -> bool:
        """Wait until something may be taken; False if the end comes first."""
        while not self._room():
            if self._stopping.is_set():
                return False
            self._say("no room for syslog messages until the store takes some; reading waits", None)
            await asyncio.sleep(_SLICE_SECONDS / 4)
        return time.monotonic() < self._deadline

    async def _keep(self, peer: str, frame: Frame) -> None:
        while True:
            try:
                self._take(peer, frame)
                return
            except OSError as error:
                self._say("a syslog message cannot be written to the spool; trying again", error)
                if self._stopping.is_set():
                    self._dropped("disk", 1)
                    return
                await asyncio.sleep(_SLICE_SECONDS)

    def _say(self, message: str, error: Exception | None) -> None:
        """A warning, once a minute at most: peers must not be able to fill the log."""
        if time.monotonic() - self._said >= 60.0:
            self._said = time.monotonic()
            log.warning(message, extra={"error": str(error) if error else ""})


def _bound(host: str, port: int, udp: bool) -> socket.socket:
    """Raises: OSError, if the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not udp:
        made = socket.create_server((host, port), family=family, backlog=128)
    else:
        made = socket.socket(family, socket.SOCK_DGRAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            with contextlib.suppress(OSError):
                made.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
            made.bind((host, port))
        except OSError:
            made.close()
            raise
    made.setblocking(False)
    return made
