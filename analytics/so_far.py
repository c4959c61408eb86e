"""The findings that there are while a span is judged step by step."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.replay import floor
from analytics.windows import DAY
from store.contract import Store
from store.finding import Finding

SIMILAR_WITHIN = timedelta(days=90)  # how far back similar findings are looked for


@dataclass(slots=True)
class SoFar:
    """`anew` are the ids of findings that are judged as if they had never been made. `made` holds those of this span, each in
    its last state, `new` the ids of those that the store had not.
    """

    store: Store
    since: datetime
    anew: Collection[str] = ()
    made: dict[str, Finding] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)
    _lately: dict[str, Finding] | None = None

    def known(self, id: str) -> Finding | None:
        """The one under an id, unless it was withdrawn."""
        found = self.made.get(id) or (None if id in self.anew else self.store.finding(id))
        return None if found is None or found.withdrawn else found

    def past(self) -> list[Finding]:
        """Those of the last `SIMILAR_WITHIN`, each in its last state. Read from the store only where it is asked for."""
        if self._lately is None:
            before = self.store.findings(since=self.since - SIMILAR_WITHIN)
            self._lately = {one.id: one for one in before if one.id not in self.anew} | self.made
        return list(self._lately.values())

    def hold(self, findings: Iterable[Finding]) -> None:
        """Count them among those that there are, without storing them."""
        found = {finding.id: finding for finding in findings}
        self.made |= found
        if self._lately is not None:
            self._lately |= found

    def keep(self, findings: Iterable[Finding]) -> None:
        """Store them."""
        for finding in findings:
            if self.store.put_finding(finding):
                self.new.add(finding.id)
            self.hold([finding])

    def forget(self, step: datetime) -> None:
        """Once a day, what is too old for `past`: a year's findings would be looked through for each new one."""
        if self._lately is not None and step == floor(step, DAY):
            self._lately = {id: one for id, one in self._lately.items() if one.end >= step - SIMILAR_WITHIN}
