"""Strict reading of what a child answered. Every byte may be hostile: the unexpected is a StrategyFault("bad_reply").

Two guards of one boundary: the child turns honest conveniences (numpy floats, enum values) into plain JSON, and this
module, in the parent, accepts nothing but the exact schema.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any, NoReturn, TypeVar

from shell.contract import SIGNALS_MAX, Action, Intent, OrderType, Signal
from shell.errors import StrategyFault
from shell.host.isolation import read_isolation

TEXT_CHARS_MAX = 500
TAG_CHARS_MAX = 50
MESSAGE_CHARS_MAX = 300
STATE_BYTES_MAX = 64 * 1024
STATE_DEPTH_MAX = 20
SCAN_INTERVAL_MINUTES_MAX = 1440
FAULT_KINDS = ("error", "bad_reply")
SIGNAL_FIELDS = Signal.__slots__

_ENUM = TypeVar("_ENUM", bound=Enum)
_ACTIONS, _ORDER_TYPES, _INTENTS = dict(Action.__members__), dict(OrderType.__members__), dict(Intent.__members__)
# A signal's number in its answer, and its symbol.
Where = tuple[int, str]
_NO_SIGNALS = b"[]"
# An address in a message would differ from run to run, and messages are stored facts.
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")


def decode_signals(body: bytes, symbols: Collection[str]) -> list[Signal]:
    """The signals of one analyze. Raises StrategyFault naming the signal, the field and what is allowed."""
    if body == _NO_SIGNALS:
        return []
    rows = _json(body, "analyze")
    if not isinstance(rows, list):
        _refuse("analyze answered something else than a list of signals")
    if len(rows) > SIGNALS_MAX:
        _refuse(f"analyze returned {len(rows)} signals; at most {SIGNALS_MAX} are allowed")
    # A repeated symbol and action is no fault: risk answers the second with DUPLICATE_SIGNAL or EXIT_PENDING.
    return [_signal(row, number, symbols) for number, row in enumerate(rows, start=1)]


def usual_signals(result: object, symbols: Collection[str]) -> list[Signal] | None:
    """For a strategy in this very process: its own signals, where `decode_signals` would make the like of each of them; None
    where anything is unusual."""
    if type(result) is not list or len(result) > SIGNALS_MAX:
        return None
    for item in result:
        if type(item) is not Signal or not _usual(item, symbols):
            return None
    return result.copy()


def decode_state(body: bytes) -> dict[str, Any]:
    """A strategy's state. Raises StrategyFault unless it is a JSON object of at most 64 KB and depth 20, all finite."""
    if len(body) > STATE_BYTES_MAX:
        _refuse(f"get_state returned {len(body)} bytes of JSON; at most {STATE_BYTES_MAX} are allowed")
    state = _json(body, "get_state")
    if not isinstance(state, dict):
        _refuse(f"get_state returned {_kind(state)}; a dict is needed")
    _check_state(state, 1)
    return state


def decode_started(body: bytes) -> tuple[int, dict[str, Any]]:
    """(scan_interval_minutes, what the child says of its isolation) from the answer to START."""
    interval = decode_interval(body)
    isolation = read_isolation(_json(body, "initialize")["isolation"])
    if isolation is None:
        _refuse("the answer to start tells of the wall in another form")
    return interval, isolation


def decode_interval(body: bytes) -> int:
    """scan_interval_minutes from the answer to START."""
    answer = _json(body, "initialize")
    if not isinstance(answer, dict) or set(answer) != {"interval", "isolation"}:
        _refuse("the answer to start has another form")
    interval = answer["interval"]
    if type(interval) is not int or not 1 <= interval <= SCAN_INTERVAL_MINUTES_MAX:
        shown = interval if type(interval) is int else _kind(interval)
        _refuse(f"scan_interval_minutes is {shown}; a whole number from 1 to {SCAN_INTERVAL_MINUTES_MAX} is needed")
    return interval


def decode_fault(body: bytes) -> StrategyFault:
    """The fault a child reports of itself, its text made harmless."""
    report = _json(body, "the strategy")
    if not isinstance(report, dict) or report.get("kind") not in FAULT_KINDS:
        _refuse("the report of a fault has another form")
    line = report.get("line")
    if type(line) is not int or not 0 < line < 10_000_000:
        line = None
    message = harmless(report.get("message"), MESSAGE_CHARS_MAX)
    return StrategyFault(report["kind"], f"line {line}: {message}" if line else message, line)


def harmless(text: object, chars_max: int) -> str:
    """`text` with every unprintable character replaced and addresses removed, cut to `chars_max`."""
    if not isinstance(text, str):
        return "no message"
    clean = "".join(char if char.isprintable() else " " for char in text[: 2 * chars_max])
    return _ADDRESS.sub("0x…", clean)[:chars_max].strip()


