"""Name of the actor → what sort of account it is: anonymous, robot, ci, node, internal, human.

Told from the forms that `collector.accounts` knows, never from habit or user agent; the settings may say otherwise.
Where a line names nobody, nothing is known, unless it says that no credentials were presented: that is anonymous.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collector.accounts import ANONYMOUS, kind_of
from collector.distinct import filled, mapped, one_array
from collector.enriching import EnrichSettings
from store.event import CHALLENGE, NO_CREDENTIALS

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ActorKinds:
    """Fills actor_kind, once for each different actor."""

    settings: EnrichSettings = field(default_factory=EnrichSettings)

    def configured(self, settings: EnrichSettings) -> ActorKinds:
        return ActorKinds(settings)

    def __call__(self, events: pa.Table) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        kinds = mapped(events, "actor", self._kind if self.settings.kinds else kind_of)
        reasons = one_array(events.column("reason"))
        if reasons.null_count < len(reasons):
            nobody = pc.is_in(reasons, value_set=pa.array([NO_CREDENTIALS, CHALLENGE]))
            kinds = pc.if_else(pc.and_(pc.is_null(kinds), nobody), ANONYMOUS, kinds)
        return filled(events, actor_kind=kinds)

    def _kind(self, actor: str) -> str:
        return self.settings.kind(actor) or kind_of(actor)


ENRICH = ActorKinds()
