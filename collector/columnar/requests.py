"""Columns of methods and URIs into what they ask. Manifests and blobs by plain names are taken apart by column; every other URI
is read by `collector.request.read_request`, which also says what each sort of the plain ones means.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columnar.values import by_combination, codes, like, mask
from collector.image_reference import is_repository
from collector.request import Request, read_request

if TYPE_CHECKING:
    from collector.columnar.text import Mask, Places

# Neither escapes nor a query, a digest of the usual sort or a tag.
_PLAIN = r"^/v2/[a-z0-9][a-z0-9._/-]*/(?:manifests|blobs)/(?:sha256:[0-9a-f]+|[A-Za-z0-9_][A-Za-z0-9._-]*)$"
_DIGEST_LENGTH = len("sha256:") + 64
_MARKERS = ("manifests", "blobs")
_is_repository = lru_cache(maxsize=8192)(is_repository)


@dataclass(frozen=True, slots=True)
class Requests:
    """`sort` numbers the `sorts`: requests of one sort share kind, action and whether they are routed."""

    sort: Places
    sorts: list[Request]
    repository: pa.Array
    reference: pa.Array
    digest: pa.Array
    from_repository: pa.Array

    @property
    def routed(self) -> Mask:
        """Which are handed to Distribution's application."""
        found: Mask = np.array([one.routed for one in self.sorts], bool)[self.sort]
        return found


class _Sorts:
    def __init__(self) -> None:
        self.all: list[Request] = []
        self._known: dict[tuple[object, ...], int] = {}

    def number(self, request: Request) -> int:
        key = (request.kind, request.action, request.routed)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = len(self.all)
            self.all.append(request)
        return known


def read_requests(methods: pa.Array, uris: pa.Array) -> Requests:
    """Both columns without nulls."""
    count, sorts = len(uris), _Sorts()
    plain = like(uris, _PLAIN)
    plain &= ~mask(pc.ends_with(uris, "/uploads"))
    parts = _parts(uris, np.flatnonzero(plain))
    reference = parts[2]
    # What begins so and is no whole digest may be a tag under which a signature is kept.
    doubtful = mask(pc.starts_with(reference, "sha")) & mask(pc.not_equal(pc.binary_length(reference), _DIGEST_LENGTH))
    doubtful |= mask(pc.starts_with(reference, "sha256-"))
    if doubtful.any():
        plain[np.flatnonzero(plain)[doubtful]] = False
        parts = _parts(uris, np.flatnonzero(plain))
    quick, slow = np.flatnonzero(plain), np.flatnonzero(~plain)
    sort = np.zeros(count, np.int64)
    repository, reference, digest = _plain(methods, parts, quick, sort, sorts)
    asked = [
        read_request(method, uri)
        for method, uri in zip(
            methods.take(pa.array(slow)).to_pylist(), uris.take(pa.array(slow)).to_pylist(), strict=True
        )
    ]
    sort[slow] = [sorts.number(one) for one in asked]
    order = np.empty(count, np.int64)
    order[quick], order[slow] = np.arange(len(quick)), len(quick) + np.arange(len(slow))
    back = pa.array(order)

    def column(plain_ones: pa.Array, others: list[str | None]) -> pa.Array:
        return pa.concat_arrays([plain_ones, pa.array(others, pa.string())]).take(back)

    return Requests(
        sort,
        sorts.all,
        repository=column(repository, [one.repository for one in asked]),
        reference=column(reference, [one.reference for one in asked]),
        digest=column(digest, [one.digest for one in asked]),
        from_repository=column(pa.nulls(len(quick), pa.string()), [one.from_repository for one in asked]),
    )


def _parts(uris: pa.Array, rows: Places) -> tuple[pa.Array, pa.Array, pa.Array]:
    """(repository, marker, reference) of these rows."""
    parts = pc.split_pattern(uris.take(pa.array(rows)), "/", max_splits=2, reverse=True).flatten()
    at = np.arange(0, len(parts), 3)
    front, marker, last = (parts.take(pa.array(at + number)) for number in range(3))
    return pc.utf8_slice_codeunits(front, len("/v2/")), marker, last


def _plain(
    methods: pa.Array, parts: tuple[pa.Array, pa.Array, pa.Array], rows: Places, sort: Places, sorts: _Sorts
) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Repository, reference and digest of these rows; their sorts into `sort`."""
    repository, markers, reference = parts
    marker = mask(pc.equal(markers, _MARKERS[1])).astype(np.int64)
    by_digest = mask(pc.starts_with(reference, "sha256:"))
    name, names = codes(repository)
    method, known = codes(methods.take(pa.array(rows)))
    good = np.array([_is_repository(each) for each in names], np.int64)[name] if len(names) else name

    def meaning(method: int, marker: int, by_digest: int, good: int) -> int:
        repository = "a" if good else "-"
        last = f"sha256:{'0' * 64}" if by_digest else "latest"
        return sorts.number(read_request(known[method], f"/v2/{repository}/{_MARKERS[marker]}/{last}"))

    coded, numbers = by_combination([method, marker, by_digest.astype(np.int64), good], meaning)
    if len(rows):
        sort[rows] = np.array(numbers, np.int64)[coded.to_numpy()]
    digest = pc.if_else(pa.array(by_digest), reference, pa.scalar(None, pa.string()))
    return repository, reference, digest
