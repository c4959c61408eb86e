"""Which CI system, project and build stand behind an event, and which commit the tag names.

From the account's name (`collector.accounts`), else from the address, where the settings say which networks a CI
system's runners have. Runs behind `address`, in alphabetical order, so that a proxy's address is not taken for a runner.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collector.accounts import CI, Build, build_of
from collector.distinct import filled, grouped, mapped
from collector.enriching import EnrichSettings
from store.event import Via

if TYPE_CHECKING:
    import pyarrow as pa

# A whole commit id, GitLab's CI_COMMIT_SHORT_SHA (8), or docker/metadata-action's `sha-` with 7; `main-1a2b3c4d` as well.
_COMMIT = re.compile(r"(?:[\w.-]{1,64}-)?(?:sha-|git-)?([0-9a-f]{40}|[0-9a-f]{7,8})")
_COLUMNS = ("actor", "actor_kind", "client_ip", "client_via")


@dataclass(frozen=True, slots=True)
class Builds:
    """Fills ci_system, ci_project, ci_ref, ci_run and ci_commit, once for each account, address and tag."""

    settings: EnrichSettings = field(default_factory=EnrichSettings)

    def configured(self, settings: EnrichSettings) -> Builds:
        return Builds(settings)

    def __call__(self, events: pa.Table) -> pa.Table:
        import pyarrow.compute as pc

        said = grouped(events, _COLUMNS, self._build)
        commits = mapped(events, "tag", commit_of)
        built = said.column(lambda one: "" if one[1] else None)
        return filled(
            events,
            ci_system=said.column(lambda one: one[0].system),
            ci_project=said.column(lambda one: one[0].project),
            ci_ref=said.column(lambda one: one[0].ref),
            ci_run=said.column(lambda one: one[0].run),
            ci_commit=pc.if_else(pc.is_valid(built), commits, None),
        )

    def _build(self, actor: str | None, kind: str | None, address: str | None, via: str | None) -> tuple[Build, bool]:
        """The build, and whether there is one: of a CI account that names no system, only that."""
        build = Build() if actor is None else build_of(actor)
        # What a header claims is no proof that a request comes from a runner.
        if build.system is None and address is not None and via not in (Via.FORWARDED, Via.PROXY):
            build = Build(self.settings.runner(address))
        return build, build.system is not None or kind == CI


def commit_of(tag: str) -> str | None:
    """The commit id that a tag is, or ends with. Few digits alone are a build number or a date, letters alone a word."""
    found = _COMMIT.fullmatch(tag)
    if found is None:
        return None
    commit = found[1]
    mixed = not commit.isdigit() and not commit.isalpha()
    return commit if mixed or len(commit) == 40 else None


ENRICH = Builds()
