"""Documents `{"Records": […]}` as lines, one record a line, without ever holding a whole document; and so Quay's exports.

CloudTrail writes thousands of records into one line of an object, Quay all rows of weeks. Between the records nothing is
kept but the brackets that are still open, so the size of a document does not matter; a single record may be as long as any line.
"""

from __future__ import annotations

import re

from collector.readable import Readable

HEAD_BYTES = 512
STEP = 256 << 10
_OPENING = re.compile(rb'\s*\{\s*"[Rr]ecords"\s*:\s*\[')
_EXPORT = re.compile(
    rb'\s*\{\s*"export_id"\s*:\s*"[^"\\]{1,100}"\s*,\s*"details"\s*:\s*\{[^{}]{0,300}\}\s*,\s*"logs"\s*:\s*\['
)
_OF_EXPORT = b'{"export_id":"'  # the same, as long as that is all there is
_CLOSING = re.compile(rb"\]\s*\}")
# A whole string, the beginning of one that ends in a later piece, or a bracket.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+("?)|[{}\[\]]', re.DOTALL)
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+("?)', re.DOTALL)
_BETWEEN = re.compile(rb"[\s,]*")
_QUOTE = ord('"')
_LINE_ENDS = bytes.maketrans(
    b"\r\n", b"  "
)  # white space between the parts of a record: inside strings they are escaped


class RecordLines:
    """A `Readable` over another. What does not begin as such a document is given on as it is.

    What it gives does not depend on the pieces that it gets, so an offset in it means the same when it is read again. A
    record that was cut off is given as far as it goes, so that it is seen as a torn line; whatever stands behind the records
    and is not the end of the document is given on too.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._held = b""
        self._ended = False
        self._records: bool | None = None  # None: not yet known
        self._depth, self._in_string = 0, False
        self._behind = False  # behind a document: white space there says nothing

    def close(self) -> None:
        self._stream.close()

    def read1(self, size: int, /) -> bytes:
        """The next bytes, at times a few more or fewer than `size`; empty only at the end."""
        while True:
            if self._records is None:
                self._begin(size)
            given = self._split() if self._records else self._all_held()
            if given:
                return given
            if self._records is not None and not self._more(size):
                return self._all_held()  # of a torn document: half an escape, or a bracket without the other

    def _all_held(self) -> bytes:
        held, self._held = self._held, b""
        return held

    def _more(self, size: int) -> bool:
        piece = b"" if self._ended else self._stream.read1(min(max(size, 1), STEP))
        self._ended = not piece
        self._held += piece
        return not self._ended

    def _begin(self, size: int) -> None:
        """Read so much that it is sure whether a document of records begins here."""
        while True:
            if self._behind:
                self._held = self._held.lstrip()
            head = self._held[:HEAD_BYTES]
            if (found := _OPENING.match(head) or _EXPORT.match(head)) is not None:
                self._records, self._depth, self._in_string = True, 0, False
                self._held = self._held[found.end() :]
                return
            if len(head) == HEAD_BYTES or not _may_open(head) or not self._more(size):
                self._records = False
                return

    def _split(self) -> bytes:
        """Whatever of the held bytes is sure to belong to records, with a line end behind each record."""
        held, at, out = self._held, 0, []
        while at < len(held):
            begin = at
            if self._depth:
                at = self._in_record(held, at)
                out.append(held[begin:at].translate(_LINE_ENDS))
                if not self._depth:
                    out.append(b"\n")
                elif at < len(held):  # half an escape: its other half is not yet here
                    break
            else:
                at = _BETWEEN.match(held, at).end()  # type: ignore[union-attr] # it matches everything
                if held[at : at + 1] in (b"{", b"["):
                    self._depth = 1
                    out.append(held[at : at + 1])
                    at += 1
                elif at < len(held):
                    at = self._end_of_document(held, at)
                    break
        self._held = held[at:]
        return b"".join(out)

    def _in_record(self, held: bytes, at: int) -> int:
        """How far the record goes in what is held."""
        if self._in_string:
            found = _REST_OF_STRING.match(held, at)
            assert found is not None
            at, self._in_string = found.end(), not found[1]
            if self._in_string:
                return at
        for token in _TOKEN.finditer(held, at):
            first = held[token.start()]
            if first == _QUOTE:
                if not token[1]:
                    self._in_string = True
                    return token.end()
            else:
                self._depth += 1 if first in b"{[" else -1
                if not self._depth:
                    return token.end()
        return len(held)

    def _end_of_document(self, held: bytes, at: int) -> int:
        found = _CLOSING.match(held, at)
        if found is None and held[at : at + 1] == b"]" and not held[at + 1 :].strip() and not self._ended:
            return at  # the other bracket is not yet here
        self._records, self._behind = None if found is not None else False, True
        return found.end() if found is not None else at


def begins_records(head: bytes) -> bool:
    """Whether these first bytes open a document of records."""
    return _OPENING.match(head) is not None


def begins_export(head: bytes) -> bool:
    """Whether these first bytes open an export of Quay's action logs."""
    return _EXPORT.match(head) is not None


def _may_open(head: bytes) -> bool:
    """Whether more bytes could still make `head` the opening of such a document."""
    squeezed = re.sub(rb"\s", b"", head).lower()
    return b'{"records":['.startswith(squeezed) or squeezed.startswith(_OF_EXPORT) or _OF_EXPORT.startswith(squeezed)
