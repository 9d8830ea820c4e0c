"""One value of a settings file, read against the field it belongs to: converted, or refused with what is allowed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from shell.duration import DURATION_EXAMPLES, format_duration, parse_duration
from shell.money import decimal_of, plain

VALUE_LENGTH_MAX = 80
_LIST_OF_TEXTS = 'a list of texts in quotes, such as ["BTC/USD", "ETH/USD"]'


class Refusal(ValueError):
    """A value that is not allowed; the text says what is."""


def shown(value: object) -> str:
    """`value` as it would stand in the file, cut to a line."""
    match value:
        case bool():
            text = "true" if value else "false"
        case str():
            text = '"' + "".join(c if c.isprintable() else repr(c)[1:-1] for c in value) + '"'
        case Decimal():
            text = plain(value) if value.is_finite() else str(value)
        case timedelta():
            text = str(value)
        case list() | tuple():
            text = "[" + ", ".join(shown(item) for item in value) + "]"
        case Mapping():
            text = "a table"
        case _:
            text = str(value)
    return text if len(text) <= VALUE_LENGTH_MAX else text[: VALUE_LENGTH_MAX - 1] + "…"


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The settings section an annotation stands for, if it is one."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def tables_of(annotation: Any) -> type[BaseModel] | None:
    """The section that an annotation such as `tuple[PairCosts, ...]` holds many of."""
    return section_of(get_args(annotation)[0]) if get_origin(annotation) is tuple else None


def read_value(name: str, field: FieldInfo, value: object) -> object:
    """`value` as `field` wants it, within its bounds. Raises Refusal."""
    kind = _plain_kind(field.annotation)
    if get_origin(kind) is tuple:
        return _read_list(kind, field, value)
    converted = _convert(name, kind, field, value)
    if not _within(field, converted):
        raise Refusal(allowed(name, field))
    return converted


def allowed(name: str, field: FieldInfo) -> str:
    """What a field takes, as a phrase."""
    kind = _plain_kind(field.annotation)
    about = f" ({field.description})" if field.description else ""
    if get_origin(kind) is Literal:
        return f"one of {', '.join(shown(choice) for choice in get_args(kind))}{about}"
    bounds = _bounds(field)
    if kind is timedelta:
        return f"needs a unit, such as {DURATION_EXAMPLES}{_joined(bounds)}{about}"
    if name.endswith("_pct"):
        return f"a fraction: 0.05 is 5 %{_joined(bounds)}{about}"
    if kind is bool:
        return f"true or false{about}"
    noun = {int: "a whole number", Decimal: "a number", float: "a number", str: "text in quotes"}[kind]
    return f"{noun}{_joined(bounds)}{about}"


def _joined(bounds: str) -> str:
    return f", {bounds}" if bounds else ""


def _plain_kind(annotation: Any) -> Any:
    """The annotation without `| None`."""
    if get_origin(annotation) is UnionType:
        return next(kind for kind in get_args(annotation) if kind is not NoneType)
    return annotation


def _convert(name: str, kind: Any, field: FieldInfo, value: object) -> object:
    number = value if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else None
    if get_origin(kind) is Literal and any(type(value) is type(choice) and value == choice for choice in get_args(kind)):
        return value
    if kind is timedelta and isinstance(value, timedelta):
        return value
    if kind is timedelta and isinstance(value, str):
        try:
            return parse_duration(value)
        except (ValueError, OverflowError):
            raise Refusal(allowed(name, field)) from None
    if kind in (str, bool) and type(value) is kind:
        return value
    if kind is int and isinstance(number, int):
        return number
    if kind in (Decimal, float) and number is not None and math.isfinite(number):
        exact = decimal_of(number)
        return exact if kind is Decimal else float(exact)
    raise Refusal(allowed(name, field))


def _read_list(kind: Any, field: FieldInfo, value: object) -> tuple[object, ...]:
    item_kind = get_args(kind)[0]
    phrase = "a list of whole numbers, such as [1, 2]" if item_kind is int else _LIST_OF_TEXTS
    if not isinstance(value, list | tuple):
        raise Refusal(phrase)
    if any(not isinstance(item, item_kind) or isinstance(item, bool) for item in value):
        raise Refusal(phrase)
    for bound in field.metadata:
        if isinstance(bound, MinLen) and len(value) < bound.min_length:
            raise Refusal(f"{phrase}, with at least {bound.min_length}")
        if isinstance(bound, MaxLen) and len(value) > bound.max_length:
            raise Refusal(f"{phrase}, with at most {bound.max_length}")
    return tuple(value)


def _within(field: FieldInfo, value: Any) -> bool:
    for bound in field.metadata:
        match bound:
            case Gt(gt=limit) if not value > limit:
                return False
            case Ge(ge=limit) if not value >= limit:
                return False
            case Lt(lt=limit) if not value < limit:
                return False
            case Le(le=limit) if not value <= limit:
                return False
            case _:
                pass
    return True


def _bounds(field: FieldInfo) -> str:
    """The field's bounds in words, such as `above 0 and at most 1`."""
    words = []
    for bound in field.metadata:
        match bound:
            case Gt(gt=limit):
                words.append(f"above {_limit(limit)}")
            case Ge(ge=limit):
                words.append(f"at least {_limit(limit)}")
            case Lt(lt=limit):
                words.append(f"below {_limit(limit)}")
            case Le(le=limit):
                words.append(f"at most {_limit(limit)}")
            case _:
                pass
    return " and ".join(words)


def _limit(limit: Any) -> str:
    return format_duration(limit) if isinstance(limit, timedelta) else plain(decimal_of(limit))
