"""The first paragraph: what happened, in plain sentences, from the figures alone."""

from __future__ import annotations

from typing import Any

from analytics.reports.shown import change, moment, number, seconds, size


def in_words(figures: dict[str, Any]) -> str:
    """Two to five sentences; for an empty span, why it is empty and what to do."""
    totals, stored = figures["totals"], figures["stored"]
    span = f"{moment(figures['since'])} and {moment(figures['until'])} UTC"
    if stored is None:
        return (
            "The store holds no events yet. Read a registry's log with `regsight collect FILE…`, or name a source in "
            "regsight.toml and start `regsight run`; then make this report again."
        )
    if totals["requests"] == 0:
        return (
            f"Nothing was recorded between {span}. The store holds {number(stored['events'])} events from "
            f"{moment(stored['first'])} to {moment(stored['last'])} UTC: "
            "ask for a part of that span with --since and --until."
        )
    return " ".join(
        sentence
        for sentence in [
            _traffic(figures, span),
            _refusals(figures),
            _movers(figures),
            _repeats(figures),
            _findings(figures),
            _incidents(figures),
            _unread(figures),
        ]
        if sentence
    )


def _count(value: int, one: str, many: str) -> str:
    return f"{number(value)} {one if value == 1 else many}"


def _span(length: float) -> str:
    days = length / 86400
    return _count(int(days), "day", "days") if days == int(days) else seconds(length)


def _traffic(figures: dict[str, Any], span: str) -> str:
    totals, before = figures["totals"], figures["totals_before"]
    compared = (
        f"{change(totals['requests'], before['requests'])} against the {_span(figures['seconds'])} before"
        if before["requests"]
        else "nothing is recorded for the time before to compare with"
    )
    return (
        f"Between {span} there were {_count(totals['requests'], 'event', 'events')} ({compared}): "
        f"{_count(totals['pulls'], 'pull', 'pulls')}, {_count(totals['pushes'], 'push', 'pushes')} and "
        f"{_count(totals['deletes'], 'deletion', 'deletions')}, "
        f"by {_count(totals['actors'], 'account', 'accounts')} "
        f"from {_count(totals['clients'], 'address', 'addresses')} in "
        f"{_count(totals['repositories'], 'repository', 'repositories')}."
    )


def _refusals(figures: dict[str, Any]) -> str:
    totals, clients = figures["totals"], figures["refused"]["clients"]["rows"]
    if not totals["denied"]:
        return "Nobody was refused."
    most = f"; most from {clients[0]['name']} ({number(clients[0]['denied'])})" if clients else ""
    return (
        f"{_count(totals['denied'], 'request was', 'requests were')} refused, "
        f"{number(totals['bad_credentials'])} of them for a wrong password or token{most}."
    )


def _repeats(figures: dict[str, Any]) -> str:
    moved = figures["transfers"]
    if not moved["down_bytes"]:
        return ""
    saved = (
        f", {size(moved['repeated_bytes'])} of it content the same client had fetched before"
        if moved["repeated_bytes"]
        else ""
    )
    return f"{size(moved['down_bytes'])} went out{saved}."


def _findings(figures: dict[str, Any]) -> str:
    rows = figures["findings"]
    if not rows:
        return "The detectors found nothing unusual."
    more = f", the most severe ({rows[0]['severity']}): {rows[0]['title'].rstrip('.')}."
    return f"{_count(len(rows), 'thing was', 'things were')} found that should be looked at{more}"


def _movers(figures: dict[str, Any]) -> str:
    moved = figures["movers"]["repositories"]
    if not moved:
        return ""
    first = moved[0]
    return (
        f"Most changed: {first['name']}, {_count(first['now'], 'event', 'events')} "
        f"against {number(first['before'])} before."
    )


def _incidents(figures: dict[str, Any]) -> str:
    response, rows = figures["response"], figures["incidents"]
    if not rows:
        return ""
    waiting = (
        "nobody looks after any of them yet"
        if response["open"] == len(rows)
        else f"nobody looks after {number(response['open'])} of them yet"
        if response["open"]
        else "somebody looks after each, or it is closed"
    )
    took = response["mean_seconds_to_detect"]
    return (
        f"The graver ones make {_count(len(rows), 'incident', 'incidents')}; {waiting}. "
        f"From the first event to the finding it took {seconds(took)} on average."
    )


def _unread(figures: dict[str, Any]) -> str:
    lines = sum(row["lines"] for row in figures["dead_letters"])
    gaps = figures["missed"]["gaps_in_all"]
    told = []
    if lines:
        told.append(f"{_count(lines, 'line', 'lines')} of all logs could not be read, kept aside with the reason.")
    if gaps:
        told.append(f"{_count(gaps, 'loss', 'losses')} of log lines {'is' if gaps == 1 else 'are'} known.")
    return " ".join(told)
