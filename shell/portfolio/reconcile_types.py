"""What reconciliation takes and gives: our view of the books, findings in words, and the changes that make both agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum

from shell.money import NO_MONEY, Price, QuoteAmount
from shell.orders import Fill, OrderIntent, OrderState, OrderUpdate
from shell.portfolio.ledger import CapitalEvent, Ledger

# An answer may be lost and the order arrive up to a minute later; its deadline is 60 s at most. Past both, it never will.
UNKNOWN_FOR = timedelta(minutes=3)


class FindingKind(str, Enum):
    """What was found to differ, or to be somebody else's."""

    MISSED_FILL = "missed_fill"
    ORDER_LINKED = "order_linked"
    ORDER_ENDED = "order_ended"
    NEVER_PLACED = "never_placed"
    STOP_ADOPTED = "stop_adopted"
    RECOVERED = "recovered"
    STRAY = "stray"
    OTHER_TRADER = "other_trader"
    PHANTOM_FILL = "phantom_fill"
    SOLD_EXTERNAL = "sold_external"
    BEYOND_CASH = "beyond_cash"
    EXTERNAL_SALE = "external_sale"
    COINS_GONE = "coins_gone"
    CASH_GONE = "cash_gone"
    EXTERNAL_ORDER = "external_order"
    EXTERNAL_TRADE = "external_trade"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    REWARD = "reward"
    OTHER_MOVEMENT = "other_movement"
    UNEXPLAINED = "unexplained"

    @property
    def concerns_us(self) -> bool:
        """It changed our books, or says that they cannot be trusted. The rest happened to what is not ours."""
        return self not in _OTHERS

    @property
    def halts(self) -> bool:
        """Openings stop whatever it is worth: somebody must look before anything is bought again."""
        return self in _ALWAYS_HALT

    @property
    def differs(self) -> bool:
        """Its value counts towards the difference that halts openings. A report that was merely late is no difference."""
        return self in _DIFFERENCES


_OTHERS = frozenset({
    FindingKind.EXTERNAL_ORDER, FindingKind.EXTERNAL_TRADE, FindingKind.DEPOSIT, FindingKind.WITHDRAWAL,
    FindingKind.REWARD, FindingKind.OTHER_MOVEMENT,
})
_ALWAYS_HALT = frozenset({
    FindingKind.OTHER_TRADER, FindingKind.RECOVERED, FindingKind.PHANTOM_FILL, FindingKind.SOLD_EXTERNAL,
})
_DIFFERENCES = _ALWAYS_HALT | {
    FindingKind.BEYOND_CASH, FindingKind.EXTERNAL_SALE, FindingKind.COINS_GONE, FindingKind.CASH_GONE,
    FindingKind.UNEXPLAINED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found, as a sentence for a person. `value` is its size in the account currency."""

    kind: FindingKind
    sentence: str
    value: QuoteAmount = NO_MONEY
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OurOrder:
    """One of our orders as the database knows it. `client_id` is what it was, or would have been, sent under; `updated_at`
    when its state was last written, None where nobody knows."""

    intent: OrderIntent
    client_id: str
    order_id: str | None
    state: OrderState
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookView:
    """Our side. `orders` are those still working and those that the picture names, ended ones too.

    `booked` are the ids of trades in our books, of those the picture tells; `recent` those we booked since `picture.since`.
    `noted` are ids of movements (and of trades behind them) that an earlier reconciliation accounted for. `totals` are the
    account's balances as it left them, None before the first one. `prices` by symbol, where known. `awaited` are the intents
    that the gateway itself still follows: it asks the venue for each of them, so their absence from a picture means nothing.
    """

    book: str
    quote: str
    version: str
    mark: str
    ledger: Ledger
    orders: Sequence[OurOrder] = ()
    booked: frozenset[str] = frozenset()
    recent: frozenset[str] = frozenset()
    noted: frozenset[str] = frozenset()
    totals: Mapping[str, Decimal] | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)
    awaited: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """An order at the venue that is ours and that the database does not have: to be written before anything refers to it."""

    intent: OrderIntent
    order_id: str
    state: OrderState
    opened_at: datetime
    reserved: QuoteAmount


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One movement of the account, accounted for: what it was and whose."""

    movement_id: str
    ref_id: str
    at: datetime
    coin: str
    amount: Decimal
    label: str
    ours: bool


Change = Fill | OrderUpdate | CapitalEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What reconciliation asks for. `changes` in this order turn our ledger into `ledger`; `adopted` come before them.

    `external` is what of each coin is not ours, `totals` the whole of it: ours and external together are the account's
    balance, to the last unit. `strays` are orders that are open at the venue although our books have ended them.
    `halt` is the sentence that openings stop with, empty where they need not.
    """

    findings: tuple[Finding, ...]
    adopted: tuple[Adopted, ...]
    changes: tuple[Change, ...]
    activity: tuple[Activity, ...]
    ledger: Ledger
    external: Mapping[str, Decimal]
    totals: Mapping[str, Decimal]
    strays: tuple[str, ...]
    difference: QuoteAmount
    halt: str

    @property
    def matches(self) -> bool:
        """Nothing of ours had to change."""
        return not any(finding.kind.concerns_us for finding in self.findings)
