"""A backtest's result as bytes, and back from a process that nothing is believed of.

The reader may hold a strategy that forges every byte. What it cannot do is harm: whatever passes has bounded size, known
symbols, finite numbers and printable texts, in exactly the types of an honest result; anything else is a StrategyFault
("bad_reply"). Whether it is true is another matter: only a certified run, whose books no strategy can reach, is evidence.

Layout: the length of the text, the text, the equity curve as float64. The text is lines of JSON: a head, then tables of
fills, of trades and of faults as lists of columns, so many rows a line that no line, however nested, takes much memory.
"""

from __future__ import annotations

import io
import json
import math
import re
import struct
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from shell.backtest.metrics import daily_returns
from shell.backtest.result import BacktestResult, EquityCurve, Metrics
from shell.backtest.wire_columns import Column, Reader, amounts, members, moments, optional, refuse, texts
from shell.clock import MS, to_ms
from shell.contract import Intent, OrderType
from shell.host.validate import harmless
from shell.market.bars import Tier
from shell.money import BaseQty, Price, QuoteAmount
from shell.orders import Fill, Liquidity, OrderIntent, Purpose, Side
from shell.portfolio.ledger import TradeClosed
from shell.risk.halts import HaltKind

ROWS_A_LINE = 256
LINE_BYTES_MAX = 1 << 20
# The text of an honest result is some hundred bytes a fill or trade.
TEXT_BYTES_MAX = 256 << 20
TEXT_BYTES_A_BAR = 1024
TEXT_BYTES_SPARE = 1 << 20
ID_CHARS_MAX = 200
TAG_CHARS_MAX = 50
FAULT_CHARS_MAX = 400
CODES_MAX = 200
COUNT_MAX = 1 << 53
VALUE_MAX = 1e100

_LENGTH = struct.Struct("<Q")
_HEAD = ("book", "version", "final_value", "bars", "signals", "refusals", "halts", "metrics", "fills", "trades", "faults")
_WHOLE_METRICS = ("trades", "days")
_CODE = re.compile(r"[A-Z][A-Z_]{0,59}").fullmatch

_SIDES, _PURPOSES, _TYPES = tuple(Side), tuple(Purpose), tuple(OrderType)
_LIQUIDITIES, _HORIZONS = tuple(Liquidity), tuple(Intent)

