"""Every regular expression of the source, and the strings that would make it slow."""

from __future__ import annotations

import ast
import re
import string
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# `dashboards` reads nothing but what stands in this repository.
PACKAGES = ("store", "collector", "analytics", "alerts", "regsight")
OPERATORS_OWN = ("regsight/config.py",)  # reads the settings of whoever runs it
CALLS = ("compile", "search", "match", "fullmatch", "finditer", "findall", "sub", "subn", "split")
MANY = 64  # a repetition that may be longer than this can be pumped
KILLERS = ("\0", "", "\n", "!")  # what makes a match fail behind the pumped part
LETTERS = string.ascii_letters + string.digits + " .-_/:=\"'\\[]{}(),;@%&?+*#<>|~\t\x7f\u00e9"


@dataclass(frozen=True, slots=True)
class Expression:
    """A pattern at its place in the source, and the methods by which it is used there."""

    place: str
    pattern: re.Pattern[Any]
    ways: tuple[str, ...]


def expressions() -> list[Expression]:
    """All whose text is a constant in the source."""
    return [
        found
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in OPERATORS_OWN
        for found in _of(path)
    ]


def _of(path: Path) -> Iterator[Expression]:
    text = path.read_text()
    tree = ast.parse(text)
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    named = {id(value): name for name, value in constants.items()}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) in {f"re.{call}" for call in CALLS}):
            continue
        words, flags = _constant(node.args[0], constants), 0
        if words is None:
            continue
        for extra in [*node.args[1:], *(word.value for word in node.keywords if word.arg == "flags")]:
            if ast.unparse(extra).startswith("re."):
                flags |= eval(ast.unparse(extra), {"re": re})
        way = ast.unparse(node.func).removeprefix("re.")
        name = named.get(id(node), "")
        used = {call for call in CALLS[1:] if name and f"{name}.{call}(" in text}
        # One that stands in a table is used somehow in its file.
        used = used or {call for call in CALLS[1:] if re.search(rf"(?<!\bre)\.{call}\(", text)}
        ways = {way} if way != "compile" else used or {"match", "search", "fullmatch"}
        yield Expression(f"{path.relative_to(ROOT)}:{node.lineno}", re.compile(words, flags), tuple(sorted(ways)))


def _constant(node: ast.expr, names: dict[str, ast.expr]) -> Any:
    """The text of a constant, of constants joined, and of an f-string of constants; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in names:
        return _constant(names[node.id], names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = _constant(node.left, names), _constant(node.right, names)
        return None if None in parts else parts[0] + parts[1]
    if isinstance(node, ast.JoinedStr):
        found = [_constant(part.value if isinstance(part, ast.FormattedValue) else part, names) for part in node.values]
        return None if None in found else "".join(map(str, found))
    return None


def attacks(pattern: re.Pattern[Any], length: int) -> Iterator[Any]:
    """Strings of about this length: what stands before a long repetition, it pumped, and something that does not fit."""
    source = pattern.pattern
    flags = pattern.flags & ~re.UNICODE if isinstance(source, bytes) else pattern.flags
    for prefix, pump in dict.fromkeys(_pumps(parser.parse(source, flags))):
        for killer in KILLERS:
            text = prefix + pump * (length // max(1, len(pump))) + killer
            yield text.encode("utf-8", "replace") if isinstance(source, bytes) else text


def _pumps(parsed: Any, before: str = "") -> Iterator[tuple[str, str]]:
    for code, value in parsed:
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            _, high, inner = value
            if high is codes.MAXREPEAT or high > MANY:
                for pump in dict.fromkeys((_least(inner), _least(inner, -1))):
                    if pump:
                        yield before, pump
                        yield "", pump
            yield from _pumps(inner, before)
        elif code is codes.SUBPATTERN:
            yield from _pumps(value[-1], before)
        elif code is codes.BRANCH:
            for branch in value[1]:
                yield from _pumps(branch, before)
        elif code in (codes.ASSERT, codes.ASSERT_NOT):
            yield from _pumps(value[1], before)
        elif code is codes.ATOMIC_GROUP:
            yield from _pumps(value, before)
        before += _least([(code, value)])


def _least(parsed: Any, which: int = 0) -> str:
    """A short string that fits; `which` chooses among the letters of a set."""
    made = ""
    for code, value in parsed:
        if code is codes.LITERAL:
            made += chr(value)
        elif code in (codes.IN, codes.NOT_LITERAL, codes.ANY, codes.CATEGORY):
            made += _letter(code, value, which)
        elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            made += _least(value[2], which) * max(1, min(value[0], 40))
        elif code is codes.SUBPATTERN:
            made += _least(value[-1], which)
        elif code is codes.ATOMIC_GROUP:
            made += _least(value, which)
        elif code is codes.BRANCH:
            made += _least(value[1][which], which)
    return made


def _letter(code: Any, value: Any, which: int) -> str:
    state = parser.State()
    pattern = parser.SubPattern(state, [(code, value)])
    from re import _compiler as compiler  # type: ignore[attr-defined]

    one = compiler.compile(pattern)
    fitting = [letter for letter in LETTERS if one.fullmatch(letter)]
    return fitting[which] if fitting else ""


def seconds(expression: Expression, way: str, text: Any) -> float:
    """Of processor time, the best of three."""
    best = float("inf")
    empty = b"" if isinstance(text, bytes) else ""
    for _ in range(3):
        begun = time.process_time()
        if way in ("sub", "subn"):
            expression.pattern.sub(empty, text)
        elif way == "finditer":
            for _ in expression.pattern.finditer(text):
                pass
        else:
            getattr(expression.pattern, way)(text)
        best = min(best, time.process_time() - begun)
        if best < 0.0005:
            break
    return best
