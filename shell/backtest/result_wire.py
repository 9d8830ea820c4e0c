"""A backtest's result as bytes, and back from a process that nothing is believed of.

The reader may hold a strategy that forges every byte. What it cannot do is harm: whatever passes has bounded size, known
symbols, finite numbers and printable texts, in exactly the types of an honest result; anything else is a StrategyFault
("bad_reply"). Whether it is true is another matter: only a certified run, whose books no strategy can reach, is evidence.

Layout: the length of the text, the text, the equity curve as float64. The text is lines of JSON: a head, then tables of
fills, of trades and of faults as lists of columns. The head counts all rows; the tables begin after those that crossed
during the run (`shell.backtest.result_stream`).
"""

from __future__ import annotations

import io
import json
import math
import re
import struct
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from shell.backtest.metrics import daily_returns
from shell.backtest.result import BacktestResult, EquityCurve, Metrics
from shell.backtest.result_expected import Expected
from shell.backtest.result_rows import (
    LINE_BYTES_MAX,
    OTHER_FORM,
    ROWS_A_LINE,
    Columns,
    columns_in,
    columns_of,
    fill_row,
    plain,
    text_of,
    trade_row,
)
from shell.backtest.result_stream import NOTHING_SENT, ReceivedRows, Sent
from shell.backtest.wire_columns import amounts, refuse
from shell.clock import to_ms
from shell.host.validate import harmless
from shell.market.bars import Tier
from shell.money import QuoteAmount
from shell.risk.halts import HaltKind

FAULT_CHARS_MAX = 400
CODES_MAX = 200
COUNT_MAX = 1 << 53
VALUE_MAX = 1e100

_LENGTH = struct.Struct("<Q")
_HEAD = ("book", "version", "final_value", "bars", "signals", "refusals", "halts", "metrics", "fills", "trades", "faults")
_WHOLE_METRICS = ("trades", "days")
_CODE = re.compile(r"[A-Z][A-Z_]{0,59}").fullmatch


def encode_result(result: BacktestResult, symbols: Sequence[str], sent: Sent = NOTHING_SENT) -> list[bytes]:
    """The parts of a result over `symbols`, without the rows `sent` already, for `decode_result`."""
    index = {symbol: at for at, symbol in enumerate(symbols)}
    intent = result.fills[0].intent if result.fills else None
    head = {
        "book": intent.book if intent else "", "version": intent.version if intent else "",
        "final_value": plain(result.final_value.value), "bars": result.bars, "signals": result.signals,
        "refusals": dict(result.refusals), "halts": dict(result.halts), "metrics": list(result.metrics.as_dict().values()),
        "fills": len(result.fills), "trades": len(result.trades), "faults": len(result.faults),
    }
    lines = [text_of(head)]
    lines += _lines([fill_row(fill, index) for fill in result.fills[sent.fills :]])
    lines += _lines([trade_row(trade, index) for trade in result.trades[sent.trades :]])
    lines += _lines([[fault] for fault in result.faults])
    text = "\n".join(lines).encode()
    return [_LENGTH.pack(len(text)), text, np.ascontiguousarray(result.curve.values, dtype=np.float64).tobytes()]


def decode_result(body: bytes, expected: Expected, seconds: float, received: ReceivedRows | None = None) -> BacktestResult:
    """The result, never certified, that took `seconds`; its first rows are those `received` before it. Raises
    StrategyFault("bad_reply") for any other form."""
    try:
        return _result(body, expected, seconds, received or ReceivedRows(expected))
    except OTHER_FORM:
        refuse("the result has another form")


def answer_bytes_max(expected: Expected, received: ReceivedRows) -> int:
    """The longest answer that is read at all after these rows."""
    return _LENGTH.size + received.bytes_left + 8 * expected.steps


def _lines(rows: Sequence[Sequence[object]]) -> list[str]:
    return [text_of(columns_of(rows[at : at + ROWS_A_LINE])) for at in range(0, len(rows), ROWS_A_LINE)]


# -- reading ------------------------------------------------------------------------------------------------------


def _result(body: bytes, expected: Expected, seconds: float, received: ReceivedRows) -> BacktestResult:
    length = int.from_bytes(body[: _LENGTH.size], "little")
    curve_at = _LENGTH.size + length
    if length > received.bytes_left or len(body) - curve_at != 8 * expected.steps:
        refuse("the result has another length than the period")
    curve = _curve(body[curve_at:], expected)
    lines = io.BytesIO(body[_LENGTH.size : curve_at])
    head = _line(lines)
    if not isinstance(head, dict) or tuple(head) != _HEAD:
        refuse("the result's head has another form")
    readers, fills, trades = received.readers(head["book"], head["version"]), [*received.fills], [*received.trades]
    for columns in _tables(lines, _count(head["fills"]) - len(fills)):
        fills += readers.fills(columns)
    for columns in _tables(lines, _count(head["trades"]) - len(trades)):
        trades += readers.trades(columns)
    faults = [harmless(text, FAULT_CHARS_MAX) for column, in _tables(lines, _count(head["faults"])) for text in column]
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


def _tables(lines: io.BytesIO, left: int) -> Iterator[Columns]:
    """The lines that hold the `left` rows that have not come yet, each as a list of columns of the same length."""
    if left < 0:
        refuse("the result has fewer rows than came before it")
    while left:
        rows = min(left, ROWS_A_LINE)
        yield columns_in(_line(lines), rows)
        left -= rows


def _line(lines: io.BytesIO) -> Any:
    line = lines.readline(LINE_BYTES_MAX)
    if len(line) == LINE_BYTES_MAX:
        refuse(f"the result has a line of more than {LINE_BYTES_MAX} bytes")
    return json.loads(line)


def _money(text: Any) -> QuoteAmount:
    (amount,) = amounts(QuoteAmount, above_zero=False)([text])
    return cast(QuoteAmount, amount)


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
