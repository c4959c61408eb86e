"""A plugin of pytest (`-p faults.outcomes`): writes how each test ended as a line of JSON into the file of results."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def pytest_runtest_logreport(report: Any) -> None:
    path = os.environ.get("REGSIGHT_FAULTS_RESULTS")
    if path and (report.when == "call" or report.outcome != "passed"):
        line = {"test": report.nodeid.partition("[")[0], "outcome": report.outcome}
        with Path(path).open("a") as out:
            out.write(json.dumps(line) + "\n")
