# ruff: noqa: S608 (only column names out of FIELDS and whole numbers are put into the text)
"""The questions of `store.contract.EventReader` as DuckDB SQL.

`rows` is what the Parquet files hold: parts, duplicates and all. Every value that comes from a user is a named
parameter; what is put into the text are column names out of `store.event.FIELDS`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from store.contract import SUBJECTS, EventQuery, Voice
from store.event import FIELDS
from store.merge import CONFIDENCES, TRUST

_HOUR = timedelta(hours=1) // timedelta(microseconds=1)
_FILES = "SELECT * FROM read_parquet(${}, union_by_name = true, hive_partitioning = false)"
_TRUST = "CASE channel {} ELSE {} END".format(
    " ".join(f"WHEN '{channel}' THEN {rank}" for channel, rank in TRUST.items()), len(TRUST)
)
# What says which parts are of one event, and which of them is trusted most (`merged`).
_MERGED_BY = ("event_id", "timestamp", "channel", "revision", "stream", "offset", "read_at", "parts", "join_confidence")
_LEAST_SURE = "list_extract(['{}'], max(CASE join_confidence {} ELSE 1 END))".format(
    "', '".join(CONFIDENCES), " ".join(f"WHEN '{name}' THEN {place}" for place, name in enumerate(CONFIDENCES, 1))
)

# request_bytes is what a client sent; where no line says, the size of what was stored stands in for it.
BYTES = """CASE WHEN action IN ('pull', 'layer_download') THEN response_bytes
    WHEN action IN ('push', 'layer_upload') THEN coalesce(request_bytes, size_bytes) END"""

_WINDOW_COUNTS = f"""count(*) AS requests,
    count(*) FILTER (action = 'pull') AS pulls,
    count(*) FILTER (action = 'push') AS pushes,
    count(*) FILTER (action = 'delete') AS deletes,
    count(*) FILTER (action = 'check') AS checks,
    count(*) FILTER (action = 'layer_download') AS layer_downloads,
    count(*) FILTER (action = 'layer_upload') AS layer_uploads,
    count(*) FILTER (action = 'login') AS logins,
    count(*) FILTER (outcome = 'denied') AS denied,
    count(*) FILTER (outcome = 'denied' AND reason = 'bad_credentials') AS bad_credentials,
    count(*) FILTER (outcome = 'failure') AS failures,
    count(DISTINCT client_ip) AS distinct_clients,
    count(DISTINCT actor) AS distinct_actors,
    count(DISTINCT repository) AS distinct_repositories,
    count(DISTINCT digest) AS distinct_digests,
    coalesce(sum({BYTES}), 0)::BIGINT AS bytes"""
_WINDOW_COLUMNS = (
    "timestamp", "action", "outcome", "reason", "client_ip", "actor", "repository", "digest", "response_bytes",
    "request_bytes", "size_bytes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parts:
    """Where rows are: in `single` each is a whole event, in `rest` an event may have several. `repeated` says whether any
    has: their hashes are then in the table of that name. Both are texts that may stand behind FROM."""

    rest: str
    single: str = ""
    repeated: bool = True


def rows(files: str) -> str:
    """All rows of the files that the parameter of this name lists. The empty table gives columns that older files lack; with
    no file at all it stands alone."""
    return f"({_FILES.format(files)} UNION ALL BY NAME SELECT * FROM nothing)" if files else "nothing"


def whole_rows(files: str) -> str:
    """The same, of files that have all columns: opened in half the time."""
    return f"(SELECT * FROM read_parquet(${files}, hive_partitioning = false))"


def repeated(source: str) -> str:
    """Hashes of the ids that more than one row has; two ids with one hash do no harm, they are grouped by id later."""
    return f"SELECT hash(event_id) AS h FROM {source} GROUP BY h HAVING count(*) > 1"


def repeated_rows(files: str, table: str) -> str:
    """Of all rows of the files that the parameter of this name lists those whose id's hash is in the table: that, and the file."""
    return f"""SELECT hash(event_id) AS h, filename FROM read_parquet(${files}, union_by_name = true,
        hive_partitioning = false, filename = true) WHERE h IN (SELECT h FROM {table})"""


def overlap(some: str, others: str) -> str:
    """Hashes of the ids that are in both."""
    return f"""SELECT DISTINCT hash(event_id) AS h FROM {some}
        WHERE h IN (SELECT hash(event_id) FROM {others})"""


def hashed(source: str, inside: bool, table: str) -> str:
    """The rows whose id's hash is in the table, or is not."""
    return f"(SELECT * FROM {source} WHERE hash(event_id) {'IN' if inside else 'NOT IN'} (SELECT h FROM {table}))"


def both(one: str, other: str) -> str:
    return f"(SELECT * FROM {one} UNION ALL BY NAME SELECT * FROM {other})"


