"""The gateway protocol: the one door through which orders leave, the same for backtest, paper and live (D3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from shell.money import NO_QTY, BaseQty, Price
from shell.orders import ApprovedOrder, Fill, OrderUpdate, SubmittedOrder

GatewayEvent = Fill | OrderUpdate | SubmittedOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeSchedule:
    """Maker and taker fee as fractions of the trade's value (0.004 is 0.40 %)."""

    maker_pct: Decimal
    taker_pct: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueStop:
    """A stop that a venue keeps: `qty` is what it would still sell, `trigger` the price at which it does."""

    order_id: str
    qty: BaseQty
    trigger: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The stops a venue keeps of one symbol (D10). `settled` is False while something about them is not known: then nothing
    may be placed beside them, or two would sell one holding."""

    stops: tuple[VenueStop, ...] = ()
    settled: bool = True

    @property
    def qty(self) -> BaseQty:
        """What they would sell together."""
        return sum((stop.qty for stop in self.stops), start=NO_QTY)


class Gateway(Protocol):
    """Takes approved orders, reports fills and changes. Never retries a write.

    `submit` returns once the venue (or the paper book) holds the order; it raises Rejected for a known no and OutcomeUnknown
    when it cannot tell: then the order stays among `open_orders`, reservation and all, until an event tells what became of it.
    `events` drains what happened since the last call, in order; a SubmittedOrder among them is one that the venue turned out
    to hold, a stop that it spawned included.
    """

    @property
    def ready(self) -> bool:
        """False until what an earlier process left behind is known: nothing is scanned before."""

    def submit(self, order: ApprovedOrder, now: datetime) -> SubmittedOrder: ...

    def cancel(self, order_id: str, reason: str, now: datetime) -> None:
        """Have an order taken out. That it is out is told by an event, and may be told later: it may have filled."""

    def open_orders(self) -> Sequence[SubmittedOrder]:
        """Everything that may still fill, doubtful orders and the venue's stops included."""

    def guards(self, symbol: str) -> Guard | None:
        """The stops that the venue keeps for a holding; None where no venue can, and the monitor is the only line."""

    def move_stop(self, order_id: str, trigger: Price, now: datetime) -> None:
        """Ask for another trigger of a venue's stop. Whether it moved is seen in `guards`."""

    def works_on(self, symbol: str) -> bool:
        """True when an order of `symbol` could fill."""

    def working_symbols(self) -> set[str]:
        """Those of `open_orders`, without the orders: asked for at every price."""

    def learn(self, found: Sequence[GatewayEvent]) -> None:
        """What was found out about its orders besides: it is known from now on, and not told again."""

    def expire(self, now: datetime) -> None:
        """Let time pass: a paper book ends orders whose time is over, a live one looks up what it does not know."""

    def on_price(self, symbol: str, price: Price, at: datetime) -> None:
        """A price was seen. A paper book matches against it; a live gateway ignores it."""

    def events(self) -> list[GatewayEvent]: ...
