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


def short(out: Path, *, days: float = 0.8, seed: int = 11, **rest: object) -> Truth:
    return simulate(out, start=MONDAY, days=days, seed=seed, **({"attacks": [], "surprises": []} | rest))


def split(code: str, how: str) -> dict[str, list[str]]:
    return {"attacks" if code in ATTACKS else "surprises": [f"{code}{how}"]}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain")
    short(out)
    return out


def test_two_runs_are_equal_to_the_byte(tmp_path: Path) -> None:
    """The same arguments give the same files, scenarios and all voices included."""
    for name in ("one", "two"):
        short(tmp_path / name, days=1.1, attacks=None, surprises=None, source=list(SOURCES)[2:])
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(["registry.log", "access.log", "notifications.jsonl", "auditlog-exts.jsonl", "truth.json"])
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_two_processes_write_the_same(tmp_path: Path) -> None:
    """Nothing depends on the order in which a process happens to hash strings."""
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path; "
        "from regsight.traffic.simulate import simulate; "
        "simulate(Path(sys.argv[1]), start=datetime(2026, 11, 2, tzinfo=UTC), days=0.6, seed=1)"
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


@pytest.mark.parametrize("code", ADDING)
def test_a_scenario_changes_no_other_line(code: str, plain: Path, tmp_path: Path) -> None:
    """With a scenario, the file holds every line it had without, and more lines between them."""
    truth = short(tmp_path, **split(code, "/moderate@0.3"))
    before = (plain / "registry.log").read_text().splitlines()
    after = (tmp_path / "registry.log").read_text().splitlines()
    added = Counter(after) - Counter(before)
    assert not Counter(before) - Counter(after)
    assert added
    assert [line for line in after if line not in added] == [line for line in before if line not in added]
    assert len(truth.scenarios) == 1


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_truth_is_borne_out_by_the_file(difficulty: str, tmp_path: Path) -> None:
    """Every event id of every scenario is in the log; times are in order and inside the span."""
    adding = {
        kind: [f"{code}/{difficulty}" for code in recipes if code in ADDING]
        for kind, recipes in (("attacks", ATTACKS), ("surprises", SURPRISES))
    }
    truth = short(tmp_path, days=2, **adding)
    ids = _request_ids(tmp_path / "registry.log")
    written = json.loads((tmp_path / "truth.json").read_text())
    assert [entry["id"] for entry in written["scenarios"]] == [f"{code}-1" for code in ADDING]
    for entry in truth.scenarios:
        assert entry.event_ids, entry.id
        assert set(entry.event_ids) <= ids, entry.id
        assert truth.start <= entry.start <= (entry.first_evidence or "") <= entry.end <= truth.end, entry.id
        assert entry.decidable is None or (entry.first_evidence or "") <= entry.decidable <= entry.end
        assert entry.actors and entry.addresses, entry.id
        assert bool(entry.expected_finding["rule_classes"]) != entry.benign
        assert entry.benign or entry.attack_technique


@pytest.mark.parametrize("code", sorted(ATTACKS))
def test_an_attack_is_decidable_within_its_own_time(code: str, tmp_path: Path) -> None:
    """Given room, a blatant attack shows enough to be known."""
    truth = short(tmp_path, attacks=[f"{code}/blatant@0.2"])
    assert truth.scenarios[0].decidable is not None


def test_a_blinded_log_lacks_its_lines(plain: Path, tmp_path: Path) -> None:
    """Blatant log blinding leaves no request that began in its span, and every line outside of it."""
    truth = short(tmp_path, attacks=["A34/blatant@0.4"])
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
        short(tmp_path, attacks=["A99"])
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
