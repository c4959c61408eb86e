"""What a rule asks of one event: conditions on its fields, made into a predicate once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from store.event import BY_ECS, BY_NAME

Event = Mapping[str, Any]
Predicate = Callable[[Event], bool]

# Our short names of fields whose own are longer than a rule's author would guess.
_SHORT = {"client": "client_ip", "bytes": "response_bytes", "size": "size_bytes", "duration": "duration_ns"}
_WORDS = (
    "in",
    "not",
    "matches",
    "not_matches",
    "above",
    "below",
    "present",
    "network",
    "not_network",
    "hour",
    "weekday",
)


def field_name(name: str) -> str:
    """The name of an event's column: as `store.event` has it, its ECS name, or a short one (`client`).

    Raises:
        ValueError: there is no such field; the message has the nearest.
    """
    known = _SHORT.get(name, name)
    if known in BY_ECS:
        return BY_ECS[known].name
    if known in BY_NAME:
        return known
    from difflib import get_close_matches

    near = get_close_matches(name, [*BY_NAME, *BY_ECS, *_SHORT], 1)
    raise ValueError(f"no field {name!r} in an event" + (f"; did you mean {near[0]!r}?" if near else ""))


def condition(wanted: Mapping[str, Any]) -> Predicate:
    """A predicate that is true where all of `wanted` are: field → value, list of values (any of them; `*` and `?` are
    patterns), or a table of `in`, `not`, `matches`, `above`, `below`, `present`, `network`, `hour`, `weekday`.

    `any` and `none` hold lists of such tables: at least one, or not one of them is true.

    Raises:
        ValueError: a field or word that there is not, or a value of the wrong sort.
    """
    checks = [_one(name, value) for name, value in wanted.items()]
    if len(checks) == 1:
        return checks[0]

    def every(
        event: Event,
    ) -> bool:  # a loop: asked for millions of events, and `all` of a generator takes twice as long
        for check in checks:  # noqa: SIM110
            if not check(event):
                return False
        return True

    return every


def _one(name: str, value: Any) -> Predicate:
    if name in ("any", "none"):
        if not isinstance(value, list) or not value:
            raise ValueError(f"{name} holds a list of tables")
        inner = [condition(table) for table in value]
        if name == "any":
            return lambda event: any(check(event) for check in inner)
        return lambda event: not any(check(event) for check in inner)
    field = field_name(name)
    if isinstance(value, Mapping):
        checks = [_word(field, word, argument) for word, argument in value.items()]
        return checks[0] if len(checks) == 1 else lambda event: all(check(event) for check in checks)
    return _word(field, "in", value)


def _word(field: str, word: str, argument: Any) -> Predicate:
    if word in ("in", "not"):
        among = _among(argument)
        if word == "in":
            return lambda event: among(event.get(field))
        return lambda event: event.get(field) is not None and not among(event[field])
    if word in ("matches", "not_matches"):
        expressions = [_expression(one) for one in _listed(argument)]
        wanted = word == "matches"
        return lambda event: (
            event.get(field) is not None and any(one.search(str(event[field])) for one in expressions) is wanted
        )
    if word in ("above", "below"):
        if isinstance(argument, bool) or not isinstance(argument, int | float):
            raise ValueError(f"{word} is compared with a number, not {argument!r}")
        if word == "above":
            return lambda event: event.get(field) is not None and event[field] > argument
        return lambda event: event.get(field) is not None and event[field] < argument
    if word == "present":
        return lambda event: (event.get(field) is not None) is bool(argument)
    if word in ("network", "not_network"):
        inside = _inside(argument)
        wanted = word == "network"
        return lambda event: event.get(field) is not None and inside(str(event[field])) is wanted
    if word in ("hour", "weekday"):
        among = _among(argument)
        if word == "hour":
            return lambda event: event.get(field) is not None and among(event[field].hour)
        return lambda event: event.get(field) is not None and among(event[field].isoweekday())
    raise ValueError(f"{word!r} is none of {', '.join(_WORDS)}")


def _listed(argument: Any) -> Sequence[Any]:
    return argument if isinstance(argument, list) else [argument]


def _among(argument: Any) -> Callable[[Any], bool]:
    values = _listed(argument)
    globs = [one for one in values if isinstance(one, str) and ("*" in one or "?" in one)]
    plain = frozenset(one for one in values if one not in globs)
    if not globs:
        return plain.__contains__
    expression = re.compile("|".join(translate(one) for one in globs))
    return lambda value: value in plain or (isinstance(value, str) and expression.match(value) is not None)


def _expression(text: Any) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, TypeError) as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None


def _inside(argument: Any) -> Callable[[str], bool]:
    try:
        networks = [ip_network(one) for one in _listed(argument)]
    except ValueError as error:
        raise ValueError(f"{error}: write a network such as 10.0.0.0/8") from None

    @lru_cache(maxsize=4096)
    def inside(text: str) -> bool:
        try:
            address = ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in networks)

    return inside


def fields_of(wanted: Mapping[str, Any]) -> set[str]:
    """The fields that a condition looks at."""
    found: set[str] = set()
    for name, value in wanted.items():
        if name in ("any", "none"):
            for inner in value:
                found |= fields_of(inner)
        else:
            found.add(field_name(name))
    return found
