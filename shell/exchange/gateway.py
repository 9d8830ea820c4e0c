"""The gateway protocol: the one door through which orders leave, the same for backtest, paper and live (D3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from shell.money import Price
from shell.orders import ApprovedOrder, Fill, OrderUpdate, SubmittedOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeSchedule:
    """Maker and taker fee as fractions of the trade's value (0.004 is 0.40 %)."""

    maker_pct: Decimal
    taker_pct: Decimal


class Gateway(Protocol):
    """Takes approved orders, reports fills and changes. Never retries a write.

    `submit` returns once the venue (or the paper book) holds the order; it raises Rejected for a known no and OutcomeUnknown
    when it cannot tell. `events` drains what happened since the last call, in order.
    """

    def submit(self, order: ApprovedOrder, now: datetime) -> SubmittedOrder: ...

    def cancel(self, order_id: str, reason: str, now: datetime) -> None: ...

    def open_orders(self) -> Sequence[SubmittedOrder]: ...

    def works_on(self, symbol: str) -> bool:
        """True when an order of `symbol` could fill."""

    def expire(self, now: datetime) -> None:
        """Let orders whose time is over end. A live venue does so itself."""

    def on_price(self, symbol: str, price: Price, at: datetime) -> None:
        """A price was seen. A paper book matches against it; a live gateway ignores it."""

    def events(self) -> list[Fill | OrderUpdate]: ...
