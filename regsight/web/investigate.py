"""Everything about one digest, account, address or repository: what it touched, who touched it, and when."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from analytics.blast import Radius, blast
from analytics.blast_picture import drawing
from analytics.session import Session
from analytics.sessions import ACTIONS, sessions_of
from analytics.tag_ledger import tag_ledger
from regsight.web import reach
from regsight.web.filters import BadFilter, read_time
from regsight.web.rendering import page
from regsight.web.state import WebState
from store.contract import EventQuery, EventReader, Store
from store.event import Outcome
from store.finding import Finding

KINDS = ("digest", "actor", "client", "repository")
USUAL_SPAN = timedelta(days=30)
MOST_EVENTS = 20_000  # of one subject; with more, the page shows the newest and says so
MOST_SESSIONS, MOST_LATEST, MOST_DIGESTS = 30, 25, 5
_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is asked about: `kind` is one of `KINDS`."""

    kind: str
    name: str

    def query(self, **more: Any) -> EventQuery:
        named: dict[str, Any] = {self.kind: self.name}
        return EventQuery(**named, **more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that is known of a subject in [since, until). `cut` where only its newest `MOST_EVENTS` events are in it."""

    subject: Subject
    since: datetime
    until: datetime
    cut: bool
    events: list[dict[str, Any]]  # oldest first
    radius: Radius
    sessions: list[Session]
    picture: Markup

    @property
    def counts(self) -> list[tuple[str, int]]:
        """Action and outcome → how often, most frequent first."""
        counted = Counter(f"{event['action'].replace('_', ' ')}, {event['outcome']}" for event in self.events)
        return counted.most_common(8)

    @property
    def latest(self) -> list[dict[str, Any]]:
        return self.events[: -MOST_LATEST - 1 : -1]


def look(store: EventReader, subject: Subject, since: datetime, until: datetime) -> Found:
    """Reads at most the newest `MOST_EVENTS` events of the subject.

    Raises:
        Unavailable: the store does not answer.
    """
    query = subject.query(since=since, until=until, limit=MOST_EVENTS + 1, newest_first=True)
    events = list(store.events(query))[::-1]
    cut = len(events) > MOST_EVENTS
    if cut:
        events = events[1:]
        since = events[0]["timestamp"]
    radius = blast(store, **{subject.kind: subject.name}, since=since, until=until)
    return Found(
        subject=subject,
        since=since,
        until=until,
        cut=cut,
        events=events,
        radius=radius,
        sessions=_sessions(store, subject, events),
        picture=Markup(_picture(store, subject, radius, events, until)),  # noqa: S704  # escapes every name itself
    )


def _picture(
    store: EventReader, subject: Subject, radius: Radius, events: list[dict[str, Any]], until: datetime
) -> str:
    """Of an image who had it; of anybody else what they touched, and who took that."""
    if subject.kind == "digest":
        return drawing(radius) if radius.pushed or radius.pulled else ""
    return reach.drawing(reach.reach_of(store, subject.kind, events, until)) if events else ""


def _sessions(store: EventReader, subject: Subject, events: list[dict[str, Any]]) -> list[Session]:
    """The newest pulls and pushes as people count them. Those of a digest need its repositories' layers as well."""
    if subject.kind == "digest" and events:
        around = timedelta(minutes=5)
        span = {"since": events[0]["timestamp"] - around, "until": events[-1]["timestamp"] + around}
        repositories = sorted({event["repository"] for event in events if event["repository"]})
        events = [
            event
            for name in repositories
            for event in store.events(EventQuery(repository=name, limit=MOST_EVENTS, newest_first=True, **span))
        ]
        events.sort(key=lambda event: event["timestamp"])
    folded = sessions_of(event for event in events if event["action"] in ACTIONS)
    if subject.kind == "digest":
        folded = [one for one in folded if subject.name == one.digest or subject.name in one.manifests]
    return folded[: -MOST_SESSIONS - 1 : -1]


def guess(store: EventReader, text: str) -> list[Subject]:
    """What a word may mean, the likeliest first: a digest (or how it begins), an address, a repository, an account."""
    text = text.strip()
    if not text:
        return []
    found: list[Subject] = []
    if match := _HEX.fullmatch(text.lower()):
        found += [Subject(kind="digest", name=name) for name in _digests(store, match[1])]
    try:
        found.append(Subject(kind="client", name=str(ipaddress.ip_address(text))))
    except ValueError:
        repository = text.removeprefix("docker://").partition("@")[0]
        names = {"repository": repository.rpartition(":")[0] or repository, "actor": text, "client": text}
        for kind, name in names.items():
            subject = Subject(kind=kind, name=name)
            if next(store.events(subject.query(limit=1, newest_first=True)), None) is not None:
                found.append(subject)
    return found


def _digests(store: EventReader, beginning: str) -> list[str]:
    if len(beginning) == 64:
        return [f"sha256:{beginning}"]
    events = store.events(EventQuery(digest=f"sha256:{beginning}*", limit=1000, newest_first=True))
    return list(dict.fromkeys(event["digest"] for event in events))[:MOST_DIGESTS]


def span_of(request: Request, state: WebState) -> tuple[datetime, datetime]:
    """The span asked for, else the last month.

    Raises:
        BadFilter: a time that is none, or an empty span.
    """
    params, now = request.query_params, state.now()
    until = read_time("until", params.get("until", ""), now) or now + timedelta(microseconds=1)
    since = read_time("since", params.get("since", ""), now) or until - USUAL_SPAN
    if since >= until:
        raise BadFilter("since: it must be before until")
    return since, until


def subject_of(request: Request) -> Subject | None:
    """A subject that is named outright: `?digest=…`, `?actor=…`, `?client=…`, `?repository=…`."""
    for kind in KINDS:
        if name := request.query_params.get(kind, "").strip():
            return Subject(kind=kind, name=name)
    return None


def search(request: Request) -> Response:
    """`?q=` anything, or a subject named outright; with several meanings the first is shown and the others offered."""
    state: WebState = request.app.state.regsight
    typed = request.query_params.get("q", "").strip()
    form = {"q": typed, "since": request.query_params.get("since", ""), "until": request.query_params.get("until", "")}
    try:
        since, until = span_of(request, state)
    except BadFilter as error:
        return page(request, "search.html", 400, form=form, error=str(error), found=None, others=[], stories=[])
    subject = subject_of(request)
    meanings = [subject] if subject else guess(state.store, typed)
    if not meanings:
        return page(request, "search.html", form=form, error="", found=None, others=[], stories=[])
    chosen = meanings[0]
    form["q"] = typed or chosen.name
    return page(
        request,
        "search.html",
        form=form,
        error="",
        found=look(state.store, chosen, since, until),
        others=meanings[1:],
        stories=naming(state.store, chosen, since, until),
    )


def naming(store: Store, subject: Subject, since: datetime, until: datetime) -> list[Finding]:
    """Findings that name an account, address or repository; none name a digest."""
    found = store.findings(since, until)
    return [one for one in found if subject.name in one.subjects.get(subject.kind, ())]


def tags(request: Request) -> Response:
    """Which digest each tag of a repository pointed to, when, and who set it."""
    state: WebState = request.app.state.regsight
    repository = request.query_params.get("repository", "").strip()
    tag = request.query_params.get("tag", "").strip()
    form = {"repository": repository, "tag": tag}
    if not repository:
        return page(request, "tags.html", form=form, entries=None, busiest=_pushed_to(state))
    entries = tag_ledger(state.store, repository, tag or None)
    return page(request, "tags.html", form=form, entries=entries, busiest=[])


def _pushed_to(state: WebState) -> list[str]:
    """Repositories to choose from: those that were pushed to most in the last month."""
    frame = state.store.counts(state.now() - USUAL_SPAN, state.now(), ["repository", "action", "outcome"])
    chosen = frame[(frame["action"] == "push") & (frame["outcome"] == Outcome.SUCCESS)].dropna(subset=["repository"])
    return [str(name) for name in chosen.sort_values("events", ascending=False)["repository"].head(12)]
