"""Lots for books and tax: which purchase each sale used up, first in, first out. Pure.

A lot's cost holds its purchase fee, a disposal's proceeds are net of the sale's fee. Amounts are split by quantity, and the
last part takes what is left, so that nothing is lost to rounding: the parts add up to the fills, to the last unit.
Which method a tax law asks for, and what it counts, is for the user to know.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from shell.errors import Fatal
from shell.money import CONTEXT, NO_QTY, BaseQty, QuoteAmount
from shell.orders import Fill, Side

_PART = Decimal("1e-12")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What is left of one purchase: `cost` with its fee, for `qty`."""

    symbol: str
    qty: BaseQty
    cost: QuoteAmount
    acquired_at: datetime
    fill_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposal:
    """A part of one sale and the purchase it used up. `gain` is `proceeds` less `cost`, all fees in both."""

    symbol: str
    qty: BaseQty
    cost: QuoteAmount
    proceeds: QuoteAmount
    acquired_at: datetime
    disposed_at: datetime
    bought_by: str
    sold_by: str

    @property
    def gain(self) -> QuoteAmount:
        return self.proceeds - self.cost

    @property
    def days_held(self) -> int:
        """Whole days from purchase to sale."""
        return (self.disposed_at - self.acquired_at).days


def first_in_first_out(fills: Iterable[Fill]) -> tuple[list[Disposal], list[Lot]]:
    """Every disposal in the order of the sales, and the lots that are still held, oldest first within a symbol.

    `fills` are those of one book in the order they were booked. Raises Fatal for a sale of more than was bought.
    """
    held: dict[str, deque[Lot]] = {}
    disposals: list[Disposal] = []
    for fill in fills:
        lots = held.setdefault(fill.symbol, deque())
        if fill.side is Side.BUY:
            paid = fill.cost + fill.fee
            lots.append(Lot(symbol=fill.symbol, qty=fill.qty, cost=paid, acquired_at=fill.filled_at, fill_id=fill.fill_id))
        else:
            disposals += _sold(fill, lots)
    return disposals, [lot for symbol in sorted(held) for lot in held[symbol]]


def _sold(fill: Fill, lots: deque[Lot]) -> list[Disposal]:
    left, proceeds = fill.qty, fill.cost - fill.fee
    found = []
    while left > NO_QTY:
        if not lots:
            raise Fatal(f"fill {fill.fill_id} sells {left} {fill.symbol} more than the book ever bought")
        lot = lots.popleft()
        used = min(left, lot.qty)
        cost = lot.cost if used == lot.qty else _part(lot.cost, used, lot.qty)
        earned = proceeds if used == left else _part(proceeds, used, left)
        if used < lot.qty:
            lots.appendleft(replace(lot, qty=lot.qty - used, cost=lot.cost - cost))
        found.append(
            Disposal(
                symbol=fill.symbol, qty=used, cost=cost, proceeds=earned, acquired_at=lot.acquired_at,
                disposed_at=fill.filled_at, bought_by=lot.fill_id, sold_by=fill.fill_id,
            )
        )
        left, proceeds = left - used, proceeds - earned
    return found


def _part(amount: QuoteAmount, used: BaseQty, whole: BaseQty) -> QuoteAmount:
    return QuoteAmount(CONTEXT.quantize(CONTEXT.divide(CONTEXT.multiply(amount.value, used.value), whole.value), _PART))
