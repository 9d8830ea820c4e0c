"""What options of several commands are read as. Each raises UsageError with the option's name and what is allowed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation

from shell.clock import parse_moment
from shell.errors import UsageError


def moment(option: str, text: str) -> datetime | None:
    """A day or time, UTC; None for nothing."""
    if not text:
        return None
    try:
        return parse_moment(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _number(option: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise UsageError(f"{option} {text!r} is not a number") from None
    if not number.is_finite():
        raise UsageError(f"{option} {text} is not a finite number")
    return number


def fraction(option: str, text: str) -> Decimal:
    """A fee or slippage as a fraction."""
    number = _number(option, text)
    if not 0 <= number <= Decimal("0.1"):
        raise UsageError(f"{option} {text} is out of range: a fraction from 0 to 0.1 (0.004 is 0.40 %)")
    return number


def positive(option: str, text: str) -> Decimal:
    """An amount above zero."""
    number = _number(option, text)
    if not 0 < number <= Decimal(10**12):
        raise UsageError(f"{option} {text} is out of range: more than 0, at most 1e12")
    return number
