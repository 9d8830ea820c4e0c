"""Canonical JSON: the same value gives the same bytes, whatever the order of a mapping or the kind of its numbers.

Not-a-number and infinities, which JSON lacks, become the strings "nan", "inf" and "-inf" (`float()` reads them back).
"""

import json
import math
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np

from shell.clock import require_utc
from shell.money import BaseQty, Price, QuoteAmount, plain


def canonical(value: Any) -> str:
    """`value` as canonical JSON. Raises TypeError for what has no JSON form."""
    try:
        return _ENCODER.encode(value)
    except ValueError:
        return _ENCODER.encode(_finite(value))


def _plain_value(value: Any) -> Any:
    """One level of what json itself cannot encode."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, (QuoteAmount, BaseQty, Price)):
        return str(value)
    if isinstance(value, datetime):
        return require_utc(value).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        return sorted(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"a {type(value).__name__} has no JSON form")


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain_value)


def _finite(value: Any) -> Any:
    """`value` with every non-finite float as a string."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(float(value))
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return _finite(_plain_value(value))
