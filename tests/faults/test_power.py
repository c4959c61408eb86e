"""The power goes: what was not brought to the disk is lost, and what was promised is there."""

from __future__ import annotations

import os
import random
import subprocess
import time

import pytest
from faults.bench import SEED, Bench, size
from faults.power import disk
from faults.test_crash import writing


@pytest.mark.fault("F21")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
@pytest.mark.parametrize("options", ["commit=1", "commit=2,noauto_da_alloc", "data=writeback,commit=1"])
def test_power_cut(bench: Bench, options: str) -> None:
    """At seeded moments of start, reading and storing, on ext4 as it is, and made careless: after each the collector goes on
    by itself, from a position at which everything before is there."""
    chance, cuts = random.Random(f"{SEED} {options}"), size(4, 15)
    with disk(bench.folder, options) as power:
        bench.url = f"delta:{power.at / 'data'}"
        with writing(bench, 200, rotate=True):
            for number in range(cuts):
                with bench.collecting() as collector:
                    if number == 0:
                        # What was rotated away before the first position is on the medium nobody would look for.
                        bench.until(bench.stored, "storing something", collector)
                        subprocess.run(["sync", "-f", str(power.at)], check=True)
                        bench.forget()
                    time.sleep(chance.uniform(1, 6))
                    assert collector.alive(), collector.talk()
                    power.cut(collector)
        bench.runs = cuts
        with bench.collecting() as collector:
            bench.until_all(collector)
            bench.until_still(1)
        bench.verdict(said=f"{bench.runs} cuts, {options}")
        bench.forget()
