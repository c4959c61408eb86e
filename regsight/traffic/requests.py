"""Requests as a registry answers them, and the session that turns what a client wants into requests."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import NamedTuple

from regsight.traffic.images import Blob, Image, Repository

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
BYTES = "application/octet-stream"
JSON = "application/json"


class Request(NamedTuple):
    """One request with its answer. `at` and `duration` are nanoseconds; `at` is when the answer was complete."""

    at: int
    id: str
    method: str
    uri: str
    actor: str  # whom the registry took the client for; empty if nobody
    address: str
    port: int
    agent: str
    status: int
    written: int = 0
    duration: int = MILLISECOND
    name: str = ""  # the repository
    reference: str = ""  # of a manifest request: tag or digest
    digest: str = ""  # of a blob request
    upload: str = ""
    answer_type: str = ""
    sent_type: str = ""
    refused: str = ""  # the user whose password was refused
    error: tuple[str, str, str] | None = None  # code, message, detail
    target: str = ""  # digest of the manifest that was read or written
    size: int = 0  # of the manifest or blob itself
    admin: tuple[str, str, str] | None = None  # an act of administration: operation, type of resource, resource

    @property
    def start(self) -> int:
        return self.at - self.duration

    @property
    def routed(self) -> bool:
        """Whether it lies inside the registry's grammar: everything else appears in the access log alone."""
        return self.uri.startswith("/v2/") and (bool(self.name) or self.uri == "/v2/" or "/_catalog" in self.uri)


def identifier(at: int, rng: Random) -> str:
    """A version 7 UUID, as the registry gives to requests and uploads."""
    millis = f"{at // MILLISECOND:012x}"
    low = f"{rng.getrandbits(76):019x}"
    return f"{millis[:8]}-{millis[8:]}-7{low[:3]}-{'89ab'[int(low[3], 16) % 4]}{low[4:7]}-{low[7:]}"


