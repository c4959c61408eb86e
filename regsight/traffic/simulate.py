"""The simulator: a span of days into log files and `truth.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import TextIO

from regsight.traffic.attacks import ATTACKS, every
from regsight.traffic.calendar import Calendar, moment
from regsight.traffic.disguise import disguise
from regsight.traffic.entries import Plan, entry
from regsight.traffic.operations import ORDINARY
from regsight.traffic.population import DAY, HOUR, PRESETS, Population, populate
from regsight.traffic.requests import Request, identifier
from regsight.traffic.scenes import DIFFICULTIES, Recipe, Scene
from regsight.traffic.seeds import stream
from regsight.traffic.surprises import SURPRISES
from regsight.traffic.surprises.machines import quiet
from regsight.traffic.truth import Truth
from regsight.traffic.writers import Voice
from regsight.traffic.writers.access import Access
from regsight.traffic.writers.cloudtrail import CloudTrail
from regsight.traffic.writers.distribution_json import DistributionJson
from regsight.traffic.writers.distribution_text import DistributionText
from regsight.traffic.writers.harbor_audit import HarborAudit
from regsight.traffic.writers.notifications import Notifications
from store.event import iso

SOURCES: dict[str, Callable[[str, int], Voice]] = {
    "distribution-json": lambda instance, start: DistributionJson(instance),
    "distribution-json-2.8": lambda instance, start: DistributionJson(instance, old=True),
    "distribution-text": lambda instance, start: DistributionText(instance),
    "access": lambda instance, start: Access(),
    "notifications": lambda instance, start: Notifications(instance),
    "harbor-audit": lambda instance, start: HarborAudit(start),
    "ecr-cloudtrail": lambda instance, start: CloudTrail(),
}


def simulate(
    out: Path,
    *,
    preset: str = "small",
    start: datetime,
    days: float,
    seed: int,
    attacks: Sequence[str] | None = None,
    surprises: Sequence[str] | None = None,
    source: str | Sequence[str] = "distribution-json",
    renamed: bool = False,
    on_progress: Callable[[float], None] | None = None,
) -> Truth:
    """Write `days` of traffic from `start` on into the folder `out`, and what was planted into `out/truth.json`.

    Args:
        preset: a key of `PRESETS`.
        attacks: codes of `every()`, each as `A06`, `A06/stealthy` or `A06/stealthy@9.5` (days
            after the start). What is left open is drawn; an empty list plants nothing; None plants each of `ATTACKS` once,
            save those that change the lines of others (`Recipe.alters`), which must be named.
        surprises: the same from `SURPRISES`.
        source: a key of `SOURCES`, or several for several voices of the same registry.
        renamed: accounts, projects and repositories get names of another world; nothing else changes.
        on_progress: told the share that is done, 0 … 1, after each day.

    The same arguments give the same bytes. A scenario changes no other line, save those that must (`Recipe.alters`).
    """
    if start.tzinfo is None:
        raise ValueError("start must be an aware datetime")
    begin = int(start.astimezone(UTC).timestamp()) * 1_000_000_000
    end = begin + int(days * DAY)
    attacks = _each_once(ATTACKS) if attacks is None else attacks
    surprises = _each_once(SURPRISES) if surprises is None else surprises
    plans = [*_plans(every(), attacks, begin, end, seed)]
    plans += _plans(SURPRISES, surprises, begin, end, seed)
    world = populate(PRESETS[preset], seed, begin)
    if renamed:
        disguise(world)
    holidays = (quiet(plan.at, plan.difficulty, begin, end) for plan in plans if plan.recipe.code == "B11")
    calendar = Calendar(seed, begin, tuple(holidays))
    instance = identifier(begin, stream(seed, "instance"))
    wanted = [source] if isinstance(source, str) else list(source)
    out.mkdir(parents=True, exist_ok=True)
    books = [_Book(out, SOURCES[name](instance, begin)) for name in wanted]
    counts: Counter[str] = Counter()
    try:
        number = -(-(end - begin) // DAY)
        later: list[Request] = []
        for day in range(number):
            requests, later = _day(world, calendar, day, plans, later, end)
            for request in requests:
                _count(counts, request)
            for book in books:
                book.write(requests, begin + (day + 1) * DAY if day < number - 1 else end + HOUR)
            if on_progress is not None:
                on_progress((day + 1) / number)
    finally:
        for book in books:
            book.close()
    truth = Truth(
        preset=preset,
        seed=seed,
        start=iso(moment(begin)),
        end=iso(moment(end)),
        files=[book.voice.file for book in books],
        lines={book.voice.file: book.lines for book in books},
        counts=dict(sorted(counts.items())),
        scenarios=[
            entry(plan, plan.planted, [book.voice for book in books], wanted, end, plans)
            for plan in plans
            if plan.planted is not None
        ],
    )
    truth.write(out / "truth.json")
    return truth


class _Book:
    """One file being written, day after day; what belongs to later days waits."""

    def __init__(self, out: Path, voice: Voice) -> None:
        self.voice = voice
        self.lines = 0
        self._waiting: list[tuple[int, str]] = []
        self._file: TextIO = (out / voice.file).open("w", encoding="utf-8", newline="\n")

    def write(self, requests: Iterable[Request], until: int) -> None:
        lines = self._waiting
        tell = self.voice.tell
        for request in requests:
            lines += tell(request)
        lines.sort()
        cut = next((index for index in range(len(lines), 0, -1) if lines[index - 1][0] < until), 0)
        self._waiting = lines[cut:]
        packed = list(self.voice.pack(map(itemgetter(1), lines[:cut])))
        self.lines += len(packed)
        if packed:
            self._file.write("\n".join(packed) + "\n")

    def close(self) -> None:
        self._file.close()


def _day(
    world: Population, calendar: Calendar, day: int, plans: list[Plan], before: list[Request], end: int
) -> tuple[list[Request], list[Request]]:
    """Everything that begins on a day: what earlier days began that goes on, ordinary work, scenarios; and what is left
    for later days.
    """
    began = list(before)
    for work in ORDINARY.values():
        began += work(world, calendar, day)
    first = world.start + day * DAY
    for plan in plans:
        if first <= plan.at < first + DAY:
            turn = list(ATTACKS | SURPRISES | every()).index(plan.recipe.code)
            scene = Scene(world, stream(world.seed, "play", plan.id), plan.at, end, plan.difficulty, turn)
            plan.planted = plan.recipe.play(scene)
            plan.logins = [one for one in scene.out if one.uri == "/v2/" and one.actor]
            began += scene.out
    midnight = first + DAY
    today: list[Request] = []
    later: list[Request] = []
    for request in began:
        (today if request.at - request.duration < midnight else later).append(request)
    today = [request for request in today if request.at < end]
    for plan in plans:
        if plan.planted is not None and plan.planted.alter is not None:
            today = [kept for kept in map(plan.planted.alter, today) if kept is not None]
    if not world.preset.named:
        today = [one._replace(actor="") for one in today if not one.refused]
    return today, later


def _each_once(recipes: dict[str, Recipe]) -> list[str]:
    return [code for code, recipe in recipes.items() if not recipe.alters]


def _plans(recipes: dict[str, Recipe], wanted: Sequence[str], begin: int, end: int, seed: int) -> list[Plan]:
    """When each scenario begins and how hard it is to see. Each has a generator of its own."""
    plans: list[Plan] = []
    for asked in wanted:
        code, _, fixed = asked.partition("@")
        code, _, difficulty = code.partition("/")
        if code not in recipes or difficulty not in ("", *DIFFICULTIES):
            raise ValueError(
                f"unknown scenario {asked!r}: use one of {', '.join(recipes)}, with /blatant, /moderate or /stealthy"
            )
        name = f"{code}-{1 + sum(plan.recipe.code == code for plan in plans)}"
        rng = stream(seed, "plan", name)
        chosen = rng.choice(DIFFICULTIES)
        recipe = recipes[code]
        at = (
            begin + int(float(fixed) * DAY)
            if fixed
            else _when(recipe, difficulty or chosen, begin, end, rng.random, rng.uniform)
        )
        plans.append(Plan(name, recipe, difficulty or chosen, at))
    return plans


def _when(
    recipe: Recipe,
    difficulty: str,
    begin: int,
    end: int,
    share: Callable[[], float],
    between: Callable[[float, float], float],
) -> int:
    """In the second half, so that there is history; early enough for what it needs; at an hour that suits it."""
    length = (end - begin) / DAY
    need = recipe.days[DIFFICULTIES.index(difficulty)]
    latest = max(length - need, length / 2)
    drawn = length / 2 + share() * (latest - length / 2)
    at = begin + int(drawn * DAY)
    if recipe.hours != (0, 24):
        midnight = at - at % DAY
        for later in (0, 1, -1):
            suited = midnight + later * DAY + int(between(*recipe.hours) * HOUR)
            if begin + (end - begin) // 3 <= suited < end - int(min(need, 0.1) * DAY):
                return suited
    return at


def _count(counts: Counter[str], request: Request) -> None:
    if request.admin is not None:  # no request to the registry itself
        counts["administration"] += 1
        return
    counts["requests"] += 1
    if request.status == 401:
        counts[
            "refused" if request.refused or request.error else "challenges" if request.uri == "/v2/" else "unauthorised"
        ] += 1
    elif request.status >= 400:
        counts["failures"] += 1
    elif "/manifests/sha256-" in request.uri and request.method == "PUT":
        counts["signatures"] += 1
    elif "/manifests/" in request.uri:
        counts[{"GET": "pulls", "HEAD": "checks", "PUT": "pushes", "DELETE": "deletes"}[request.method]] += 1
    elif request.uri == "/v2/":
        counts["logins"] += 1
    elif "/blobs/sha256:" in request.uri:
        counts["layer_downloads" if request.method == "GET" else "layer_checks"] += 1
    else:
        counts[request.method.lower() + ("_upload" if "/uploads/" in request.uri else "_other")] += 1
