"""The answers to a panel's questions, and what it means when there are none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from analytics.reports.shown import number
from dashboards import promql
from dashboards.board import Source
from dashboards.preview.asked import Span, for_lucene, for_promql, promql_of, search_of
from dashboards.preview.frames import Line, Lines, Table, from_series, lines_of_search, table_of_search, times_of
from dashboards.preview.servers import AskError, Elasticsearch, Prometheus

_LABEL_VALUES = re.compile(r"label_values\((\w+), (\w+)\)")
_PART = re.compile(r"_(bucket|sum|count)$")  # of a histogram
HEATMAP_COLUMNS = 60  # a cell must be wide enough to be seen


@dataclass(slots=True)
class Asker:
    """Asks for one board: its servers, its span, and what its variables stand for (name → text of a query)."""

    prometheus: Prometheus | None
    elasticsearch: Elasticsearch | None
    span: Span
    chosen: dict[str, str] = field(default_factory=dict)
    _known: dict[str, int] = field(default_factory=dict)

    def choose(self, variable: Mapping[str, Any], given: str | None) -> str:
        """Set a variable to what is given, or as Grafana does at first; returns it in words.

        Raises:
            AskError: the list of its values cannot be had.
        """
        name, elastic = variable["name"], variable.get("datasource", {}).get("type") == Source.ELASTICSEARCH
        if variable["type"] == "textbox":
            self.chosen[name] = variable["query"] if given is None else given
            return self.chosen[name]
        if given is None and variable["includeAll"]:
            self.chosen[name] = variable["allValue"]
            return "All"
        value = given if given is not None else next(iter(sorted(self._values(variable))), "")
        if not elastic:
            self.chosen[name] = for_promql(value)
        else:
            self.chosen[name] = f'("{for_lucene(value)}")' if variable["multi"] else for_lucene(value)
        return value or "none found"

    def _values(self, variable: Mapping[str, Any]) -> list[str]:
        if variable["datasource"]["type"] == Source.ELASTICSEARCH:
            question = json.loads(variable["query"])
            return self._events().values(question["field"], question.get("size", 500), self.span)
        named = _LABEL_VALUES.fullmatch(variable["query"])
        return self._metrics().label_values(named[1], named[2], self.span) if named else []

    def lines(self, panel: Mapping[str, Any]) -> Lines:
        """Every line of a panel over time.

        Raises:
            AskError: a question was not answered.
        """
        span, step = self.span, self.span.step
        if panel["type"] == "heatmap":
            step = max(step, round(span.seconds / HEATMAP_COLUMNS / step) * step)
        times, found = times_of(span, step), list[Line]()
        for target in panel["targets"]:
            if "expr" in target:
                series = self._metrics().over(promql_of(target["expr"], span, self.chosen), span, step)
                found += from_series(series, target["legendFormat"], times)
            else:
                answer = self._events().search(search_of(target, span, self.chosen, step))
                # A bucket that begins where the span ends holds nothing yet.
                times = [moment for moment in times if moment < span.end.timestamp()]
                found += lines_of_search(target, answer, times)
        return Lines(times, found)

    def figures(self, panel: Mapping[str, Any]) -> list[Line]:
        """One value a name, at the end of the span, or (Elasticsearch) over all of it."""
        found = list[Line]()
        for target in panel["targets"]:
            if "expr" in target:
                series = self._metrics().at(promql_of(target["expr"], self.span, self.chosen), self.span)
                found += from_series(series, target["legendFormat"], ())
            else:
                table = self._table(target)
                found += [Line(row[table.columns[0]], [row[table.columns[1]]]) for row in table.rows]
        return found

    def tables(self, panel: Mapping[str, Any]) -> list[Table]:
        return [self._table(target) for target in panel["targets"]]

    def _table(self, target: Mapping[str, Any]) -> Table:
        return table_of_search(target, self._events().search(search_of(target, self.span, self.chosen)))

    def events(self, panel: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The documents of a logs panel, newest first."""
        found = self._events().search(search_of(panel["targets"][0], self.span, self.chosen))
        return [hit["_source"] for hit in found["hits"]["hits"]]

    def why_empty(self, panel: Mapping[str, Any]) -> str:
        """What it means that nothing came back, in a sentence."""
        target = panel["targets"][0]
        if "expr" not in target:
            stored = self._cached("stored", lambda: self._stored())
            if not stored:
                return "No event is stored in this span: is anything collected, and is the span right?"
            return f"None in this span: none of the {number(stored)} events that are stored of it fits the question."
        names = sorted(promql.metrics(target["expr"]))
        if not self._cached("regsight_.+", lambda: self._series("regsight_.+")):
            return "Prometheus has no series of Regsight in this span: is its /metrics scraped?"
        if not self._cached("|".join(names), lambda: self._series("|".join(names))):
            bare = " or ".join(sorted({_PART.sub("", name) for name in names}))
            return f"Nothing of the kind so far: Regsight is scraped and has not counted {bare} in this span."
        return "Nothing in this span: such things are counted, but none of them fits the question."

    def _cached(self, key: str, ask: Callable[[], int]) -> int:
        if key not in self._known:
            self._known[key] = ask()
        return self._known[key]

    def _series(self, names: str) -> int:
        expr = promql_of(f'count(last_over_time({{__name__=~"{names}"}}[$__range]))', self.span, {})
        return sum(int(float(one["value"][1])) for one in self._metrics().at(expr, self.span))

    def _stored(self) -> int:
        limits = {"gte": self.span.start.isoformat(), "lte": self.span.end.isoformat()}
        body = {"size": 0, "track_total_hits": True, "query": {"range": {"@timestamp": limits}}}
        return int(self._events().search(body)["hits"]["total"]["value"])

    def _metrics(self) -> Prometheus:
        if self.prometheus is None:
            raise AskError("no address of a Prometheus was given")
        return self.prometheus

    def _events(self) -> Elasticsearch:
        if self.elasticsearch is None:
            raise AskError("no address of an Elasticsearch was given")
        return self.elasticsearch
