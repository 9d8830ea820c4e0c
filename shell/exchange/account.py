"""One consistent look at a Kraken account, out of several answers that were given one after another.

The account may change between two answers. So balances are asked for before and after the rest, every trade must have its
ledger rows and every ledger row of a trade its trade; otherwise the look is taken again. What a trade did to the balances is
read from those rows, never worked out, so that rounding and the currency of the fee are the venue's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from shell.errors import Transient
from shell.exchange.kraken.pace import Pace
from shell.exchange.kraken.private import PrivateApi
from shell.exchange.kraken.private_types import LedgerEntry, OrderInfo, OrderKind, OrderStatus, TradeInfo
from shell.money import CONTEXT
from shell.orders import Liquidity, OrderState
from shell.portfolio.account import NONE, AccountPicture, Movement, VenueOrder, VenueTrade, base_of, quote_of

LOOKS: Final = 4
PAUSE_SECONDS: Final = 2.0
# Our clock may be far behind Kraken's: a window that ends now could miss the newest.
AHEAD: Final = timedelta(days=7)
_CLOSE_STOP = re.compile(r"stop loss ([0-9.]+)")
_STATES = {
    OrderStatus.PENDING: OrderState.OPEN, OrderStatus.OPEN: OrderState.OPEN, OrderStatus.CLOSED: OrderState.FILLED,
    OrderStatus.CANCELED: OrderState.CANCELLED, OrderStatus.EXPIRED: OrderState.EXPIRED,
}


async def look_at_account(api: PrivateApi, since: datetime, now: datetime, pace: Pace) -> AccountPicture:
    """Everything since `since`, as of one moment at or after `now`; about nine of the account's call counter.

    Raises Transient when the account changed under every one of four looks, or Kraken could not be asked.
    """
    for look in range(LOOKS):
        if look:
            await pace.sleep(PAUSE_SECONDS)
        picture = await _look(api, since, now)
        if picture is not None:
            return picture
    raise Transient(f"the account changed under each of {LOOKS} looks at it; the next one comes later")


async def _look(api: PrivateApi, since: datetime, now: datetime) -> AccountPicture | None:
    """One look; None where its answers are not of one moment."""
    end = now + AHEAD
    before = await _totals(api)
    open_orders = await api.open_orders()
    ended = {order.order_id: order for order in await api.closed_between(since, end)}
    trades = await api.trades_between(since, end)
    entries = await _entries(api, since, end)
    known = {order.order_id for order in open_orders} | ended.keys()
    unknown = sorted({trade.order_id for trade in trades} - known)
    if unknown:
        # Orders that ended before the window, or between two answers.
        ended |= await api.query_orders(unknown, trades=False)
    if await _totals(api) != before:
        return None
    trade_of = {ledger_id: trade.trade_id for trade in trades for ledger_id in trade.ledger_ids}
    movements = tuple(_movement(entry, trade_of.get(entry.ledger_id, entry.refid)) for entry in entries)
    rows = _by_trade(entries, trade_of)
    told = {trade.trade_id for trade in trades}
    if any(move.kind == "trade" and move.ref_id not in told for move in movements) or told - rows.keys():
        return None
    return AccountPicture(
        since=since, at=now,
        open_orders=tuple(venue_order(order, since) for order in open_orders),
        ended_orders=tuple(venue_order(order, since) for order in ended.values() if order.status.final),
        trades=tuple(venue_trade(trade, rows[trade.trade_id]) for trade in trades),
        movements=movements,
        balances=before,
    )


async def _totals(api: PrivateApi) -> dict[str, Decimal]:
    return {coin: balance.total for coin, balance in (await api.balances()).items()}


async def _entries(api: PrivateApi, start: datetime, end: datetime) -> tuple[LedgerEntry, ...]:
    """Every ledger row of a window, oldest first, each once whatever happens between the pages."""
    found: dict[str, LedgerEntry] = {}
    offset = 0
    while True:
        page = await api.ledgers(start=start, end=end, offset=offset)
        found |= {entry.ledger_id: entry for entry in page.entries}
        offset += len(page.entries)
        if not page.entries or offset >= page.count:
            return tuple(sorted(found.values(), key=lambda entry: (entry.at, entry.ledger_id)))


def _by_trade(entries: Sequence[LedgerEntry], trade_of: Mapping[str, str]) -> dict[str, dict[str, LedgerEntry]]:
    """The rows of each trade, by coin; one a coin."""
    found: dict[str, dict[str, LedgerEntry]] = {}
    for entry in entries:
        found.setdefault(trade_of.get(entry.ledger_id, entry.refid), {})[entry.coin] = entry
    return found


def venue_trade(trade: TradeInfo, rows: Mapping[str, LedgerEntry]) -> VenueTrade:
    """A trade with the amounts of its ledger rows; where a coin's row is missing, what the trade itself says."""
    base, quote = rows.get(base_of(trade.symbol)), rows.get(quote_of(trade.symbol))
    return VenueTrade(
        trade_id=trade.trade_id, order_id=trade.order_id, symbol=trade.symbol, side=trade.side, price=trade.price,
        qty=abs(base.amount) if base is not None else trade.qty, fee_base=base.fee if base is not None else NONE,
        paid=abs(quote.amount) if quote is not None else trade.cost, fee=quote.fee if quote is not None else trade.fee,
        at=trade.traded_at, liquidity=trade.liquidity or Liquidity.TAKER,
    )


def venue_order(order: OrderInfo, since: datetime) -> VenueOrder:
    """An order without what is Kraken's own about it."""
    resting = order.kind in (OrderKind.LIMIT, OrderKind.ICEBERG)
    limit = order.price if resting else order.price2 if order.kind.has_limit else NONE
    close = _CLOSE_STOP.search(order.close_description)
    return VenueOrder(
        order_id=order.order_id, client_id=order.cl_ord_id, parent_id=order.parent_id, symbol=order.symbol, side=order.side,
        kind=order.kind_text, state=_STATES[order.status], qty=order.qty, filled=order.filled,
        opened_at=order.opened_at or since, closed_at=order.closed_at, limit_price=limit or None,
        stop_price=(order.price or None) if order.kind.is_stop else None,
        close_stop=Decimal(close.group(1).rstrip(".")) if close else None, reason=order.reason,
    )


def _movement(entry: LedgerEntry, ref_id: str) -> Movement:
    return Movement(
        movement_id=entry.ledger_id, ref_id=ref_id, kind=entry.kind, coin=entry.coin, at=entry.at,
        amount=CONTEXT.subtract(entry.amount, entry.fee),
    )
