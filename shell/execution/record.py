"""What one engine step did, as one value: a journal stores it whole or not at all, so no partial state is ever visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shell.money import QuoteAmount
from shell.orders import ApprovedOrder, Fill, OrderState, OrderUpdate, SignalAnswer, SubmittedOrder
from shell.portfolio.ledger import CapitalEvent, EquityMarks, Ledger, TradeClosed
from shell.risk.halts import Halt

# Why an intent ended that was written ahead and never left. Kept with the order: ids of later tries are told apart by it.
WRITTEN_OFF = "the process died before it was sent"


@dataclass(slots=True, kw_only=True)
class ScanDone:
    """One scan slot that was worked: `slot` is unique per book, `origin` is requested, fallback, rehearsal or backtest."""

    slot: datetime
    origin: str
    version: str
    signals: int
    approved: int
    fault: str = ""
    milliseconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class StepRecord:
    """Everything that happened in one step of one book, in order of kind; `ledger` is the state after it.

    `attempt` says what the strategy tried that honest code never does, `retried` why it was asked a second time; both are
    empty in an ordinary step.
    """

    book: str
    at: datetime
    scan: ScanDone | None = None
    answers: list[SignalAnswer] = field(default_factory=list)
    submitted: list[SubmittedOrder] = field(default_factory=list)
    updates: list[OrderUpdate] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    trades: list[TradeClosed] = field(default_factory=list)
    capital: list[CapitalEvent] = field(default_factory=list)
    halts_raised: list[Halt] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    protection_moved: list[str] = field(default_factory=list)
    attempt: str = ""
    retried: str = ""
    ledger: Ledger | None = None
    marks: EquityMarks | None = None
    equity: QuoteAmount | None = None

    @property
    def eventful(self) -> bool:
        """True when more than a quiet scan happened."""
        return bool(
            self.answers or self.submitted or self.updates or self.fills or self.trades or self.capital
            or self.halts_raised or self.faults or self.protection_moved
        )


def never_taken(order: ApprovedOrder, state: OrderState, reason: str, at: datetime) -> OrderUpdate:
    """What became of an order that no venue took: it has no venue's id, by which the store tells it from those sent."""
    return OrderUpdate(order_id="", intent_id=order.intent.intent_id, state=state, reason=reason, at=at)


class Journal(Protocol):
    """Where steps are kept. `write_ahead` commits intents before anything is sent (D9); `record` commits a step, once."""

    def write_ahead(self, orders: Sequence[ApprovedOrder]) -> None: ...

    def record(self, step: StepRecord) -> None: ...
