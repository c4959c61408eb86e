"""Events in order → pulls and pushes as people count them: one session for all the requests of one client's one act.

A pull is a manifest fetched with GET, with what belongs to it: the HEAD before it (which alone names the tag: Docker and
containerd then ask by digest), the manifests of an index, the layers. A push is the layers that were asked about, uploaded
or mounted, and the manifest that was stored behind them. What is told of twice, by a line with the address and an audit
row with the account, is one session with both.

The same events give the same sessions however they are cut into blocks: nothing but the events themselves, in order of
time, decides. State is bounded: a session ends after `IDLE` without a request, or after `LONGEST`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from analytics.open_session import MOST_DIGESTS, Ask, Open, began
from analytics.open_sessions import IDLE, LONGEST, SAME_BREATH, OpenSessions
from analytics.session import Kind, Session
from analytics.session_voices import Voices
from store.contract import EventQuery
from store.event import Action, Outcome

if TYPE_CHECKING:
    from store.contract import EventReader

HEAD_JOIN = timedelta(seconds=15)  # between a HEAD and its GET, and between a refusal and the same request with a token
CHILD_JOIN = timedelta(seconds=60)  # between an index and the manifest of a platform
CLOCK_GRAIN = timedelta(seconds=1)  # access lines know no finer time
MOST_PINGS = 20_000  # clients whose last `GET /v2/` is remembered
MOST_SAME_TIME = 10_000  # events held back because all have one time
MOST_KNOWN = 10_000  # manifests whose layers are remembered

# What a session is folded from; the store need not be asked for more.
ACTIONS = (
    Action.PING, Action.PULL, Action.CHECK, Action.LAYER_DOWNLOAD, Action.LAYER_CHECK, Action.PUSH, Action.LAYER_UPLOAD,
    Action.MOUNT, Action.DELETE, Action.SIGN, Action.REFERRERS,
)  # fmt: skip


def sessions_of(events: Iterable[dict[str, Any]]) -> list[Session]:
    """The sessions of events in order of time (rows of the store), by start."""
    folding = Folding()
    found = [session for event in events for session in folding.take(event)]
    return sorted([*found, *folding.finish()], key=lambda session: (session.start, session.id))


def sessions_between(store: EventReader, since: datetime, until: datetime) -> Iterator[Session]:
    """The sessions that start in [since, until), in order of their end.

    Reads an hour more on both sides (`LONGEST`), so that consecutive spans give each session once. Only `layers_present`
    of pulls may differ with the span: it needs the push of the image to be in it.
    """
    folding = Folding()
    query = EventQuery(since=since - LONGEST, until=until + LONGEST, action=[action.value for action in ACTIONS])
    for event in store.events(query):
        yield from (session for session in folding.take(event) if since <= session.start < until)
    yield from (session for session in folding.finish() if since <= session.start < until)


class Folding:
    """Folds one stream of events; feed it in order, in pieces of any size."""

    def __init__(self) -> None:
        self._same_time: list[dict[str, Any]] = []
        self._open = OpenSessions()
        self._folded = 0
        self._pings: OrderedDict[tuple[Any, ...], tuple[datetime, int]] = OrderedDict()
        self._layers: OrderedDict[tuple[Any, ...], frozenset[str]] = OrderedDict()
        self._voices = Voices()
        self._done: deque[Session] = deque()

    def take(self, event: dict[str, Any]) -> Iterator[Session]:
        """Fold one event; gives the sessions that are over."""
        held = self._same_time
        if held and (event["timestamp"] != held[0]["timestamp"] or len(held) >= MOST_SAME_TIME):
            self._release()
        self._same_time.append(event)
        while self._done:
            yield self._done.popleft()

    def finish(self) -> Iterator[Session]:
        """Fold what was held back and end every session."""
        self._release()
        for event in self._voices.finish():
            self._fold(event)
        yield from self._done
        self._done.clear()
        yield from self._open.finish()

    def _release(self) -> None:
        """Events of one time in the order of their lines: with times of whole seconds that is the only order there is."""
        if not self._same_time:
            return
        held, self._same_time = self._same_time, []
        held.sort(key=lambda event: (event.get("stream") or "", event.get("offset") or 0, event["event_id"]))
        now = held[0]["timestamp"]
        for event in self._voices.overdue(now):
            self._fold(event)
        self._expire(now)
        for event in held:
            if not self._voices.wait(event):
                self._fold(event)

    def _expire(self, now: datetime) -> None:
        self._done.extend(self._open.expire(now))
        while self._pings and (len(self._pings) > MOST_PINGS or next(iter(self._pings.values()))[0] < now - IDLE):
            self._pings.popitem(last=False)

    # One event.

    def _fold(self, event: dict[str, Any]) -> None:
        self._folded += 1
        action = event["action"]
        if action == Action.PING:
            self._ping(event)
        elif not event.get("repository"):
            return
        elif action == Action.CHECK:
            self._check(event)
        elif action in (Action.PULL, Action.REFERRERS):
            if action == Action.PULL or _is_manifest(event):
                self._get_manifest(event)
        elif action in (Action.PUSH, Action.SIGN):
            if action == Action.PUSH or _is_manifest(event):
                self._put_manifest(event)
        elif action == Action.LAYER_DOWNLOAD:
            self._get_layer(event)
        elif action in (Action.LAYER_CHECK, Action.LAYER_UPLOAD, Action.MOUNT):
            self._upload(event)
        elif action == Action.DELETE:
            self._delete(event)

    def _ping(self, event: dict[str, Any]) -> None:
        """`GET /v2/`: most clients begin with it, so that what comes behind it is a new act."""
        key = (event.get("registry"), event.get("client_ip"), event.get("user_agent"))
        self._pings[key] = event["timestamp"], self._folded
        self._pings.move_to_end(key)

    def _pinged(self, session: Open) -> bool:
        """Whether the client began anew since the session's last manifest."""
        key = (session.first.get("registry"), session.first.get("client_ip"), session.user_agent)
        return key in self._pings and self._pings[key][1] > session.asked

    def _check(self, event: dict[str, Any]) -> None:
        ask = Ask.of(event)
        for session in self._open.candidates(event, Kind.CHECK, HEAD_JOIN):
            head = session.head
            if head is not None and head.may_be_repeated and head.reference == ask.reference:
                session.head = ask
                return self._open.took(session, event)
        self._open.new(Kind.CHECK, event).head = ask

    def _get_manifest(self, event: dict[str, Any]) -> None:
        ask = Ask.of(event)
        session = self._asked_again(event, ask) or self._after_head(event, ask)
        if session is None:
            session = self._child_of(event, ask)
            if session is not None:
                session.child_before_layers = session.child_before_layers or not session.fetched
                session.asks.append(ask)
                self._open.took(session, event)
        if session is None:
            session = self._open.new(Kind.PULL, event)
            session.asks.append(ask)
        if ask.outcome == Outcome.SUCCESS:
            session.add_bytes(event.get("response_bytes"))
            top = session.asks[0]
            if top.digest is not None:
                session.known = self._layers.get((event.get("registry"), event["repository"], top.digest))
        session.asked = self._folded
        self._voices.saw(session, ask)

    def _asked_again(self, event: dict[str, Any], ask: Ask) -> Open | None:
        for session in self._open.candidates(event, Kind.PULL, HEAD_JOIN):
            before = session.asks[-1]
            if before.may_be_repeated and before.reference == ask.reference and not self._pinged(session):
                session.asks[-1] = ask
                self._open.took(session, event)
                return session
        return None

    def _after_head(self, event: dict[str, Any], ask: Ask) -> Open | None:
        """The HEAD that this GET follows becomes a pull; with it comes the tag that the GET does not name."""
        heads = [
            session
            for session in self._open.candidates(event, Kind.CHECK, HEAD_JOIN)
            if session.head is not None and session.head.outcome == Outcome.SUCCESS
        ]
        found = [s for s in heads if s.head is not None and ask.reference == s.head.reference]
        if not found and ask.tag is None and ask.digest is not None:
            found = [s for s in heads if s.head is not None and s.head.digest == ask.digest]
            if not found:
                found = [s for s in heads if s.head is not None and s.head.digest is None and s.head.tag is not None]
                if len({s.head.tag for s in found if s.head is not None}) > 1:
                    return None  # two tags were asked about, and nothing says which one this is
        if not found:
            return None
        session = found[0]
        assert session.head is not None
        if ask.tag is None and session.head.tag is not None:
            session.given_tag, session.tag_from = session.head.tag, "head"
        session.kind, session.head = Kind.PULL, None
        session.asks.append(ask)
        self._open.took(session, event)
        return session

    def _child_of(self, event: dict[str, Any], ask: Ask) -> Open | None:
        """The pull of an index that this manifest of a platform belongs to."""
        if ask.tag is not None or ask.digest is None:
            return None
        for session in self._open.candidates(event, Kind.PULL, CHILD_JOIN):
            if session.asks[0].outcome != Outcome.SUCCESS or ask.digest in session.digests:
                continue
            if len(session.asks) < MOST_DIGESTS and self._expects_more(session, event):
                return session
        return None

    def _expects_more(self, session: Open, event: dict[str, Any]) -> bool:
        """Whether the first manifest is an index: its media type says so, else the order of the requests.

        The manifest of a platform is fetched before its layers: a first manifest with layers right behind it is none.
        """
        if session.holds_index is not None or not session.fetched:
            return session.holds_index is not False
        nothing_else = not self._pinged(session)
        return session.child_before_layers and nothing_else and began(event) - session.last <= SAME_BREATH

    def _get_layer(self, event: dict[str, Any]) -> None:
        digest, start = event.get("digest"), began(event)
        chosen = again = None
        for session in self._open.candidates(event, Kind.PULL, LONGEST):
            if session.asks[0].outcome != Outcome.SUCCESS or session.asks[0].at > start + CLOCK_GRAIN:
                continue
            if session.known is not None and digest not in session.known and session.holds_index is not True:
                continue
            if digest not in session.fetched:
                chosen = session
                break
            again = again or session
        session_ = chosen or again or next(self._open.candidates(event, Kind.LAYERS, IDLE), None)
        if session_ is None:
            session_ = self._open.new(Kind.LAYERS, event)
        else:
            self._open.took(session_, event)
        session_.download(event)

    def _upload(self, event: dict[str, Any]) -> None:
        session = next(self._open.pushes(event), None)
        if session is None:
            session = self._open.new(Kind.PUSH, event)
        else:
            self._open.took(session, event)
        session.upload(event)

    def _put_manifest(self, event: dict[str, Any]) -> None:
        ask = Ask.of(event)
        session = next(self._open.pushes(event), None)
        if session is not None and session.asks and not session.asks[-1].may_be_repeated:
            index = None if ask.media_type is None else ask.media_type_is_index
            apart = index is False and ask.tag is not None
            if apart or (index is None and self._pinged(session)):
                session = self._split(session, event)
        if session is None:
            session = self._open.new(Kind.PUSH, event)
        else:
            self._open.took(session, event)
        if session.asks and session.asks[-1].may_be_repeated and session.asks[-1].reference == ask.reference:
            session.asks.pop()
        session.asks.append(ask)
        session.user_agent = event.get("user_agent") or session.user_agent
        session.finished = ask.tag is not None and not ask.may_be_repeated
        if ask.outcome == Outcome.SUCCESS:
            size = event.get("request_bytes")
            session.add_bytes(event.get("size_bytes") if size is None else size)
            self._learn(event, session, ask)
        session.since_put = set()
        session.asked = self._folded
        self._voices.saw(session, ask)

    def _split(self, session: Open, event: dict[str, Any]) -> Open:
        """What was stored by digest stands for itself; the layers behind it belong to the next manifest."""
        session.finished = True
        following = self._open.new(Kind.PUSH, event)
        following.requests -= 1  # `event` itself is counted by who asked
        for name in ("uploaded", "mounted", "present"):
            own = getattr(session, name)
            for digest in [digest for digest in own if digest in session.since_put]:
                getattr(following, name)[digest] = own.pop(digest)
        return following

    def _learn(self, event: dict[str, Any], session: Open, ask: Ask) -> None:
        """The layers of an image that was pushed alone are those that were asked about, uploaded or mounted for it."""
        if ask.digest is None or len(session.asks) > 1 or ask.media_type_is_index:
            return
        layers = frozenset((*session.uploaded, *session.mounted, *session.present))
        if layers:
            self._layers[event.get("registry"), event["repository"], ask.digest] = layers
            while len(self._layers) > MOST_KNOWN:
                self._layers.popitem(last=False)

    def _delete(self, event: dict[str, Any]) -> None:
        """skopeo fetches a manifest to learn the digest that it then deletes: no pull."""
        for session in self._open.candidates(event, Kind.PULL, HEAD_JOIN):
            top = session.asks[0]
            if not session.fetched and top.tag is not None and top.digest in (None, event.get("digest")):
                session.kind = Kind.LOOKUP
                return self._open.took(session, event)
        return None


def _is_manifest(event: dict[str, Any]) -> bool:
    """Whether it is about a manifest, not the list of referrers or an act of the registry's own page."""
    uri = event.get("uri")
    return "/manifests/" in uri if uri else event.get("method") in ("GET", "PUT") or event.get("reference") is not None
