"""Finds the one object that each plugin file offers. A new format, enricher, detector or board is one new file and no list."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analytics.detector import Detector
    from collector.enriching import EnrichSettings
    from collector.stages import Enricher, Format


class BrokenPlugin(Exception):
    """A file in a plugin folder offers nothing under the agreed name."""


def offered(package: str, name: str) -> dict[str, Any]:
    """Module name → the object called `name` in it, for every module of a package, in alphabetical order.

    Raises:
        BrokenPlugin: a module of the folder has no such object, so it would silently do nothing.
    """
    folder = importlib.import_module(package)
    found: dict[str, Any] = {}
    for module in sorted(pkgutil.iter_modules(folder.__path__), key=lambda each: each.name):
        plugin = importlib.import_module(f"{package}.{module.name}")
        if not hasattr(plugin, name):
            raise BrokenPlugin(f"{package}/{module.name}.py offers no {name}")
        found[module.name] = getattr(plugin, name)
    return found


def formats() -> list[Format]:
    """Every registry log format, in alphabetical order of its file. A file that offers several sets FORMAT to a tuple."""
    found: list[Format] = []
    for format in offered("collector.formats", "FORMAT").values():
        found.extend(format if isinstance(format, tuple) else (format,))
    return found


def enrichers(settings: EnrichSettings | None = None) -> list[Enricher]:
    """Every enricher, in alphabetical order of its file: a later one may use what an earlier one filled.

    Those that the settings have a say in (`configured`) are given them.
    """
    found = list(offered("collector.enrichers", "ENRICH").values())
    if settings is None:
        return found
    return [each.configured(settings) if hasattr(each, "configured") else each for each in found]


def detectors() -> list[Detector]:
    """One new instance of every detector."""
    return [detector() for detector in offered("analytics.detectors", "DETECTOR").values()]