def merged(parts: Parts, columns: Sequence[str]) -> str:
    """The events with these columns, one row each. Grouping is paid for the repeated ids only."""
    names = ["event_id", *(name for name in columns if name != "event_id")]
    quoted = ", ".join(f'"{name}"' for name in names)
    plain = [f"SELECT {quoted} FROM {parts.single}"] if parts.single else []
    if not parts.repeated:
        return "(" + " UNION ALL ".join([*plain, f"SELECT {quoted} FROM {parts.rest}"]) + ")"
    united = "list_sort(list_distinct(flatten(list(parts) FILTER (parts IS NOT NULL))))"
    chosen = {name: f'arg_min("{name}", place) AS "{name}"' for name in names}  # arg_min passes over nulls
    chosen["event_id"] = "event_id"
    chosen["revision"] = "max(coalesce(revision, 0)) AS revision"
    chosen["parts"] = f"{united} AS parts"
    chosen["join_confidence"] = (
        f"CASE WHEN len({united}) > 1 THEN {_LEAST_SURE} ELSE arg_min(join_confidence, place) END AS join_confidence"
    )
    once = f"SELECT {quoted} FROM {parts.rest} WHERE hash(event_id) NOT IN (SELECT h FROM repeated)"
    several = f"""SELECT {", ".join(chosen[name] for name in names)}
        FROM (SELECT *, row_number() OVER (PARTITION BY event_id
                ORDER BY {_TRUST}, coalesce(revision, 0) DESC, stream, "offset", read_at) AS place
            FROM {parts.rest} WHERE hash(event_id) IN (SELECT h FROM repeated))
        GROUP BY event_id"""
    return "(" + " UNION ALL ".join([*plain, once, several]) + ")"


def _window(width: timedelta, us: str = "epoch_us(timestamp)") -> str:
    """Start of the window in µs since the epoch; the double modulo keeps times before 1970 on the grid too."""
    size = width // timedelta(microseconds=1)
    return f"{us} - (({us} % {size}) + {size}) % {size}"


def windows(parts: Parts, width: timedelta, subject: str) -> str:
    """Columns subject, window_us and `WINDOW_COUNTS`; parameters $since, $until."""
    column = SUBJECTS[subject]
    columns = _WINDOW_COLUMNS if column is None or column in _WINDOW_COLUMNS else (*_WINDOW_COLUMNS, column)
    shown = "'*'" if column is None else f'"{column}"'
    known = "" if column is None else f' AND "{column}" IS NOT NULL'
    return f"""SELECT {shown} AS subject, {_window(width)} AS window_us, {_WINDOW_COUNTS}
        FROM {merged(parts, columns)}
        WHERE timestamp >= $since AND timestamp < $until{known}
        GROUP BY 1, 2 ORDER BY 1, 2"""


def counts(parts: Parts, by: Sequence[str], width: timedelta | None, counted: str = "") -> str:
    """Columns `by`, window_us (with `width`), events, bytes, duration_ns; parameters $since, $until. `counted` holds hourly
    counts of what is not in `parts` (`store.delta_hours`)."""
    columns = dict.fromkeys(
        ("timestamp", "action", "response_bytes", "request_bytes", "size_bytes", "duration_ns", *by)
    )
    keys = [f'"{name}"' for name in by]
    shown = [*keys, f"{_window(width, 'us')} AS window_us"] if width else keys
    order = [*(["window_us"] if width else []), "events DESC", *(f"{key} NULLS LAST" for key in keys)]
    grouped = f"GROUP BY {', '.join(str(i + 1) for i in range(len(shown)))}" if shown else "HAVING count(*) > 0"
    rows = f"""SELECT {", ".join([*keys, "epoch_us(timestamp) AS us", "1 AS events"])}, {BYTES} AS bytes,
            duration_ns AS duration_sum, (duration_ns IS NOT NULL)::BIGINT AS durations
        FROM {merged(parts, tuple(columns))} WHERE timestamp >= $since AND timestamp < $until"""
    if counted:
        rows += f""" UNION ALL SELECT {", ".join([*keys, "window_us", "events", "bytes", "duration_sum", "durations"])}
            FROM {counted} WHERE window_us > epoch_us($since::TIMESTAMPTZ) - {_HOUR}
                AND window_us < epoch_us($until::TIMESTAMPTZ)"""
    return f"""SELECT {", ".join([*shown, "sum(events)::BIGINT AS events"])}, coalesce(sum(bytes), 0)::BIGINT AS bytes,
            CASE WHEN sum(durations) > 0 THEN sum(duration_sum)::DOUBLE / sum(durations)::DOUBLE END AS duration_ns
        FROM ({rows}) {grouped} ORDER BY {", ".join(order)}"""


def events(parts: Parts, query: EventQuery) -> tuple[str, dict[str, Any]]:
    """The merged events that `query` asks for, and the parameters."""
    clauses, parameters = conditions(query)
    where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
    way = "DESC" if query.newest_first else "ASC"
    limit = ""
    if query.limit is not None:
        limit, parameters["limit"] = "LIMIT $limit", query.limit
    wanted = list(query.columns) or [field.name for field in FIELDS]
    asked = dict.fromkeys((*wanted, "timestamp", *_conditioned(query)))
    shown = ", ".join(f'"{name}"' for name in wanted)
    every = merged(parts, list(asked))
    return f"SELECT {shown} FROM {every} {where} ORDER BY timestamp {way}, event_id {way} {limit}", parameters


