"""Rule files: read, checked, and refused with the line that is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from analytics.errors import AnalyticsError
from analytics.rules.model import Rule

PACK = Path(__file__).parent / "pack"


class WrongRule(AnalyticsError):
    """A rule file that cannot be used; the message names file and line and says what to write."""


@cache
def pack() -> tuple[Rule, ...]:
    """The rules that come with Regsight, by id."""
    return read_folder(PACK)


def in_force(folder: Path | None, off: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules that run: those of Regsight, those of the user's own folder (one with the same id takes the place of
    ours), without those that are switched off.

    Raises:
        WrongRule: one of the folder's is wrong, there is no such folder, or there is no rule to switch off.
    """
    if folder is not None and not folder.is_dir():
        raise WrongRule(f"rules_folder: there is no folder {folder}")
    rules = {rule.id: rule for rule in (*pack(), *(read_folder(folder) if folder else ()))}
    for id in off:
        if id not in rules:
            near = get_close_matches(id, rules, 1)
            hint = f"did you mean {near[0]!r}?" if near else "`regsight rules list` shows those there are"
            raise WrongRule(f"rules_off: there is no rule {id!r}; {hint}")
    left_out = frozenset(off)
    return tuple(rules[id] for id in sorted(rules) if id not in left_out)


def read_folder(folder: Path) -> tuple[Rule, ...]:
    """The rules in the `*.toml` files of a folder, by id.

    Raises:
        WrongRule: one of them is wrong, or two have one id.
    """
    rules: dict[str, Rule] = {}
    for path in sorted(folder.glob("*.toml")):
        rule = read_rule(path)
        if rule.id in rules:
            raise WrongRule(f"{path}: there is another rule with the id {rule.id}")
        rules[rule.id] = rule
    return tuple(rules[id] for id in sorted(rules))


def read_rule(path: Path) -> Rule:
    """One rule.

    Raises:
        WrongRule: it is not TOML, or not a rule.
    """
    try:
        text = path.read_text(encoding="utf-8")
        rule = Rule.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError) as error:
        raise WrongRule(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise WrongRule(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        keys = [str(part) for part in first["loc"]]
        message = first["msg"].removeprefix("Value error, ")
        raise WrongRule(f"{path}:{_line_of(text, keys)}: {'.'.join(keys) or 'rule'}: {message}") from None
    if rule.id != path.stem:
        raise WrongRule(f"{path}:{_line_of(text, ['id'])}: the id is {rule.id}; a rule's file is named after it")
    return rule


def _line_of(text: str, keys: list[str]) -> int:
    """The line on which the innermost key of a path stands, as far as the text shows it; else 1."""
    for key in reversed(keys):
        found = re.search(
            rf"^\s*\[?\[?(?:[\w.]+\.)?{re.escape(key)}\b|[{{,]\s*{re.escape(key)}\s*=", text, re.MULTILINE
        )
        if found:
            return text.count("\n", 0, found.start() + len(found[0]) - len(found[0].lstrip())) + 1
    return 1
