"""Numbers as Kraken writes and reads them: fixed decimals, plain notation, Decimal inside, numbers in the JSON of v2.

`encode` writes a Decimal as a bare JSON number with the digits it holds, trailing zeros included: a book's checksum
counts them, and the standard library's encoder knows no Decimal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_DOWN, ROUND_UP, Context, Decimal, InvalidOperation
from json.encoder import encode_basestring_ascii
from typing import Any

EXACT = Context(prec=50)
ZERO = Decimal(0)
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
DIGITS_MAX = 40


def step_of(decimals: int) -> Decimal:
    """The unit of the last decimal: 0.01 for two."""
    return Decimal(1).scaleb(-decimals)


def fixed(value: Decimal, decimals: int) -> str:
    """`value` with exactly so many decimals, cut and never rounded up."""
    return f"{cut(value, decimals):f}"


def cut(value: Decimal, decimals: int) -> Decimal:
    """`value` towards zero with exactly so many decimals."""
    return value.quantize(step_of(decimals), ROUND_DOWN, EXACT)


def raise_to(value: Decimal, decimals: int) -> Decimal:
    """`value` away from zero with exactly so many decimals: what is held must suffice."""
    return value.quantize(step_of(decimals), ROUND_UP, EXACT)


def decimals_of(value: Decimal) -> int:
    """Decimals needed to write `value` exactly."""
    exponent = value.normalize(EXACT).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def times(left: Decimal, right: Decimal) -> Decimal:
    """An exact product."""
    return EXACT.multiply(left, right)


def over(left: Decimal, right: Decimal) -> Decimal:
    """A quotient to 50 digits."""
    return EXACT.divide(left, right)


def number(text: Any) -> Decimal | None:
    """The plain decimal number in a request, as text or as a JSON number; None for anything else (1e-05, nan, lists)."""
    if isinstance(text, bool) or not isinstance(text, str | int | Decimal):
        return None
    shown = f"{text:f}" if isinstance(text, Decimal) else str(text).strip()
    if len(shown) > DIGITS_MAX or not _PLAIN_NUMBER.fullmatch(shown):
        return None
    try:
        return Decimal(shown)
    except InvalidOperation:
        return None


def encode(value: Any) -> str:
    """JSON with bare Decimals. Raises TypeError for floats and anything JSON has no form for."""
    kind = type(value)
    if kind is str:
        return encode_basestring_ascii(value)
    if kind is dict:
        # Nearly everything is one of these two, and a pattern for any mapping is slow to match.
        return "{" + ",".join([f"{encode_basestring_ascii(key)}:{encode(each)}" for key, each in value.items()]) + "}"
    match value:
        case str():
            return encode_basestring_ascii(value)
        case None:
            return "null"
        case True:
            return "true"
        case False:
            return "false"
        case int():
            return str(value)
        case Decimal():
            return f"{value:f}"
        case Mapping():
            return "{" + ",".join(f"{encode_basestring_ascii(key)}:{encode(each)}" for key, each in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(encode, value)) + "]"
        case _:
            raise TypeError(f"{type(value).__name__} has no place in an answer")
