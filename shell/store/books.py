"""Books as the shell finds them at start-up, the capital allocated to them, and the check against their facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, func, insert, select

from shell.errors import Fatal, NotNow
from shell.execution.known import KnownOrder
from shell.execution.record import WRITTEN_OFF
from shell.execution.waiting import WaitingExit
from shell.money import NO_MONEY, QuoteAmount
from shell.orders import Fill, OrderState
from shell.portfolio.ledger import CapitalEvent, EquityMarks, Ledger, TradeClosed, apply_capital
from shell.portfolio.valuation import with_capital
from shell.risk.halts import Halt
from shell.risk.view import RecentSignal
from shell.store.database import Database
from shell.store.events import Chain, EventLog
from shell.store.facts import Facts
from shell.store.halts import active_halts, lift_seqs
from shell.store.ledger_rows import LedgerRows, read_ledger, read_marks
from shell.store.metadata import table_of
from shell.store.order_rows import StoredOrder, fact_of, fill_of, order_of, trade_of
from shell.store.recent import known_orders, order_times, recent_signals, waiting_exits
from shell.store.replay import BookFacts, differences
from shell.store.tables_books import BalanceRow, CapitalRow, TradeRow
from shell.store.tables_orders import AnswerRow, FillRow, OrderRow, ScanRow

CAPITAL = table_of(CapitalRow)
TRADES = table_of(TradeRow)
FILLS = table_of(FillRow)
ORDERS = table_of(OrderRow)
ANSWERS = table_of(AnswerRow)
SCANS = table_of(ScanRow)
BALANCES = table_of(BalanceRow)
RECENT_TRADES = 100
_WORKING = [state.value for state in OrderState if state.working]
_OLDEST_UNPLACED = select(func.min(ORDERS.c.decided_at)).where(
    ORDERS.c.book == bindparam("of"), ORDERS.c.state.in_(_WORKING), ORDERS.c.order_id.is_(None)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookState:
    """Everything a book needs to go on. `open_orders` are those that may still fill, unknown ones included; `unanswered`
    counts orders that were written and lost with their process before it wrote what became of them. `known_orders` are
    those besides that ended lately, for a venue may tell of them late. `recent_signals` and `order_times` are what throttles
    measure, `waiting_exits` what could not leave."""

    ledger: Ledger
    marks: EquityMarks | None
    open_orders: list[StoredOrder]
    halts: list[Halt]
    recent_trades: list[TradeClosed]
    unanswered: int
    last_scan: datetime | None
    known_orders: list[KnownOrder] = field(default_factory=list)
    recent_signals: list[RecentSignal] = field(default_factory=list)
    order_times: list[datetime] = field(default_factory=list)
    waiting_exits: list[WaitingExit] = field(default_factory=list)


class Books:
    """Reads and checks books; steps are written by the journal."""

    def __init__(self, database: Database, events: EventLog, facts: Facts, ledgers: LedgerRows) -> None:
        self._database = database
        self._events = events
        self._facts = facts
        self._ledgers = ledgers

    def names(self) -> list[str]:
        """Every book there is, by name."""
        with self._database.reading() as connection:
            return list(connection.execute(select(BALANCES.c.book).order_by(BALANCES.c.book)).scalars())

    def load(self, book: str) -> BookState | None:
        """The state after the last recorded step, None for a book that never had capital nor a step."""
        with self._database.reading() as connection:
            ledger = read_ledger(connection, book)
            if ledger is None:
                return None
            return BookState(
                ledger=ledger,
                marks=read_marks(connection, book),
                open_orders=_open_orders(connection, book),
                halts=active_halts(connection, book),
                recent_trades=_recent_trades(connection, book),
                unanswered=_unanswered(connection, book),
                last_scan=connection.execute(select(func.max(SCANS.c.slot)).where(SCANS.c.book == book)).scalar(),
                known_orders=known_orders(connection, book),
                waiting_exits=waiting_exits(connection, book), recent_signals=recent_signals(connection, book),
                order_times=order_times(connection, book),
            )

    def oldest_unplaced(self, book: str) -> datetime | None:
        """When the oldest order was decided that may still fill and is not known to have arrived at the venue."""
        with self._database.reading() as connection:
            return connection.execute(_OLDEST_UNPLACED, {"of": book}).scalar()

    def save_marks(self, book: str, marks: EquityMarks) -> None:
        with self._database.transaction() as connection:
            self._ledgers.save_marks(connection, book, marks)

    def capital_events(self, book: str) -> list[CapitalEvent]:
        with self._database.reading() as connection:
            return [event for _, event in read_capital(connection, book)]

    def ensure_capital(self, book: str, amount: QuoteAmount, at: datetime) -> CapitalEvent | None:
        """Make the configured capital of a book the amount allocated to it; None when it is already.

        The first call allocates `amount`. A later one with another amount than the last appends a capital event of the
        difference, so history is never rewritten. The stored ledger and marks include the event when this returns; an
        engine loaded before is brought up to it by `add_capital(event)`, which the journal does not book again.
        Raises NotNow if more would be taken away than there is cash.
        """
        key = f"capital:{book}"
        with self._database.transaction() as connection:
            recorded = self._facts.get(key)
            before = NO_MONEY if recorded is None else QuoteAmount(recorded)
            if recorded is not None and before == amount:
                return None
            reason = "starting capital" if recorded is None else "the configured capital changed"
            event = CapitalEvent(amount=amount - before, at=at, reason=reason)
            ledger = read_ledger(connection, book) or Ledger()
            try:
                after = apply_capital(ledger, event)
            except Fatal as error:
                raise NotNow(f"the capital of {book} cannot become {amount} now: {error}") from None
            write_capital(connection, self._events.chain(connection), book, event)
            self._ledgers.save(connection, book, after)
            marks = read_marks(connection, book)
            if marks is not None:
                # Prices are not known here: positions count at cost until the engine marks them.
                held = sum((each.qty.times(each.avg_entry) for each in ledger.positions.values()), start=ledger.cash)
                self._ledgers.save_marks(connection, book, with_capital(marks, event.amount, equity=held))
            self._facts.set(key, str(amount), at)
            return event

    def check(self, book: str) -> list[str]:
        """Replay every capital event and fill of `book` and compare with what is stored, to the last unit.

        Returns one sentence a difference; an empty list means that the books agree.
        """
        with self._database.reading() as connection:
            return differences(
                book,
                stored=read_ledger(connection, book),
                trades=read_trades(connection, book),
                orders=read_orders(connection, book),
                facts=BookFacts(
                    capital=read_capital(connection, book),
                    fills=read_fills(connection, book),
                    loss_counts_reset=lift_seqs(connection, book),
                ),
            )


def write_capital(connection: Connection, chain: Chain, book: str, event: CapitalEvent) -> None:
    """Append one capital event to its table and the log; the same one again changes nothing."""
    values = {"amount": event.amount, "at": event.at, "reason": event.reason}
    same = and_(CAPITAL.c.book == book, *(CAPITAL.c[name] == value for name, value in values.items()))
    if connection.execute(select(CAPITAL.c.seq).where(same)).first() is not None:
        return
    seq = chain.append("capital", event.at, fact_of(values), book)
    connection.execute(insert(CAPITAL).values(seq=seq, book=book, **values))


def read_capital(connection: Connection, book: str) -> list[tuple[int, CapitalEvent]]:
    rows = connection.execute(select(CAPITAL).where(CAPITAL.c.book == book).order_by(CAPITAL.c.seq))
    return [(row.seq, CapitalEvent(amount=row.amount, at=row.at, reason=row.reason)) for row in rows]


def read_fills(connection: Connection, book: str) -> list[tuple[int, Fill]]:
    """Fills in the order they were booked, each with the intent it belongs to."""
    intents = {order.intent.intent_id: order.intent for order in read_orders(connection, book)}
    rows = connection.execute(select(FILLS).where(FILLS.c.book == book).order_by(FILLS.c.seq))
    return [(row.seq, fill_of(row, intents[row.intent_id])) for row in rows]


def read_orders(connection: Connection, book: str) -> list[StoredOrder]:
    rows = connection.execute(select(ORDERS).where(ORDERS.c.book == book).order_by(ORDERS.c.seq))
    return [order_of(row) for row in rows]


def _open_orders(connection: Connection, book: str) -> list[StoredOrder]:
    statement = select(ORDERS).where(ORDERS.c.book == book, ORDERS.c.state.in_(_WORKING)).order_by(ORDERS.c.seq)
    return [order_of(row) for row in connection.execute(statement)]


def _unanswered(connection: Connection, book: str) -> int:
    """Grows with every such death and never falls: an order found at the venue afterwards still has no answer of its own. A
    stop or target has no signal to be answered; that it was written off is what stays of it."""
    answered = select(ANSWERS.c.intent_id).where(ANSWERS.c.book == book, ANSWERS.c.intent_id.is_not(None))
    lost = ORDERS.c.signal_id.is_not(None) & ORDERS.c.intent_id.not_in(answered)
    written_off = ORDERS.c.signal_id.is_(None) & (ORDERS.c.reason == WRITTEN_OFF)
    which = (ORDERS.c.book == book) & (lost | written_off)
    return int(connection.execute(select(func.count()).select_from(ORDERS).where(which)).scalar_one())


def read_trades(connection: Connection, book: str) -> list[TradeClosed]:
    rows = connection.execute(select(TRADES).where(TRADES.c.book == book).order_by(TRADES.c.seq))
    return [trade_of(row) for row in rows]


def _recent_trades(connection: Connection, book: str) -> list[TradeClosed]:
    statement = select(TRADES).where(TRADES.c.book == book).order_by(TRADES.c.seq.desc()).limit(RECENT_TRADES)
    return [trade_of(row) for row in reversed(connection.execute(statement).all())]
