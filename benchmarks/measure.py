"""CPU time and memory of work done in a process of its own."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Cost:
    """Of one child process: seconds of user and system time, seconds on the wall, peak memory; and what it printed."""

    cpu: float
    wall: float
    peak_mb: float
    answer: Any = None


def run(command: list[str], env: dict[str, str] | None = None) -> Cost:
    """Runs to its end. The last line that it prints may be JSON: the answer.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    begun = time.perf_counter()
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | (env or {}), text=True
    )
    out, err = child.stdout, child.stderr
    assert out is not None and err is not None
    said, complaint = out.read(), err.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begun
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {complaint[-800:]}")
    last = said.rstrip().rpartition("\n")[2]
    try:
        answer = json.loads(last)
    except ValueError:
        answer = None
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024, answer)


def python(module: str, *arguments: str, env: dict[str, str] | None = None) -> Cost:
    return run([sys.executable, "-m", module, *arguments], env)


def own_cpu() -> float:
    """User and system seconds of this process so far, its threads included."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def own_peak_mb() -> float:
    """Of this process alone: `ru_maxrss` begins with what the parent had when it forked."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024  # type: ignore[index]


def own_memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)
