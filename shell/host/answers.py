"""The child's side of a reply: honest values of a strategy as plain JSON, and its errors as short reports.

Nothing here protects the parent (that is `shell.host.validate`); it turns what ordinary strategies return, numpy
numbers and enum members included, into the wire's form, and says plainly what cannot be turned.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from enum import Enum
from types import TracebackType
from typing import Any

import numpy as np

from shell.contract import SIGNALS_MAX, Action, Intent, OrderType, Signal

MESSAGE_CHARS_MAX = 300
STATE_DEPTH_MAX = 20
_NO_SIGNALS = b"[]"
_PLAIN_ROWS = {
    (str, Action, float, OrderType, limit, stop, target, Intent, float, str, str)
    for limit in (float, type(None))
    for stop in (float, type(None))
    for target in (float, type(None))
}


class AnswerError(Exception):
    """A strategy returned something that has no form on the wire; the sentence says what and what to return instead."""


def encode_signals(result: object) -> bytes:
    """The reply to ANALYZE. Raises AnswerError for anything but a list of `Signal`."""
    if not isinstance(result, (list, tuple)):
        raise AnswerError(f"analyze returned {_type_name(result)}; return a list of Signal (an empty one for no trade)")
    if not result:
        return _NO_SIGNALS
    if len(result) > SIGNALS_MAX:
        raise AnswerError(f"analyze returned {len(result)} signals; at most {SIGNALS_MAX} are allowed")
    return json.dumps([_signal_row(item, number) for number, item in enumerate(result, start=1)]).encode()


def encode_state(state: object) -> bytes:
    """The reply to STATE. Raises AnswerError for what JSON cannot hold: sets, objects, keys that are not texts."""
    if not isinstance(state, dict):
        raise AnswerError(f"get_state returned {_type_name(state)}; return a dict")
    return json.dumps(_plain(state, "state", 1)).encode()


def encode_started(interval: object, isolation: Mapping[str, object]) -> bytes:
    """The reply to START."""
    value = int(interval) if isinstance(interval, np.integer) else interval
    if callable(value):
        raise AnswerError("scan_interval_minutes is a method; put @property above it or make it a number")
    if value is not None and not isinstance(value, (int, float, str)):
        raise AnswerError(f"scan_interval_minutes is {_type_name(value)}; a whole number is needed")
    return json.dumps({"interval": value, "isolation": dict(isolation)}).encode()


def encode_fault(error: BaseException, files: Collection[str], origin: str) -> bytes:
    """The report of an exception: type name, first argument if it is exactly a str, last line in the strategy's files.

    Never str(error): a hostile __str__ hangs, and an endless context chain costs seconds.
    """
    if isinstance(error, AnswerError):
        return json.dumps({"kind": "bad_reply", "message": error.args[0], "line": None}).encode()
    name = type.__dict__["__name__"].__get__(type(error))
    arguments = BaseException.args.__get__(error)  # type: ignore[attr-defined]
    text = arguments[0][:MESSAGE_CHARS_MAX] if arguments and type(arguments[0]) is str else ""
    line, place = _place(error, files, origin)
    message = f"{name}: {text}" if text else name
    return json.dumps({"kind": "error", "message": place + message, "line": line}).encode()


def _place(error: BaseException, files: Collection[str], origin: str) -> tuple[int | None, str]:
    """(line in the strategy's own file, prefix that names a skill's line when the error was raised there)."""
    line, deepest, deepest_line = None, origin, None
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file in files:
            deepest, deepest_line = file, trace.tb_lineno
            if file == origin:
                line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and type(error).__module__ == "builtins" and error.filename in files:
        deepest, deepest_line = error.filename or origin, error.lineno
        line = error.lineno if deepest == origin else line
    return line, "" if deepest == origin or deepest_line is None else f"{deepest} line {deepest_line}: "


def _plain_row(item: object) -> list[object] | None:
    """The usual signal as a row of plain values; None for one with anything unusual in it."""
    if type(item) is not Signal:
        return None
    row = [
        item.symbol, item.action, item.size_pct, item.order_type, item.limit_price, item.stop_loss, item.take_profit,
        item.intent, item.confidence, item.reasoning, item.tag,
    ]
    if tuple(map(type, row)) not in _PLAIN_ROWS or not item.reasoning.isprintable() or not item.tag.isprintable():
        return None
    row[1], row[3], row[7] = item.action.value, item.order_type.value, item.intent.value
    return row


def _signal_row(item: object, number: int) -> list[object]:
    row = _plain_row(item)
    if row is not None:
        return row
    if not isinstance(item, Signal):
        raise AnswerError(f"item {number} of analyze's list is {_type_name(item)}; use shell.contract.Signal")
    return [_scalar(getattr(item, name), f"signal {number}: {name}") for name in Signal.__slots__]


def _scalar(value: object, where: str) -> object:
    kind = type(value)
    if kind is float or kind is int or value is None:
        return value
    match value:
        case bool():
            return value
        case Enum():
            return _scalar(value.value, where)
        case float() | int():
            return value
        case str():
            return value if value.isprintable() else " ".join(value.split())
        case np.bool_():
            return bool(value)
        case np.integer():
            return int(value)
        case np.floating():
            return float(value)
        case _:
            raise AnswerError(f"{where} is {_type_name(value)}; a number, text or None is needed")


def _plain(value: object, where: str, depth: int) -> object:
    if depth > STATE_DEPTH_MAX:
        raise AnswerError(f"get_state returned values nested deeper than {STATE_DEPTH_MAX}")
    match value:
        case dict():
            for key in value:
                if not isinstance(key, str):
                    raise AnswerError(f"{where} has a key of type {_type_name(key)}; JSON keys are texts: use str(key)")
            return {str(key): _plain(item, f"{where}[{key!r}]", depth + 1) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, f"{where}[{at}]", depth + 1) for at, item in enumerate(value)]
        case str() if not isinstance(value, Enum):
            return value
        case _:
            return _scalar(value, where)


def _type_name(value: object) -> str:
    name: Any = type.__dict__["__name__"].__get__(type(value))
    return f"a {name}" if value is not None else "None"