Columns = list[Column]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the parent knows of the result before it comes. `start` is aligned to five minutes."""

    symbols: tuple[str, ...]
    start: datetime
    end: datetime

    @property
    def steps(self) -> int:
        """Marks of the equity curve: one for every slot from the first to the last."""
        return (to_ms(self.end) - to_ms(self.start)) // Tier.M5.ms + 1

    @property
    def bytes_max(self) -> int:
        """The longest result that is read at all."""
        return _LENGTH.size + self.text_bytes_max + 8 * self.steps

    @property
    def text_bytes_max(self) -> int:
        return min(TEXT_BYTES_MAX, TEXT_BYTES_SPARE + TEXT_BYTES_A_BAR * self.steps * len(self.symbols))


def encode_result(result: BacktestResult, symbols: Sequence[str]) -> list[bytes]:
    """The parts of a result over `symbols`, for `decode_result`."""
    index = {symbol: at for at, symbol in enumerate(symbols)}
    intent = result.fills[0].intent if result.fills else None
    head = {
        "book": intent.book if intent else "", "version": intent.version if intent else "",
        "final_value": _plain(result.final_value.value), "bars": result.bars, "signals": result.signals,
        "refusals": dict(result.refusals), "halts": dict(result.halts), "metrics": list(result.metrics.as_dict().values()),
        "fills": len(result.fills), "trades": len(result.trades), "faults": len(result.faults),
    }
    lines = [_text_of(head)]
    lines += _lines([_fill_row(fill, index) for fill in result.fills])
    lines += _lines([_trade_row(trade, index) for trade in result.trades])
    lines += _lines([[fault] for fault in result.faults])
    text = "\n".join(lines).encode()
    return [_LENGTH.pack(len(text)), text, np.ascontiguousarray(result.curve.values, dtype=np.float64).tobytes()]


def decode_result(body: bytes, expected: Expected, seconds: float) -> BacktestResult:
    """The result, never certified, that took `seconds`. Raises StrategyFault("bad_reply") for any other form."""
    try:
        return _result(body, expected, seconds)
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError):
        # Each is what a wrong type, number or nesting runs into below.
        refuse("the result has another form")


# -- writing ------------------------------------------------------------------------------------------------------


def _lines(rows: Sequence[Sequence[object]]) -> list[str]:
    return [_text_of(list(zip(*rows[at : at + ROWS_A_LINE], strict=True))) for at in range(0, len(rows), ROWS_A_LINE)]


def _text_of(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _plain(number: Decimal) -> str:
    return f"{number:f}"


def _ms(moment: datetime) -> int:
    # The engine's own times are UTC already; `to_ms` makes sure of it and takes three times as long.
    return round(moment.timestamp() * MS)


def _or_none(price: Price | None) -> str | None:
    return None if price is None else _plain(price.value)


def _fill_row(fill: Fill, index: dict[str, int]) -> list[object]:
    intent = fill.intent
    return [
        fill.fill_id, fill.order_id, intent.intent_id, intent.signal_id, intent.tag, index[fill.symbol],
        _SIDES.index(fill.side), _PURPOSES.index(intent.purpose), _TYPES.index(intent.order_type),
        _LIQUIDITIES.index(fill.liquidity), _HORIZONS.index(intent.horizon), _ms(intent.decided_at), _ms(fill.filled_at),
        _plain(fill.qty.value), _plain(fill.price.value), _plain(fill.fee.value), _plain(intent.qty.value),
        _or_none(intent.limit_price), _or_none(intent.stop_loss), _or_none(intent.take_profit),
    ]


def _trade_row(trade: TradeClosed, index: dict[str, int]) -> list[object]:
    return [
        trade.trade_id, trade.tag, index[trade.symbol], _HORIZONS.index(trade.horizon),
        _PURPOSES.index(Purpose(trade.exit_purpose)), _ms(trade.opened_at), _ms(trade.closed_at),
        _plain(trade.qty.value), _plain(trade.cost.value), _plain(trade.proceeds.value), _plain(trade.fees.value),
    ]


# -- reading ------------------------------------------------------------------------------------------------------


def _result(body: bytes, expected: Expected, seconds: float) -> BacktestResult:
    length = int.from_bytes(body[: _LENGTH.size], "little")
    curve_at = _LENGTH.size + length
    if length > expected.text_bytes_max or len(body) - curve_at != 8 * expected.steps:
        refuse("the result has another length than the period")
    curve = _curve(body[curve_at:], expected)
    lines = io.BytesIO(body[_LENGTH.size : curve_at])
    head = _line(lines)
    if not isinstance(head, dict) or tuple(head) != _HEAD:
        refuse("the result's head has another form")
    book, version = _text(head["book"], ID_CHARS_MAX), _text(head["version"], ID_CHARS_MAX)
    readers = _Readers(expected, book, version)
    fills = [fill for columns in _tables(lines, head["fills"]) for fill in readers.fills(columns)]
    trades = [trade for columns in _tables(lines, head["trades"]) for trade in readers.trades(columns)]
    faults = [harmless(text, FAULT_CHARS_MAX) for column, in _tables(lines, head["faults"]) for text in column]
    if lines.read(1):
        refuse("the result has more lines than it says")
    return BacktestResult(
        metrics=_metrics(head["metrics"], len(trades)), fills=tuple(fills), trades=tuple(trades), curve=curve,
        daily_returns=_returns(curve), final_value=_money(head["final_value"]),
        bars=_count(head["bars"]), steps=len(curve.values), signals=_count(head["signals"]),
        refusals=_counter(head["refusals"], None), faults=tuple(faults),
        halts=_counter(head["halts"], {kind.value for kind in HaltKind}), start=expected.start, end=expected.end,
        seconds=seconds, certified=False,
    )


def _curve(numbers: bytes, expected: Expected) -> EquityCurve:
    values = np.frombuffer(numbers, dtype=np.float64).copy()
    # Also false for what is no number.
    if not (np.abs(values) <= VALUE_MAX).all():
        refuse("a mark of the equity curve is not a number, or too large for one")
    return EquityCurve(times_ms=to_ms(expected.start) + Tier.M5.ms * np.arange(expected.steps, dtype=np.int64), values=values)


def _returns(curve: EquityCurve) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        returns = daily_returns(curve)
    if not np.isfinite(returns).all():
        refuse("a day's return is not a finite number")
    return returns


class _Readers:
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


def _tables(lines: io.BytesIO, count: Any) -> Iterator[Columns]:
    """The lines that hold `count` rows, each as a list of columns of the same length."""
    left = _count(count)
    while left:
        columns, rows = _line(lines), min(left, ROWS_A_LINE)
        if not isinstance(columns, list) or not all(type(column) is list and len(column) == rows for column in columns):
            refuse("the result has other rows than it says")
        left -= rows
        yield columns


def _line(lines: io.BytesIO) -> Any:
    line = lines.readline(LINE_BYTES_MAX)
    if len(line) == LINE_BYTES_MAX:
        refuse(f"the result has a line of more than {LINE_BYTES_MAX} bytes")
    return json.loads(line)


def _money(text: Any) -> QuoteAmount:
    (amount,) = amounts(QuoteAmount, above_zero=False)([text])
    return cast(QuoteAmount, amount)


def _text(value: Any, chars_max: int) -> str:
    if not isinstance(value, str) or len(value) > chars_max or not value.isprintable():
        refuse("the result has a text that cannot be printed or is too long")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= COUNT_MAX:
        refuse("the result has a count that is none")
    return value


def _counter(value: Any, known: Collection[str] | None) -> Counter[str]:
    if not isinstance(value, dict) or len(value) > CODES_MAX:
        refuse("the result counts in another form")
    for code in value:
        if _CODE(code) is None or (known is not None and code not in known):
            refuse("the result counts something unknown")
    return Counter({code: _count(count) for code, count in value.items()})


def _metrics(values: Any, trades: int) -> Metrics:
    names = Metrics.__slots__
    if not isinstance(values, list) or len(values) != len(names):
        refuse("the result's metrics have another form")
    figures = dict(zip(names, values, strict=True))
    for name, value in figures.items():
        if type(value) is not (int if name in _WHOLE_METRICS else float) or not math.isfinite(value):
            refuse(f"the result's metric {name} is not a finite number")
    if figures["trades"] != trades or not 0 <= figures["days"] <= COUNT_MAX:
        refuse("the result's metrics belong to other trades")
    return Metrics(**figures)
