"""`rules`: the rules that run, tried on their samples, given to other tools and taken from them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regsight.commands.options import ConfigFile, Json, UsageError, settings

if TYPE_CHECKING:
    from analytics.rules.model import Rule

rules_app = typer.Typer(no_args_is_help=True, help="Rules as data.", rich_markup_mode=None)
OWN, OURS = "own", "regsight"


def _in_force(config: Path | None) -> list[tuple[Rule, str]]:
    """The rules that the settings let run, each with where it is from."""
    from analytics.rules.load import WrongRule, in_force, pack

    chosen = settings(config, None).analytics
    try:
        rules = in_force(chosen.rules_folder, chosen.rules_off)
    except WrongRule as error:
        raise UsageError(str(error)) from None
    ours = set(map(id, pack()))
    return [(rule, OURS if id(rule) in ours else OWN) for rule in rules]


@rules_app.command("list")
def list_rules(config: ConfigFile = None, json: Json = False) -> None:
    """The rules that run: those of Regsight and of `[analytics] rules_folder`, without those in `rules_off`."""
    from analytics.rules.write import data_of
    from regsight.terminal import write_json, write_table

    rules = _in_force(config)
    if json:
        for rule, origin in rules:
            write_json(data_of(rule) | {"from": origin})
        return
    write_table(
        "",
        ("id", "kind", "severity", "ATT&CK", "from", "what"),
        ((rule.id, rule.kind, rule.severity, ", ".join(rule.attack), origin, rule.title) for rule, origin in rules),
    )


@rules_app.command("show")
def show_rule(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `regsight rules list` shows it.")],
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """One rule: what it notices and why that matters, when it is harmless, what to do, the conditions themselves."""
    from difflib import get_close_matches

    from analytics.rules.write import as_toml, data_of
    from regsight.terminal import write_fields, write_json, write_lines

    rules = {rule.id: (rule, origin) for rule, origin in _in_force(config)}
    if id not in rules:
        near = get_close_matches(id, rules, 1)
        raise UsageError(f"no rule {id!r}" + (f"; did you mean {near[0]!r}?" if near else ": `regsight rules list`"))
    rule, origin = rules[id]
    data = data_of(rule)
    if json:
        write_json(data | {"from": origin})
        return
    asked: dict[str, Any] = {name: data[name] for name in ("kind", "match", "when", "raise_to") if name in data}
    write_fields(
        {
            "what": rule.title,
            "severity": rule.severity,
            "ATT&CK": ", ".join(rule.attack),
            "from": origin,
            "why": rule.description,
            "harmless if": "; ".join(rule.false_positives),
            "needs": "; ".join(rule.needs) or "nothing special",
            "check first": rule.next_step,
        }
    )
    write_lines(["", *as_toml(asked).splitlines()])


@rules_app.command("test")
def test_rules(
    path: Annotated[
        Path | None, typer.Argument(metavar="FOLDER|FILE", help="Without it: the rules that run.", exists=True)
    ] = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Run each rule on its own samples: it must fire on the one and stay silent on the other.

    A file that is no rule is refused with the line that is wrong. Exit code 1 when a rule does not do what it should.
    """
    from analytics.rules.load import WrongRule, read_folder, read_rule
    from analytics.rules.samples import try_rule
    from regsight.terminal import write_json, write_table

    try:
        if path is None:
            rules: Iterable[Rule] = [rule for rule, _ in _in_force(config)]
        else:
            rules = read_folder(path) if path.is_dir() else [read_rule(path)]
    except WrongRule as error:
        raise UsageError(str(error)) from None
    tried = [(rule, try_rule(rule)) for rule in rules]
    shown: list[dict[str, Any]] = [
        {"id": rule.id, "result": "wrong" if wrong else "ok" if rule.samples else "untested", "wrong": wrong}
        for rule, wrong in tried
    ]
    if json:
        for row in shown:
            write_json(row)
    else:
        said = ((row["id"], row["result"], "; ".join(row["wrong"]) or _hint(row["result"])) for row in shown)
        write_table("", ("rule", "result", "why"), said, empty="there is no rule in it")
    if any(wrong for _, wrong in tried):
        raise typer.Exit(1)


def _hint(result: str) -> str:
    return "it has no samples: add fires and silent under [samples]" if result == "untested" else ""


@rules_app.command("export")
def export_rules(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made if need be; one YAML file per rule.")],
    to: Annotated[str, typer.Option("--to", help="The only one so far: sigma.")] = "sigma",
    config: ConfigFile = None,
) -> None:
    """Write the rules that run as Sigma rules and correlations; those that Sigma has no words for are named."""
    from analytics.rules.to_sigma import NotInSigma, documents
    from regsight.terminal import say, write_lines

    if to != "sigma":
        raise UsageError(f"--to: {to!r} is not known; it can be sigma")
    yaml = _yaml()
    folder.mkdir(parents=True, exist_ok=True)
    left_out = []
    for rule, _ in _in_force(config):
        try:
            written = documents(rule)
        except NotInSigma as error:
            left_out.append(f"{rule.id}: not in Sigma: {error}")
            continue
        path = folder / f"{rule.id}.yml"
        path.write_text(yaml.safe_dump_all(written, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
        write_lines([str(path)])
    for line in left_out:
        say(line)


@rules_app.command("import")
def import_rules(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Sigma rules.", exists=True, dir_okay=False)],
    into: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to; by default `[analytics] rules_folder`.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Turn Sigma rules about our events (service regsight), or about web servers' access lines, into rules of your own.

    Add samples to them, then `regsight rules test DIR`. Exit code 1 when one of the files could not be taken.
    """
    from analytics.rules.from_sigma import NotOurs, rules_of
    from analytics.rules.load import WrongRule, read_rule
    from analytics.rules.write import as_toml
    from regsight.terminal import say, write_lines

    folder = into or settings(config, None).analytics.rules_folder
    if folder is None:
        raise UsageError("--into: say where to, or set rules_folder under [analytics]")
    _yaml()
    folder.mkdir(parents=True, exist_ok=True)
    refused = 0
    for file in files:
        try:
            for data in rules_of(file.read_text(encoding="utf-8")):
                path = folder / f"{data['id']}.toml"
                if path.exists():
                    raise NotOurs(f"{path} is there already")
                path.write_text(as_toml(data), encoding="utf-8")
                try:
                    read_rule(path)
                except WrongRule:
                    path.unlink()
                    raise
                write_lines([str(path)])
        except (NotOurs, WrongRule, UnicodeDecodeError) as error:
            refused += 1
            say(f"{file}: {error}")
    if refused:
        raise typer.Exit(1)


def _yaml() -> Any:
    """The YAML of the extra `sigma`, which also brings pySigma."""
    try:
        import sigma  # noqa: F401  (the extra is there if this is)
        import yaml
    except ImportError:
        raise UsageError("Sigma needs the extra: pip install 'regsight[sigma]'") from None
    return yaml


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.add_typer(rules_app, name="rules")
