"""Orders, fills and steps as an engine would make them, small enough to check by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from shell.contract import Action, Intent, OrderType
from shell.execution.record import ScanDone, StepRecord
from shell.money import BaseQty, Price, QuoteAmount
from shell.orders import (
    APPROVAL_SEAL,
    ApprovedOrder,
    Fill,
    Liquidity,
    OrderIntent,
    OrderState,
    OrderUpdate,
    Purpose,
    Side,
    SignalAnswer,
    SubmittedOrder,
)
from shell.portfolio.ledger import Ledger, apply_fill

START = datetime(2023, 3, 1, tzinfo=UTC)


def unguard(connection: Connection, *tables: str) -> None:
    """Take away what keeps rows as they are, as somebody with the file at hand can."""
    sqlite = connection.dialect.name == "sqlite"
    listed = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'" if sqlite else (
        "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
    )
    for name, table in connection.exec_driver_sql(listed).all():
        if not tables or table in tables:
            connection.exec_driver_sql(f"DROP TRIGGER {name}" + ("" if sqlite else f" ON {table}"))


def minutes(count: float) -> datetime:
    return START + timedelta(minutes=count)


def approved_order(
    number: int = 1, *, side: Side = Side.BUY, qty: str = "0.5", symbol: str = "BTC/USD", book: str = "main"
) -> ApprovedOrder:
    buying = side is Side.BUY
    intent = OrderIntent(
        intent_id=f"i{number}", book=book, version="v001", symbol=symbol, side=side,
        purpose=Purpose.ENTRY if buying else Purpose.EXIT, order_type=OrderType.LIMIT, qty=BaseQty(qty),
        limit_price=Price("20000.1"), decided_at=minutes(number), signal_id=f"s{number}",
        stop_loss=Price("19000") if buying else None, take_profit=None, horizon=Intent.DAY, tag="trend",
    )
    return ApprovedOrder(intent=intent, reserved=QuoteAmount("10040.0502"), seal=APPROVAL_SEAL)


def submitted_order(approved: ApprovedOrder) -> SubmittedOrder:
    return SubmittedOrder(
        order_id=f"O-{approved.intent.intent_id}", approved=approved, submitted_at=approved.intent.decided_at
    )


def fill_of(approved: ApprovedOrder, *, qty: str | None = None, price: str = "20000.1", part: str = "") -> Fill:
    intent = approved.intent
    return Fill(
        fill_id=f"F-{intent.intent_id}{part}", order_id=f"O-{intent.intent_id}", intent=intent, symbol=intent.symbol,
        side=intent.side, qty=intent.qty if qty is None else BaseQty(qty), price=Price(price),
        fee=QuoteAmount("40.0002"), liquidity=Liquidity.TAKER, filled_at=intent.decided_at + timedelta(minutes=5),
    )


def answer(number: int = 1, *, book: str = "main", reasoning: str = "the trend is up") -> SignalAnswer:
    return SignalAnswer(
        signal_id=f"s{number}", book=book, version="v001", decided_at=minutes(number), symbol="BTC/USD",
        action=Action.BUY, size_pct=0.1, order_type=OrderType.LIMIT, limit_price=20000.1, stop_loss=19000.0,
        take_profit=None, horizon=Intent.DAY, confidence=0.7, reasoning=reasoning, tag="trend", approved=True,
        code="APPROVED", sentence="", intent_id=f"i{number}",
    )


def update_of(approved: ApprovedOrder, state: OrderState, *, after: float = 1) -> OrderUpdate:
    return OrderUpdate(
        order_id=f"O-{approved.intent.intent_id}", intent_id=approved.intent.intent_id, state=state,
        reason=f"{state.value} by the venue", at=approved.intent.decided_at + timedelta(minutes=after),
    )


def scan(at: datetime, *, origin: str = "rehearsal", milliseconds: float = 1.5) -> ScanDone:
    return ScanDone(slot=at, origin=origin, version="v001", signals=0, approved=0, milliseconds=milliseconds)


def trading_step(at: datetime, ledger: Ledger, approved: ApprovedOrder, fill: Fill) -> StepRecord:
    """A step that submits and fills one order, as the engine would record it."""
    after, trade = apply_fill(ledger, fill)
    return StepRecord(
        book=approved.intent.book, at=at, submitted=[submitted_order(approved)], fills=[fill],
        trades=[] if trade is None else [trade], ledger=after, equity=after.cash,
    )
