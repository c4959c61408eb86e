"""How suspicions become findings, and what of two stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from made_traffic import START

from analytics.detector import Suspicion
from analytics.detectors.credential_probe import CredentialProbe
from analytics.judge import judge
from store.finding import Finding, Severity, finding_id

WEAK = Suspicion(
    kind="password_guessing",
    cause=("client", "203.0.113.9", "2026-09-07"),
    severity=Severity.MEDIUM,
    title="weak",
    start=START,
    end=START + timedelta(minutes=5),
    subjects={"actor": ["b"], "client": ["203.0.113.9"]},
    score=5,
    expected="0",
    observed="5",
    evidence=[f"try-{n}" for n in range(60)],
)
STRONG = replace(
    WEAK,
    severity=Severity.CRITICAL,
    title="strong",
    start=START + timedelta(minutes=1),
    end=START + timedelta(minutes=9),
    subjects={"actor": ["a"], "client": ["203.0.113.9"]},
    score=105,
    evidence=["success", "try-0"],
)
NOW = START + timedelta(minutes=10)


def known(*findings: Finding) -> object:
    return {finding.id: finding for finding in findings}.get


def test_a_new_finding_has_its_cause_as_id() -> None:
    """Detector and cause make the id, the detector the next step; evidence is cut at 50."""
    (found,) = judge(CredentialProbe(), [WEAK], NOW, known())  # type: ignore[arg-type]
    assert found.id == finding_id("credential_probe", *WEAK.cause)
    assert found.next_step == CredentialProbe().next_step
    assert found.evidence == WEAK.evidence[:50]
    assert found.subjects == {"actor": ["b"], "client": ["203.0.113.9"], "repository": []}
    assert found.detected_at == NOW


def test_a_finding_that_goes_on_grows() -> None:
    """The stronger one speaks and its evidence comes first; span and subjects are united; the first detection counts."""
    (before,) = judge(CredentialProbe(), [WEAK], NOW, known())  # type: ignore[arg-type]
    (after,) = judge(CredentialProbe(), [STRONG], NOW + timedelta(hours=1), known(before))  # type: ignore[arg-type]
    assert (after.id, after.detected_at, after.title) == (before.id, NOW, "strong")
    assert (after.start, after.end) == (WEAK.start, STRONG.end)
    assert after.subjects["actor"] == ["a", "b"]
    assert after.evidence[:3] == ["success", "try-0", "try-1"]
    assert len(after.evidence) == 50


def test_what_is_known_is_not_said_again() -> None:
    """Neither the same suspicion nor an earlier, weaker one changes a finding."""
    (found,) = judge(CredentialProbe(), [WEAK, STRONG], NOW, known())  # type: ignore[arg-type]
    assert judge(CredentialProbe(), [WEAK, STRONG], NOW + timedelta(days=1), known(found)) == []  # type: ignore[arg-type]


def test_more_of_the_same_by_the_same_account_is_one_finding() -> None:
    """Another cause of the same kind within a day joins the first, with its names, evidence and title; judging it all
    again changes nothing. Another account's, and a graver one, stand alone.
    """
    first = replace(WEAK, subjects={"actor": ["a"], "client": [], "repository": ["x"]}, title="x")
    more = replace(first, cause=("y",), subjects={"actor": ["a"], "repository": ["y"]}, title="y", evidence=["new"])
    others = [
        replace(more, cause=("z",), subjects={"actor": ["b"], "repository": ["z"]}),
        replace(more, cause=("g",), severity=Severity.HIGH),
        replace(more, cause=("n",), subjects={"repository": ["y"]}),
        replace(more, cause=("d",), start=START + timedelta(days=1, hours=1), end=START + timedelta(days=2)),
    ]
    stored: dict[str, Finding] = {}

    def run() -> list[Finding]:
        found = judge(CredentialProbe(), [first, more, *others], NOW, stored.get, past=lambda: list(stored.values()))
        stored.update({one.id: one for one in found})
        return found

    joined, *apart = run()
    assert joined.id == finding_id("credential_probe", *first.cause)
    assert joined.subjects["repository"] == ["x", "y"] and "new" not in joined.evidence[:40]
    assert joined.title == "x"
    assert joined.reasons == [f"also: y ({finding_id('credential_probe', *more.cause)})"]
    assert {one.id for one in apart} == {finding_id("credential_probe", *one.cause) for one in others}
    assert run() == []


def told(*suspicions: Suspicion) -> list[Finding]:
    stored: dict[str, Finding] = {}
    for one in suspicions:
        for found in judge(CredentialProbe(), [one], one.end, stored.get, past=lambda: list(stored.values())):
            stored[found.id] = found
    return list(stored.values())


def test_two_rules_about_the_same_events_are_one_finding() -> None:
    """A burst of deletes is a steady delete too: of the same account, by the same events, and stays so as both go on. Other
    events stand alone.
    """
    burst = replace(WEAK, kind="burst", cause=("burst",), subjects={"actor": ["a"], "client": [], "repository": []})
    same = replace(burst, kind="steady", cause=("steady",), evidence=burst.evidence[:30])
    other = replace(same, kind="odd", cause=("odd",), evidence=[f"new-{n}" for n in range(30)])
    grown = replace(same, score=6, evidence=[f"later-{n}" for n in range(50)])
    assert [one.kind for one in told(burst, same, other, grown)] == ["burst", "odd"]
    used = replace(burst, kind="used", subjects={"actor": ["a", "node"], "client": [], "repository": []})
    assert [one.kind for one in told(used, same)] == ["used"]
    assert [one.kind for one in told(used, replace(same, subjects={"actor": ["c"], "client": []}))] == [
        "used",
        "steady",
    ]


def test_what_goes_on_from_day_to_day_is_one_finding_for_three_days() -> None:
    """Each day's part joins while no day passes without any; from the fourth day on it is told anew."""
    day, who = timedelta(days=1), {"actor": ["a"], "client": [], "repository": []}
    parts = [
        replace(WEAK, cause=(str(n),), subjects=who, start=START + n * day, end=START + n * day + timedelta(hours=9))
        for n in (0, 1, 2, 3)
    ]
    assert [one.start for one in told(*parts)] == [START, START + 3 * day]
    assert [one.start for one in told(parts[0], parts[2])] == [START, START + 2 * day]


