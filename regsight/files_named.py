"""Whether the files and variables that the settings name are there: a secret that is not is else noticed when it is wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel


def unreadable(settings: BaseModel, place: str = "") -> Iterator[str]:
    """A sentence for each, with its place in the settings. Only what is set is looked at; nothing is opened for writing."""
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        at = f"{place}.{name}".lstrip(".")
        for number, one in enumerate(value if isinstance(value, list | tuple) else [value]):
            if isinstance(one, BaseModel):
                yield from unreadable(one, f"{at}.{number}" if isinstance(value, list | tuple) else at)
        if isinstance(value, Path) and (name.endswith("_file") or name == "nginx_config"):
            yield from _unreadable_file(at, value)
        if isinstance(value, str) and name.endswith("_env") and not os.environ.get(value):
            yield f"{at}: the environment variable {value} is empty"


def _unreadable_file(at: str, file: Path) -> Iterator[str]:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        yield f"{at}: {file.absolute()} cannot be read: {error.strerror}"
