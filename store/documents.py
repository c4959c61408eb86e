"""Small documents in Elasticsearch: read, searched, and changed on condition that nobody wrote in between.

Reading by id is up to date at once; before a search the index is refreshed, so what was written before is found.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from itertools import islice
from typing import Any, Protocol

from store.errors import Unavailable
from store.event import iso
from store.mapping import records_template

# How often a change is tried again when others change the same document.
ROUNDS = 30
PAGE = 1_000

Document = dict[str, Any]


class Connection(Protocol):
    """What `store.elastic.Client` offers: one call, its errors already in the words of `store.errors`."""

    def call(
        self, method: str, path: str, body: Any = None, *, expect: Sequence[int] = (), **parameters: Any
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer; a status of 400 or more is an error unless it is expected."""
        ...


def document_id(*parts: str) -> str:
    """An id that any text can be made into."""
    return blake2b("\x1f".join(parts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


class Documents:
    """The indices `regsight-<name>-<namespace>`."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self._namespace = namespace
        self._prepared = False

    def _prepare(self) -> None:
        """Put the template, once and before the first write: a store can be opened while its server is down."""
        if not self._prepared:
            body = records_template(self._namespace)
            self._connection.call("PUT", f"/_index_template/regsight-records-{self._namespace}", body)
            self._prepared = True

    def _path(self, name: str, *rest: str) -> str:
        return "/".join(("", f"regsight-{name}-{self._namespace}", *rest))

    def get(self, name: str, id: str) -> Document | None:
        status, answer = self._connection.call("GET", self._path(name, "_doc", id), expect=(404,))
        return None if status == 404 else dict(answer["_source"])

    def put(self, name: str, id: str, fields: Document) -> None:
        self._prepare()
        self._connection.call("PUT", self._path(name, "_doc", id), fields)

    def create(self, name: str, id: str, fields: Document) -> bool:
        self._prepare()
        return self._connection.call("PUT", self._path(name, "_create", id), fields, expect=(409,))[0] != 409

    def update(self, name: str, id: str, change: Callable[[Document | None], Document | None]) -> None:
        """Write what `change` makes of the stored document (None: nothing to write), alone or not at all."""
        for _ in range(ROUNDS):
            status, answer = self._connection.call("GET", self._path(name, "_doc", id), expect=(404,))
            fields = change(None if status == 404 else answer["_source"])
            if fields is None:
                return
            if status == 404:
                if self.create(name, id, fields):
                    return
                continue
            seen = {"if_seq_no": str(answer["_seq_no"]), "if_primary_term": str(answer["_primary_term"])}
            path = self._path(name, "_doc", id)
            if self._connection.call("PUT", path, fields, expect=(409,), **seen)[0] != 409:
                return
        raise Unavailable(f"others change {name} {id} all the time")

    def ask(self, name: str, body: Document) -> Document:
        self._connection.call("POST", self._path(name, "_refresh"), ignore_unavailable="true")
        return self._connection.call("POST", self._path(name, "_search"), body, ignore_unavailable="true")[1]

    def search(self, name: str, filters: list[Document], order: list[str], limit: int | None) -> list[Document]:
        """Documents in `order` (field names, `-` in front: descending), all of them without a limit."""
        sort = [{field.lstrip("-"): {"order": "desc" if field[0] == "-" else "asc"}} for field in order]
        body: Document = {"query": {"bool": {"filter": filters}}, "sort": sort, "track_total_hits": False}
        found: list[Document] = []
        while limit is None or len(found) < limit:
            body["size"] = PAGE if limit is None else min(PAGE, limit - len(found))
            hits = self.ask(name, body)["hits"]["hits"]
            found += [hit["_source"] for hit in hits]
            if len(hits) < body["size"]:
                break
            body["search_after"] = hits[-1]["sort"]
        return found

    def put_version(self, name: str, id: str, fields: Document, version: int) -> None:
        """Write it unless a higher version is there."""
        self._prepare()
        path = self._path(name, "_doc", id)
        versioned = {"version": str(version), "version_type": "external_gte"}
        self._connection.call("PUT", path, fields, expect=(409,), **versioned)

    def put_many(self, name: str, documents: Mapping[str, Document]) -> None:
        """Write them in requests of a thousand; an id that is there is replaced."""
        self._prepare()
        found = iter(documents.items())
        while part := list(islice(found, PAGE)):
            lines = [json.dumps(line) for id, fields in part for line in ({"index": {"_id": id}}, fields)]
            body = ("\n".join(lines) + "\n").encode()
            answer = self._connection.call("POST", self._path(name, "_bulk"), body)[1]
            if answer["errors"]:
                errors = (item["index"].get("error") for item in answer["items"])
                raise Unavailable(f"{name}: {next(filter(None, errors))}")

    def delete(self, name: str, id: str) -> bool:
        """Whether it was there."""
        return self._connection.call("DELETE", self._path(name, "_doc", id), expect=(404,))[0] != 404

    def drop(self, name: str, field: str, before: datetime) -> int:
        query = {"range": {field: {"lt": iso(before)}}}
        dropped = 0
        while hits := self.ask(name, {"query": query, "size": PAGE, "_source": False})["hits"]["hits"]:
            lines = [json.dumps({"delete": {"_index": hit["_index"], "_id": hit["_id"]}}) + "\n" for hit in hits]
            self._connection.call("POST", "/_bulk", "".join(lines).encode())
            dropped += len(hits)
        return dropped
