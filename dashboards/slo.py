"""The two promises a registry is held to, and how fast their error budgets burn.

Method: multi-window, multi-burn-rate alerts (Google, The Site Reliability Workbook, chapter 5). A burn rate of 1 uses up
the budget exactly in the period of the promise, 30 days. Each alert asks a long window (is it more than a blip?) and a
short one of a twelfth (does it still go on?), so that it ends soon after its cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

ANSWERS = "regsight_collector_answers_total"
DURATION = "regsight_collector_request_duration_seconds"
# Manifests: a layer's time is its size and the client's line, which promise nothing about the registry.
MANIFESTS = 'action=~"pull|check|push"'
QUICK = "1.0"  # the bucket's bound in seconds, as the exposition writes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """`objective` is the share of good requests over 30 days; `bad` and `all` are series selectors of counters."""

    name: str
    objective: float
    bad: str
    every: str
    bad_is_rest: bool = False  # `bad` counts the good ones

    @property
    def budget(self) -> float:
        return round(1 - self.objective, 6)

    def record(self, window: str) -> str:
        """The name under which the bad share of a window is recorded."""
        return f"registry:regsight_{self.name}_bad:ratio_rate{window}"

    def expr(self, window: str) -> str:
        """The share of bad requests in a window, by registry; no series where there were no requests."""
        bad, every = (f"sum by (registry) (rate({one}[{window}]))" for one in (self.bad, self.every))
        # A registry without a single 5xx has no such series, and must not vanish with it.
        share = f"1 - {bad} / {every}" if self.bad_is_rest else f"({bad} or 0 * {every}) / {every}"
        return f"clamp_min({share}, 0)"


@dataclass(frozen=True, slots=True)
class Burn:
    """Budget burning `rate` times too fast over both windows."""

    rate: float
    long: str
    short: str


PROMISES: tuple[Promise, ...] = (
    Promise(name="availability", objective=0.999, bad=f'{ANSWERS}{{status_class="5xx"}}', every=ANSWERS),
    Promise(
        name="latency",
        objective=0.95,
        bad=f'{DURATION}_bucket{{{MANIFESTS}, le="{QUICK}"}}',
        every=f"{DURATION}_count{{{MANIFESTS}}}",
        bad_is_rest=True,
    ),
)
AVAILABILITY, LATENCY = PROMISES

# 2 % of the budget in an hour, 5 % in six hours: somebody must act now.
FAST = (Burn(14.4, "1h", "5m"), Burn(6, "6h", "30m"))
# 10 % in a day, 10 % in three days: it can wait for the morning.
SLOW = (Burn(3, "1d", "2h"), Burn(1, "3d", "6h"))
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


def burning(promise: Promise, burns: Sequence[Burn]) -> str:
    """Registries whose budget burns too fast by one of `burns`; the value is the bad share of the long window."""
    return " or ".join(
        f"({promise.record(burn.long)} > {burn.rate} * {promise.budget}"
        f" and {promise.record(burn.short)} > {burn.rate} * {promise.budget})"
        for burn in burns
    )


def chosen(promise: Promise, where: str) -> str:
    """The bad share over the time chosen on a board, by registry."""

    def within(selector: str) -> str:
        name, _, matchers = selector.partition("{")
        inside = ", ".join(part for part in (where, matchers.removesuffix("}")) if part)
        return f"{name}{{{inside}}}"

    narrowed = replace(promise, bad=within(promise.bad), every=within(promise.every))
    return narrowed.expr("$__range")
