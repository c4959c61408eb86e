"""What holds of each family of attacks that came after the detectors: every log tells what it can, and nothing draws them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from played_attacks import equal_files, kinds, short
from typer.testing import CliRunner

from collector.formats import distribution_json, distribution_text, ecr_cloudtrail
from collector.stages import Block, Format
from regsight.cli import app
from regsight.evaluation.plan import SCENARIOS, Setup, plan
from regsight.traffic.attacks import ATTACKS, FAMILIES
from regsight.traffic.scenes import DIFFICULTIES
from regsight.traffic.surprises import SURPRISES
from store.contract import Position


@dataclass(frozen=True)
class Family:
    """How a family is played here. `silent`: what cannot be known from each log; `late`: begins so many days after the start, for
    what waits for something; `lineless`: of which there is no line; `named`: what is asked for by name, and what that plants."""

    name: str
    many: int
    silent: dict[str, set[str]]
    named: tuple[str, list[str]]
    days: float
    begin: float
    difficulties: tuple[str, ...] = DIFFICULTIES
    late: dict[str, float] = field(default_factory=dict)
    lineless: str = ""
    days_twice: float = 1.3

    @property
    def codes(self) -> list[str]:
        return list(FAMILIES[self.name])


LATE = (
    Family(
        "later",
        7,
        {
            "distribution-text": set(),
            "distribution-json-2.8": {"A40"},  # nobody's name
            "access": {"A40"},
            "notifications": set(),
            "harbor-audit": {"A39", "A40"},  # neither layers nor addresses
            "ecr-cloudtrail": set(),
        },
        ("A36/moderate@0.05,A18/blatant@0.1", ["A36", "A18"]),
        days=0.6,
        begin=0.1,
        difficulties=("moderate",),
        days_twice=0.6,
    ),
    Family(
        "newest",
        8,
        {
            "distribution-text": set(),
            "distribution-json-2.8": {"A43"},  # nobody's name
            "access": {"A43"},
            "notifications": set(),
            "harbor-audit": {"A43"},  # no addresses
            "ecr-cloudtrail": set(),
        },
        ("A43/stealthy@0.05", ["A43"]),
        days=2.2,
        begin=0.05,
        late={"A50": 0.3},  # after the first scan
        lineless="A50",
    ),
    Family(
        "fresh",
        10,
        {
            "distribution-json": set(),
            "distribution-text": set(),
            "distribution-json-2.8": {"A51"},  # nobody's name
            "access": {"A51"},
            "notifications": {"A51", "A54", "A57"},  # nothing of what was refused or is not there
            "harbor-audit": {"A51", "A53", "A54", "A55", "A56", "A57"},  # no addresses, no layers, nothing that failed
            "ecr-cloudtrail": {"A51"},  # no passwords
        },
        ("A53/stealthy@0.05", ["A53"]),
        days=2.2,
        begin=0.05,
        late={"A51": 0.3, "A60": 0.3, "A59": 0.1},  # what waits for somebody to be at work
        lineless="A60",
    ),
    Family(
        "unheard",
        10,
        {
            "distribution-json": set(),
            "distribution-text": set(),
            "distribution-json-2.8": set(),
            "access": set(),
            "notifications": set(),
            "harbor-audit": {"A62", "A64", "A67", "A69"},  # no lists, no layers, no agents
            "ecr-cloudtrail": set(),
        },
        ("A61/stealthy@0.05", ["A61"]),
        days=2.2,
        begin=0.05,
    ),
    Family(
        "unforeseen",
        10,
        {
            "distribution-json": {"A73"},  # nothing of administration
            "distribution-text": {"A73"},
            "distribution-json-2.8": {"A73", "A78"},  # nobody's name
            "access": {"A73", "A78", "A79"},  # no durations
            "notifications": {"A73", "A76", "A79"},  # nothing of what is refused or given up
            "harbor-audit": {"A76", "A77", "A78", "A79", "A80"},  # no addresses, agents, layers, sizes
            "ecr-cloudtrail": {"A73", "A79", "A80"},
        },
        ("A73/stealthy@0.05", ["A73"]),
        days=2.2,
        begin=0.05,
    ),
    Family(
        "uncharted",
        10,
        {
            "distribution-json": {"A90"},  # nothing of administration
            "distribution-text": {"A90"},
            "distribution-json-2.8": {"A90"},
            "access": {"A83", "A90"},  # no media types
            "notifications": {
                "A82",
                "A85",
                "A86",
                "A90",
            },  # no uploads that are taken back, no logins, nothing that failed
            "harbor-audit": {
                "A81",
                "A82",
                "A83",
                "A86",
                "A87",
            },  # no layers, no media types, no sizes, nothing that failed
            "ecr-cloudtrail": {"A81", "A82", "A87", "A90"},  # neither takes back uploads nor deletes layers; no sizes
        },
        ("A84/stealthy@0.05", ["A84"]),
        days=2.2,
        begin=0.05,
        late={"A89": 0.9},  # after those that its nodes come upon
        lineless="A89",
    ),
    Family(
        "unimagined",
        10,
        {
            "distribution-json": set(),
            "distribution-text": set(),
            "distribution-json-2.8": set(),
            "access": set(),
            "notifications": {"A92", "A99"},  # nothing of uploads that fail, or are under way
            "harbor-audit": {"A92", "A99"},  # no uploads
            "ecr-cloudtrail": set(),
        },
        ("A93/stealthy@0.05", ["A93"]),
        days=2.2,
        begin=0.05,
    ),
)
FORMATS: dict[str, Format] = {
    "distribution-json": distribution_json.FORMAT,
    "distribution-text": distribution_text.FORMAT,
    "ecr-cloudtrail": ecr_cloudtrail.FORMAT,
}
NUMBERS = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b\d+\b")
EACH = pytest.mark.parametrize("family", LATE, ids=lambda one: one.name)


def test_all_are_here() -> None:
    """Codes are used once."""
    assert ["catalogue", *(family.name for family in LATE)] == list(FAMILIES)
    assert [family.many for family in LATE] == [len(family.codes) for family in LATE]
    codes = [*SURPRISES, *(code for family in FAMILIES.values() for code in family)]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("family", "source", "difficulty"),
    [
        # Each log with one of the difficulties: the tests of the families play all three into the registry's own.
        pytest.param(
            family,
            source,
            family.difficulties[(number + place) % len(family.difficulties)],
            id=f"{family.name}-{source}",
        )
        for number, family in enumerate(LATE)
        for place, source in enumerate(family.silent)
    ],
)
def test_every_log_tells_what_it_can(family: Family, source: str, difficulty: str, tmp_path: Path) -> None:
    """A scenario is invisible where the log lacks what it takes to know of it, and in the log everywhere else."""
    asked = [f"{code}/{difficulty}@{family.late.get(code, family.begin)}" for code in family.codes]
    truth = short(tmp_path, days=family.days, source=source, attacks=asked)
    text = (tmp_path / truth.files[0]).read_text()
    numbers = set(NUMBERS.findall(text))
    assert {entry.kind for entry in truth.scenarios if entry.invisible} == family.silent[source]
    for entry in truth.scenarios:
        if entry.invisible:
            continue
        assert entry.decidable is not None, entry.kind
        assert entry.first_evidence is not None and entry.first_evidence <= entry.decidable <= entry.end
        assert bool(entry.addresses) == (source != "harbor-audit")
        assert bool(entry.event_ids) == (source != "access" and entry.kind != family.lineless)
        assert numbers.issuperset(entry.event_ids)
        assert [one for one in (*entry.addresses, *entry.repositories) if one not in text] == []
        assert source in ("access", "distribution-json-2.8") or all(one in text for one in entry.actors)


@EACH
def test_two_runs_are_equal_to_the_byte(family: Family, tmp_path: Path) -> None:
    """The same arguments give the same files."""
    asked = [
        f"{code}/{DIFFICULTIES[place % 3]}@{family.late.get(code, 0.1)}" for place, code in enumerate(family.codes)
    ]
    sources = ["distribution-json", "notifications", "harbor-audit", "ecr-cloudtrail", "access"]
    for name in ("one", "two"):
        short(tmp_path / name, days=family.days_twice, attacks=asked, source=sources)
    assert equal_files(tmp_path / "one", tmp_path / "two") == 6


@EACH
def test_they_change_no_other_line(family: Family, tmp_path: Path) -> None:
    """With those that only add, the log holds every line that it had without."""
    adding = [code for code, recipe in FAMILIES[family.name].items() if not recipe.alters]
    short(tmp_path / "plain")
    short(tmp_path / "with", attacks=[f"{code}/moderate@0.1" for code in adding])
    before, after = (set((tmp_path / name / "registry.log").read_text().splitlines()) for name in ("plain", "with"))
    assert before < after


def test_nobody_draws_them(tmp_path: Path) -> None:
    """Neither a simulation of everything nor the evaluation's plans of the other families have any of them."""
    truth = short(tmp_path / "all", days=0.1, attacks=None)
    assert {entry.kind for entry in truth.scenarios} <= {code for code, one in ATTACKS.items() if not one.alters}
    done = CliRunner().invoke(app, ["simulate", "--out", str(tmp_path / "cli"), "--days", "0.1", "--attacks", "all"])
    assert done.exit_code == 0
    assert set(kinds(tmp_path / "cli")) <= set(ATTACKS)
    for seed in (*range(1, 21), *range(1001, 1021)):
        for family, codes in FAMILIES.items():
            dealt = plan(seed, list(SCENARIOS), Setup(family=family)).attacks
            assert {one.partition("/")[0] for one in dealt} <= set(codes)


