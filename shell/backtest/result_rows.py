"""Fills and trades as rows of JSON columns, and back from a process that nothing is believed of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from shell.backtest.result_expected import Expected
from shell.backtest.wire_columns import Column, Reader, amounts, members, moments, optional, refuse, texts
from shell.clock import MS, to_ms
from shell.contract import Intent, OrderType
from shell.money import BaseQty, Price, QuoteAmount
from shell.orders import Fill, Liquidity, OrderIntent, Purpose, Side
from shell.portfolio.ledger import TradeClosed

# So many rows a line that no line, however nested, takes much memory.
ROWS_A_LINE = 256
LINE_BYTES_MAX = 1 << 20
ID_CHARS_MAX = 200
TAG_CHARS_MAX = 50
# What a wrong type, number or nesting runs into where forged values are read.
OTHER_FORM = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError)

_SIDES, _PURPOSES, _TYPES = tuple(Side), tuple(Purpose), tuple(OrderType)
_LIQUIDITIES, _HORIZONS = tuple(Liquidity), tuple(Intent)

Columns = list[Column]


def columns_of(rows: Sequence[Sequence[object]]) -> list[tuple[object, ...]]:
    """Rows as they are written: a list of columns."""
    return list(zip(*rows, strict=True))


def text_of(value: object) -> str:
    """One line."""
    return json.dumps(value, ensure_ascii=False)


def plain(number: Decimal) -> str:
    """Without an exponent."""
    return f"{number:f}"


def fill_row(fill: Fill, index: dict[str, int]) -> list[object]:
    """See `Readers.fills`; `index` numbers the symbols."""
    intent = fill.intent
    return [
        fill.fill_id, fill.order_id, intent.intent_id, intent.signal_id, intent.tag, index[fill.symbol],
        _SIDES.index(fill.side), _PURPOSES.index(intent.purpose), _TYPES.index(intent.order_type),
        _LIQUIDITIES.index(fill.liquidity), _HORIZONS.index(intent.horizon), _ms(intent.decided_at), _ms(fill.filled_at),
        plain(fill.qty.value), plain(fill.price.value), plain(fill.fee.value), plain(intent.qty.value),
        _or_none(intent.limit_price), _or_none(intent.stop_loss), _or_none(intent.take_profit),
    ]


def trade_row(trade: TradeClosed, index: dict[str, int]) -> list[object]:
    """See `Readers.trades`."""
    return [
        trade.trade_id, trade.tag, index[trade.symbol], _HORIZONS.index(trade.horizon),
        _PURPOSES.index(Purpose(trade.exit_purpose)), _ms(trade.opened_at), _ms(trade.closed_at),
        plain(trade.qty.value), plain(trade.cost.value), plain(trade.proceeds.value), plain(trade.fees.value),
    ]


def columns_in(value: Any, rows: int) -> Columns:
    """`value`, if it is columns of so many rows each. Raises StrategyFault."""
    if not isinstance(value, list) or not all(type(column) is list and len(column) == rows for column in value):
        refuse("the result has other rows than it says")
    return value


def printable(value: Any, chars_max: int) -> str:
    """`value`, if it is a text that can be shown. Raises StrategyFault."""
    if not isinstance(value, str) or len(value) > chars_max or not value.isprintable():
        refuse("the result has a text that cannot be printed or is too long")
    return value


class Readers:
    """What the columns of fills and of trades are read by, given what the result is expected to be."""

    def __init__(self, expected: Expected, book: str, version: str) -> None:
        self._book, self._version = book, version
        ids, symbol, when = texts(ID_CHARS_MAX), members(expected.symbols), moments(to_ms(expected.start), to_ms(expected.end))
        qty, price, money = amounts(BaseQty), amounts(Price), amounts(QuoteAmount, above_zero=False)
        tag, horizon, purpose, level = texts(TAG_CHARS_MAX), members(_HORIZONS), members(_PURPOSES), optional(price)
        self._fill: tuple[Reader, ...] = (
            ids, ids, ids, optional(ids), tag, symbol, members(_SIDES), purpose, members(_TYPES), members(_LIQUIDITIES),
            horizon, when, when, qty, price, money, qty, level, level, level,
        )
        self._trade: tuple[Reader, ...] = (
            ids, tag, symbol, horizon, purpose, when, when, qty, amounts(QuoteAmount), money, money,
        )

    def fills(self, columns: Columns) -> Iterator[Fill]:
        book, version = self._book, self._version
        for (
            fill_id, order_id, intent_id, signal_id, tag, symbol, side, purpose, order_type, liquidity, horizon, decided_at,
            filled_at, qty, price, fee, intended, limit, stop, target,
        ) in _read(self._fill, columns):
            intent = OrderIntent(
                intent_id=intent_id, book=book, version=version, symbol=symbol, side=side, purpose=purpose,
                order_type=order_type, qty=intended, limit_price=limit, decided_at=decided_at, signal_id=signal_id,
                stop_loss=stop, take_profit=target, horizon=horizon, tag=tag,
            )
            yield Fill(
                fill_id=fill_id, order_id=order_id, intent=intent, symbol=symbol, side=side, qty=qty, price=price, fee=fee,
                liquidity=liquidity, filled_at=filled_at,
            )

    def trades(self, columns: Columns) -> Iterator[TradeClosed]:
        for (
            trade_id, tag, symbol, horizon, purpose, opened_at, closed_at, qty, cost, proceeds, fees,
        ) in _read(self._trade, columns):
            yield TradeClosed(
                trade_id=trade_id, book=self._book, version=self._version, symbol=symbol, qty=qty, cost=cost,
                proceeds=proceeds, fees=fees, horizon=horizon, opened_at=opened_at, closed_at=closed_at,
                exit_purpose=purpose.value, tag=tag,
            )


def _read(readers: tuple[Reader, ...], columns: Columns) -> Iterator[tuple[Any, ...]]:
    return zip(*[reader(column) for reader, column in zip(readers, columns, strict=True)], strict=True)


def _ms(moment: datetime) -> int:
    # The engine's own times are UTC already; `to_ms` makes sure of it and takes three times as long.
    return round(moment.timestamp() * MS)


def _or_none(price: Price | None) -> str | None:
    return None if price is None else plain(price.value)
