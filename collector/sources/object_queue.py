"""Objects in S3 that a queue tells of, instead of listing the bucket.

A message is deleted only when the store has every line of its objects. One that is not deleted in time comes again and is
read again; the ids of the lines are made from the object's key, so that counts once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

import orjson

from collector.aws import AwsError, Message, S3Bucket, SqsQueue
from collector.errors import Unreadable
from collector.object_notice import Noticed, noticed
from collector.objects import lines_of
from collector.stages import Block
from collector.whole_lines import growing
from store.contract import Position

log = logging.getLogger(__name__)

WAIT_SECONDS = 1  # of each question to an empty queue; also how long a stop may take


class ObjectQueue:
    """Source of the objects in `bucket` under `prefix` that match `match`. Others are left alone, and their messages
    deleted: a message must not be able to make us read what nobody has set."""

    follow = True
    patient = True

    def __init__(
        self,
        name: str,
        bucket: S3Bucket,
        queue: SqsQueue,
        *,
        prefix: str = "",
        match: str = "*",
        registry: str | None = None,
        once: bool = False,
    ) -> None:
        self.name, self.registry = name, registry
        self._bucket, self._queue, self._prefix, self._match, self._once = bucket, queue, prefix, match, once
        self._stop = threading.Event()
        self._offset = 0
        self._unstored: dict[int, str] = {}  # offset of a message's last block → its handle
        self._done: deque[str] = deque()
        self._kept_at = 0.0
        self._sizes = growing()

    def stop(self) -> None:
        """Ends `blocks` after the block that is being read; the message stays in the queue."""
        self._stop.set()

    def stored(self, after: Position) -> None:
        """Every message up to this position may be deleted."""
        for offset in [offset for offset in list(self._unstored) if offset <= after.offset]:
            self._done.append(self._unstored.pop(offset))

    def close(self) -> None:
        """Delete what was stored last. After the last commit."""
        try:
            self._delete()
        except AwsError as error:
            log.warning("messages come again", extra={"source": self.name, "error": str(error)})

    def blocks(self, committed: Callable[[str], Position | None]) -> Iterator[Block]:
        """Ends at `stop`, or with `once` when the queue is empty.

        Raises:
            AwsError: the queue or an object is refused.
        """
        stream = f"objects:{self.name}:queue"
        position = committed(stream)
        self._offset = position.offset if position is not None else 0
        while not self._stop.is_set():
            self._delete()
            messages = self._queue.receive(WAIT_SECONDS)
            for number, message in enumerate(messages):
                yield from self._read(message, stream, [each.handle for each in messages[number:]])
                if self._stop.is_set():
                    return
            if not messages and self._once:
                return

    def _delete(self) -> None:
        handles = []
        while self._done:
            handles.append(self._done.popleft())
        if handles:
            self._queue.delete(handles)

    def _keep(self, waiting: list[str]) -> None:
        """While a message is being read, or waits for that or for its commit, nobody else shall get it."""
        if time.monotonic() - self._kept_at > self._queue.visibility_seconds / 3:
            self._kept_at = time.monotonic()
            self._queue.keep([*self._unstored.values(), *waiting])

    def _read(self, message: Message, stream: str, waiting: list[str]) -> Iterator[Block]:
        """The blocks of a message; the last one is yielded when it is known to be the last."""
        last: Block | None = None
        for block in self._message_blocks(message.body, stream):
            if last is not None:
                yield last
                if self._stop.is_set():
                    return
            self._keep(waiting)
            last = block
        if last is None:
            self._done.append(message.handle)
            return
        self._unstored[last.after.offset] = message.handle
        yield last

    def _message_blocks(self, body: str, stream: str) -> Iterator[Block]:
        try:
            objects = noticed(body)
        except Unreadable as error:
            yield self._dead_letter(body, stream, str(error))
            return
        for found in objects:
            inside = found.key.startswith(self._prefix)
            if found.bucket != self._bucket.bucket or not inside:
                log.warning("message about an object elsewhere", extra={"source": self.name})
            elif fnmatchcase(found.key.removeprefix(self._prefix), self._match):
                yield from self._object(found, stream)

    def _object(self, found: Noticed, stream: str) -> Iterator[Block]:
        body = self._bucket.open(found.key, "")
        if body is None:
            log.warning("object is gone", extra={"source": self.name, "path": self._bucket.path(found.key)})
            return
        path, before = self._bucket.path(found.key), self._offset
        for piece, last in lines_of(body, path, self._sizes):
            self._offset = before + piece.end
            yield Block(
                stream=self._bucket.stream(found.key),
                offset=piece.offset,
                data=piece.data,
                before=piece.before,
                path=path,
                registry=self.registry,
                after=Position(stream=stream, offset=self._offset, detail={"path": path}),
                final=last,
                end=piece.end,
            )

    def _dead_letter(self, body: str, stream: str, reason: str) -> Block:
        """A message that is no notification is kept, since it is deleted like any other."""
        line = orjson.dumps(body) + b"\n"
        begin, self._offset = self._offset, self._offset + len(line)
        after = Position(stream=stream, offset=self._offset, detail={"path": self.name})
        return Block(stream=stream, offset=begin, data=line, path=self.name, after=after, final=True, problem=reason)
