"""What the sockets tell, as values. Every event of a market carries `at`, Kraken's own time of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum

from shell.exchange.kraken.pairs import PairStatus
from shell.exchange.kraken.public_types import Candle, SystemState
from shell.orders import Liquidity, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class TickerSeen:
    """The best prices and the last one. `polled` when REST told it because the socket was down."""

    symbol: str
    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal
    last: Decimal
    at: datetime
    polled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeSeen:
    """One public trade; `side` is the taker's. Each trade_id comes once, rising."""

    symbol: str
    trade_id: int
    side: Side
    price: Decimal
    qty: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TradesMissed:
    """Trades from `first_id` to `last_id` were not told: REST has them."""

    symbol: str
    first_id: int
    last_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleForming:
    """The bar being made, as it is so far. Never to be used as closed."""

    symbol: str
    minutes: int
    candle: Candle


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleClosed:
    """A bar that is final. `revised` when one told before came again with other values; `polled` when REST told it."""

    symbol: str
    minutes: int
    candle: Candle
    revised: bool = False
    polled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlesMissed:
    """Bars opened from `first` to `last` that nobody tells any more: older than what REST gives. Recorded, not invented."""

    symbol: str
    minutes: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlesComplete:
    """Every bar of these symbols that ended at or before `until` and had a trade has been told."""

    symbols: tuple[str, ...]
    minutes: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSeen:
    """A book's best prices after a message whose checksum agreed; the whole book is `PublicFeed.book(symbol)`."""

    symbol: str
    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BookLost:
    """A book that cannot be trusted until its next BookSeen."""

    symbol: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentSeen:
    """A pair's live rules: its status, precisions, steps and minimums."""

    symbol: str
    status: PairStatus
    price_decimals: int
    qty_decimals: int
    tick: Decimal
    lot: Decimal
    min_qty: Decimal
    min_cost: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSeen:
    """What the whole venue takes now."""

    state: SystemState


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedUp:
    """Connected and subscribed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedDown:
    """The socket is gone; prices are polled until it is back."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolRefused:
    """Kraken does not give a channel for this symbol: there will be no data of it, and somebody must know."""

    channel: str
    symbol: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRefused:
    """A message that is not what Kraken documents. Its content was not used."""

    channel: str
    reason: str


MarketEvent = (
    TickerSeen | TradeSeen | TradesMissed | CandleForming | CandleClosed | CandlesMissed | CandlesComplete | BookSeen | BookLost
    | InstrumentSeen | SystemSeen | FeedUp | FeedDown | SymbolRefused | MessageRefused
)  # fmt: skip


class ExecKind(str, Enum):
    """What an execution row is about."""

    PENDING_NEW = "pending_new"
    NEW = "new"
    TRADE = "trade"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    AMENDED = "amended"
    RESTATED = "restated"
    ICEBERG_REFILL = "iceberg_refill"
    STATUS = "status"
    OTHER = "other"

    @classmethod
    def of(cls, text: str) -> ExecKind:
        return cls(text) if text in cls._value2member_map_ else cls.OTHER

    @property
    def final(self) -> bool:
        return self in (ExecKind.FILLED, ExecKind.CANCELED, ExecKind.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class FillSeen:
    """One fill, told once however often Kraken repeats it. `trade_id` ("T...") is the one that REST tells too."""

    trade_id: str
    order_id: str
    cl_ord_id: str | None
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    cost: Decimal
    fees: tuple[tuple[str, Decimal], ...]
    """(coin, amount); more than one only if Kraken took several."""
    liquidity: Liquidity | None
    at: datetime
    pair_trade_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSeen:
    """The state of an order, short rows joined to what was known of it. A canceled one may have `filled` above zero."""

    order_id: str
    cl_ord_id: str | None
    userref: int
    kind: ExecKind
    status: str
    """Kraken's order_status: pending_new, new, partially_filled, filled, canceled, expired."""
    symbol: str
    side: Side | None
    order_type: str
    qty: Decimal | None
    filled: Decimal
    filled_cost: Decimal
    average_price: Decimal | None
    limit_price: Decimal | None
    trigger_price: Decimal | None
    reason: str
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceSeen:
    """What is held of one coin now, all wallets together."""

    coin: str
    total: Decimal
    snapshot: bool
    ledger_id: str = ""
    refid: str = ""
    kind: str = ""
    """Of the change: trade, deposit, withdrawal, ..."""
    amount: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileNeeded:
    """Something may have been missed: ask REST for orders, fills and balances. After every connection, and on a hole."""

    reason: str


AccountEvent = FillSeen | OrderSeen | BalanceSeen | ReconcileNeeded | FeedUp | FeedDown | SymbolRefused
