"""The engine: one step for backtest, paper and live (D3): market -> fills -> protection -> halts -> analyze -> risk -> orders.

Nothing here asks which mode it is in. The clock (`now`), the market book and the gateway are given; what happened comes back as
one `StepRecord`, which a journal stores whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any, assert_never

from shell.clock import LocalDays, compact, from_ms, monotonic, to_ms
from shell.contract import Action, Signal
from shell.engine_config import EngineConfig
from shell.errors import Fatal, OutcomeUnknown, Rejected, StrategyFault, StrategyRejected
from shell.exchange.gateway import Gateway, GatewayEvent
from shell.execution.lately import Lately
from shell.execution.monitor import level_between, points_of, untouched
from shell.execution.protector import Protector
from shell.execution.record import WRITTEN_OFF, Journal, ScanDone, StepRecord, never_taken
from shell.execution.steps import Steps
from shell.execution.waiting import WaitingExit, WaitingExits
from shell.execution.withdrawal import entries, resting_of, withdraw, withdraw_unwanted
from shell.host.faults import ATTEMPT, panicked
from shell.host.port import ClosedNotice, FillNotice, StrategyHost
from shell.live_value import live_equity
from shell.market.bars import Bar
from shell.market.book import MarketBook
from shell.market.recorded import RecordedBook
from shell.money import Price, QuoteAmount
from shell.orders import ApprovedOrder, Fill, OrderState, OrderUpdate, Purpose, Side, SubmittedOrder
from shell.portfolio.ledger import CapitalEvent, EquityMarks, Ledger, apply_capital, apply_fill, with_protection
from shell.portfolio.valuation import mark, with_capital, with_entry, with_peak
from shell.portfolio.worth import Worth
from shell.risk.approval import Approved, OrderIds, ProtectionChange, answer_of, assess
from shell.risk.halts import Halt, HaltKind, after_lift, evaluate
from shell.risk.limits import limits_view
from shell.risk.refusal import Refused
from shell.risk.view import RecentSignal, RiskView, reserved
from shell.seat import Seat

MINUTE_MS = 60_000
# The shortest interval of scans, assumed until the strategy is started and tells its own.
SLOT_MINUTES = 5
VENUE_REFUSED = "VENUE_REFUSED"


class Engine:
    """One book's engine: a ledger, a gateway, a strategy behind its host, and the limits between them."""

    def __init__(
        self, config: EngineConfig, *, market: MarketBook | RecordedBook, gateway: Gateway, host: StrategyHost,
        journal: Journal, ledger: Ledger | None = None, marks: EquityMarks | None = None, halts: tuple[Halt, ...] = (),
        last_scan: datetime | None = None,
    ) -> None:
        self.config = config
        self.market = market
        self.gateway = gateway
        self.ledger = ledger or Ledger()
        self.marks = marks
        self.halts: dict[HaltKind, Halt] = {halt.kind: halt for halt in halts}
        self.interval_minutes, self.faults_in_row, self.last_fault = SLOT_MINUTES, 0, ""
        self.seat = Seat(host, market, config.fees)
        self._steps = Steps(journal, self._undo)
        self._cursor = market.cursor
        self._last_slot_ms = to_ms(last_scan) if last_scan else -1
        self._lately = Lately()
        self._booked, self._entered = set[str](), set[str]()
        self._try, self._joined = "", False
        self._worth, self._days = Worth(market), LocalDays(config.zone)
        self.protector = Protector(
            gateway, {**config.watched, **config.pairs}, ledger=lambda: self.ledger, submit=self._submit,
            book=self._book_events, ids=lambda name: self._ids(f"{config.book}:{name}"), ready=self._steps.settle,
        )
        self._exits = WaitingExits(self.protector, closed=lambda: market.closed, ids=self._ids, ask=self._answer)

    def remember(self, signals: Sequence[RecentSignal], order_times: Sequence[datetime], exits: Sequence[WaitingExit]) -> None:
        """What an earlier process approved and sent lately, and what could not leave: its throttles hold on."""
        self._lately = Lately(signals, order_times)
        self._exits.take_up(exits)

    def attach(self, host: StrategyHost, version: str, state: Mapping[str, Any] | None) -> None:
        """Put another strategy behind the same books (D13): positions and their stops stay, nothing else of it does."""
        self.seat.replace(host, state)
        self.faults_in_row = 0
        self.interval_minutes = SLOT_MINUTES
        self.config = replace(self.config, version=version)

    def start_host(self) -> None:
        """Start the strategy now instead of at its first scan. Raises StrategyFault."""
        if not self.seat.up:
            self.interval_minutes = self.seat.start(limits_view(self.config.risk))

    def close(self) -> None:
        """Leave no process behind. Books are untouched."""
        self.seat.close()

    # -- one step -------------------------------------------------------------------------------------------------

    def step(self, now: datetime, *, origin: str, scan: bool = True) -> StepRecord:
        """Bring this book to `now`: reveal, fill, protect, mark, and scan if a slot is due. Returns what happened."""
        record = self._begin(now)
        self.market.advance(now)
        if concerned := self.symbols_concerned():
            for _, together in groupby(self.market.unseen_since(self._cursor, concerned), key=lambda bar: bar.open_ms):
                self._walk(list(together), record)
        self.seat.see(self._cursor)
        self._cursor = self.market.cursor
        self._tend(now, record)
        self._mark(now, record)
        if scan and self.gateway.ready and self._slot_ms(now) > self._last_slot_ms:
            self._scan(now, origin, record)
        self.protector.arrange(now, record, self._exits.waiting)
        return self._finish(record)

    def on_price(self, symbol: str, price: Price, at: datetime) -> StepRecord:
        """A live price: match and protect. Books are marked where bars close, as in a backtest: a price only halts earlier."""
        record = self._begin(at)
        self._tick(symbol, price, at, record)
        if self.marks is not None:
            self._watch(self.marks, live_equity(self.ledger, self.market), at, record)
        return self._finish(record)

    def settle(self, now: datetime) -> StepRecord:
        """Let the gateway do what is due, book what it has told, and keep stops and withdrawals as they should be."""
        record = self._begin(now)
        self._tend(now, record)
        self.protector.arrange(now, record, self._exits.waiting)
        return self._finish(record)

    def add_capital(self, event: CapitalEvent) -> StepRecord:
        """Allocate or withdraw capital: never P&L, never drawdown (D12)."""
        record = self._begin(event.at)
        record.capital.append(event)
        if self.marks is not None:
            self.marks = with_capital(self.marks, event.amount, equity=self.equity())
        self.ledger = apply_capital(self.ledger, event)
        self._mark(event.at, record)
        return self._finish(record)

    def take_up(self, found: Sequence[GatewayEvent], now: datetime) -> StepRecord:
        """Book what reconciliation found, each fill once. The caller lets the gateway `learn` of it, once it is stored."""
        record = self._begin(now)
        self._book_events(record, found)
        return self._finish(record)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Steps that one transaction of the caller's stores: if that fails, these books are as they were before it."""
        self._steps.settle()
        self._joined = True
        kept, untold = (self.ledger, self.marks, {**self.halts}, {*self._booked}, {*self._entered}), self.seat.untold()
        try:
            yield
        except BaseException:
            self.ledger, self.marks, self.halts, self._booked, self._entered = kept
            self.seat.forget_since(untold)
            self._steps.forget()
            raise
        finally:
            self._joined = False

    def assess(self, now: datetime) -> StepRecord:
        """Mark and evaluate the halts without any new price: what start-up does before the first scan."""
        record = self._begin(now)
        self._mark(now, record)
        return self._finish(record)

    def halt(self, halt: Halt) -> StepRecord:
        """Stop openings now, and take resting entries out."""
        record = self._begin(halt.raised_at)
        self._raise(halt, record)
        return self._finish(record)

    def by_hand(self, signal: Signal, name: str, now: datetime) -> StepRecord:
        """A person's own signal, assessed and answered like one of the strategy's."""
        record = self._begin(now)
        self._answer(signal, f"{self.config.book}:{name}", now, record)
        return self._finish(record)

    def lift(self, kind: HaltKind) -> None:
        """A person lifts a halt; what tripped it is measured afresh from here."""
        self.halts.pop(kind, None)
        if self.marks is not None:
            self.ledger, self.marks = after_lift(kind, self.ledger, self.marks, self.equity())

    def equity(self) -> QuoteAmount:
        """Cash and positions at the newest closes."""
        return self._worth.equity(self.ledger)

    def passed(self, now: datetime, peak: QuoteAmount | None, *, due: bool) -> None:
        """Nothing but prices moved up to `now` (`backtest.glide`), and the books were worth `peak` at most. Quiet scans were
        answered elsewhere, that of `now` too unless it is `due`: then `scan` comes next."""
        self.market.advance(now)
        self._cursor = self.market.cursor
        self._last_slot_ms = max(self._last_slot_ms, self._slot_ms(now) - due * self.interval_minutes * MINUTE_MS)
        if peak is not None and self.marks is not None and peak > self.marks.peak:
            self.marks = with_peak(self.marks, peak)

    def scan(self, now: datetime, *, origin: str) -> StepRecord:
        """The scan of a slot at which, as `passed` has told, nothing else happens."""
        record = self._begin(now)
        self._scan(now, origin, record)
        return self._finish(record)

    def symbols_concerned(self) -> set[str]:
        """Those of positions and of working orders."""
        return {*self.ledger.positions, *self.gateway.working_symbols()}

    @property
    def idle(self) -> bool:
        """True when no price can change these books before the next scan."""
        return not (self.ledger.positions or self.halts or self.gateway.open_orders())

    @property
    def last_scan(self) -> datetime | None:
        """The newest slot that was worked."""
        return from_ms(self._last_slot_ms) if self._last_slot_ms >= 0 else None

    # -- prices ---------------------------------------------------------------------------------------------------

    def _walk(self, bars: Sequence[Bar], record: StepRecord) -> None:
        for symbol, price, at in points_of(bars, self._matters, lambda symbol: self.ledger.positions.get(symbol)):
            self._tick(symbol, price, at, record)

    def _matters(self, bar: Bar) -> bool:
        """Whether an order or a protective level can be met on this bar's path."""
        position = self.ledger.positions.get(bar.symbol)
        return self.gateway.works_on(bar.symbol) or (position is not None and not untouched(position, bar))

    def _tick(self, symbol: str, price: Price, at: datetime, record: StepRecord) -> None:
        self.gateway.on_price(symbol, price, at)
        for fill in self._book_events(record):
            # An entry that filled higher on this move may have passed its own stop on the way to `price`.
            if fill.side is Side.BUY:
                level = level_between(self.ledger.positions.get(symbol), float(fill.price), float(price))
                if level is not None:
                    self.protector.watch(symbol, level, at, record)
        self.protector.watch(symbol, price, at, record)

    def _tend(self, now: datetime, record: StepRecord) -> None:
        self.gateway.expire(now)
        self._book_events(record)
        if withdraw_unwanted(self.gateway, bool(self.halts), self.config.version, now):
            self._book_events(record)
        if self._exits.waiting and self.gateway.ready and self.marks is not None:
            self._exits.finish(now, record)

    # -- booking --------------------------------------------------------------------------------------------------

    def _book_events(self, record: StepRecord, found: Sequence[GatewayEvent] | None = None) -> list[Fill]:
        fills, trouble = list[Fill](), None
        for event in self.gateway.events() if found is None else found:
            match event:
                case Fill() if event.fill_id in self._booked:
                    pass
                case Fill():
                    try:
                        self._book(event, record)
                        fills.append(event)
                    except Fatal as error:
                        # What a gateway tells it tells once: the rest is booked, and the account settles this one.
                        trouble = error
                case OrderUpdate():
                    record.updates.append(event)
                case SubmittedOrder():
                    record.submitted.append(event)
                case _:
                    assert_never(event)
        if trouble is not None:
            self.protector.unsure = True
            raise trouble
        return fills

    def _book(self, fill: Fill, record: StepRecord) -> None:
        self.ledger, trade = apply_fill(self.ledger, fill)
        self._booked.add(fill.fill_id)
        record.fills.append(fill)
        if fill.intent.purpose is Purpose.ENTRY and self.marks is not None and fill.intent.intent_id not in self._entered:
            self._entered.add(fill.intent.intent_id)  # One entry, however many fills it takes.
            self.marks = with_entry(self.marks)
        action = Action.BUY if fill.side is Side.BUY else Action.CLOSE if trade is not None else Action.SELL
        self.seat.hear(FillNotice(fill.symbol, action, float(fill.qty), float(fill.price), fill.intent.horizon))
        if trade is not None:
            record.trades.append(trade)
            self.seat.remember(trade)
            self.seat.hear(ClosedNotice(trade.symbol, float(trade.pnl), trade.pnl_pct))

    def _mark(self, now: datetime, record: StepRecord) -> None:
        """Roll the day, raise the peak, and halt when a loss limit is reached."""
        self.marks = mark(self.marks, equity := self.equity(), self._days.day_of(now))
        self._watch(self.marks, equity, now, record)

    def _watch(self, marks: EquityMarks, equity: QuoteAmount, now: datetime, record: StepRecord) -> None:
        for halt in evaluate(self.config.risk, self.ledger, marks, equity, now, self.config.book, self.halts):
            self._raise(halt, record)

    def _raise(self, halt: Halt, record: StepRecord) -> None:
        if halt.kind in self.halts:
            return
        self.halts[halt.kind] = halt
        record.halts_raised.append(halt)
        if not self._joined:  # In a transaction that may be undone the gateway is left alone: the next step withdraws.
            withdraw(self.gateway, entries, f"halted: {halt.kind.value}", halt.raised_at)
            self._book_events(record)

    def cancel_entries(self, reason: str, now: datetime) -> StepRecord:
        """Take every resting entry out: at a hot swap and at shutdown. Protective stops stay."""
        record = self._begin(now)
        withdraw(self.gateway, entries, reason, now)
        self._book_events(record)
        return self._finish(record)

    def write_off(self, orders: Sequence[ApprovedOrder], unanswered: int) -> None:
        """Record that intents written ahead never left: the process died first, and a paper book that does not hold an
        order never got it. Their slots are worked again, and a new try is a new intent (D9): from the first such death
        on (`unanswered` counts them all), ids carry a mark that no earlier process used."""
        self._try = f":try{unanswered}" if unanswered else self._try
        if orders:
            record = self._begin(max(order.intent.decided_at for order in orders))
            record.updates += [never_taken(each, OrderState.REJECTED, WRITTEN_OFF, record.at) for each in orders]
            self._finish(record)

    def _slot_ms(self, now: datetime) -> int:
        """The newest slot at `now`, by the interval known so far."""
        interval_ms = self.interval_minutes * MINUTE_MS
        return to_ms(now) // interval_ms * interval_ms

    def _scan(self, now: datetime, origin: str, record: StepRecord) -> None:
        begun = monotonic()
        outcome = self._ask(now)
        if isinstance(outcome, StrategyFault) and panicked(outcome):
            # A library's panic, not the strategy's: the same question to a fresh process, once.
            record.retried = str(outcome)
            outcome = self._ask(now)
        if outcome is None:
            return
        self._last_slot_ms = self._slot_ms(now)
        slot = from_ms(self._last_slot_ms)
        scan = record.scan = ScanDone(slot=slot, origin=origin, version=self.config.version, signals=0, approved=0)
        if isinstance(outcome, list):
            self.faults_in_row = 0
            scan.signals = len(outcome)
            if outcome:
                stem = f"{self.config.book}:{compact(slot)}"
                for number, signal in enumerate(outcome):
                    self._answer(signal, f"{stem}:{number}", now, record)
                scan.approved = sum(answer.approved for answer in record.answers)
        else:
            self.faults_in_row += 1
            kind = outcome.kind if isinstance(outcome, StrategyFault) else "refused"
            scan.fault = self.last_fault = f"{kind}: {outcome}"
            record.faults.append(scan.fault)
            if kind == ATTEMPT:
                record.attempt = str(outcome)
        scan.milliseconds = (monotonic() - begun) * 1000

    def _ask(self, now: datetime) -> list[Signal] | StrategyFault | StrategyRejected | None:
        """What the strategy answers, or why it cannot; None when, just started, it tells an interval by which none is due."""
        assert self.marks is not None
        try:
            if not self.seat.up:
                self.start_host()
                if self._slot_ms(now) <= self._last_slot_ms:
                    return None
            return self.seat.scan(now, self.ledger, self.marks)
        except (StrategyFault, StrategyRejected) as fault:
            return fault

    def prices(self) -> Mapping[str, Price]:
        """The newest close of every holding."""
        return self._worth.prices(self.ledger)

    def _answer(self, signal: Signal, signal_id: str, now: datetime, record: StepRecord) -> None:
        if signal.action is Action.CLOSE:
            # A resting entry would reopen the position, a resting exit holds its coins back from the way out.
            withdraw(self.gateway, resting_of(signal.symbol), "the strategy closes the position", now)
            self._book_events(record)
        pair, ids = self.config.pairs.get(signal.symbol), self._ids(f"{signal_id}:o", signal_id)
        quote = self.market.live_quote(signal.symbol) if pair else None
        decision = assess(signal, view=self._view(now), config=self.config.risk, pair=pair, quote=quote, now=now, ids=ids)
        answer = answer_of(signal, decision, ids=ids, now=now)
        match decision:
            case Approved(grant=ApprovedOrder() as order):
                if (held := self._exits.hold(signal, order, now, record)) is not None:
                    answer = answer_of(signal, held, ids=ids, now=now)
                else:
                    self._lately.signals.append((signal.symbol, signal.action, now))
                    if refusal := self._submit(order, now, record):
                        answer = replace(answer, approved=False, code=VENUE_REFUSED, sentence=refusal)
            case Approved(grant=ProtectionChange() as change):
                self.ledger = with_protection(self.ledger, change.symbol, change.stop_loss, change.take_profit)
                record.protection_moved.append(change.symbol)
            case Refused():
                pass
            case _:
                raise Fatal(f"risk gave an answer of an unknown kind to {signal_id}")
        record.answers.append(answer)

    def _view(self, now: datetime) -> RiskView:
        assert self.marks is not None
        working, lately = self.gateway.open_orders(), self._lately
        lately.forget_before(now, self.config.risk.duplicate_window)
        return RiskView(
            cash_free=self.ledger.cash - reserved(working), equity=self.equity(), positions=self.ledger.positions,
            prices=self.prices(), working=working, halts=self.halts.keys(), marks=self.marks,
            order_times=lately.order_times, recent_signals=lately.signals, fees=self.config.fees,
            allowance_pct=self.config.fill_allowance_pct, closed=self.market.closed, capital_share=self.config.capital_share,
        )

    def _ids(self, name: str, signal_id: str | None = None) -> OrderIds:
        told, config = f"{name}{self._try}", self.config
        return OrderIds(intent_id=told, book=config.book, version=config.version, signal_id=signal_id, mark=config.mark)

    def _submit(self, order: ApprovedOrder, now: datetime, record: StepRecord) -> str:
        """Write ahead, send once. Returns a refusal's sentence, or nothing."""
        self._steps.write_ahead(order)
        self._lately.order_times.append(now)
        try:
            submitted = self.gateway.submit(order, now)
        except Rejected as error:
            record.updates.append(never_taken(order, OrderState.REJECTED, str(error), now))
            return str(error)
        except OutcomeUnknown as error:
            # The gateway keeps it among what may still fill, and tells what became of it.
            record.updates.append(never_taken(order, OrderState.UNKNOWN, str(error), now))
            return ""
        record.submitted.append(submitted)
        return ""

    def _undo(self, ledger: Ledger, marks: EquityMarks | None, undone: Sequence[StepRecord]) -> None:
        """Steps that can never be stored did not happen here. At the venue they did, and a look at it books them afresh."""
        self.ledger, self.marks = ledger, marks
        fills = [fill for record in undone for fill in record.fills]
        self._booked -= {fill.fill_id for fill in fills}
        self._entered -= {fill.intent.intent_id for fill in fills}
        self.seat.unhear(len(fills), sum(len(record.trades) for record in undone))
        self.protector.unsure |= bool(fills)

    def _begin(self, at: datetime) -> StepRecord:
        return self._steps.begin(StepRecord(book=self.config.book, at=at), self.ledger, self.marks)

    def _finish(self, record: StepRecord) -> StepRecord:
        record.ledger, record.marks, record.equity = self.ledger, self.marks, self.equity()
        self._steps.finish(record)
        return record
