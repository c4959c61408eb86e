"""What is an attack on credentials, and the everyday things that look like one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from made_traffic import START, Made

from analytics.detector import Suspicion
from analytics.detectors.credential_probe import CredentialProbe
from analytics.replay import Replay
from store.finding import Severity

NOW = START + timedelta(days=10, hours=9)
ATTACKER = "203.0.113.9"
Judge = Callable[[Made], list[Suspicion]]


@pytest.fixture
def judge(tmp_path: Path) -> Iterator[Judge]:
    """Runs the detector in its own steps over two days from NOW on; the last word on each cause, strongest first."""
    opened = []

    def run(made: Made) -> list[Suspicion]:
        store = made.store(tmp_path / f"s{len(opened)}")
        opened.append(store)
        reader, detector = Replay(store, START - timedelta(days=9), NOW + timedelta(days=2)), CredentialProbe()
        strongest: dict[tuple[str, ...], Suspicion] = {}
        for step in range(2 * 288):
            for one in detector.detect(reader, NOW + step * detector.every, NOW + (step + 1) * detector.every):
                known = strongest.get(one.cause)
                if known is None or (one.severity.rank, one.score) >= (known.severity.rank, known.score):
                    strongest[one.cause] = one
        return sorted(strongest.values(), key=lambda one: -one.severity.rank)

    yield run
    for store in opened:
        store.close()


def alarms(found: list[Suspicion]) -> list[str]:
    return [one.title for one in found if one.severity.rank >= Severity.MEDIUM.rank]


def at_home(made: Made, *pairs: tuple[str, str]) -> None:
    for actor, client in pairs:
        for day in range(7):
            made.login(NOW - timedelta(days=day + 1), actor, client)


def test_guessing_says_who_and_how_often(judge: Judge) -> None:
    """Five refused logins in two seconds are a finding with account, address, numbers and the refused events."""
    made = Made()
    ids = [made.refuse(NOW + timedelta(seconds=n / 2), "gitlab-runner", "127.1.9.9") for n in range(5)]
    (found,) = judge(made)
    assert found.title == "gitlab-runner: 5 refused logins in 2 s from 127.1.9.9; usual: 0 a day"
    assert (found.kind, found.severity) == ("password_guessing", Severity.MEDIUM)
    assert found.subjects == {"actor": ["gitlab-runner"], "client": ["127.1.9.9"], "repository": []}
    assert found.evidence == ids


def test_success_after_guessing_is_critical_and_named(judge: Judge) -> None:
    """The login that follows is the first piece of evidence and stands in the title."""
    made = Made()
    for n in range(20):
        made.refuse(NOW + timedelta(seconds=n), "alice", ATTACKER)
    success = made.login(NOW + timedelta(minutes=12), "alice", ATTACKER)
    (found,) = judge(made)
    assert found.severity is Severity.CRITICAL
    assert "then alice succeeded from 203.0.113.9 at 09:12:00 UTC" in found.title
    assert found.evidence[0] == success


def test_success_from_another_new_address_is_critical(judge: Judge) -> None:
    """A guessed password used from elsewhere counts; the owner at work as always does not."""
    made = Made()
    at_home(made, ("alice", "192.0.2.1"), ("bob", "192.0.2.2"))
    for n in range(20):
        made.refuse(NOW + timedelta(seconds=n), "alice", ATTACKER)
        made.refuse(NOW + timedelta(seconds=n), "bob", "203.0.113.77")
    made.login(NOW + timedelta(minutes=30), "alice", "203.0.113.200")
    for n in range(12):  # the refusals go on, so that the account is looked at again
        made.refuse(NOW + timedelta(minutes=31, seconds=n), "alice", ATTACKER)
        made.refuse(NOW + timedelta(minutes=31, seconds=n), "bob", "203.0.113.77")
    made.login(NOW + timedelta(minutes=30), "bob", "192.0.2.2")
    severities = {one.subjects["actor"][0]: one.severity for one in judge(made)}
    assert severities["alice"] is Severity.CRITICAL
    assert severities["bob"].rank < Severity.CRITICAL.rank


def test_spraying_names_the_accounts(judge: Judge) -> None:
    """Three accounts refused to one address within seconds are enough; five make it high."""
    made = Made()
    for n in range(3):
        made.refuse(NOW + timedelta(seconds=n), f"user-{n}", ATTACKER)
    for n in range(6):
        made.refuse(NOW + timedelta(hours=8, seconds=n), f"user-{n}", "203.0.113.10")
    high, medium = judge(made)
    assert (medium.kind, medium.severity) == ("password_spraying", Severity.MEDIUM)
    assert medium.subjects["actor"] == ["user-0", "user-1", "user-2"]
    assert (high.severity, high.subjects["client"]) == (Severity.HIGH, ["203.0.113.10"])


def test_one_account_from_many_addresses(judge: Judge) -> None:
    """Two tries from each of ten addresses are guessing as well, though no address stands out."""
    made = Made()
    for n in range(20):
        made.refuse(NOW + timedelta(minutes=n), "alice", f"203.0.113.{n // 2}")
    found = judge(made)
    assert found[0].kind == "distributed_guessing"
    assert len(found[0].subjects["client"]) == 10


def test_stuffing_from_everywhere(judge: Judge) -> None:
    """Many accounts, each once, each from another address."""
    made = Made()
    for n in range(40):
        made.refuse(NOW + timedelta(seconds=30 * n), f"user-{n}", f"203.0.113.{n}", "python-requests/2")
    assert [(one.kind, one.severity) for one in judge(made)] == [("credential_stuffing", Severity.HIGH)]


def test_repositories_forbidden_one_after_another(judge: Judge) -> None:
    """Valid credentials that knock at a dozen closed doors are a probe; one closed door a hundred times is not."""
    made = Made()
    for n in range(100):
        known = {"actor": "alice", "reason": "forbidden", "status": 403}
        made.add(
            NOW + timedelta(seconds=n), "pull", "denied", client_ip=ATTACKER, repository=f"p/{min(n, 11)}", **known
        )
        made.add(NOW + timedelta(seconds=n), "pull", "denied", client_ip="192.0.2.1", repository="p/0", **known)
    (found,) = judge(made)
    assert (found.kind, found.subjects["client"]) == ("forbidden_probe", [ATTACKER])


def test_a_challenge_is_no_try(judge: Judge) -> None:
    """A thousand first steps of the protocol and anonymous requests are nothing at all."""
    made = Made()
    for n in range(500):
        made.add(NOW + timedelta(seconds=n), "ping", "unknown", reason="challenge", client_ip=ATTACKER, status=401)
        made.add(NOW + timedelta(seconds=n), "pull", "denied", reason="no_credentials", client_ip=ATTACKER, status=401)
    assert judge(made) == []


@pytest.mark.parametrize("mistakes", [2, 3, 4])
@pytest.mark.parametrize("known", [True, False])
def test_mistyping_is_human(judge: Judge, mistakes: int, known: bool) -> None:
    """Two to four wrong passwords and then the right one are no finding, at home or on a new machine."""
    made = Made()
    if known:
        at_home(made, ("alice", "192.0.2.1"))
    for n in range(mistakes):
        made.refuse(NOW + timedelta(seconds=10 * n), "alice", "192.0.2.1")
    made.login(NOW + timedelta(seconds=60), "alice", "192.0.2.1")
    assert judge(made) == []


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("seconds", [20, 120])
def test_expired_token_is_an_operational_notice(judge: Judge, known: bool, seconds: int) -> None:
    """A robot refused at an even pace for a day from its own place is told as such, low, and once a day."""
    made = Made()
    if known:
        at_home(made, ("robot$ci", "10.30.0.1"))
    for n in range(86_400 // seconds):
        made.refuse(NOW + timedelta(seconds=seconds * n + n % 3), "robot$ci", "10.30.0.1", "kaniko")
    found = judge(made)
    assert {(one.kind, one.severity) for one in found} == {("expired_credential", Severity.LOW)}
    assert len(found) <= 2


@pytest.mark.parametrize(
    ("tries", "client", "loud"), [(9, "10.8.0.77", False), (30, "10.8.0.77", True), (9, "10.9.0.77", True)]
)
def test_a_person_who_has_forgotten_the_password(judge: Judge, tries: int, client: str, loud: bool) -> None:
    """A few times, from another address of the network in which the account is at home."""
    made = Made()
    at_home(made, ("ann", "10.8.0.5"))
    for number in range(tries):
        made.refuse(NOW + timedelta(seconds=30 * number + 28 * (number % 2)), "ann", client)
    made.login(NOW + timedelta(minutes=25), "ann", client)
    assert bool(alarms(judge(made))) == loud


@pytest.mark.parametrize("works", [False, True])
def test_a_cluster_whose_account_ran_out(judge: Judge, works: bool) -> None:
    """Its nodes share it, fail for hours, and a node that started this morning does too; then it is renewed. While it works
    elsewhere, a new address that fails is somebody who guesses."""
    made = Made()
    at_home(made, *(("nodes", f"10.20.0.{number}") for number in (1, 2, 3)))
    for minutes in range(0, 180, 7):
        for number in (1, 2):
            made.refuse(NOW + timedelta(minutes=minutes, seconds=minutes * number % 50), "nodes", f"10.20.0.{number}")
        for second in (0, 1, 2, 30) if minutes % 35 == 28 else ():  # pods start at odd times
            made.refuse(NOW + timedelta(minutes=minutes, seconds=second), "nodes", "10.20.0.9")
        if works:
            made.login(NOW + timedelta(minutes=minutes), "nodes", "10.20.0.3")
    made.login(NOW + timedelta(hours=4), "nodes", "10.20.0.9")
    assert bool(alarms(judge(made))) == works


def test_an_even_pace_elsewhere_is_no_expired_token(judge: Judge) -> None:
    """An account that is at home in one network is not excused when a machine tries it from another."""
    made = Made()
    at_home(made, ("robot$ci", "10.30.0.1"))
    for n in range(60):
        made.refuse(NOW + timedelta(minutes=n), "robot$ci", ATTACKER, "kaniko")
    assert judge(made)[0].kind == "password_guessing"


@pytest.mark.parametrize("known", [True, False])
def test_password_change_morning(judge: Judge, known: bool) -> None:
    """Thirty people who fail two to four times and soon succeed, all behind one address, alarm nobody."""
    made = Made()
    for person in range(30):
        actor, first = f"person-{person}", NOW + timedelta(minutes=4 * person)
        if known:
            at_home(made, (actor, "192.0.2.1"))
        for n in range(2 + person % 3):
            made.refuse(first + timedelta(seconds=15 * n), actor, "192.0.2.1")
        made.login(first + timedelta(seconds=75), actor, "192.0.2.1")
    assert alarms(judge(made)) == []


def test_spraying_behind_a_busy_morning(judge: Judge) -> None:
    """The office's own mistakes do not hide an attacker at another address."""
    made = Made()
    for person in range(30):
        first = NOW + timedelta(minutes=4 * person)
        for n in range(3):
            made.refuse(first + timedelta(seconds=15 * n), f"person-{person}", "192.0.2.1")
        made.login(first + timedelta(seconds=75), f"person-{person}", "192.0.2.1")
        made.refuse(first, f"person-{person}", ATTACKER)
    assert [one.subjects["client"] for one in judge(made) if one.severity is Severity.HIGH] == [[ATTACKER]]


