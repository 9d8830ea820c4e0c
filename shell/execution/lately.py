"""What was approved and sent not long ago: risk refuses what repeats it, or comes too often."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from shell.risk.view import RecentSignal

ORDER_RATE_WINDOW = timedelta(minutes=1)


class Lately:
    """Signals that were approved within the window in which none is repeated, and when orders left within the last minute."""

    def __init__(self, signals: Sequence[RecentSignal] = (), order_times: Sequence[datetime] = ()) -> None:
        self.signals = list(signals)
        self.order_times = list(order_times)

    def forget_before(self, now: datetime, duplicate_window: timedelta) -> None:
        """Let go of what no limit asks about any more at `now`."""
        self.signals = [each for each in self.signals if now - each[2] < duplicate_window]
        self.order_times = [at for at in self.order_times if now - at < ORDER_RATE_WINDOW]
