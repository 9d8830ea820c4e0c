"""Readers of one column of a forged or honest table: each gives the column's values in our types, or refuses it whole.

A column at a time, because what is checked by built-in functions over a whole list costs a tenth of a check a value. A
reader raises StrategyFault("bad_reply") with a sentence; on wrong types it may also raise what the operation raises
(TypeError, LookupError, ...), which the caller turns into the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn, TypeVar

from shell.clock import MS
from shell.errors import StrategyFault
from shell.money import BaseQty, Price, QuoteAmount

AMOUNT_CHARS_MAX = 180
_ZERO = Decimal(0)

Column = list[Any]
Reader = Callable[[Column], Iterable[Any]]
_Amount = TypeVar("_Amount", QuoteAmount, BaseQty, Price)

# Plain notation, so that neither an exponent nor thousands of digits are ever worked with.
_PLAIN = re.compile(r"(?:-?[0-9]+(?:\.[0-9]+)?,)*").fullmatch


def refuse(sentence: str) -> NoReturn:
    """Raise the fault that a result of another form is."""
    raise StrategyFault("bad_reply", sentence)


def texts(chars_max: int) -> Reader:
    """Printable texts of at most `chars_max` characters: no control characters, bidirectional marks, lone surrogates."""

    def read(column: Column) -> Column:
        _only(str, column)
        if max(map(len, column), default=0) > chars_max:
            refuse(f"the result has a text of more than {chars_max} characters")
        if not "".join(column).isprintable():
            refuse("the result has a text that cannot be printed")
        return column

    return read


def members(known: Sequence[Any]) -> Reader:
    """What of `known` stands at each number."""
    count = len(known)

    def read(column: Column) -> Iterable[Any]:
        _only(int, column)
        if min(column, default=0) < 0 or max(column, default=0) >= count:
            refuse("the result names something unknown")
        return map(known.__getitem__, column)

    return read


def moments(first_ms: int, last_ms: int) -> Reader:
    """Times in UTC from milliseconds between the two."""

    def read(column: Column) -> list[datetime]:
        _only(int, column)
        if column and not first_ms <= min(column) <= max(column) <= last_ms:
            refuse("the result tells of a time outside its period")
        make = datetime.fromtimestamp
        return [make(ms / MS, UTC) for ms in column]

    return read


def amounts(kind: type[_Amount], *, above_zero: bool = True) -> Reader:
    """Money."""

    def read(column: Column) -> list[_Amount]:
        _only(str, column)
        if max(map(len, column), default=0) > AMOUNT_CHARS_MAX or _PLAIN("".join([f"{text}," for text in column])) is None:
            refuse("the result has an amount that is not a plain number")
        numbers = list(map(Decimal, column))
        if above_zero and not all(map(_ZERO.__lt__, numbers)):
            refuse("the result has an amount of zero or less where there must be more")
        return list(map(kind.of, numbers))

    return read


def optional(reader: Reader) -> Reader:
    """None, or what `reader` makes of the rest."""

    def read(column: Column) -> Column:
        made = iter(reader([value for value in column if value is not None]))
        return [None if value is None else next(made) for value in column]

    return read


def _only(kind: type, column: Column) -> None:
    """No subtypes either: True is no number."""
    if not set(map(type, column)) <= {kind}:
        refuse("the result has a value of another type")