def test_unknown_names_all_over_are_told_without_addresses(judge: Judge) -> None:
    """Ten names in an hour that never got in, by a log that has no addresses; people who mistype and then get in are none."""
    made = Made()
    at_home(made, *((f"person-{n}", "") for n in range(12)))
    for number in range(10):
        at = NOW + timedelta(minutes=5 * number)
        made.add(at, "login", "denied", reason="bad_credentials", actor=f"nobody-{number}")
        made.add(at, "login", "denied", reason="bad_credentials", actor=f"person-{number}")
        made.add(at + timedelta(seconds=30), "login", actor=f"person-{number}")
    told = [one for one in judge(made) if one.severity.rank >= Severity.MEDIUM.rank]
    assert [one.kind for one in told] == ["credential_stuffing"]
    assert told[0].subjects["actor"] == [f"nobody-{n}" for n in range(10)]


@pytest.mark.parametrize(
    ("seconds", "kind"), [([300] * 30, "expired_credential"), ([60, 540] * 15, "password_guessing")]
)
def test_without_addresses_the_pace_tells_a_machine(judge: Judge, seconds: list[int], kind: str) -> None:
    made, at = Made(), NOW
    at_home(made, ("robot$ci", ""))
    for pause in seconds:
        at += timedelta(seconds=pause)
        made.add(at, "login", "denied", reason="bad_credentials", actor="robot$ci")
    assert {one.kind for one in judge(made)} == {kind}


