"""A backtest's result as bytes, and back from a process that nothing is believed of.

The reader may hold a strategy that forges every byte. What it cannot do is harm: whatever passes has bounded size, known
symbols, finite numbers and printable texts, in exactly the types of an honest result; anything else is a StrategyFault
("bad_reply"). Whether it is true is another matter: only a certified run, whose books no strategy can reach, is evidence.

Layout: the length of the text, the text, the equity curve as float64. The text is lines of JSON: a head, then rows of
fills, of trades and of faults, so many a line that no line, however it is nested, is read into much memory.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from shell.backtest.metrics import daily_returns
from shell.backtest.result import BacktestResult, EquityCurve, Metrics
from shell.clock import from_ms, to_ms
from shell.contract import Intent, OrderType
from shell.errors import StrategyFault
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

_LENGTH = struct.Struct("<Q")
_HEAD = ("book", "version", "final_value", "bars", "signals", "refusals", "halts", "metrics", "fills", "trades", "faults")
_WHOLE_METRICS = ("trades", "days")
_CODE = re.compile(r"[A-Z][A-Z_]{0,59}").fullmatch
# Plain notation, so that neither an exponent nor a thousand digits is ever worked with.
_UNSIGNED = re.compile(r"[0-9]{1,90}(?:\.[0-9]{1,90})?").fullmatch
_SIGNED = re.compile(r"-?[0-9]{1,90}(?:\.[0-9]{1,90})?").fullmatch

_Amount = TypeVar("_Amount", QuoteAmount, BaseQty, Price)
_SIDES, _PURPOSES, _TYPES = tuple(Side), tuple(Purpose), tuple(OrderType)
_LIQUIDITIES, _HORIZONS = tuple(Liquidity), tuple(Intent)

Curve = NDArray[np.float64]
Moments = Callable[[Any], datetime]


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
    lines += _lines(result.faults)
    text = "\n".join(lines).encode()
    return [_LENGTH.pack(len(text)), text, np.ascontiguousarray(result.curve.values, dtype=np.float64).tobytes()]


def decode_result(body: bytes, expected: Expected, seconds: float) -> BacktestResult:
    """The result, never certified, that took `seconds`. Raises StrategyFault("bad_reply") for any other form."""
    try:
        return _result(body, expected, seconds)
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError):
        # Each is what a wrong type, number or nesting runs into below.
        _refuse("the result has another form")


def equity_hash_of(curve: EquityCurve, fills: Sequence[Fill]) -> str:
    """The digest of every equity mark and of every fill."""
    digest = hashlib.sha256(curve.times_ms.tobytes() + curve.values.tobytes())
    for fill in fills:
        digest.update(f"{fill.filled_at.isoformat()}|{fill.symbol}|{fill.side.value}|{fill.qty}|{fill.price}\n".encode())
    return digest.hexdigest()


# -- writing ------------------------------------------------------------------------------------------------------


def _lines(rows: Sequence[object]) -> list[str]:
    return [_text_of(rows[at : at + ROWS_A_LINE]) for at in range(0, len(rows), ROWS_A_LINE)]


def _text_of(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _plain(number: Decimal) -> str:
    return f"{number:f}"


def _or_none(price: Price | None) -> str | None:
    return None if price is None else _plain(price.value)


def _fill_row(fill: Fill, index: dict[str, int]) -> list[object]:
    intent = fill.intent
    return [
        fill.fill_id, fill.order_id, intent.intent_id, intent.signal_id, intent.tag, index[fill.symbol],
        _SIDES.index(fill.side), _PURPOSES.index(intent.purpose), _TYPES.index(intent.order_type),
        _LIQUIDITIES.index(fill.liquidity), _HORIZONS.index(intent.horizon), to_ms(intent.decided_at), to_ms(fill.filled_at),
        _plain(fill.qty.value), _plain(fill.price.value), _plain(fill.fee.value), _plain(intent.qty.value),
        _or_none(intent.limit_price), _or_none(intent.stop_loss), _or_none(intent.take_profit),
    ]


def _trade_row(trade: TradeClosed, index: dict[str, int]) -> list[object]:
    return [
        trade.trade_id, trade.tag, index[trade.symbol], _HORIZONS.index(trade.horizon),
        _PURPOSES.index(Purpose(trade.exit_purpose)), to_ms(trade.opened_at), to_ms(trade.closed_at),
        _plain(trade.qty.value), _plain(trade.cost.value), _plain(trade.proceeds.value), _plain(trade.fees.value),
    ]


# -- reading ------------------------------------------------------------------------------------------------------


def _result(body: bytes, expected: Expected, seconds: float) -> BacktestResult:
    (length,) = _LENGTH.unpack_from(body)
    curve_at = _LENGTH.size + length
    if length > expected.text_bytes_max or len(body) - curve_at != 8 * expected.steps:
        _refuse("the result has another length than the period")
    values = np.frombuffer(body, dtype=np.float64, offset=curve_at)
    if not np.isfinite(values).all():
        _refuse("a mark of the equity curve is not a finite number")
    lines = io.BytesIO(body[_LENGTH.size : curve_at])
    head = _line(lines)
    if not isinstance(head, dict) or tuple(head) != _HEAD:
        _refuse("the result's head has another form")
    book, version = _text(head["book"], ID_CHARS_MAX), _text(head["version"], ID_CHARS_MAX)
    moment = _moments(expected)
    fills: list[Fill] = []
    for rows in _rows(lines, head["fills"]):
        fills.extend(_fills(rows, expected.symbols, moment, book, version))
    trades: list[TradeClosed] = []
    for rows in _rows(lines, head["trades"]):
        trades.extend(_trades(rows, expected.symbols, moment, book, version))
    faults = [harmless(text, FAULT_CHARS_MAX) for rows in _rows(lines, head["faults"]) for text in rows]
    if lines.read(1):
        _refuse("the result has more lines than it says")
    times = to_ms(expected.start) + Tier.M5.ms * np.arange(expected.steps, dtype=np.int64)
    curve = EquityCurve(times_ms=times, values=values)
    return BacktestResult(
        metrics=_metrics(head["metrics"], len(trades)), fills=tuple(fills), trades=tuple(trades), curve=curve,
        daily_returns=daily_returns(curve), final_value=_signed(QuoteAmount, head["final_value"]),
        equity_hash=equity_hash_of(curve, fills), bars=_count(head["bars"]), steps=len(values),
        signals=_count(head["signals"]), refusals=_counter(head["refusals"], None), faults=tuple(faults),
        halts=_counter(head["halts"], {kind.value for kind in HaltKind}), start=expected.start, end=expected.end,
        seconds=seconds, certified=False,
    )


def _fills(rows: list[Any], symbols: Sequence[str], moment: Moments, book: str, version: str) -> Iterator[Fill]:
    for (
        fill_id, order_id, intent_id, signal_id, tag, symbol_at, side_at, purpose_at, type_at, liquidity_at, horizon_at,
        decided_ms, filled_ms, qty, price, fee, intended, limit, stop, target,
    ) in rows:
        _ids(fill_id, order_id, intent_id, signal_id or "", tag)
        symbol, side = symbols[symbol_at], _SIDES[side_at]
        intent = OrderIntent(
            intent_id=intent_id, book=book, version=version, symbol=symbol, side=side, purpose=_PURPOSES[purpose_at],
            order_type=_TYPES[type_at], qty=_above_zero(BaseQty, intended),
            limit_price=None if limit is None else _above_zero(Price, limit), decided_at=moment(decided_ms),
            signal_id=signal_id, stop_loss=None if stop is None else _above_zero(Price, stop),
            take_profit=None if target is None else _above_zero(Price, target), horizon=_HORIZONS[horizon_at], tag=tag,
        )
        yield Fill(
            fill_id=fill_id, order_id=order_id, intent=intent, symbol=symbol, side=side, qty=_above_zero(BaseQty, qty),
            price=_above_zero(Price, price), fee=_signed(QuoteAmount, fee), liquidity=_LIQUIDITIES[liquidity_at],
            filled_at=moment(filled_ms),
        )


def _trades(rows: list[Any], symbols: Sequence[str], moment: Moments, book: str, version: str) -> Iterator[TradeClosed]:
    for trade_id, tag, symbol_at, horizon_at, purpose_at, opened_ms, closed_ms, qty, cost, proceeds, fees in rows:
        _ids(trade_id, "", "", "", tag)
        yield TradeClosed(
            trade_id=trade_id, book=book, version=version, symbol=symbols[symbol_at], qty=_above_zero(BaseQty, qty),
            cost=_above_zero(QuoteAmount, cost), proceeds=_signed(QuoteAmount, proceeds), fees=_signed(QuoteAmount, fees),
            horizon=_HORIZONS[horizon_at], opened_at=moment(opened_ms), closed_at=moment(closed_ms),
            exit_purpose=_PURPOSES[purpose_at].value, tag=tag,
        )


def _rows(lines: io.BytesIO, count: Any) -> Iterator[list[Any]]:
    """The lines that hold `count` rows."""
    left = _count(count)
    while left:
        rows = _line(lines)
        if not isinstance(rows, list) or len(rows) != min(left, ROWS_A_LINE):
            _refuse("the result has other rows than it says")
        left -= len(rows)
        yield rows


def _line(lines: io.BytesIO) -> Any:
    line = lines.readline(LINE_BYTES_MAX)
    if len(line) == LINE_BYTES_MAX:
        _refuse(f"the result has a line of more than {LINE_BYTES_MAX} bytes")
    return json.loads(line)


def _moments(expected: Expected) -> Moments:
    first, last = to_ms(expected.start), to_ms(expected.end)

    def moment(ms: Any) -> datetime:
        if type(ms) is not int or not first <= ms <= last:
            _refuse("the result tells of a time outside the period")
        return from_ms(ms)

    return moment


def _above_zero(kind: type[_Amount], text: Any) -> _Amount:
    if _UNSIGNED(text) is None:
        _refuse("the result has an amount that is not a plain number")
    number = Decimal(text)
    if not number:
        _refuse("the result has an amount of zero where there must be more")
    return kind.of(number)


def _signed(kind: type[_Amount], text: Any) -> _Amount:
    if _SIGNED(text) is None:
        _refuse("the result has an amount that is not a plain number")
    return kind.of(Decimal(text))


def _ids(first: str, second: str, third: str, fourth: str, tag: str) -> None:
    if len(tag) > TAG_CHARS_MAX or max(len(first), len(second), len(third), len(fourth)) > ID_CHARS_MAX:
        _refuse("the result has a text that is too long")
    # Control characters, bidirectional marks and lone surrogates are not printable. Adding also refuses what is no text.
    if not ("" + first + second + third + fourth + tag).isprintable():
        _refuse("the result has a text that cannot be printed")


def _text(value: Any, chars_max: int) -> str:
    if not isinstance(value, str) or len(value) > chars_max or not value.isprintable():
        _refuse("the result has a text that cannot be printed or is too long")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= COUNT_MAX:
        _refuse("the result has a count that is none")
    return value


def _counter(value: Any, known: Collection[str] | None) -> Counter[str]:
    if not isinstance(value, dict) or len(value) > CODES_MAX:
        _refuse("the result counts in another form")
    for code in value:
        if _CODE(code) is None or (known is not None and code not in known):
            _refuse("the result counts something unknown")
    return Counter({code: _count(count) for code, count in value.items()})


def _metrics(values: Any, trades: int) -> Metrics:
    names = Metrics.__slots__
    if not isinstance(values, list) or len(values) != len(names):
        _refuse("the result's metrics have another form")
    figures = dict(zip(names, values, strict=True))
    for name, value in figures.items():
        if type(value) is not (int if name in _WHOLE_METRICS else float) or not math.isfinite(value):
            _refuse(f"the result's metric {name} is not a finite number")
    if figures["trades"] != trades or not 0 <= figures["days"] <= COUNT_MAX:
        _refuse("the result's metrics belong to other trades")
    return Metrics(**figures)


def _refuse(sentence: str) -> NoReturn:
    raise StrategyFault("bad_reply", sentence)
