"""`blast`: who had it, from where, and what else they touched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from regsight.commands.options import ConfigFile, Json, Since, StoreUrl, Until, UsageError, opened, point
from regsight.commands.showing import short

if TYPE_CHECKING:
    from analytics.blast import Contact, Radius
    from store.contract import EventReader


def blast(
    digest: Annotated[str | None, typer.Option(help="sha256:…; the first 12 hex digits are enough.")] = None,
    actor: Annotated[str | None, typer.Option(help="A user, robot or token name.")] = None,
    client: Annotated[str | None, typer.Option(help="An address.")] = None,
    repository: Annotated[str | None, typer.Option(help="A repository, without host and tag.")] = None,
    since: Since = None,
    until: Until = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it as well.")] = None,
    store: StoreUrl = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Blast radius: who pushed and pulled a digest, from where, which tags pointed to it, where it may run, what was pushed
    after it was pulled, what else the same actors touched. Or the same of an actor, an address, a repository.
    """
    from analytics.blast import blast as radius_of
    from regsight.terminal import say, write_json

    if not (digest or actor or client or repository):
        raise UsageError("blast of what? Give --digest, --actor, --client or --repository")
    target = opened(config, store)
    try:
        radius = radius_of(
            target,
            digest=_whole(target, digest) if digest else None,
            actor=actor,
            client=client,
            repository=repository,
            since=point(since, "--since"),
            until=point(until, "--until"),
        )
    finally:
        target.close()
    if svg is not None:
        from analytics.blast_picture import picture

        svg.write_text(picture(radius))
        say(f"drawn: {svg}")
    if json:
        write_json(radius.as_json())
    else:
        _show(radius)


def _whole(target: EventReader, digest: str) -> str:
    """The digest that begins so. Raises: UsageError: none does, or several."""
    from store.contract import EventQuery

    digest = digest if ":" in digest else f"sha256:{digest}"
    if len(digest) >= len("sha256:") + 64:
        return digest
    if not set(digest.removeprefix("sha256:")) <= set("0123456789abcdef"):
        raise UsageError(f"--digest: {digest!r} is no digest")
    found = {event["digest"] for event in target.events(EventQuery(digest=f"{digest}*", limit=1000))}
    if len(found) != 1:
        shown = ", ".join(sorted(found)[:5])
        raise UsageError(f"--digest: {'several begin so: ' + shown if found else 'no event names one that begins so'}")
    return str(found.pop())


def _show(radius: Radius) -> None:
    from regsight.terminal import write_fields, write_table
    from store.event import iso

    write_fields(
        {
            **radius.about,
            "pushed by": _names(radius.pushed),
            "pulled by": _names(radius.pulled),
            "addresses": ", ".join(sorted({one.client for one in radius.pulled if one.client and not one.internal}))
            or "none",
            "may run on": _names(radius.nodes),
        }
    )
    for title, contacts in (
        ("pushed", radius.pushed),
        ("pulled", radius.pulled),
        ("refused", radius.refused),
        ("deleted", radius.deleted),
        ("pushed afterwards by who had pulled it (may contain it)", radius.built_on),
    ):
        if contacts:
            write_table(
                f"\n{title}",
                ("first (UTC)", "last (UTC)", "times", "actor", "kind", "client", "tool", "sure", "images"),
                (
                    (
                        iso(one.first)[:19].replace("T", " "),
                        iso(one.last)[:19].replace("T", " "),
                        one.times,
                        _name(one, "not named"),
                        one.actor_kind,
                        one.client,
                        one.tool,
                        one.certainty,
                        _few([_shorter(image) for image in one.images]),
                    )
                    for one in contacts
                ),
            )
    if radius.tags:
        write_table(
            "\ntags that pointed to it",
            ("image", "from (UTC)", "until (UTC)", "set by"),
            (
                (
                    f"{span.repository}:{span.tag}",
                    iso(span.first)[:19].replace("T", " "),
                    iso(span.last)[:19].replace("T", " ") if span.last else "still, as far as is known",
                    span.by or "seen in a pull",
                )
                for span in radius.tags
            ),
        )
    if radius.elsewhere:
        write_table(
            "\nwhat the same actors touched elsewhere since",
            ("actor", "client", "repository", "action", "outcome", "times"),
            (
                (one.actor or "not named", one.client, one.repository, one.action, one.outcome, one.times)
                for one in radius.elsewhere[:20]
            ),
        )
        if len(radius.elsewhere) > 20:
            write_fields({"": f"{len(radius.elsewhere) - 20} more: --json has them"})


def _shorter(image: str) -> str:
    repository, at, digest = image.partition("@")
    return f"{repository}@{short(digest)}" if at else image


def _few(images: list[str]) -> str:
    return ", ".join(images[:3]) + (f" and {len(images) - 3} more" if len(images) > 3 else "")


def _names(contacts: list[Contact]) -> str:
    named = (_name(one, f"somebody at {one.client}") for one in contacts)
    return ", ".join(dict.fromkeys(named)) or "nobody"


def _name(contact: Contact, unnamed: str) -> str:
    return contact.actor or ("the registry itself" if contact.internal else unnamed)


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command()(blast)
