"""Secrets as the settings name them: a file or an environment variable, read when needed, never shown."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr


class SecretMissingError(ValueError):
    """The place that the settings name holds no secret. Permanent until somebody puts it there."""


def read_secret(what: str, file: Path | None, env: str | None) -> SecretStr | None:
    """The secret from a file (without the line end) or a variable; None where the settings name neither.

    Raises:
        SecretMissingError: the file cannot be read, or the variable is empty.
    """
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SecretMissingError(f"{what}: {file.absolute()} cannot be read: {type(error).__name__}") from None
        origin = str(file)
    elif env is not None:
        text, origin = os.environ.get(env, ""), f"environment variable {env}"
    else:
        return None
    if not text:
        raise SecretMissingError(f"{what}: {origin} is empty")
    return SecretStr(text)
