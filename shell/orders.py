"""One order's life as types: Intent -> ApprovedOrder -> SubmittedOrder -> Fill. Each step is a different type on purpose.

Only `shell.risk` makes an `ApprovedOrder` (it holds the seal), and a gateway takes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from shell.contract import Action, Intent, OrderType
from shell.execution.client_id import NO_MARK, client_order_id
from shell.money import NO_QTY, BaseQty, Price, QuoteAmount

# Joins an entry's intent to the venue's id of a stop that one of its fills brought about: that stop's intent.
SPAWNED: Final = "+"


class Side(str, Enum):
    BUY = "buy"
    SELL = "sell"


class Purpose(str, Enum):
    """Why an order exists. Only ENTRY raises exposure; the others are never refused by a halt.

    EXTERNAL is none of ours: what took coins of ours out of the account without the shell, as reconciliation books it.
    """

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"
    TARGET = "target"
    EXTERNAL = "external"


class OrderState(str, Enum):
    """INTENDED is written before anything is sent; UNKNOWN may have happened and keeps its reservation (I1, D9)."""

    INTENDED = "intended"
    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNKNOWN = "unknown"

    @property
    def working(self) -> bool:
        """True while the order may still fill, so while it counts towards limits."""
        return self in (OrderState.INTENDED, OrderState.OPEN, OrderState.UNKNOWN)


class Liquidity(str, Enum):
    MAKER = "maker"
    TAKER = "taker"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIntent:
    """What the shell means to do, with an id that leads from one signal to its last fill.

    `book` says whose ledger this is ("main", or a paper trial's). `limit_price` is None for market orders. `stop_loss` and
    `take_profit` protect the position that an entry opens. `signal_id` is None for stops and targets. With a `trigger` it is a
    stop that the venue keeps, and that sells at the market once the price has fallen to it. `mark` is the home's, by which the
    venue's orders are told from those of other homes.
    """

    intent_id: str
    book: str
    version: str
    symbol: str
    side: Side
    purpose: Purpose
    order_type: OrderType
    qty: BaseQty
    limit_price: Price | None
    decided_at: datetime
    signal_id: str | None = None
    stop_loss: Price | None = None
    take_profit: Price | None = None
    horizon: Intent = Intent.SWING
    tag: str = ""
    trigger: Price | None = None
    mark: str = NO_MARK

    @property
    def client_id(self) -> str:
        """The name a venue is given for this order: a UUID, the same whenever it is asked for."""
        return client_order_id(f"{self.book}\n{self.intent_id}", self.mark)


class _Seal:
    """Held by shell.risk.approval alone; an ApprovedOrder cannot be built without it."""


APPROVAL_SEAL: Final = _Seal()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedOrder:
    """An intent that passed every check. `reserved` is the quote amount held for it until it is filled or proven dead."""

    intent: OrderIntent
    reserved: QuoteAmount
    seal: _Seal

    def __post_init__(self) -> None:
        if self.seal is not APPROVAL_SEAL:
            raise TypeError("only shell.risk may approve an order")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedOrder:
    """An approved order that a gateway took. `order_id` is the venue's."""

    order_id: str
    approved: ApprovedOrder
    submitted_at: datetime

    @property
    def intent(self) -> OrderIntent:
        return self.approved.intent


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution. `fill_id` is the venue's trade id: booked once, whoever reports it. `fee` is in quote units.

    `paid` is the cost as the venue booked it, which may be cut to the last unit of the currency; None where quantity times
    price is exact. `fee_base` is a fee taken in coins instead: what a purchase brings in, or a sale takes, is that much less
    or more.
    """

    fill_id: str
    order_id: str
    intent: OrderIntent
    symbol: str
    side: Side
    qty: BaseQty
    price: Price
    fee: QuoteAmount
    liquidity: Liquidity
    filled_at: datetime
    paid: QuoteAmount | None = None
    fee_base: BaseQty = NO_QTY

    @property
    def cost(self) -> QuoteAmount:
        """What was paid or received, before the fee."""
        return self.qty.times(self.price) if self.paid is None else self.paid

    @property
    def coins(self) -> BaseQty:
        """By how much the holding changes: the quantity, and a fee that is taken in coins."""
        return self.qty - self.fee_base if self.side is Side.BUY else self.qty + self.fee_base


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUpdate:
    """A change of an order's state other than a fill, with the venue's reason; `order_id` is empty where it took none."""

    order_id: str
    intent_id: str
    state: OrderState
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalAnswer:
    """What became of one signal: approved (with its intent), or refused with a code and a sentence."""

    signal_id: str
    book: str
    version: str
    decided_at: datetime
    symbol: str
    action: Action
    size_pct: float
    order_type: OrderType
    limit_price: float | None
    stop_loss: float | None
    take_profit: float | None
    horizon: Intent
    confidence: float
    reasoning: str
    tag: str
    approved: bool
    code: str
    sentence: str
    intent_id: str | None = None
