"""How the exchange's time passes: with the machine's, faster, or only when told to (lockstep)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from shell.clock import monotonic
from shell.errors import NotNow, UsageError
from shell.exchange.simulator.exchange import Exchange
from shell.exchange.simulator.moments import span_ns


class Pace:
    """Moves an exchange through time. `speed` is exchange seconds a real second; 0 is lockstep."""

    def __init__(self, exchange: Exchange, speed: float, seconds: Callable[[], float] = monotonic) -> None:
        if not 0 <= speed <= 1_000_000:
            raise UsageError(f"a speed of {speed} is not possible: 0 (only when told) to 1000000")
        self._exchange = exchange
        self._speed = speed
        self._seconds = seconds
        self._begun_s = seconds()
        self._begun_ns = exchange.now_ns

    @property
    def lockstep(self) -> bool:
        return self._speed == 0

    def catch_up(self) -> None:
        """Bring the exchange to where its time is by now; in lockstep nothing moves."""
        if not self.lockstep:
            passed_s = self._seconds() - self._begun_s
            self._exchange.advance_to(self._begun_ns + int(passed_s * self._speed * 1e9))

    def tell(self, *, to_ns: int | None = None, seconds: Decimal | None = None) -> int:
        """In lockstep: move on, to a moment or by seconds; the new time. Raises NotNow when time passes by itself, and
        UsageError for a moment that has passed."""
        if not self.lockstep:
            raise NotNow("this exchange's time passes by itself: start it in lockstep (speed 0) to drive it")
        now_ns = self._exchange.now_ns
        target = now_ns + span_ns(seconds) if seconds is not None else to_ns
        if target is None or target < now_ns:
            raise UsageError("time moves forward: give `seconds`, or `to`, a moment that has not passed")
        self._exchange.advance_to(target)
        return self._exchange.now_ns
