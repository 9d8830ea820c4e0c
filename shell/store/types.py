"""Column types that PostgreSQL could hold as well: exact decimals, aware UTC times and JSON, all as TEXT.

Bind and result processing is symmetric: what goes in comes out equal, or is refused with a ValueError or TypeError.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import ConfigDict
from sqlalchemy import Column, Dialect, Text
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel

from shell.clock import require_utc
from shell.money import BaseQty, Price, QuoteAmount, plain
from shell.store.canonical import canonical

Money = QuoteAmount | BaseQty | Price


def utc_text(moment: datetime) -> str:
    """Fixed-width ISO text in UTC with microseconds, so that text order is time order. Raises ValueError if naive."""
    return require_utc(moment).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def utc_moment(text: str) -> datetime:
    """The aware UTC time that `utc_text` wrote."""
    # The Z makes it aware, in UTC itself.
    return datetime.fromisoformat(text)


class UtcText(TypeDecorator[datetime]):
    """Aware UTC in and out; a naive time is refused."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else utc_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else utc_moment(value)


class DecimalText(TypeDecorator[Decimal]):
    """A finite Decimal in plain notation."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else _decimal_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class AmountText(TypeDecorator[Money]):
    """One kind of money. A value of another kind is refused, so a price can never land in a quantity's column."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[Money]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Money | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if type(value) is not self.kind:
            raise TypeError(f"a {type(value).__name__} does not belong in a column of {self.kind.__name__}")
        return _decimal_text(value.value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Money | None:
        return None if value is None else self.kind(value)


class PlainText(TypeDecorator[str]):
    """Text that anybody may have written, a strategy included: what no database holds is written as an escape.

    A lone surrogate breaks the driver and a NUL breaks PostgreSQL; neither may stop a step from being recorded.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        text = str.__str__(value)
        if not text.isascii():
            text = text.encode("utf-8", "backslashreplace").decode("utf-8")
        return text.replace("\0", "\\x00") if "\0" in text else text


class JsonText(TypeDecorator[Any]):
    """Canonical JSON: sorted keys, no spaces, ASCII; see `shell.store.canonical`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else canonical(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class StateText(TypeDecorator[Mapping[str, Any]]):
    """A strategy's own state: JSON that keeps the order of keys and the odd NaN exactly as the strategy left them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, Any] | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(dict(value), separators=(",", ":"))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class Row(SQLModel):
    """Base of every table: columns may be of our own value types."""

    model_config = ConfigDict(arbitrary_types_allowed=True)  # type: ignore[assignment]


def column(kind: TypeEngine[Any], *, key: bool = False) -> Any:
    """A column that always has a value; `key` makes it part of the primary key."""
    return Field(sa_column=Column(kind, primary_key=key, nullable=False, autoincrement=False))


def optional(kind: TypeEngine[Any]) -> Any:
    """A column that may be NULL."""
    return Field(default=None, sa_column=Column(kind, nullable=True))


def _decimal_text(number: Decimal) -> str:
    if not number.is_finite():
        raise ValueError(f"{number} is not a finite number and cannot be stored")
    return plain(number)
