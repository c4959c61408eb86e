"""Which CI system, project and build stand behind an event, and which commit the tag names.

From the account's name (`collector.accounts`), else from the address, where the settings say which networks a CI
system's runners have. Runs behind `address`, in alphabetical order, so that a proxy's address is not taken for a runner.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collector.accounts import CI, build_of
from collector.distinct import each, each_of, filled, mapped, one_array
from collector.enriching import EnrichSettings
from store.event import Via

if TYPE_CHECKING:
    import pyarrow as pa

# A whole commit id, GitLab's CI_COMMIT_SHORT_SHA (8), or docker/metadata-action's `sha-` with 7; `main-1a2b3c4d` as well.
_COMMIT = re.compile(r"(?:[\w.-]{1,64}-)?(?:sha-|git-)?([0-9a-f]{40}|[0-9a-f]{7,8})")
_UNPROVEN = (Via.FORWARDED.value, Via.PROXY.value)


@dataclass(frozen=True, slots=True)
class Builds:
    """Fills ci_system, ci_project, ci_ref, ci_run and ci_commit, once for each account, each address and each tag."""

    settings: EnrichSettings = field(default_factory=EnrichSettings)

    def configured(self, settings: EnrichSettings) -> Builds:
        return Builds(settings)

    def __call__(self, events: pa.Table) -> pa.Table:
        import pyarrow.compute as pc

        named = each(events, "actor", build_of)
        system = named.column(lambda build: build.system)
        if self.settings.runners:
            system = pc.coalesce(system, self._runners(events))
        built = pc.or_(pc.is_valid(system), pc.fill_null(pc.equal(one_array(events.column("actor_kind")), CI), False))
        if not pc.any(built).as_py():
            return events
        tags = pc.if_else(built, one_array(events.column("tag")), None)
        commits = each_of(tags, commit_of).column(lambda commit: commit)
        return filled(
            events,
            ci_system=system,
            ci_project=named.column(lambda build: build.project),
            ci_ref=named.column(lambda build: build.ref),
            ci_run=named.column(lambda build: build.run),
            ci_commit=commits,
        )

    def _runners(self, events: pa.Table) -> pa.Array:
        """The system whose runner the address is; what a header claims is no proof that a request comes from a runner."""
        import pyarrow as pa
        import pyarrow.compute as pc

        claimed = pc.is_in(one_array(events.column("client_via")), value_set=pa.array(_UNPROVEN))
        return pc.if_else(claimed, None, mapped(events, "client_ip", self.settings.runner))


def commit_of(tag: str) -> str | None:
    """The commit id that a tag is, or ends with. Few digits alone are a build number or a date, letters alone a word."""
    found = _COMMIT.fullmatch(tag)
    if found is None:
        return None
    commit = found[1]
    mixed = not commit.isdigit() and not commit.isalpha()
    return commit if mixed or len(commit) == 40 else None


ENRICH = Builds()
