"""What Kraken tells about an account and what can be asked of it, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum

from shell.orders import Liquidity, Side


class OrderKind(str, Enum):
    """Order types, as REST and WebSocket v2 both write them."""

    MARKET = "market"
    LIMIT = "limit"
    ICEBERG = "iceberg"
    STOP_LOSS = "stop-loss"
    TAKE_PROFIT = "take-profit"
    STOP_LOSS_LIMIT = "stop-loss-limit"
    TAKE_PROFIT_LIMIT = "take-profit-limit"
    TRAILING_STOP = "trailing-stop"
    TRAILING_STOP_LIMIT = "trailing-stop-limit"
    SETTLE_POSITION = "settle-position"
    OTHER = "other"
    """Of someone else's making; never sent."""

    @classmethod
    def of(cls, text: str) -> OrderKind:
        return cls(text) if text in cls._value2member_map_ else cls.OTHER

    @property
    def is_stop(self) -> bool:
        """It waits for a trigger price and has a limit price only as a second one."""
        return self in _TRIGGERED

    @property
    def has_limit(self) -> bool:
        return self in (OrderKind.LIMIT, OrderKind.ICEBERG, OrderKind.STOP_LOSS_LIMIT, OrderKind.TAKE_PROFIT_LIMIT)


_TRIGGERED = (
    OrderKind.STOP_LOSS,
    OrderKind.TAKE_PROFIT,
    OrderKind.STOP_LOSS_LIMIT,
    OrderKind.TAKE_PROFIT_LIMIT,
)


class TimeInForce(str, Enum):
    GTC = "GTC"
    IOC = "IOC"
    GTD = "GTD"
    FOK = "FOK"


class FeeIn(str, Enum):
    """The currency a fee is taken in. QUOTE keeps what was bought whole, so that all of it can be sold."""

    QUOTE = "fciq"
    BASE = "fcib"


class OrderStatus(str, Enum):
    """An order's state at Kraken. A canceled or expired one may have filled in part."""

    PENDING = "pending"
    OPEN = "open"
    CLOSED = "closed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        return self in (OrderStatus.CLOSED, OrderStatus.CANCELED, OrderStatus.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """A conditional close: each fill of the order spawns an opposite one of that size, protected by the venue."""

    kind: OrderKind
    price: Decimal
    """The limit price, or the trigger of a stop."""
    price2: Decimal | None = None
    """The limit price of a `-limit` stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An order to send. Prices and quantity are already whole ticks and lots.

    `price` is the limit price, or the trigger of a stop, whose limit price is then `price2`. `deadline`: after it the
    engine refuses the order (2 to 60 seconds from now). `cl_ord_id` (a UUID) and `userref` exclude each other.
    `fee_in` None leaves the currency of the fee to Kraken.
    """

    symbol: str
    side: Side
    kind: OrderKind
    qty: Decimal
    price: Decimal | None = None
    price2: Decimal | None = None
    post_only: bool = False
    fee_in: FeeIn | None = FeeIn.QUOTE
    time_in_force: TimeInForce | None = None
    expires_at: datetime | None = None
    cl_ord_id: str | None = None
    userref: int | None = None
    deadline: datetime | None = None
    close: Close | None = None
    trigger_on_index: bool = False
    validate_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """Changes to a resting order, in place: same ids, fills kept. Name it by `order_id` or by `cl_ord_id`."""

    order_id: str | None = None
    cl_ord_id: str | None = None
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    post_only: bool | None = None
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """An accepted order. Accepted is not filled. `order_ids` is empty only where nothing was to be placed (validate)."""

    order_ids: tuple[str, ...]
    description: str
    close_description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """How many orders a cancel took; `pending` while the engine still works on it."""

    count: int
    pending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTimer:
    """The account-wide dead man's switch: at `triggers_at` every order is cancelled; None when disarmed."""

    now: datetime
    triggers_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """All of one coin, whatever the names it is held under (`assets`)."""

    coin: str
    total: Decimal
    held: Decimal
    """In open orders."""
    tradable: Decimal
    assets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeBalance:
    """The account valued in one currency. `equivalent` counts every coin, `trade` what collateral counts."""

    equivalent: Decimal
    trade: Decimal
    margin: Decimal
    free_margin: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFee:
    """The account's own fees on one pair now, as fractions of a trade's value."""

    symbol: str
    taker_pct: Decimal
    maker_pct: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeVolume:
    """30-day volume and the fees it gives: the authority on what a trade costs this account."""

    currency: str
    volume: Decimal
    fees: dict[str, PairFee]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderInfo:
    """One order as REST tells it. `symbol` is our name, or Kraken's for a pair that we do not know.

    `price` is what was asked (limit, or trigger of a stop), `average_price` what was got. `fee` is in `fee_currency`.
    """

    order_id: str
    cl_ord_id: str | None
    userref: int
    parent_id: str | None
    """The order that spawned this one as its conditional close. Not an id to cancel with."""
    status: OrderStatus
    reason: str
    opened_at: datetime | None
    closed_at: datetime | None
    starts_at: datetime | None
    expires_at: datetime | None
    symbol: str
    side: Side
    kind: OrderKind
    kind_text: str
    price: Decimal
    price2: Decimal
    description: str
    close_description: str
    qty: Decimal
    filled: Decimal
    cost: Decimal
    fee: Decimal
    average_price: Decimal
    stop_price: Decimal
    limit_price: Decimal
    misc: frozenset[str]
    flags: frozenset[str]
    trade_ids: tuple[str, ...] = field(default=())

    @property
    def remaining(self) -> Decimal:
        return self.qty - self.filled

    @property
    def post_only(self) -> bool:
        return "post" in self.flags

    @property
    def triggered(self) -> bool:
        """A stop whose trigger was reached; Kraken has no status for it."""
        return bool(self.misc & {"stopped", "touched"})

    @property
    def fee_currency(self) -> str:
        """By its flags; without one, the quote currency, which recorded buys and sells alike show."""
        base, _, quote = self.symbol.partition("/")
        return base if FeeIn.BASE.value in self.flags else quote


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPage:
    """Up to 50 closed orders, newest first, of `count` in all. Page by `offset` inside a fixed window."""

    orders: tuple[OrderInfo, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeInfo:
    """One fill as REST tells it; `trade_id` ("T...") is what a fill is booked by, once."""

    trade_id: str
    order_id: str
    symbol: str
    side: Side
    kind: OrderKind
    qty: Decimal
    price: Decimal
    cost: Decimal
    fee: Decimal
    traded_at: datetime
    liquidity: Liquidity | None
    pair_trade_id: int
    """The number of the public trade (0 where not told)."""
    ledger_ids: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeInfoPage:
    """Up to 50 fills, newest first, of `count` in all."""

    trades: tuple[TradeInfo, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One change of one balance; `amount` is signed, `fee` taken on top of it, `refid` groups what belongs together."""

    ledger_id: str
    refid: str
    at: datetime
    kind: str
    subkind: str
    coin: str
    asset: str
    amount: Decimal
    fee: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPage:
    """Up to 50 ledger entries, newest first, of `count` in all."""

    entries: tuple[LedgerEntry, ...]
    count: int
