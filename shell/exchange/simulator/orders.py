"""An order as the exchange keeps it, and what it was asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from shell.exchange.simulator.names import Listing
from shell.exchange.simulator.precision import ZERO, over

BUY, SELL = "buy", "sell"
SIDES = (BUY, SELL)
OPPOSITE = {BUY: SELL, SELL: BUY}

MARKET, LIMIT = "market", "limit"
STOPS = ("stop-loss", "stop-loss-limit", "trailing-stop", "trailing-stop-limit")
TARGETS = ("take-profit", "take-profit-limit")
TRIGGERED_KINDS = (*STOPS, *TARGETS)
KINDS = (MARKET, LIMIT, *TRIGGERED_KINDS)
TIMES_IN_FORCE = ("GTC", "IOC", "GTD", "FOK")
SELF_TRADE = ("cancel-newest", "cancel-oldest", "cancel-both")


class Status(str, Enum):
    """Kraken's words for where an order stands."""

    PENDING = "pending"
    OPEN = "open"
    CLOSED = "closed"
    CANCELED = "canceled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """A price relative to the last one: `+100`, `-1%`, `#2%` (the sign that the order's side asks for)."""

    sign: str
    amount: Decimal
    percent: bool


PriceTerm = Decimal | Relative


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseTerms:
    """The conditional close: the order that each fill of the primary brings about."""

    kind: str
    price: PriceTerm | None = None
    price2: PriceTerm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What a customer asks for, read from REST or from v2 and not judged yet.

    `price` is the limit of a limit order and the trigger of the others, `price2` the limit behind a trigger. `cash` is the
    amount of quote currency to spend instead of `volume`. Times are nanoseconds, 0 for none.
    """

    pair: Listing
    side: str
    kind: str
    volume: Decimal
    price: PriceTerm | None = None
    price2: PriceTerm | None = None
    trigger_by: str = "last"
    time_in_force: str = "GTC"
    post_only: bool = False
    fee_in_base: bool = False
    cash: Decimal | None = None
    cl_ord_id: str | None = None
    userref: int = 0
    deadline_ns: int = 0
    start_ns: int = 0
    expire_ns: int = 0
    close: CloseTerms | None = None
    self_trade: str = "cancel-newest"
    flags: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Order:
    """One accepted order with what became of it. Changed only by the matching engine."""

    txid: str
    request: OrderRequest
    volume: Decimal
    limit: Decimal | None
    trigger: Decimal | None
    opened_ns: int
    number: int
    refid: str | None = None
    status: Status = Status.PENDING
    amended_ns: int = 0
    closed_ns: int = 0
    triggered: bool = False
    peak: Decimal | None = None
    ahead: Decimal = ZERO
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    cost: Decimal = ZERO
    fee: Decimal = ZERO
    reason: str | None = None
    trades: list[str] = field(default_factory=list)

    @property
    def pair(self) -> Listing:
        return self.request.pair

    @property
    def side(self) -> str:
        return self.request.side

    @property
    def kind(self) -> str:
        return self.request.kind

    @property
    def remaining(self) -> Decimal:
        return self.volume - self.filled

    @property
    def alive(self) -> bool:
        return self.status in (Status.PENDING, Status.OPEN)

    @property
    def waits_for_trigger(self) -> bool:
        return self.kind in TRIGGERED_KINDS and not self.triggered

    @property
    def rests(self) -> bool:
        """True when it stands in the book."""
        return self.status is Status.OPEN and self.limit is not None and not self.waits_for_trigger

    @property
    def touched_ns(self) -> int:
        """When it was created or last amended: its age for the rate counter."""
        return max(self.opened_ns, self.amended_ns)

    @property
    def average(self) -> Decimal:
        """The mean price of its fills, from exact products: the booked costs are cut to the last unit of money."""
        return over(self.notional, self.filled) if self.filled else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One fill of one order. `fee` is in `fee_asset`; `fee_quote` is its worth in quote currency, as REST tells it."""

    trade_id: str
    number: int
    order: Order
    at_ns: int
    price: Decimal
    qty: Decimal
    cost: Decimal
    fee: Decimal
    fee_asset: str
    fee_quote: Decimal
    maker: bool
    ledger_ids: tuple[str, ...]
    kind: str
