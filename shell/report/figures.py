"""Numbers as people read them: grouped, rounded, with a true minus sign; percent is made here, from fractions."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal

from shell.clock import require_utc
from shell.report.data import Value
from shell.truth.definitions import DEFINITIONS, Unit

ABSENT = "–"
MINUS = "−"

# Names of figures that are fractions without saying so by `_pct`.
_FRACTIONS = frozenset({"drawdown", "positive_return", "stressed_return", "vault", "neighbours"})

_LABELS = {
    "deflated_sharpe": "Deflated Sharpe ratio",
    "positive_return": "Return after costs",
    "stressed_return": "Return at stressed costs",
    "vault": "Return in the vault",
    "biases": "Looking ahead",
    "pbo": "Overfitting of the field",
    "spa_incumbent": "Luck against the incumbent (SPA)",
    "spa_buy_and_hold": "Luck against buying and holding (SPA)",
    "undeclared": "Numbers that no parameter declares",
    "neighbours": "Neighbouring numbers",
    "incumbent_daily_sharpe": "Daily Sharpe ratio of the one before",
    "drawdown": "Drawdown",
}


def label(name: str) -> str:
    """What a figure or a check of the gate is called: by definition, or its own name made readable."""
    if name in DEFINITIONS:
        return DEFINITIONS[name].label
    if name in _LABELS:
        return _LABELS[name]
    text = name.removesuffix("_pct").replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def lower_is_better(name: str) -> bool:
    """True when a check of this name asks for a value at or below its threshold."""
    return name in ("pbo", "spa_incumbent", "spa_buy_and_hold", "undeclared") or any(
        word in name for word in ("drawdown", "overfitting", "decay")
    )


def is_fraction(name: str) -> bool:
    """True when a figure of this name is a fraction, so shown as percent."""
    if name in DEFINITIONS:
        return DEFINITIONS[name].unit is Unit.FRACTION
    return name.endswith("_pct") or name in _FRACTIONS


def number(value: float | int | Decimal, digits: int = 2, *, sign: bool = False) -> str:
    """`value` with grouped thousands and `digits` decimals; `sign` also writes a plus. Not finite: a dash."""
    if not math.isfinite(value):
        return "∞" if value == math.inf else ABSENT
    text = f"{abs(value):,.{digits}f}"
    if not any(digit in text for digit in "123456789"):
        return text
    if value < 0:
        return MINUS + text
    return "+" + text if sign else text


def money(value: float | Decimal, *, sign: bool = False) -> str:
    """An amount of the account currency, to the cent."""
    return number(value, 2, sign=sign)


def percent(fraction: float | Decimal, digits: int = 2, *, sign: bool = False) -> str:
    """A fraction as percent: 0.0123 is 1.23 %."""
    return f"{number(fraction * 100, digits, sign=sign)}\u00a0%"


def price(value: float | Decimal) -> str:
    """A price with six significant digits or two decimals, whichever shows more."""
    if not math.isfinite(value) or not value:
        return number(value)
    return number(value, min(max(2, 5 - math.floor(math.log10(abs(float(value))))), 10))


def quantity(value: float | Decimal) -> str:
    """A quantity of a coin, to eight decimals, without trailing zeros."""
    text = number(value, 8)
    return text.rstrip("0").rstrip(".") if "." in text else text


def figure(name: str, value: Value) -> str:
    """Any named figure: percent for fractions, whole numbers whole, others with as many decimals as they need."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if is_fraction(name):
        return percent(value)
    size = abs(float(value))
    if isinstance(value, int) or (size >= 100 and size == size // 1):
        return number(value, 0)
    return number(value, 4 if 0 < size < 0.1 else 3 if size < 1 else 2)


def moment(at: datetime) -> str:
    """A time to the minute, UTC."""
    return require_utc(at).strftime("%Y-%m-%d %H:%M")


def day(at: datetime) -> str:
    """A date, UTC."""
    return require_utc(at).strftime("%Y-%m-%d")


def span(length: timedelta) -> str:
    """A duration in its two largest units: 3 d 4 h, 25 min."""
    minutes = round(length.total_seconds() / 60)
    days, rest = divmod(minutes, 1440)
    hours, left = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {left} min" if left else f"{hours} h"
    return f"{left} min"


def times_over(count: int) -> str:
    """How often: once, twice, 3 times."""
    return {1: "once", 2: "twice"}.get(count, f"{number(count, 0)} times")


def plural(count: int, noun: str, plural_noun: str = "") -> str:
    """`count` with its noun: 1 trade, 2 trades."""
    return f"{number(count, 0)} {noun if count == 1 else plural_noun or noun + 's'}"
