"""Does an answer keep the contract? Written a second time, apart from the product's own check, so that both must agree."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from enum import Enum
from typing import Any

from shell.contract import Action, Intent, OrderType, Signal

FIELDS = ("symbol", "action", "size_pct", "order_type", "limit_price", "stop_loss", "take_profit", "intent", "confidence",
          "reasoning", "tag")  # fmt: skip
_PRICES = ("limit_price", "stop_loss", "take_profit")
_ENUMS = {"action": Action, "order_type": OrderType, "intent": Intent}


def breaches_of_signals(signals: object, symbols: Sequence[str]) -> list[str]:
    """What is wrong with signals: `Signal` values or rows of their fields. Empty: nothing."""
    if type(signals) is not list:
        return [f"{type(signals).__name__} instead of a list"]
    if len(signals) > 50:
        return [f"{len(signals)} signals"]
    return [breach for item in signals for breach in _breaches_of(item, symbols)]


def breaches_of_state(state: object) -> list[str]:
    """What is wrong with a state: JSON values only, printable, finite, at most 20 deep and about 64 KB."""
    if type(state) is not dict:
        return [f"{type(state).__name__} instead of a dict"]
    found: list[str] = []
    waiting: list[tuple[Any, int]] = [(state, 1)]
    size = 0
    while waiting and not found and size <= 66_000:
        value, depth = waiting.pop()
        if depth > 20:
            found.append("too deep")
        elif type(value) is dict:
            found += [f"key {key!r:.40}" for key in value if not _plain_text(key)]
            size += sum(len(key) + 4 for key in value if type(key) is str)
            waiting += [(item, depth + 1) for item in value.values()]
        elif type(value) is list:
            waiting += [(item, depth + 1) for item in value]
            size += 2 * len(value)
        elif type(value) is str:
            size += len(value)
            found += [] if _plain_text(value) else ["unprintable text"]
            found += ["an address, another one in each run"] if " at 0x" in value else []
        elif type(value) is float:
            found += [] if math.isfinite(value) else ["not finite"]
        elif type(value) not in (int, bool, type(None)):
            found.append(f"a {type(value).__name__}")
    return found if size <= 66_000 else ["too large"]


def _breaches_of(item: object, symbols: Sequence[str]) -> list[str]:
    if type(item) is Signal:
        values = {name: getattr(item, name) for name in FIELDS}
    elif type(item) is list and len(item) == len(FIELDS):
        values = dict(zip(FIELDS, item, strict=True))
    else:
        return [f"a {type(item).__name__} instead of a signal"]
    found = [] if values["symbol"] in symbols else ["unknown symbol"]
    for name, kind in _ENUMS.items():
        value = values[name]
        known = type(value) is kind or (type(item) is list and value in [member.value for member in kind])
        found += [] if known else [f"{name} is no {kind.__name__}"]
    for name in ("size_pct", "confidence"):
        found += [] if _number(values[name]) and 0 <= values[name] <= 1 else [f"{name} is no fraction"]
    for name in _PRICES:
        value = values[name]
        found += [] if value is None or (_number(value) and value > 0) else [f"{name} is no price"]
    for name, most in (("reasoning", 500), ("tag", 50)):
        value = values[name]
        found += [] if _plain_text(value) and len(value) <= most else [f"{name} is no short printable text"]
    return found


def _number(value: object) -> bool:
    if isinstance(value, Enum) or type(value) not in (int, float):
        return False
    return abs(value) < 1e308 if type(value) is int else math.isfinite(value)  # type: ignore[operator, arg-type]


def _plain_text(value: object) -> bool:
    """Nothing that moves a cursor, hides, turns the direction of writing, or cannot be encoded."""
    return type(value) is str and not any(unicodedata.category(char)[0] == "C" for char in value)
