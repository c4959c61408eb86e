"""What usually belongs to an image and is missing: the signature or scan before its first use, the build around its push.

Notices: an image that is pulled unsigned or unscanned in a project where every image was signed or scanned first, or every one
whose tag is built like its own (`main-#`; builds of requests are often left out; a signature that comes within two minutes of the
push, or within twice the project's slowest, is in time); an image signed by its own pusher, or by an account that never signed
there, where one always pushes and another signs; a moving tag (`latest`, `main`) that is pushed without what its pushes always
had: a base image fetched before, other tags beside it, a signature, a scan; signatures that are deleted while their images stay,
replaced an hour and longer after, or put for images that are not here; what is signed or attested by somebody who neither pushed
nor signed there. Needs: signatures or scans among the events, and logs that name accounts; digests as `tag_ledger` does, or the
upload of new layers: then an image is known by its tag, and a signature is taken for each image that it may be for. Speaks after
a dozen images of a project (of a tag's shape), eight pushes of a tag. Method: bookkeeping; a habit is one without exception.
Never sees: what an image holds, and signatures that are kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.approvals import Image, Use, done, image_of, shape_of, signed, still_unsafe, unsaid, used
from analytics.attachments import attached
from analytics.companions import AFTER, Account, Lately, Push, alone_or_not, lately_at, looked, tag_pushed
from analytics.detector import Suspicion
from analytics.layers import new_layers, stored
from analytics.ledger import (
    COLUMNS,
    PULL,
    Move,
    home,
    image_of_tag,
    note,
    tags_of,
)
from analytics.signatures import (
    Gone,
    image_pushed,
    is_signature,
    perhaps_signature_deleted,
    signature_asked,
    signature_put,
    still_gone,
)
from analytics.unknown_images import image_signed
from analytics.walk import Event, Memory, Walk
from store.contract import EventReader
from store.event import Action, Outcome

ACTIONS = (
    Action.PUSH, Action.TAG, Action.UNTAG, Action.PULL, Action.CHECK, Action.SIGN, Action.SCAN, Action.LAYER_UPLOAD,
    Action.DELETE,
)  # fmt: skip


@dataclass(slots=True)
class SupplyChain:
    """See the top of the file."""

    name: str = "supply_chain"
    subject: str = "repository"
    every: timedelta = timedelta(minutes=5)
    history: timedelta = timedelta(days=28)
    next_step: str = "Ask whoever pushed it how it was built; until then keep it from running and set the tag back."
    walk: Walk = field(init=False)

    def __post_init__(self) -> None:
        columns = (*COLUMNS, "status", "project", "actor_kind", "client_class", "traffic_class")
        self.walk = Walk(self.name, ACTIONS, self.history, _see, _late, outcomes=(Outcome.SUCCESS,), columns=columns)

    def detect(self, store: EventReader, since: datetime, now: datetime) -> Sequence[Suspicion]:
        return self.walk.between(store, since, now)


def _see(memory: Memory, event: Event) -> Iterable[Suspicion]:
    if not event["repository"]:
        return ()
    if event["action"] != PULL:
        return _done(memory, event)
    return () if image_of_tag(event["tag"]) else _fetched(memory, event)


def _fetched(memory: Memory, event: Event) -> Iterable[Suspicion]:
    """A pull; most say nothing new."""
    looked(memory, event)
    for move in note(memory, event):
        _moved(memory, event, move)
    name = event["digest"] or _pulled(memory, event)
    return used(memory, event, name) if name else ()


def _done(memory: Memory, event: Event) -> Iterator[Suspicion]:
    """Anything else than a pull."""
    repository, at = event["repository"], event["timestamp"]
    if event["action"] == Action.LAYER_UPLOAD:
        stored(memory, event)
        return
    if event["action"] in (Action.DELETE, Action.UNTAG):
        perhaps_signature_deleted(memory, event)
    signature = image_of_tag(event["tag"])
    if event["action"] in (Action.SIGN, Action.SCAN) or (signature and event["action"] == Action.PUSH):
        digest = signature or event["digest"]
        if event["action"] != Action.SCAN:
            _signs(memory, repository, at)
            if signature:
                yield from signature_put(memory, event, signature)
                if is_signature(event) and not _perhaps_pushed(memory, event):
                    yield from image_signed(memory, event, known=_known(memory, event, signature))
        if digest:
            image = image_of(memory, repository, digest)
            image.seen = at
            if event["action"] == Action.SCAN:
                if image.scanned is None:
                    done(memory, event, image, "scanned")
            else:
                told: list[Suspicion] = []
                if image.signed is None:
                    done(memory, event, image, "signed")
                    told = list(signed(memory, event, image))
                strange = list(attached(memory, event, digest))
                yield from told or strange
        return
    if signature:
        if event["action"] == Action.CHECK:
            signature_asked(memory, event, signature)
        return
    if event["action"] == Action.CHECK:
        looked(memory, event)
    if (
        event["action"] == Action.PUSH and event["digest"] and not event["tag"]
    ):  # a part of an index may be signed alone
        image_of(memory, repository, event["digest"]).seen = at
    if event["action"] == Action.PUSH and event["tag"]:
        lately = lately_at(memory, repository, at)
        lately.pushes.append(at)
        lately.nameless = lately.nameless if event["digest"] else at
        if not event["digest"] and new_layers(memory, event) is not None:
            unsaid(memory, event)
            lately.unsaid[event["tag"]] = at
        elif event["tag"] in lately.unsaid or memory.table("images", Image).look((repository, f":{event['tag']}")):
            _another(memory, lately, repository, event["tag"])
        image_pushed(memory, event, event["digest"] or "", at)
        if event["actor"]:
            tag_pushed(memory, event)
    for move in note(memory, event):
        _moved(memory, event, move)


def _known(memory: Memory, event: Event, digest: str) -> bool:
    """Whether the image was pushed or scanned here, or its signer has just looked at it: then it is older than the log."""
    repository = event["repository"]
    if memory.table("images", Image).look((repository, digest)) is not None:
        return True
    signer = memory.table("actors", Account).look(event["actor"] or "")
    return signer is not None and (repository, digest) in signer.looked


def _perhaps_pushed(memory: Memory, event: Event) -> bool:
    """Whether a push whose line names no image came before it: nobody can say whether it was of this one."""
    lately = memory.table("lately", Lately).look(event["repository"])
    return lately is not None and event["timestamp"] - lately.nameless <= AFTER


def _pulled(memory: Memory, event: Event) -> str | None:
    """What is pulled: the digest; where only a tag is named, what it points to, as far as its pushes say."""
    if event["digest"] or not event["tag"]:
        return event["digest"] or None
    tag = tags_of(memory).look((home(event), event["tag"]))
    if tag is None or tag.pending is not None or not tag.settings:
        return f":{event['tag']}"
    digest: str = tag.settings[-1].digest
    return digest


def _signs(memory: Memory, repository: str, at: datetime) -> None:
    """A signature. Which of the images that were pushed unsaid it is for, nobody knows: it is taken for each of them."""
    lately = lately_at(memory, repository, at)
    lately.signatures.append(at)
    for tag in lately.unsaid:
        image = image_of(memory, repository, f":{tag}")
        image.signed, image.seen = image.signed or at, at


def _another(memory: Memory, lately: Lately, repository: str, tag: str) -> None:
    """The tag points to an image that is not new, or that a line names: what was pushed unsaid is no longer its."""
    lately.unsaid.pop(tag, None)
    memory.table("images", Image)[repository, f":{tag}"] = Image(seen=lately.seen)


def _moved(memory: Memory, event: Event, move: Move) -> None:
    image = image_of(memory, move.repository, move.after.digest)
    image.seen = move.at
    if image.pushed is None and not move.back:
        image.pushed, image.pusher = move.after.at, move.after.actor
        image.push_id = move.after.evidence[0] if move.after.evidence else ""
        image.shape = shape_of(move.tag)
    if move.after.actor:
        image_pushed(memory, event, move.after.digest, move.after.at)


def _late(memory: Memory, at: datetime, what: Push | Use | Gone) -> Iterator[Suspicion]:
    if isinstance(what, Gone):
        yield from still_gone(memory, what, at)
    else:
        yield from still_unsafe(memory, what, at) if isinstance(what, Use) else alone_or_not(memory, at, what)


DETECTOR = SupplyChain
