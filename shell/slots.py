"""When slots lie, and which somebody asked for. The shell scans every slot at its moment; this says whose it was (D1)."""

from __future__ import annotations

from datetime import datetime

from shell.clock import from_ms, to_ms
from shell.market.bars import Tier

REQUESTED, FALLBACK = "requested", "fallback"


def newest_slot(now: datetime) -> datetime:
    """The newest slot at `now`: slots lie where five-minute bars close."""
    return from_ms(to_ms(now) // Tier.M5.ms * Tier.M5.ms)


class Slots:
    """Registered slots that have not come yet. Kept in memory: a lost registration costs a label, never a scan."""

    def __init__(self) -> None:
        self._registered: set[datetime] = set()

    def register(self, slot: datetime) -> None:
        """A conductor will report on `slot`. Registering twice is harmless."""
        self._registered.add(slot)

    def take(self, slot: datetime) -> str:
        """The origin of the scan of `slot`, which is due now; slots before it are forgotten."""
        origin = REQUESTED if slot in self._registered else FALLBACK
        self._registered = {each for each in self._registered if each > slot}
        return origin
