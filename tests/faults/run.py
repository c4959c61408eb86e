"""Runs every fault at full size, with those of the other tests that the catalogue names, and writes the results of this seed.

    cd tests && python -m faults.run [F07 F20 …]

Three runs of pytest side by side, since most of a fault is waiting; those that need Elasticsearch are in one of them. With
faults named only these are run, and the other results stay. In the environment: REGSIGHT_FAULTS=small does everything with the
little data of the ordinary tests, REGSIGHT_FAULTS_OWN=1 only the tests of this folder, REGSIGHT_FAULTS_SEED chooses another
seed, REGSIGHT_FAULTS_SOAK the seconds of the soak.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faults.catalogue import FAULTS, HERE, Fault
from faults.table import RESULTS, ROOT

SIZE = os.environ.get("REGSIGHT_FAULTS", "full")
SEED = os.environ.get("REGSIGHT_FAULTS_SEED", "1")
RANK = ("passed", "skipped", "failed")
LANES = 3


def lanes(faults: Sequence[Fault]) -> list[list[str]]:
    """The tests of each run of pytest."""
    tests = list(dict.fromkeys(test for fault in faults for test in fault.tests))
    tests.sort(key=lambda test: not test.startswith(HERE))
    if os.environ.get("REGSIGHT_FAULTS_OWN"):
        tests = [test for test in tests if test.startswith(HERE)]
    # File by file, so that servers which a file starts are started once.
    elastic = sorted((test for test in tests if "elastic" in test), key=lambda test: test.partition("::")[0])
    others = [test for test in tests if test not in elastic]
    return [lane for lane in (elastic, *(others[start :: LANES - 1] for start in range(LANES - 1))) if lane]


def run(tests: Sequence[str], lines: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "REGSIGHT_FAULTS": SIZE,
        "REGSIGHT_FAULTS_RESULTS": str(lines),
        "PYTHONPATH": str(ROOT / "tests"),
    }
    words = [
        "-v",
        "--tb=short",
        "--durations=10",
        "-p",
        "faults.outcomes",
        "-o",
        "console_output_style=classic",
        "--timeout=2400",
    ]
    return subprocess.Popen([sys.executable, "-m", "pytest", *words, *tests], cwd=ROOT, env=environment)


def _ended(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def merged(before: dict[str, Any], lines: Iterable[dict[str, Any]], ids: set[str], seconds: float) -> dict[str, Any]:
    """The results of a run; with those before it for faults that were not run."""
    outcomes: dict[str, str] = {}
    figures = []
    for line in lines:
        if "test" in line:
            name = line["test"]
            outcomes[name] = max(outcomes.get(name, "passed"), line["outcome"], key=RANK.index)
        else:
            figures.append(line)
    kept = [each for each in before.get("figures", []) if each["fault"] not in ids]
    return {
        "size": SIZE,
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
        "seed": int(SEED),
        "minutes": round(before.get("minutes", 0.0) * (len(ids) < len(FAULTS)) + seconds / 60, 1),
        "cores": os.cpu_count(),
        "outcomes": dict(sorted((before.get("outcomes", {}) | outcomes).items())),
        "figures": sorted([*kept, *figures], key=lambda each: (each["fault"], each["store"], each["said"])),
    }


def main() -> int:
    words = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    words.add_argument("faults", nargs="*", metavar="FAULT", help="as F07; all of them unless some are named")
    named = words.parse_args().faults
    if unknown := sorted(set(named) - {fault.id for fault in FAULTS}):
        words.error(f"no such fault: {', '.join(unknown)}; there are {FAULTS[0].id} to {FAULTS[-1].id}")
    chosen = [fault for fault in FAULTS if not named or fault.id in named]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.jsonl" for number in range(LANES)]
        running = [run(tests, path) for tests, path in zip(lanes(chosen), files, strict=False)]
        try:
            codes = [process.wait() for process in running]
        except KeyboardInterrupt:  # what was done until then is kept
            codes = [_ended(process) for process in running]
        lines = [json.loads(line) for path in files if path.exists() for line in path.read_text().splitlines()]
    runs = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    before = runs.get(SEED, {}) if len(chosen) < len(FAULTS) else {}
    found = merged(before, lines, {fault.id for fault in chosen}, time.monotonic() - begun)
    RESULTS.write_text(json.dumps(dict(sorted((runs | {SEED: found}).items())), indent=1) + "\n")
    failed = [name for name, outcome in found["outcomes"].items() if outcome == "failed"]
    print(
        f"{len(found['outcomes'])} tests, {len(failed)} failed; results in {RESULTS.relative_to(ROOT)}",
        *failed,
        sep="\n  ",
    )
    broken = [
        code for code in codes if code > 1
    ]  # of pytest: not that tests failed, but that it did not go through them
    if broken:
        print(f"{len(broken)} of {len(codes)} runs of pytest broke off: tests are missing, see above")
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main())