def a_few_a_day(made: Made, client: str | None, hours: tuple[int, ...] = (1, 5, 22)) -> None:
    """Three refused logins on each of the five days up to NOW, at these hours."""
    for day in range(1, 6):
        for number, hour in enumerate(hours):
            at = NOW.replace(hour=hour, minute=7 * number) - timedelta(days=day)
            made.add(at, "login", "denied", reason="bad_credentials", actor="ann", client_ip=client, status=401)
    made.add(NOW + timedelta(minutes=9), "login", "denied", reason="bad_credentials", actor="ann", client_ip=client)


def kinds(found: list[Suspicion]) -> list[str]:
    return [one.kind for one in found if one.severity.rank >= Severity.MEDIUM.rank]


def test_a_few_a_day_from_where_the_account_never_was(judge: Judge) -> None:
    made = Made()
    at_home(made, ("ann", "192.0.2.1"))
    a_few_a_day(made, ATTACKER)
    assert kinds(judge(made)) == ["slow_guessing"]


def test_a_few_a_day_at_home_are_an_old_password(judge: Judge) -> None:
    made = Made()
    at_home(made, ("ann", "192.0.2.1"))
    a_few_a_day(made, "192.0.2.1")
    assert kinds(judge(made)) == []


def test_a_few_a_day_without_addresses(judge: Judge) -> None:
    """Told if most come at hours at which the account never works; at its own hours they may be its owner's."""
    night, day = Made(), Made()
    for made, hours in ((night, (1, 5, 22)), (day, (8, 9, 10))):
        for back in range(1, 8):
            made.add(NOW - timedelta(days=back), "login", actor="ann", status=200)
        a_few_a_day(made, None, hours)
    assert kinds(judge(night)) == ["slow_guessing"]
    assert kinds(judge(day)) == []