def parts(
    source: str, query: EventQuery, numbered_by: Sequence[str] = (), besides: Collection[Voice] = ()
) -> tuple[str, dict[str, Any]]:
    """The rows that `query` asks for as they were stored, each for itself, and the parameters."""
    clauses, parameters = conditions(query)
    if numbered_by:
        clauses.append(
            "(request_id IS NULL OR NOT starts_with(event_id, 'r-') OR NOT list_contains($numbered_by, dataset))"
        )
        parameters["numbered_by"] = list(numbered_by)
    if besides:
        clauses.append("NOT list_contains($besides, coalesce(dataset, '') || chr(31) || coalesce(channel, ''))")
        parameters["besides"] = ["\x1f".join(voice) for voice in besides]
    where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
    way = "DESC" if query.newest_first else "ASC"
    limit = ""
    if query.limit is not None:
        limit, parameters["limit"] = "LIMIT $limit", query.limit
    names = ", ".join(f'"{field.name}"' for field in FIELDS)
    return f'SELECT {names} FROM {source} {where} ORDER BY timestamp {way}, stream, "offset" {limit}', parameters


def conditions(query: EventQuery) -> tuple[list[str], dict[str, Any]]:
    clauses: list[str] = []
    parameters: dict[str, Any] = {}
    if query.since is not None:
        clauses.append("timestamp >= $since")
        parameters["since"] = query.since
    if query.until is not None:
        clauses.append("timestamp < $until")
        parameters["until"] = query.until
    for name, wanted in (("action", query.action), ("outcome", query.outcome), ("reason", query.reason)):
        if wanted:
            clauses.append(f"list_contains(${name}, {name})")
            parameters[name] = [str(one) for one in wanted]
    if query.ids:
        clauses.append("list_contains($ids, event_id)")
        parameters["ids"] = list(query.ids)
    if query.registry is not None:
        clauses.append("registry = $registry")
        parameters["registry"] = query.registry
    for name, (clause, value) in named(query).items():
        clauses.append(clause)
        parameters[name] = value
    return clauses, parameters


def _conditioned(query: EventQuery) -> list[str]:
    """The columns that `conditions` looks at, besides the time."""
    plain = ("action", "outcome", "reason", "registry")
    return [*(name for name in plain if getattr(query, name)), *(["event_id"] if query.ids else []), *named(query)]


def named(query: EventQuery) -> dict[str, tuple[str, str]]:
    """Column → its condition and the parameter of the same name, for the names that the query gives."""
    wanted = {"digest": query.digest, "reference": query.reference, "repository": query.repository}
    found: dict[str, tuple[str, str]] = {}
    for name, pattern in (wanted | {"actor": query.actor, "client_ip": query.client}).items():
        if pattern is None:
            continue
        glob = "*" in pattern or "?" in pattern
        clause = f"{name} LIKE ${name} ESCAPE '\\'" if glob else f"{name} = ${name}"
        found[name] = clause, like(pattern) if glob else pattern
    return found


def candidates(source: str, query: EventQuery) -> tuple[str, dict[str, Any]] | None:
    """The ids, at most $most of them, outside of which no event can match; None where the query names nothing.

    The value of a merged event is that of one of its parts: an event matches only if for each name some part has it.
    """
    parameters: dict[str, Any] = {name: value for name, (_, value) in named(query).items()}
    clauses = [clause for clause, _ in named(query).values()]
    if query.ids:
        clauses.append("event_id IN (SELECT unnest($ids))")
        parameters["ids"] = list(query.ids)
    if not clauses:
        return None
    if len(clauses) == 1:
        return f"SELECT DISTINCT event_id FROM {source} WHERE {clauses[0]} LIMIT $most", parameters
    either, all_of = " OR ".join(clauses), " AND ".join(f"bool_or({clause})" for clause in clauses)
    return f"""SELECT event_id FROM {source} WHERE {either} GROUP BY event_id HAVING {all_of} LIMIT $most""", parameters


def parts_of(source: str, ids: str, query: EventQuery) -> str:
    """All parts of the events whose ids are in the parameter `ids`, with the columns that `events` needs of them."""
    wanted = (*query.columns, *_conditioned(query), *_MERGED_BY)
    shown = ", ".join(f'"{name}"' for name in dict.fromkeys(wanted)) if query.columns else "*"
    return f"SELECT {shown} FROM {source} WHERE event_id IN (SELECT unnest(${ids}))"


def like(pattern: str) -> str:
    r"""A glob of `*` and `?` as a LIKE pattern with `\` as its escape: `a_*` → `a\_%`."""
    plain = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return plain.replace("*", "%").replace("?", "_")