def test_a_crowd_of_accounts_is_one_campaign() -> None:
    """Stolen passwords tried on dozens of accounts past midnight: one finding. A few named accounts are their own."""
    crowds = [
        replace(
            WEAK,
            cause=(str(n),),
            start=START + timedelta(hours=9 * n),
            end=START + timedelta(hours=9 * n + 1),
            subjects={"actor": [f"u-{n}-{m}" for m in range(many)], "client": ["203.0.113.1", "203.0.113.2"]},
        )
        for n, many in ((0, 40), (1, 25), (2, 3))
    ]
    assert [len(one.subjects["actor"]) for one in told(*crowds)] == [65, 3]
    who = {"actor": ["u-0-7"], "client": []}
    target = replace(
        WEAK, kind="guessing", cause=("one",), subjects=who, evidence=["x"], end=START + timedelta(hours=1)
    )
    assert [one.kind for one in told(crowds[0], target)] == ["password_guessing"]
    late = replace(target, start=START + timedelta(hours=5), end=START + timedelta(hours=6))
    got_in = replace(target, severity=Severity.CRITICAL)
    other = replace(target, subjects={"actor": ["somebody"]})
    for alone in (late, got_in, other):
        assert [one.kind for one in told(crowds[0], alone)] == ["password_guessing", "guessing"]
    nowhere = replace(crowds[0], subjects=crowds[0].subjects | {"client": []})  # a log without addresses: who can tell?
    assert [one.kind for one in told(nowhere, other)] == ["password_guessing"]


def test_addresses_that_each_try_several_accounts_are_one_campaign() -> None:
    """A list of names tried from one address after the other: one finding, until one of them is graver."""
    swept = [
        replace(
            WEAK,
            cause=(str(n),),
            start=START + timedelta(hours=n),
            end=START + timedelta(hours=n, minutes=30),
            subjects={"actor": [f"u-{n}-{m}" for m in range(many)], "client": [f"203.0.113.{n}"], "repository": []},
        )
        for n, many in enumerate((3, 4, 6, 3))
    ]
    assert [len(one.subjects["client"]) for one in told(*swept)] == [4]
    graver = replace(swept[2], severity=Severity.CRITICAL)
    assert [len(one.subjects["client"]) for one in told(*swept[:2], graver, swept[3])] == [3, 1]
    at_images = [replace(one, subjects=one.subjects | {"repository": [f"shop/{one.cause[0]}"]}) for one in swept]
    assert len(told(*at_images)) == len(swept)
    pairs = [replace(one, subjects=one.subjects | {"actor": one.subjects["actor"][:2]}) for one in swept]
    assert len(told(*pairs)) == len(swept)
