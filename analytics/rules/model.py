"""A rule: what its file may say. Everything about it is data, so that it can be read, tested and shared without code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from analytics.rules.condition import condition, field_name, fields_of
from store.durations import Span
from store.event import BY_NAME, Action
from store.finding import Severity


class Kind(StrEnum):
    """How events become a match. The first twelve are those that users of ElastAlert know, by the same names."""

    ANY = "any"  # every event that fits
    BLACKLIST = "blacklist"  # a field has a value of the list
    WHITELIST = "whitelist"  # a field has a value that the list lacks
    CHANGE = "change"  # a field changed its value for the same key
    FREQUENCY = "frequency"  # so many within a time
    SPIKE = "spike"  # so many times as many as in the time before
    FLATLINE = "flatline"  # fewer than usual, or none
    NEW_TERM = "new_term"  # a combination of values never seen in the history
    CARDINALITY = "cardinality"  # so many different values of a field within a time
    METRIC_AGGREGATION = "metric_aggregation"  # a sum, mean or maximum above a bound
    SPIKE_AGGREGATION = "spike_aggregation"  # the same, so many times as much as before
    PERCENTAGE_MATCH = "percentage_match"  # so large a share of the events
    SEQUENCE = "sequence"  # one after another, with the same key
    ABSENCE = "absence"  # what should have followed did not


_NEEDS: dict[Kind, tuple[str, ...]] = {
    Kind.ANY: (),
    Kind.BLACKLIST: ("field", "values"),
    Kind.WHITELIST: ("field", "values"),
    Kind.CHANGE: ("field", "by"),
    Kind.FREQUENCY: ("count", "within"),
    Kind.SPIKE: ("times", "within"),
    Kind.FLATLINE: ("count", "within"),
    Kind.NEW_TERM: ("terms",),
    Kind.CARDINALITY: ("field", "count", "within"),
    Kind.METRIC_AGGREGATION: ("metric", "above", "within"),
    Kind.SPIKE_AGGREGATION: ("metric", "times", "within"),
    Kind.PERCENTAGE_MATCH: ("share", "of", "within"),
    Kind.SEQUENCE: ("steps", "within", "by"),
    Kind.ABSENCE: ("then", "within", "by"),
}
# Those that are judged at set moments; the others at the event that completes them.
AT_MOMENTS = frozenset({Kind.FLATLINE, Kind.ABSENCE})
METRICS = ("sum", "mean", "max")


class Metric(BaseModel):
    """A number out of the events of a window, for example `{sum = "response_bytes"}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sum: str | None = None
    mean: str | None = None
    max: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        named = [name for name in METRICS if getattr(self, name)]
        if len(named) != 1:
            raise ValueError("a metric is one of sum, mean, max")
        field_name(getattr(self, named[0]))
        return self

    @property
    def how(self) -> str:
        return next(name for name in METRICS if getattr(self, name))

    @property
    def field(self) -> str:
        return field_name(getattr(self, self.how))


def asked_of_step(step: Mapping[str, Any]) -> dict[str, Any]:
    """What a step of a sequence asks of one event: all of it but how many there must be."""
    return {name: value for name, value in step.items() if name != "count"}


class When(BaseModel):
    """What turns events that fit into a match; which keys are needed depends on the kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: tuple[str, ...] = Field((), description="events with the same values of these belong together")
    within: Span | None = None
    count: int | None = Field(None, ge=0, description="so many (flatline: fewer than this)")
    unusual: bool = Field(
        False,
        description="frequency, cardinality: and more than one and a half of the busiest day in the history; "
        "flatline: and hardly any hour of the history was silent",
    )
    fresh: bool = Field(False, description="cardinality: only values that the key never had in the history count")
    times: float | None = Field(None, gt=1, description="so many times as many as in the time before")
    least: int = Field(1, ge=1, description="never for fewer events than this")
    field: str | None = None
    values: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    history: Span = Field(timedelta(days=30), description="how far back a new term is looked for")
    together: tuple[str, ...] = Field((), description="matches of a day with the same values of these are one finding")
    learned: Span = Field(
        timedelta(days=3), description="nothing is new before so much history is known; nor unusual, where it is said"
    )
    also_new: tuple[str, ...] = Field((), description="a second combination that must be new as well")
    known: tuple[str, ...] = Field((), description="what must have a history before something can be new to it")
    before: dict[str, Any] | None = Field(
        None, description="the events of the history that `known` is about, where they are not those of `match`"
    )
    done_before: dict[str, Any] | None = Field(
        None,
        description="new_term: the events of the history that make a term known, where they are not those of `match`",
    )
    metric: Metric | None = None
    above: float | None = None
    share: float | None = Field(None, gt=0, le=1)
    of: dict[str, Any] | None = Field(None, description="the events that the share is of")
    steps: tuple[dict[str, Any], ...] = ()
    then: dict[str, Any] | None = Field(None, description="what should follow")
    unless: dict[str, Any] | None = Field(None, description="an event with the same key in between calls it off")
    different: tuple[str, ...] = Field((), description="fields that must differ between the first and the last step")

    @field_validator("by", "terms", "also_new", "known", "different", "together")
    @classmethod
    def _fields(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(field_name(name) for name in names)

    @field_validator("field")
    @classmethod
    def _field(cls, name: str | None) -> str | None:
        return None if name is None else field_name(name)

    @field_validator("of", "then", "unless", "before", "done_before")
    @classmethod
    def _conditions(cls, wanted: dict[str, Any] | None) -> dict[str, Any] | None:
        if wanted is not None:
            condition(wanted)
        return wanted

    @field_validator("steps")
    @classmethod
    def _steps(cls, steps: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for step in steps:
            condition(asked_of_step(step))
        return steps


class Samples(BaseModel):
    """Events that must make the rule fire, and events that must not: tables of fields, `at` in minutes. With `repeat` the
    table stands for so many events, `every` so many minutes, in whose texts `{n}` is the number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    history: tuple[dict[str, Any], ...] = ()
    fires: tuple[dict[str, Any], ...] = Field(min_length=1)
    silent: tuple[dict[str, Any], ...] = Field(min_length=1)


def expanded(samples: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The events that sample tables stand for: field → value, and `at`."""
    events = []
    for table in samples:
        fields = {name: value for name, value in table.items() if name not in ("at", "repeat", "every")}
        for number in range(int(table.get("repeat", 1))):
            filled = {
                name: value.replace("{n}", str(number)) if isinstance(value, str) else value
                for name, value in fields.items()
            }
            events.append(filled | {"at": table.get("at", 0) + number * table.get("every", 0)})
    return events


class Rule(BaseModel):
    """One file. `title` may hold {actor}, {client}, {repository}, {tag}, {count}, {within} and any field of the event."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")
    title: str
    kind: Kind
    severity: Severity
    description: str = Field(min_length=20, description="what it notices and why that matters")
    attack: tuple[str, ...] = Field(description="MITRE ATT&CK technique ids")
    false_positives: tuple[str, ...] = Field(min_length=1)
    next_step: str = Field(min_length=10)
    runbook: str = Field("", max_length=500, description="address of a page that says what to do, or that in words")
    needs: tuple[str, ...] = Field((), description="formats or sources without which it can never fire, in words")
    match: dict[str, Any] = Field(description="which events count at all")
    when: When = When()
    raise_to: tuple[tuple[Severity, dict[str, Any]], ...] = Field(
        (), description="a higher severity where the event also fits this"
    )
    samples: Samples | None = Field(
        None, description="without them nobody knows that it works; rules of the pack have them"
    )

    @field_validator("match")
    @classmethod
    def _match(cls, wanted: dict[str, Any]) -> dict[str, Any]:
        condition(wanted)
        for action in actions_of(wanted):
            if action not in list(Action):
                raise ValueError(f"no action {action!r}; they are {', '.join(Action)}")
        return wanted

    @field_validator("attack")
    @classmethod
    def _techniques(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        import re

        for id in ids:
            if not re.fullmatch(r"T\d{4}(\.\d{3})?", id):
                raise ValueError(f"{id!r} is no technique of ATT&CK, such as T1110.003")
        return ids

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in _NEEDS[self.kind]:
            value = getattr(self.when, name)
            if value is None or value == ():
                raise ValueError(f"a rule of kind {self.kind} needs when.{name}")
        if self.kind in (Kind.NEW_TERM, Kind.CHANGE) or self.when.fresh:
            for name in sorted((fields_of(self.match) | fields_of(self.when.before or {})) - {"timestamp"}):
                if not BY_NAME[name].index:
                    raise ValueError(f"a rule of kind {self.kind} cannot look at {name}: the past is not counted by it")
        return self

    @property
    def learns(self) -> bool:
        """Whether it holds events against the days before."""
        return self.kind in (Kind.NEW_TERM, Kind.CHANGE) or self.when.unusual or self.when.fresh

    @property
    def reach(self) -> timedelta:
        """How far back events may be part of a match that completes now."""
        within = self.when.within or timedelta(0)
        return within * 2 if self.kind in (Kind.SPIKE, Kind.SPIKE_AGGREGATION, Kind.FLATLINE) else within


def actions_of(wanted: dict[str, Any]) -> tuple[str, ...]:
    """The actions that a condition names; none: any action may fit."""
    value = wanted.get("action", wanted.get("event.action", ()))
    if isinstance(value, dict):
        value = value.get("in", ())
    named = [value] if isinstance(value, str) else list(value)
    return () if any("*" in one or "?" in one for one in named) else tuple(named)
