"""Ids in Kraken's form: OXXXXX-XXXXX-XXXXXX for orders, T for trades, L for ledger rows; drawn from one seed."""

from __future__ import annotations

import base64
import random


class Ids:
    """Ids that never repeat and, from one seed, always come in the same order."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._used: set[str] = set()

    def draw(self, kind: str) -> str:
        """An id that begins with `kind`, 6-5-6 characters long."""
        while True:
            made = f"{kind}{base64.b32encode(self._chance.randbytes(10)).decode()}"
            made = f"{made[:6]}-{made[6:11]}-{made[11:17]}"
            if made not in self._used:
                self._used.add(made)
                return made
