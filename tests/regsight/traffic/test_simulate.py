"""The simulator as a whole: repeatable, scenarios apart from everything else, and a truth that the files bear out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from regsight.traffic.attacks import ATTACKS
from regsight.traffic.scenes import DIFFICULTIES
from regsight.traffic.simulate import SOURCES, simulate
from regsight.traffic.surprises import SURPRISES
from regsight.traffic.truth import Truth

ROOT = Path(__file__).parents[3]
MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
ADDING = [code for code, recipe in (ATTACKS | SURPRISES).items() if not recipe.alters]


def short(out: Path, *, days: float = 0.5, seed: int = 11, **rest: object) -> Truth:
    return simulate(out, start=MONDAY, days=days, seed=seed, **({"attacks": [], "surprises": []} | rest))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain")
    short(out)
    return out


# One of each file of attacks, the quick ones, and one that takes lines away.
EVERY = [
    "A02/blatant@0.2",
    "A05/moderate@0.1",
    "A11/blatant@0.2",
    "A20/blatant@0.1",
    "A29/moderate@0.1",
    "A34/stealthy@0.3",
]


def test_two_runs_are_equal_to_the_byte(tmp_path: Path) -> None:
    """The same arguments give the same files, scenarios and all voices included."""
    for name in ("one", "two"):
        short(
            tmp_path / name, days=0.5, attacks=EVERY, surprises=["B01", "B07", "B11", "B18"], source=list(SOURCES)[2:]
        )
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(
        ["registry.log", "access.log", "notifications.jsonl", "auditlog-exts.jsonl", "cloudtrail.jsonl", "truth.json"]
    )
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_two_processes_write_the_same(tmp_path: Path) -> None:
    """Nothing depends on the order in which a process happens to hash strings."""
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path; "
        "from regsight.traffic.simulate import simulate; "
        "simulate(Path(sys.argv[1]), start=datetime(2026, 11, 2, tzinfo=UTC), days=0.2, seed=1)"
    )
    for name in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": name}
        subprocess.run([sys.executable, "-c", program, tmp_path / name], env=environment, cwd=ROOT, check=True)
    for file in ("registry.log", "truth.json"):
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def test_another_seed_gives_other_traffic(plain: Path, tmp_path: Path) -> None:
    """The seed decides: not one request id is the same."""
    short(tmp_path, seed=12)
    ids = [_request_ids(folder / "registry.log") for folder in (plain, tmp_path)]
    assert ids[0] and not ids[0] & ids[1]


@pytest.mark.parametrize("kinds", [ADDING[:14], ADDING[14:28], ADDING[28:42], ADDING[42:]], ids=str)
def test_scenarios_change_no_other_line(kinds: list[str], plain: Path, tmp_path: Path) -> None:
    """With scenarios, the file holds every line it had without, in the same order, and more lines between them."""
    asked = {
        "attacks": [f"{code}/moderate@0.3" for code in kinds if code in ATTACKS],
        "surprises": [f"{code}/moderate@0.3" for code in kinds if code in SURPRISES],
    }
    truth = short(tmp_path, **asked)
    before = (plain / "registry.log").read_text().splitlines()
    after = (tmp_path / "registry.log").read_text().splitlines()
    added = Counter(after) - Counter(before)
    assert not Counter(before) - Counter(after)
    assert added
    assert [line for line in after if line not in added] == [line for line in before if line not in added]
    assert len(truth.scenarios) == len(kinds)


def test_every_kind_is_in_the_catalogue() -> None:
    """No code is used twice, attacks and surprises are told apart by their letter, and all say what they are."""
    assert len(ATTACKS) >= 28 and len(SURPRISES) >= 18
    for code, recipe in (ATTACKS | SURPRISES).items():
        assert code == recipe.code and code[0] == ("B" if recipe.benign else "A")
        assert recipe.benign or (recipe.evidence in ("S", "N", "V") and recipe.technique and recipe.classes)


# What only an audit log can tell of, and what a registry that knows no names cannot show.
ADMINISTRATIVE = {"A19", "A20", "A23"}
BEHIND_ADMINISTRATION = {"A21", "A27"}  # their traces are there, but not the act that gives them their meaning


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_truth_is_borne_out_by_the_file(difficulty: str, tmp_path: Path) -> None:
    """Every event id of every scenario that this log can show is in the log; times are in order and inside the span."""
    adding = {
        kind: [f"{code}/{difficulty}@0.3" for code in recipes if code in ADDING]
        for kind, recipes in (("attacks", ATTACKS), ("surprises", SURPRISES))
    }
    truth = short(tmp_path, days=0.9, **adding)
    ids = _request_ids(tmp_path / "registry.log")
    written = json.loads((tmp_path / "truth.json").read_text())
    assert [entry["id"] for entry in written["scenarios"]] == [f"{code}-1" for code in ADDING]
    shown = [entry for entry in truth.scenarios if not entry.invisible]
    hidden = {entry.kind for entry in truth.scenarios if entry.invisible} - LATER.get(difficulty, set())
    assert hidden <= ADMINISTRATIVE | BEHIND_ADMINISTRATION | WAITING
    traces = {entry.kind for entry in truth.scenarios if entry.invisible and entry.event_ids}
    assert traces <= BEHIND_ADMINISTRATION
    # Whoever came to do what this log is silent about has logged in all the same: a finding about that is none about nobody.
    assert all(entry.actors and entry.addresses for entry in truth.scenarios if entry.kind in ADMINISTRATIVE)
    for entry in shown:
        assert entry.event_ids, entry.id
        assert set(entry.event_ids) <= ids, entry.id
        assert truth.start <= entry.start <= (entry.first_evidence or "") <= entry.end <= truth.end, entry.id
        assert entry.decidable is None or (entry.first_evidence or "") <= entry.decidable <= entry.end
        assert entry.addresses and (entry.actors or entry.kind in NAMELESS), entry.id
        assert bool(entry.expected_finding["rule_classes"]) != entry.benign
        assert entry.benign or entry.attack_technique


WAITING = {"B03"}  # it begins at an hour that is over here
LATER = {"stealthy": {"A05"}}  # at night only, and the day that there is ends before
NAMELESS = {"A09", "A22", "A28"}  # nobody's name is in the evidence: that is the point


@pytest.mark.parametrize("source", ["harbor-audit", "ecr-cloudtrail"])
def test_audit_logs_tell_of_administration(source: str, tmp_path: Path) -> None:
    """Acts of administration are visible where there is an audit log, under the ids and names that it has."""
    asked = [f"{code}/blatant@0.3" for code in ("A04", "A19", "A20", "A21", "A22", "A23")]
    truth = short(tmp_path, attacks=asked, source=source)
    text = (tmp_path / truth.files[0]).read_text()
    for entry in truth.scenarios:
        # CloudTrail's part about ECR knows no robots: who planted one is not told.
        assert entry.invisible == (source == "ecr-cloudtrail" and entry.kind in BEHIND_ADMINISTRATION)
        assert entry.event_ids
        for one in entry.event_ids:
            assert (f'"id":{one},' if source == "harbor-audit" else f'"eventID":"{one}"') in text
        for actor in entry.actors:
            assert f'"{actor}"' in text
    assert all(bool(entry.addresses) == (source == "ecr-cloudtrail") for entry in truth.scenarios)


def test_the_login_of_who_did_it_belongs_to_it(tmp_path: Path) -> None:
    """The log of the registry alone does not say who opened the project; that somebody came to do it, it does."""
    for source in ("distribution-json", "harbor-audit"):
        entry = short(tmp_path, attacks=["A22/moderate@0.3"], source=source).scenarios[0]
        assert bool(entry.actors) and entry.actors != ["anonymous"], source
        assert entry.start <= (entry.first_evidence or "")
        assert (entry.first_evidence or "") <= (entry.decidable or "") <= entry.end
    opened = short(tmp_path, attacks=["A22/moderate@0.3"]).scenarios[0]
    log = (tmp_path / "registry.log").read_text().splitlines()
    lines = [json.loads(line) for line in log if line.startswith("{")]
    came = [one for one in lines if one.get("auth.user.name") in opened.actors and one["http.request.uri"] == "/v2/"]
    addresses = {one["http.request.remoteaddr"].rpartition(":")[0] for one in came}
    assert addresses & set(opened.addresses)
    assert opened.start < (opened.first_evidence or "")
    assert not {one["http.request.id"] for one in came} & set(opened.event_ids)


def test_attacks_are_decidable_within_their_own_time(tmp_path: Path) -> None:
    """Given room, a blatant attack shows enough to be known, in one of the logs that there are."""
    asked = [f"{code}/blatant@0.2" for code in ATTACKS if code in ADDING]
    truth = short(tmp_path, days=1, attacks=asked, source=["distribution-json", "harbor-audit"])
    assert {entry.kind for entry in truth.scenarios if entry.decidable is None} == set()


def test_the_culprit_is_told_apart_from_those_who_came_upon_it(tmp_path: Path) -> None:
    """Clusters that pull a poisoned image are evidence, but the truth names the one who pushed it."""
    truth = short(tmp_path, attacks=["A10/blatant@0.3", "A11/blatant@0.3", "A16/blatant@0.3"])
    for entry in truth.scenarios:
        assert len(entry.actors) == 1 and not entry.actors[0].startswith("k8s-")
        assert len(entry.event_ids) > len(entry.actors)


def test_other_names_change_names_alone(plain: Path, tmp_path: Path) -> None:
    """A renamed registry has as many requests of each kind, and none of the old names."""
    truth = short(tmp_path, renamed=True)
    usual = json.loads((plain / "truth.json").read_text())
    assert truth.counts == usual["counts"]
    text = (tmp_path / "registry.log").read_text()
    assert "trivy-operator" not in text and "dr-sync" not in text
    assert "trivy-operator" in (plain / "registry.log").read_text()


def test_a_blinded_log_lacks_its_lines(plain: Path, tmp_path: Path) -> None:
    """Blatant log blinding leaves no request that began in its span, and every line outside of it."""
    truth = short(tmp_path, attacks=["A34/blatant@0.2"])
    entry = truth.scenarios[0]
    kept = _request_ids(tmp_path / "registry.log")
    lost = _request_ids(plain / "registry.log") - kept
    assert len(lost) > 100 and len(kept) > 1000
    span = [datetime.fromisoformat(time).timestamp() for time in (entry.start, entry.end)]
    assert all(span[0] - 1 <= _when(one) <= span[1] + 1 for one in lost)
    assert not [one for one in kept if span[0] + 1 < _when(one) < span[1] - 1]


def test_a_holiday_quietens_people(plain: Path, tmp_path: Path) -> None:
    """On a holiday people and robots do far less, and the load balancer goes on."""
    quiet = short(tmp_path, surprises=["B11@0.2"])
    usual = json.loads((plain / "truth.json").read_text())["counts"]
    assert quiet.counts["pushes"] < 0.7 * usual["pushes"]
    assert quiet.counts["challenges"] > 0.6 * usual["challenges"]


def test_unknown_scenarios_are_refused(tmp_path: Path) -> None:
    """A code that nobody knows is an error that names those that exist."""
    with pytest.raises(ValueError, match="A01"):
        short(tmp_path, attacks=["A999"])
    with pytest.raises(ValueError, match="stealthy"):
        short(tmp_path, attacks=["A01/gentle"])


def test_the_start_must_be_aware(tmp_path: Path) -> None:
    """A naive start is refused: the log would be of another day somewhere."""
    with pytest.raises(ValueError, match="aware"):
        simulate(tmp_path, start=datetime(2026, 11, 2), days=1, seed=1)


def test_progress_runs_to_the_end(tmp_path: Path) -> None:
    """Progress is told once a day and ends at 1."""
    told: list[float] = []
    short(tmp_path, days=2, on_progress=told.append)
    assert told == [0.5, 1.0]


def test_lines_are_in_order_of_time(plain: Path) -> None:
    """The log's own lines never go back in time, over midnight included."""
    times = [
        json.loads(line)["time"].rstrip("Z").ljust(29, "0")
        for line in (plain / "registry.log").read_text().splitlines()
        if line.startswith("{")
    ]
    assert times == sorted(times)


def _request_ids(path: Path) -> set[str]:
    lines = (json.loads(line) for line in path.read_text().splitlines() if line.startswith("{"))
    return {line["http.request.id"] for line in lines}


def _when(request_id: str) -> float:
    """A version 7 UUID begins with its time in milliseconds."""
    return int(request_id.replace("-", "")[:12], 16) / 1000
