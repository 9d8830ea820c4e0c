"""Which scan slots somebody asked for. The shell scans every slot at its moment, asked or not; this says whose it was (D1)."""

from __future__ import annotations

from datetime import datetime

REQUESTED, FALLBACK = "requested", "fallback"


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
