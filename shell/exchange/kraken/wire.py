"""Kraken's bytes into values and back: JSON with Decimal from the parser on, forms as Kraken reads them.

Nothing here knows an endpoint. What is not there, or of another kind, raises MalformedAnswer naming the field.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, NoReturn
from urllib.parse import quote

from shell.exchange.kraken.errors import MalformedAnswer
from shell.money import CONTEXT, plain

# Numbers beyond this power of ten are no prices or quantities, and writing them out would fill the memory.
EXPONENT_MAX = 40
# What was read is kept for so many texts, each of at most so many characters.
TEXTS_KEPT, KEPT_CHARACTERS = 4096, 32
SHOWN_MAX = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_MAX = Decimal(10) ** 11

# What may stand in a form besides mappings and sequences of the same.
Scalar = str | int | bool | Decimal


def parse_json(content: bytes | str) -> Any:
    """The JSON value; every number with a point is a Decimal, digit for digit. Raises MalformedAnswer."""
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise MalformedAnswer(f"Kraken's answer is not JSON ({type(error).__name__}): {_shown(content)}") from None


def encode_form(fields: Mapping[str, Any]) -> str:
    """`application/x-www-form-urlencoded`: nested keys in brackets (`close[ordertype]`), numbers plain, never 1E-5.

    None is left out. True and False are written as Kraken documents them, in lower case.
    """
    return "&".join(f"{quote(key, safe='')}={quote(text, safe='')}" for key, text in _flat(fields, ""))


def encode_json(value: Any) -> str:
    """JSON in which a Decimal is text, as the REST interface takes numbers."""
    return json.dumps(value, separators=(",", ":"), default=_json_value)


def scalar_text(value: Scalar) -> str:
    """One value as it stands in a form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        raise TypeError("money is never a float: it reaches Kraken as a Decimal")
    return plain(value) if isinstance(value, Decimal) else str(value)


class Fields:
    """A JSON object being read. `where` names it in errors."""

    __slots__ = ("values", "where")

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise MalformedAnswer(f"{where} is not an object: {_shown(value)}")
        self.values: dict[str, Any] = value
        self.where = where

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def value(self, key: str) -> Any:
        """Whatever stands there. Raises MalformedAnswer when it is absent or null."""
        found = self.values.get(key)
        if found is None:
            raise MalformedAnswer(f"{self.where} has no {key}")
        return found

    def text(self, key: str, default: str | None = None) -> str:
        if key not in self and default is not None:
            return default
        found = self.value(key)
        if not isinstance(found, str):
            raise MalformedAnswer(f"{self.where}.{key} is not text: {_shown(found)}")
        return found

    def number(self, key: str, default: Decimal | None = None) -> Decimal:
        if key not in self and default is not None:
            return default
        return number_of(self.value(key), f"{self.where}.{key}")

    def integer(self, key: str, default: int | None = None) -> int:
        if key not in self and default is not None:
            return default
        return integer_of(self.value(key), f"{self.where}.{key}")

    def flag(self, key: str, default: bool | None = None) -> bool:
        if key not in self and default is not None:
            return default
        found = self.value(key)
        if not isinstance(found, bool):
            raise MalformedAnswer(f"{self.where}.{key} is not true or false: {_shown(found)}")
        return found

    def moment(self, key: str) -> datetime | None:
        """Seconds since the epoch as text or number; None for an absent one and for 0, which means never."""
        if key not in self:
            return None
        seconds = self.number(key)
        return None if seconds == 0 else moment_of(seconds, f"{self.where}.{key}")

    def stamp(self, key: str) -> datetime:
        """An RFC 3339 time, up to nanoseconds."""
        return stamp_of(self.text(key), f"{self.where}.{key}")

    def object(self, key: str) -> Fields:
        return Fields(self.value(key), f"{self.where}.{key}")

    def values_of(self, key: str) -> Sequence[Any]:
        return list_of(self.value(key), f"{self.where}.{key}")

    def objects(self, key: str) -> list[Fields]:
        """The list under `key`, each an object."""
        return [Fields(item, f"{self.where}.{key}[{at}]") for at, item in enumerate(self.values_of(key))]

    def items(self) -> Iterator[tuple[str, Any]]:
        return iter(self.values.items())


def number_of(value: Any, where: str) -> Decimal:
    """A finite Decimal of text or of a number from `parse_json`."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise MalformedAnswer(f"{where} is not a number: {_shown(value)}")
    try:
        found = _of_text(value) if type(value) is str and len(value) <= KEPT_CHARACTERS else _usable(value)
    except InvalidOperation:
        raise MalformedAnswer(f"{where} is not a number: {_shown(value)}") from None
    if found is None:
        raise MalformedAnswer(f"{where} is no usable number: {_shown(value)}")
    return found


def _usable(value: str | int | Decimal) -> Decimal | None:
    """None for what no amount is: infinite, or with more digits than any. Raises InvalidOperation for what is no number."""
    number = Decimal(value)
    if not number.is_finite() or abs(number.adjusted()) > EXPONENT_MAX or len(number.as_tuple().digits) > EXPONENT_MAX:
        return None
    return number


# An order tells sixteen numbers, most of them zeros or what it told before.
_of_text = lru_cache(maxsize=TEXTS_KEPT)(_usable)


def integer_of(value: Any, where: str) -> int:
    number = number_of(value, where)
    if number != number.to_integral_value():
        raise MalformedAnswer(f"{where} is not a whole number: {_shown(value)}")
    return int(number)


def list_of(value: Any, where: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise MalformedAnswer(f"{where} is not a list: {_shown(value)}")
    return value


def moment_of(seconds: Decimal, where: str) -> datetime:
    """The time of `seconds` since the epoch, to the microsecond (the rest is cut off)."""
    if not 0 <= seconds < _SECONDS_MAX:
        raise MalformedAnswer(f"{where} is no time: {_shown(seconds)}")
    return _EPOCH + timedelta(microseconds=int(CONTEXT.multiply(seconds, Decimal(1_000_000))))


def stamp_of(text: str, where: str) -> datetime:
    """The time of RFC 3339 text, to the microsecond. Kraken's times carry a zone; one without is refused."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise MalformedAnswer(f"{where} is no time: {_shown(text)}") from None
    if moment.tzinfo is None:
        raise MalformedAnswer(f"{where} is a time without a zone: {_shown(text)}")
    return moment.astimezone(UTC)


def write_stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, as `deadline` wants it."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone was given")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_text(moment: datetime) -> str:
    """Seconds since the epoch, exact to the microsecond, without a trailing fraction of zero."""
    micros = (moment - _EPOCH) // timedelta(microseconds=1)
    return plain(CONTEXT.divide(Decimal(micros), Decimal(1_000_000)))


def _flat(value: Any, prefix: str) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}[{key}]" if prefix else key)
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from _flat(inner, f"{prefix}[{at}]")
    else:
        yield prefix, scalar_text(value)


def _json_value(value: Any) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    raise TypeError(f"{type(value).__name__} has no place in a request")


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _shown(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."