def _usual(item: Signal, symbols: Collection[str]) -> bool:
    """True for a signal that is what `_signal` makes of it: exact types, each value in its range."""
    return (
        type(item.symbol) is str
        and item.symbol in symbols
        and type(item.action) is Action
        and type(item.size_pct) is float
        and 0.0 <= item.size_pct <= 1.0
        and type(item.order_type) is OrderType
        and _usual_price(item.limit_price)
        and _usual_price(item.stop_loss)
        and _usual_price(item.take_profit)
        and type(item.intent) is Intent
        and type(item.confidence) is float
        and 0.0 <= item.confidence <= 1.0
        and _usual_text(item.reasoning, TEXT_CHARS_MAX)
        and _usual_text(item.tag, TAG_CHARS_MAX)
    )


def _usual_price(value: object) -> bool:
    return value is None or (type(value) is float and 0.0 < value < math.inf)


def _usual_text(value: object, chars_max: int) -> bool:
    return type(value) is str and len(value) <= chars_max and value.isprintable()


def _signal(row: Any, number: int, symbols: Collection[str]) -> Signal:
    if not isinstance(row, list) or len(row) != len(SIGNAL_FIELDS):
        _refuse(f"signal {number} has another form than Signal")
    symbol, action, size, order_type, limit, stop, target, intent, confidence, reasoning, tag = row
    if not isinstance(symbol, str) or symbol not in symbols:
        _refuse(f"signal {number}: symbol is {_kind(symbol)}; use one of {', '.join(sorted(symbols))}")
    where = number, symbol
    return Signal(
        symbol=symbol,
        action=_member(action, _ACTIONS, where, "action"),
        size_pct=_fraction(size, where, "size_pct"),
        order_type=_member(order_type, _ORDER_TYPES, where, "order_type"),
        limit_price=_price(limit, where, "limit_price"),
        stop_loss=_price(stop, where, "stop_loss"),
        take_profit=_price(target, where, "take_profit"),
        intent=_member(intent, _INTENTS, where, "intent"),
        confidence=_fraction(confidence, where, "confidence"),
        reasoning=_text(reasoning, where, "reasoning", TEXT_CHARS_MAX),
        tag=_text(tag, where, "tag", TAG_CHARS_MAX),
    )


def _member(value: Any, members: Mapping[str, _ENUM], where: Where, field: str) -> _ENUM:
    member = members.get(value) if isinstance(value, str) else None
    if member is None:
        _refuse_field(where, field, f"is {_kind(value)}; use one of {', '.join(members)}")
    return member


def _finite(value: Any, where: Where, field: str) -> float:
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is not int or abs(value) >= 1 << 1000:
        _refuse_field(where, field, f"is {_kind(value)}; a finite number is needed")
    return float(value)


def _fraction(value: Any, where: Where, field: str) -> float:
    if type(value) is float and 0.0 <= value <= 1.0:
        return value
    number = _finite(value, where, field)
    if not 0.0 <= number <= 1.0:
        _refuse_field(where, field, f"is {number:g}; a fraction from 0 to 1 is needed")
    return number


def _price(value: Any, where: Where, field: str) -> float | None:
    if value is None or (type(value) is float and 0.0 < value < math.inf):
        return value
    number = _finite(value, where, field)
    if number <= 0.0:
        _refuse_field(where, field, f"is {number:g}; a price above 0, or None, is needed")
    return number


def _text(value: Any, where: Where, field: str, chars_max: int) -> str:
    if not isinstance(value, str):
        _refuse_field(where, field, f"is {_kind(value)}; a text is needed")
    if len(value) > chars_max:
        _refuse_field(where, field, f"has {len(value)} characters; at most {chars_max} are allowed")
    # Control characters, bidirectional marks, lone surrogates and unassigned code points are all not printable.
    if not value.isprintable():
        _refuse_field(where, field, "contains a character that cannot be printed")
    return value


def _check_state(value: Any, depth: int) -> None:
    if depth > STATE_DEPTH_MAX:
        _refuse(f"get_state returned values nested deeper than {STATE_DEPTH_MAX}")
    match value:
        case dict():
            for key, item in value.items():
                _check_state_text(key)
                _check_state(item, depth + 1)
        case list():
            for item in value:
                _check_state(item, depth + 1)
        case str():
            _check_state_text(value)
        case float():
            if not math.isfinite(value):
                _refuse("get_state returned a number that is not finite; use None instead")
        case _:
            pass


def _check_state_text(text: str) -> None:
    if not text.isprintable():
        _refuse("get_state returned a text with a character that cannot be printed")


def _json(body: bytes, call: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        # ValueError covers broken JSON, broken UTF-8 and integers of thousands of digits.
        _refuse(f"the answer to {call} is not readable JSON")


def _kind(value: Any) -> str:
    match value:
        case None:
            return "None"
        case bool():
            return "a truth value"
        case str():
            return f"'{harmless(value, 40)}'"
        case float():
            return f"{value:g}"
        case int():
            return "a whole number"
        case list():
            return "a list"
        case _:
            return "a dict"


def _refuse_field(where: Where, field: str, sentence: str) -> NoReturn:
    number, symbol = where
    _refuse(f"signal {number} ({symbol}): {field} {sentence}")


def _refuse(sentence: str) -> NoReturn:
    raise StrategyFault("bad_reply", sentence)
