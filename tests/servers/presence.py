"""What to do when a real server is not on this machine: a failure under CI=true, a loud skip elsewhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def missing(what: str, how: str) -> None:
    """Skip the test with the way to get `what`; fail where CI=true promises that it is there."""
    message = f"{what} is not on this machine: {how}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def program(name: str, package: str) -> Path:
    """The path of a program, or `missing`."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        missing(name, f"apt-get install {package}")
    assert found is not None
    return Path(found)


def cache_folder() -> Path:
    """Where downloaded servers are unpacked once: outside the tree, kept between runs."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "regsight-tests"
    root.mkdir(parents=True, exist_ok=True)
    return root
