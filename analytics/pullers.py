"""Whoever pulls, as one number: an account or, where none is named, an address."""

from __future__ import annotations

import numpy as np

from analytics.acts import NAMES
from analytics.windows import Ints

FLEET = 5  # addresses within two days, from which on an account is that of many nodes: no person has so many
_PEER = np.int64(1 << 30)  # numbers of addresses, behind those of accounts


def pullers(actors: Ints, clients: Ints) -> Ints:
    """By numbers of `NAMES`; -1 where nothing says who it was."""
    return np.where(actors >= 0, actors, np.where(clients >= 0, clients + _PEER, -1))


def is_account(number: int) -> bool:
    return bool(number < _PEER)


def accounts(numbers: Ints) -> np.ndarray:
    """Which of them are accounts."""
    return np.asarray(numbers < _PEER)


def name_of(number: int) -> tuple[str, str]:
    """Whether it is an actor or a client, and its name."""
    kind, at = ("actor", number) if is_account(number) else ("client", number - int(_PEER))
    return kind, NAMES[kind].words[at]