class Session:
    """One client at work. Every method is something it does; `at` runs on as the registry answers.

    Requests go to `into`; methods give the ones that matter as evidence.
    """

    def __init__(self, into: list[Request], rng: Random, at: int, actor: str, address: str, agent: str) -> None:
        self.into = into
        self.rng = rng
        self.at = at
        self.actor = actor
        self.address = address
        self.agent = agent
        self.port = 32768 + rng.getrandbits(14)

    def wait(self, median_seconds: float, sigma: float = 0.8) -> None:
        """A pause between two things, log-normal."""
        self.at += int(self.rng.lognormvariate(0, sigma) * median_seconds * SECOND)

    def challenge(self) -> Request:
        """`GET /v2/` without credentials."""
        return self._send("GET", "/v2/", 401, 87, actor="")

    def login(self) -> Request:
        """The challenge, then `GET /v2/` with credentials that are right."""
        self.challenge()
        return self._send("GET", "/v2/", 200, 2, answer_type=JSON)

    def refuse(self, user: str, repository: str = "", reference: str = "") -> Request:
        """Credentials that are wrong, presented at `/v2/` or for a manifest. Checking a password takes its time."""
        took = int(self.rng.uniform(45, 80) * MILLISECOND)
        if not repository:
            return self._send("GET", "/v2/", 401, 87, took, actor="", refused=user)
        uri = f"/v2/{repository}/manifests/{reference}"
        size = 143 + len(repository)
        return self._send("GET", uri, 401, size, took, actor="", refused=user, name=repository, reference=reference)

    def stranger(self, method: str, uri: str, status: int, written: int) -> Request:
        """A request outside the registry's grammar."""
        return self._send(method, uri, status, written, actor="")

    def forge(self, repository: str) -> Request:
        """A bearer token that the registry did not sign."""
        uri = f"/v2/{repository}/manifests/latest"
        error = ("invalid token", "", "")
        return self._send("GET", uri, 401, 159, actor="", name=repository, reference="latest", error=error)

    def administer(self, operation: str, kind: str, resource: str) -> Request:
        """An act of administration, at the management API of the registry. Registries without one tell nothing of it."""
        uri = f"/api/v2.0/{kind}s"
        return self._send("POST", uri, 201, 0, admin=(operation, kind, resource))

    def unauthorised(self, uri: str, name: str = "") -> Request:
        """Something inside the grammar, asked for without credentials."""
        return self._send("GET", uri, 401, 159 if name else 145, actor="", name=name)

    def list_tags(self, repository: Repository) -> Request:
        written = 34 + len(repository.name) + 12 * len(repository.numbers)
        uri = f"/v2/{repository.name}/tags/list"
        return self._send("GET", uri, 200, written, name=repository.name, answer_type=JSON)

    def catalog(self, count: int, last: str = "") -> Request:
        uri = f"/v2/_catalog?n={count}" if not last else f"/v2/_catalog?last={last.replace('/', '%2F')}&n={count}"
        return self._send("GET", uri, 200, 20 + 18 * count, answer_type=JSON)

    def check(self, repository: Repository, image: Image, tag: str) -> Request:
        """`HEAD` of a manifest."""
        return self._manifest("HEAD", repository, image, tag, 200, 0, answer_type=MANIFEST)

    def pull(self, repository: Repository, image: Image, reference: str, media_type: str = MANIFEST) -> Request:
        """`GET` of a manifest."""
        return self._manifest("GET", repository, image, reference, 200, image.size, answer_type=media_type)

    def unknown(self, repository: str, reference: str, method: str = "GET") -> Request:
        """A manifest that is not there."""
        detail = f"unknown tag={reference}"
        if reference.startswith("sha256:"):
            detail = f"unknown manifest name={repository} revision={reference}"
        return self._send(
            method,
            f"/v2/{repository}/manifests/{reference}",
            404,
            83 + len(detail),
            name=repository,
            reference=reference,
            answer_type=JSON,
            error=("manifest unknown", "manifest unknown", detail),
        )

    def fetch(self, repository: Repository, blobs: Iterable[Blob]) -> list[Request]:
        """Blobs, three at a time: the clock runs at a third of the sum."""
        found = []
        for blob in blobs:
            begun = self.at
            took = int((0.012 + blob.size / (24e6 * self.rng.lognormvariate(0, 0.5))) * SECOND)
            found.append(self._download(repository, blob, 200, blob.size, took))
            self.at = begun + (self.at - begun) // 3
        return found

    def slice(self, repository: Repository, blob: Blob, size: int) -> Request:
        """A range of a blob: `size` bytes of it."""
        took = int((0.012 + size / (24e6 * self.rng.lognormvariate(0, 0.5))) * SECOND)
        return self._download(repository, blob, 206, size, took)

    def dawdle(self, repository: Repository, blob: Blob, took: int) -> Request:
        """A blob that the client takes so long to read (ns)."""
        return self._download(repository, blob, 200, blob.size, took)

    def _download(self, repository: Repository, blob: Blob, status: int, written: int, took: int) -> Request:
        uri = f"/v2/{repository.name}/blobs/{blob.digest}"
        return self._send(
            "GET",
            uri,
            status,
            written,
            took,
            name=repository.name,
            digest=blob.digest,
            answer_type=BYTES,
            size=blob.size,
        )

    def look(self, repository: Repository, blob: Blob, *, known: bool) -> Request:
        """`HEAD` of a blob."""
        uri = f"/v2/{repository.name}/blobs/{blob.digest}"
        if known:
            return self._send(
                "HEAD", uri, 200, 0, name=repository.name, digest=blob.digest, answer_type=BYTES, size=blob.size
            )
        error = ("blob unknown", "blob unknown to registry", blob.digest)
        return self._send(
            "HEAD", uri, 404, 157, name=repository.name, digest=blob.digest, answer_type=JSON, error=error
        )

    def push(self, repository: Repository, image: Image, tags: list[str], new: int, *, looks: int = 2) -> list[Request]:
        """Upload the upper `new` layers and the config, look at `looks` others, store the manifest under each tag."""
        for blob in image.layers[max(len(image.layers) - new - looks, 0) : len(image.layers) - new]:
            self.look(repository, blob, known=True)
        for blob in (*image.layers[len(image.layers) - new :], image.config):
            self.upload(repository, blob)
        return [self.put(repository, image, tag) for tag in tags]

    def mount(self, repository: Repository, source: Repository, blob: Blob) -> Request:
        """A blob taken over from another repository."""
        query = f"from={source.name.replace('/', '%2F')}&mount={blob.digest.replace(':', '%3A')}"
        uri = f"/v2/{repository.name}/blobs/uploads/?{query}"
        return self._send("POST", uri, 201, name=repository.name, size=blob.size, target=blob.digest)

    def upload(self, repository: Repository, blob: Blob) -> None:
        """HEAD 404, POST, PATCH, PUT: a new blob."""
        if self.rng.random() < 0.5:
            self.look(repository, blob, known=False)
        self.finish(repository, blob, self.feed(repository, blob))

    def feed(self, repository: Repository, blob: Blob) -> str:
        """POST, PATCH: all of a blob is there, and only the word that this is all is missing. Gives the upload's id."""
        upload = self.begin(repository)
        uri = self._step(repository, upload)
        took = int((0.006 + blob.size / (30e6 * self.rng.lognormvariate(0, 0.5))) * SECOND)
        self._send("PATCH", uri, 202, 0, took, name=repository.name, upload=upload, sent_type=BYTES)
        return upload

    def finish(self, repository: Repository, blob: Blob, upload: str, *, gone: bool = False) -> Request:
        """PUT: the end of an upload; `gone`: which the registry no longer knows."""
        uri = self._step(repository, upload, blob)
        if gone:
            error = ("blob upload unknown", "blob upload unknown to registry", "")
            return self._send("PUT", uri, 404, 87, name=repository.name, upload=upload, answer_type=JSON, error=error)
        return self._send(
            "PUT",
            uri,
            201,
            name=repository.name,
            upload=upload,
            sent_type=BYTES,
            target=blob.digest,
            size=blob.size,
        )

    def cut_off(self, repository: Repository, upload: str) -> Request:
        """An upload is taken back, by whoever knows its id."""
        return self._send("DELETE", self._step(repository, upload), 204, name=repository.name, upload=upload)

    def _step(self, repository: Repository, upload: str, blob: Blob | None = None) -> str:
        """The address of the next step of an upload; of the last one, which names the `blob`."""
        uri = f"/v2/{repository.name}/blobs/uploads/{upload}?_state={self.rng.getrandbits(256):064x}"
        return uri if blob is None else f"{uri}&digest={blob.digest.replace(':', '%3A')}"

    def mismatch(self, repository: Repository, blob: Blob, upload: str) -> Request:
        """PUT: the end of an upload whose bytes have another digest than the one that is named."""
        detail = f"invalid digest for referenced layer: {blob.digest}, content does not match digest"
        return self._send(
            "PUT",
            self._step(repository, upload, blob),
            400,
            119 + len(detail),
            name=repository.name,
            upload=upload,
            sent_type=BYTES,
            answer_type=JSON,
            error=("digest invalid", "provided digest did not match uploaded content", detail),
            target=blob.digest,
        )

    def begin(self, repository: Repository) -> str:
        """POST: an upload is begun. Gives its id."""
        self._send("POST", f"/v2/{repository.name}/blobs/uploads/", 202, name=repository.name)
        return identifier(self.at, self.rng)

    def crumb(self, repository: Repository, upload: str, took: int = 0) -> Request:
        """PATCH: a piece of an upload that is under way."""
        uri = self._step(repository, upload)
        return self._send("PATCH", uri, 202, 0, took, name=repository.name, upload=upload, sent_type=BYTES)

    def abandon(self, repository: Repository, size: int) -> list[Request]:
        """An upload that is begun, fed with `size` bytes, and never finished."""
        begun = self._send("POST", f"/v2/{repository.name}/blobs/uploads/", 202, name=repository.name)
        if not size:
            return [begun]
        return [begun, self.crumb(repository, identifier(self.at, self.rng), int(size / 40e6 * SECOND))]

    def give_up(self, repository: Repository) -> Request:
        """An upload that is begun and taken back at once: so a client asks whether it may push."""
        uri = f"/v2/{repository.name}/blobs/uploads/"
        begun = self._send("POST", uri, 202, name=repository.name)
        self.cut_off(repository, identifier(self.at, self.rng))
        return begun

    def deny(self, repository: Repository) -> Request:
        """An upload that this account may not begin."""
        error = ("denied", "requested access to the resource is denied", "")
        uri = f"/v2/{repository.name}/blobs/uploads/"
        return self._send("POST", uri, 403, 102, name=repository.name, answer_type=JSON, error=error)

    def delete(self, repository: Repository, image: Image) -> Request:
        """A manifest, by digest."""
        return self._manifest("DELETE", repository, image, image.digest, 202, 0)

    def untag(self, repository: Repository, image: Image, tag: str) -> Request:
        """A tag, while the image that it stood for stays."""
        return self._manifest("DELETE", repository, image, tag, 202, 0)

    def delete_layer(self, repository: Repository, blob: Blob) -> Request:
        """A blob, while manifests go on naming it."""
        uri = f"/v2/{repository.name}/blobs/{blob.digest}"
        return self._send("DELETE", uri, 202, name=repository.name, digest=blob.digest)

    def fail(self, repository: Repository, reference: str) -> Request:
        """A server error on a pull."""
        return self._send(
            "GET",
            f"/v2/{repository.name}/manifests/{reference}",
            503,
            97,
            int(self.rng.uniform(2, 9) * SECOND),
            name=repository.name,
            reference=reference,
            answer_type=JSON,
            error=("unavailable", "service unavailable", "storage driver: connection refused"),
        )

    def put(self, repository: Repository, image: Image, tag: str, media_type: str = MANIFEST) -> Request:
        """The manifest alone, under a tag."""
        return self._manifest("PUT", repository, image, tag, 201, 0, sent_type=media_type)

    def reject(self, repository: Repository, reference: str, media_type: str, reason: str) -> Request:
        """A manifest that the registry takes for none. The answer has the reason in it."""
        return self._send(
            "PUT",
            f"/v2/{repository.name}/manifests/{reference}",
            400,
            82 + len(reason),
            name=repository.name,
            reference=reference,
            answer_type=JSON,
            sent_type=media_type,
            error=("manifest invalid", "manifest invalid", reason),
        )

    def _manifest(
        self,
        method: str,
        repository: Repository,
        image: Image,
        reference: str,
        status: int,
        written: int,
        *,
        answer_type: str = "",
        sent_type: str = "",
    ) -> Request:
        return self._send(
            method,
            f"/v2/{repository.name}/manifests/{reference}",
            status,
            written,
            name=repository.name,
            reference=reference,
            answer_type=answer_type,
            sent_type=sent_type,
            target=image.digest,
            size=image.size,
        )

    def _send(
        self,
        method: str,
        uri: str,
        status: int,
        written: int = 0,
        took: int = 0,
        *,
        actor: str | None = None,
        name: str = "",
        reference: str = "",
        digest: str = "",
        upload: str = "",
        answer_type: str = "",
        sent_type: str = "",
        refused: str = "",
        error: tuple[str, str, str] | None = None,
        target: str = "",
        size: int = 0,
        admin: tuple[str, str, str] | None = None,
    ) -> Request:
        rng = self.rng
        duration = took or int(4_000_000 * rng.lognormvariate(0, 0.7))
        begun = self.at
        request = Request(
            begun + duration,
            identifier(begun, rng),
            method,
            uri,
            self.actor if actor is None else actor,
            self.address,
            self.port,
            self.agent,
            status,
            written,
            duration,
            name,
            reference,
            digest,
            upload,
            answer_type,
            sent_type,
            refused,
            error,
            target,
            size,
            admin,
        )
        self.into.append(request)
        self.at = begun + duration + int((2 + 28 * rng.random()) * MILLISECOND)
        return request
