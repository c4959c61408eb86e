"""What a store can refuse.

StoreError
├── Unavailable   it did not answer, or asked us to come back: the same call may work later
└── Rejected      it answered no: the same call will never work
"""

from __future__ import annotations


class StoreError(Exception):
    """Root of all errors of this folder."""


class Unavailable(StoreError):
    """The store did not answer or is overloaded. Retrying with growing pauses helps; nothing was half done that harms."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Rejected(StoreError):
    """The store refused for good: wrong address, wrong credentials, incompatible table. Retrying never helps."""
