"""Time inside the simulated exchange: whole nanoseconds since the epoch, and the forms Kraken writes them in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

SECOND_NS = 1_000_000_000
MS_NS = 1_000_000
MINUTE_S = 60
DAY_S = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ns(moment: datetime) -> int:
    """Nanoseconds of an aware time, exact to its microsecond."""
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone was given: {moment.isoformat()}")
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def moment_of(ns: int) -> datetime:
    """The aware UTC time, to the microsecond."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def seconds(ns: int, decimals: int = 4) -> Decimal:
    """Unix seconds as REST writes them, cut to so many decimals."""
    return Decimal(ns // 10 ** (9 - decimals)).scaleb(-decimals)


def rfc3339(ns: int) -> str:
    """`2026-05-05T10:00:00.123456Z`."""
    return moment_of(ns).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: object) -> int | None:
    """Nanoseconds of an RFC3339 time with a zone; None for anything else. Digits beyond microseconds are cut."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return None if moment.tzinfo is None else to_ns(moment)


def span_ns(value: Decimal | float | int) -> int:
    """A length in seconds as nanoseconds."""
    return int(Decimal(str(value)) * SECOND_NS)
