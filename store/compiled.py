"""The optional compiled module `regsight_native` (`native/`), for whatever has a quicker way in it.

Nothing depends on it: each way has one in Python that gives the same. `REGSIGHT_NATIVE=off` turns it off.
"""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import Any

CONTRACT = 2  # of `native/src/lib.rs`: another number means another answer
SWITCH = "REGSIGHT_NATIVE"


@cache
def compiled() -> Any:
    """The module; None where it is not installed, of another contract, or switched off."""
    if off(SWITCH):
        return None
    try:
        module = importlib.import_module("regsight_native")
    except ImportError:
        return None
    return module if module.CONTRACT == CONTRACT else None


def off(switch: str) -> bool:
    """Whether a variable of the environment says no."""
    return os.environ.get(switch, "").lower() in ("off", "0", "no")