@EACH
def test_the_others_do_not_know_of_them(family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All attacks and surprises that were there before write the same bytes, whether these kinds exist or not."""
    before = list(FAMILIES)[: list(FAMILIES).index(family.name)]
    asked = [code for name in before for code in FAMILIES[name] if code != "A34"]
    sources = ["distribution-json", "harbor-audit"]
    short(tmp_path / "with", attacks=asked, surprises=None, source=sources)
    monkeypatch.setitem(FAMILIES, family.name, {})
    short(tmp_path / "without", attacks=asked, surprises=None, source=sources)
    for file in ("registry.log", "auditlog-exts.jsonl", "truth.json"):
        assert (tmp_path / "with" / file).read_bytes() == (tmp_path / "without" / file).read_bytes()


@EACH
def test_they_can_be_asked_for_by_name(family: Family, tmp_path: Path) -> None:
    """The command plants them where they are named, and its catalogue has them."""
    out, (asked, planted) = tmp_path / "named", family.named
    done = CliRunner().invoke(app, ["simulate", "--out", str(out), "--days", "0.3", "--attacks", asked])
    assert done.exit_code == 0, done.output
    assert kinds(out) == planted
    shown = CliRunner().invoke(app, ["simulate", "--out", "nowhere", "--catalogue"]).output
    assert all(code in shown for code in family.codes)


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("family", ["unheard", "unforeseen", "uncharted", "unimagined"])
def test_every_line_is_read(family: str, source: str, tmp_path: Path) -> None:
    """Not one line becomes a dead letter."""
    truth = short(tmp_path, days=0.7, source=source, attacks=[f"{code}/blatant@0.05" for code in FAMILIES[family]])
    data = (tmp_path / truth.files[0]).read_bytes()
    block = Block(stream="s", offset=0, data=data, after=Position(stream="s", offset=len(data)), final=True)
    parsed = FORMATS[source].parse(block)
    assert parsed.rejects == [] and parsed.events.num_rows > 5000
