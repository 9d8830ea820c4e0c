"""The account as it crosses the wall: the facts of the books, and the `Portfolio` the child makes of them and of its prices.

Sent when the books change, not at every scan: what moves with the price is worked out where it is looked at. The same
arithmetic in the same order as `shell.portfolio.valuation.portfolio_view`, so both give the same floats.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from shell.contract import Action, ClosedTrade, Intent, OpenPosition, Portfolio
from shell.host.port import Account, ClosedNotice, FillNotice, Holding, LateTrade, Tidings, trade_of

LONG = "long"
HOLDINGS_KEPT = 256
_set = object.__setattr__

Prices = Callable[[str], float]


def encode_tidings(tidings: Tidings) -> bytes:
    """Plain tuples by marshal: from the parent to its child, which runs the same interpreter, and never the other way."""
    account = tidings.account
    rows: Any = None
    if account is not None:
        rows = (*account[:4], [_held(each) for each in account.holdings])
    notices = [
        (each.symbol, each.action.value, each.qty, each.price, each.intent.value)
        if isinstance(each, FillNotice)
        else tuple(each)
        for each in tidings.notices
    ]
    trades = [
        (
            each.symbol, each.side, each.qty, each.entry_price, each.exit_price, each.pnl, each.pnl_pct, each.intent.value,
            _iso(each.opened_at), _iso(each.closed_at), each.fees, each.tag,
        )
        for each in map(trade_of, tidings.new_trades)
    ]
    return marshal.dumps((rows, notices, trades))


def decode_tidings(body: bytes) -> Tidings:
    """The inverse of `encode_tidings`, for what the parent sent."""
    rows, notices, trades = marshal.loads(body)  # the child reads its parent
    account = None
    if rows is not None:
        held = tuple([_holding(*row) for row in rows[4]])
        account = Account(rows[0], rows[1], rows[2], rows[3], held)
    return Tidings(
        account,
        [
            FillNotice(row[0], Action(row[1]), row[2], row[3], Intent(row[4])) if len(row) == len(FillNotice._fields)
            else ClosedNotice(*row)
            for row in notices
        ],
        [
            ClosedTrade(
                symbol=row[0], side=row[1], qty=row[2], entry_price=row[3], exit_price=row[4], pnl=row[5], pnl_pct=row[6],
                intent=Intent(row[7]), opened_at=_known(row[8]), closed_at=_known(row[9]), fees=row[10], tag=row[11],
            )
            for row in trades
        ],
    )


# Most positions that an account tells of were in the account before it.
@lru_cache(maxsize=HOLDINGS_KEPT)
def _held(holding: Holding) -> tuple[object, ...]:
    symbol, qty, avg_entry, intent, stop, target, opened_at, tag = holding
    return symbol, qty, avg_entry, intent.value, stop, target, _iso(opened_at), tag


@lru_cache(maxsize=HOLDINGS_KEPT)
def _holding(
    symbol: str, qty: float, avg_entry: float, intent: str, stop: float | None, target: float | None, opened_at: str | None,
    tag: str,
) -> Holding:
    return Holding(symbol, qty, avg_entry, Intent(intent), stop, target, _moment(opened_at), tag)


class HostPosition(OpenPosition):
    """An `OpenPosition` whose price is the scan's."""

    __slots__ = ("_holding", "_prices")
    _holding: Holding
    _prices: Prices

    def __init__(self, holding: Holding, prices: Prices) -> None:
        _set(self, "_holding", holding)
        _set(self, "_prices", prices)

    symbol = property(lambda self: self._holding.symbol)
    side = property(lambda self: LONG)
    qty = property(lambda self: self._holding.qty)
    avg_entry = property(lambda self: self._holding.avg_entry)
    intent = property(lambda self: self._holding.intent)
    stop_loss = property(lambda self: self._holding.stop_loss)
    take_profit = property(lambda self: self._holding.take_profit)
    opened_at = property(lambda self: self._holding.opened_at)
    tag = property(lambda self: self._holding.tag)

    @property
    def current_price(self) -> float:
        return price_or_entry(self._prices(self._holding.symbol), self._holding.avg_entry)

    @property
    def unrealized_pnl(self) -> float:
        qty, entry = self._holding.qty, self._holding.avg_entry
        return qty * self.current_price - qty * entry

    @property
    def unrealized_pnl_pct(self) -> float:
        return self.unrealized_pnl / (self._holding.qty * self._holding.avg_entry)


class HostPortfolio(Portfolio):
    """A `Portfolio` worked out when looked at, from the account and the prices of one scan."""

    __slots__ = ("_account", "_prices", "_trades")
    _account: Account
    _prices: Prices
    _trades: tuple[ClosedTrade | LateTrade, ...]

    def __init__(self, account: Account, prices: Prices, trades: tuple[ClosedTrade | LateTrade, ...]) -> None:
        _set(self, "_account", account)
        _set(self, "_prices", prices)
        _set(self, "_trades", trades)

    cash = property(lambda self: self._account.cash)
    fees = property(lambda self: self._account.fees)

    @property
    def positions(self) -> list[OpenPosition]:
        prices = self._prices
        return [HostPosition(holding, prices) for holding in self._account.holdings]

    @property
    def recent_trades(self) -> list[ClosedTrade]:
        return list(map(trade_of, self._trades))

    @property
    def total_value(self) -> float:
        total = self._account.cash
        for holding in self._account.holdings:
            total += holding.qty * price_or_entry(self._prices(holding.symbol), holding.avg_entry)
        return total

    @property
    def daily_pnl(self) -> float:
        return self.total_value - self._account.day_start

    @property
    def total_pnl(self) -> float:
        return self.total_value - self._account.capital


def price_or_entry(price: float, entry: float) -> float:
    """What a holding is valued at: its price, or what was paid while there is none."""
    return price if price == price else entry


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _known(text: str) -> datetime:
    return datetime.fromisoformat(text)
