"""What Kraken's public REST answers tell, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum

from shell.orders import Side


class SystemState(str, Enum):
    """What the whole venue takes now."""

    ONLINE = "online"
    MAINTENANCE = "maintenance"
    """No orders, no cancels, feeds may drop."""
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"
    LIMIT_ONLY = "limit_only"
    OTHER = "other"
    """A word we do not know: as good as maintenance."""

    @classmethod
    def of(cls, text: str) -> SystemState:
        return cls(text) if text in cls._value2member_map_ else cls.OTHER

    @property
    def takes_entries(self) -> bool:
        """Any order may be sent."""
        return self is SystemState.ONLINE

    @property
    def takes_cancels(self) -> bool:
        return self not in (SystemState.MAINTENANCE, SystemState.OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticker:
    """Best prices and the last 24 hours; `open_today` is the first price of the UTC day."""

    symbol: str
    ask: Decimal
    bid: Decimal
    last: Decimal
    last_qty: Decimal
    high_24h: Decimal
    low_24h: Decimal
    volume_24h: Decimal
    vwap_24h: Decimal
    trades_24h: int
    open_today: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One bar. `opened_at` is its beginning; volume in base units; a bar without trades has volume 0 and one price."""

    opened_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    vwap: Decimal
    volume: Decimal
    trades: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlePage:
    """Closed bars, oldest first, and the one still forming apart from them. `last` is the `since` of the next call."""

    symbol: str
    minutes: int
    closed: tuple[Candle, ...]
    forming: Candle | None
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTrade:
    """One trade; `side` is the taker's, `trade_id` grows by one a trade of its pair (0 where the venue gave none)."""

    trade_id: int
    price: Decimal
    qty: Decimal
    side: Side
    traded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePage:
    """Up to 1,000 trades, oldest first; `last` (nanoseconds) is the `since` of the next page."""

    symbol: str
    trades: tuple[PublicTrade, ...]
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One price of an order book and what rests there."""

    price: Decimal
    qty: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """An order book, best prices first."""

    symbol: str
    asks: tuple[Level, ...]
    bids: tuple[Level, ...]
