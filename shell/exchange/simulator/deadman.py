"""CancelAllOrdersAfter: the dead man's switch of the whole account."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class DeadMan:
    """The switch that cancels everything unless it is pressed again in time. It fires once and stays off."""

    trigger_ns: int = 0
    armings: int = 0

    def arm(self, trigger_ns: int) -> int:
        """Set (0: disarm) and return the number of this arming, which an older timer does not know."""
        self.trigger_ns = trigger_ns
        self.armings += 1
        return self.armings

    def fires(self, arming: int, now_ns: int) -> bool:
        """True when this arming still holds and its time has come; it is then off."""
        if arming != self.armings or not 0 < self.trigger_ns <= now_ns:
            return False
        self.trigger_ns = 0
        return True
