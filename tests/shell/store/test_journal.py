"""A step is stored whole or not at all, and each fact once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType

import pytest

from shell.errors import Fatal, NotNow
from shell.execution.record import Journal, ScanDone, StepRecord
from shell.money import BaseQty, Price, QuoteAmount
from shell.orders import OrderState, Side
from shell.portfolio.ledger import CapitalEvent, EquityMarks, Ledger, apply_fill, with_protection
from shell.risk.halts import Halt, HaltKind
from tests.shell.store.examples import (
    START,
    answer,
    approved_order,
    fill_of,
    minutes,
    scan,
    submitted_order,
    trading_step,
    update_of,
)


@pytest.fixture
def journal(store):
    return store.journal("main")


@pytest.fixture
def funded(store):
    store.books.ensure_capital("main", QuoteAmount(50_000), START)
    return store.books.load("main").ledger


def kinds(store) -> list[str]:
    return [event.kind for event in store.events.rows()]


def only_order(store):
    (order,) = store.history.orders()
    return order


def test_it_is_the_journal_that_an_engine_takes(store, journal):
    taken: Journal = journal
    scan = ScanDone(slot=START, origin="requested", version="v001", signals=0, approved=0)
    taken.write_ahead([])
    taken.record(StepRecord(book="main", at=START, scan=scan))
    assert store.history.counts("main")["scans"] == 1


def test_everything_of_a_step_comes_back_equal(store, journal, funded):
    bought = approved_order()
    fill = fill_of(bought)
    ledger, _ = apply_fill(funded, fill)
    ledger = with_protection(ledger, "BTC/USD", Price("18000.5"), Price("30000"))
    halt = Halt(kind=HaltKind.KILL_SWITCH, book="main", sentence="a person said so", raised_at=minutes(6))
    marks = EquityMarks(day=date(2023, 3, 1), day_start=QuoteAmount("50000.01"), peak=QuoteAmount(51_000))
    capital = CapitalEvent(amount=QuoteAmount("12.34"), at=minutes(6), reason="deposit")
    ledger = replace(ledger, cash=ledger.cash + capital.amount, capital=ledger.capital + capital.amount)
    step = StepRecord(
        book="main", at=minutes(6), scan=replace(scan(minutes(5)), signals=1, approved=1, fault="error: no"),
        answers=[answer()], submitted=[submitted_order(bought)], updates=[update_of(bought, OrderState.FILLED)],
        fills=[fill], capital=[capital], halts_raised=[halt], faults=["error: no"], protection_moved=["BTC/USD"],
        ledger=ledger, marks=marks, equity=QuoteAmount("50012.345678901234567890"),
    )
    journal.record(step)
    state = store.books.load("main")
    assert state.ledger == ledger
    assert state.marks == marks
    assert state.halts == [halt]
    assert state.last_scan == minutes(5)
    assert state.open_orders == []
    assert store.scans.get("main", minutes(5)) == step.scan
    assert store.scans.answers("main") == step.answers
    assert store.history.fills() == step.fills
    assert only_order(store).submitted == step.submitted[0]
    assert (only_order(store).state, only_order(store).filled_qty) == (OrderState.FILLED, BaseQty("0.5"))
    assert store.history.equity() == [(minutes(6), Decimal("50012.345678901234567890"))]
    assert store.history.faults() == [(minutes(6), "error: no")]
    assert store.books.capital_events("main")[-1] == capital
    assert store.books.check("main") == []
    assert kinds(store) == [
        "capital", "scan", "capital", "answer", "order_submitted", "order_update", "fill", "halt", "fault",
        "protection_moved",
    ]
    assert store.history.counts() == {"scans": 1, "signals": 1, "orders": 1, "fills": 1, "trades": 0, "faults": 1}


def test_a_round_trip_gives_the_trade_and_the_flat_book(store, journal, funded):
    bought, sold = approved_order(1), approved_order(20, side=Side.SELL)
    first = trading_step(minutes(6), funded, bought, fill_of(bought))
    second = trading_step(minutes(26), first.ledger, sold, fill_of(sold, price="21000"))
    journal.record(first)
    journal.record(second)
    state = store.books.load("main")
    assert state.ledger == second.ledger
    assert state.ledger.positions == {}
    assert state.recent_trades == second.trades == store.history.trades()
    # 0.5 x (21000 - 20000.1) less two fees of 40.0002
    assert state.recent_trades[0].pnl == QuoteAmount("419.9496")
    assert store.books.check("main") == []


def test_a_slot_is_worked_once_a_book_and_a_second_time_changes_nothing(store, journal, funded):
    journal.record(StepRecord(book="main", at=minutes(5), scan=scan(minutes(5)), ledger=funded))
    head = store.events.head()
    spent = replace(funded, cash=QuoteAmount(1))
    with pytest.raises(NotNow, match="2023-03-01 00:05 of main was already worked"):
        journal.record(
            StepRecord(book="main", at=minutes(6), scan=scan(minutes(5), origin="requested"), ledger=spent, equity=QuoteAmount("1"))
        )
    assert store.events.head() == head
    assert store.books.load("main").ledger == funded
    assert store.history.equity() == []
    store.journal("trial:t0001").record(StepRecord(book="trial:t0001", at=minutes(5), scan=scan(minutes(5))))


def test_a_ledger_that_was_undone_with_a_transaction_is_not_remembered_as_written(store, journal, funded):
    spent = replace(funded, cash=QuoteAmount(1))
    marks = EquityMarks(day=date(2023, 3, 1), day_start=QuoteAmount(1), peak=QuoteAmount(2))
    step = StepRecord(book="main", at=minutes(5), scan=scan(minutes(5)), ledger=spent, marks=marks)

    def record_and_fail() -> None:
        with store.transaction():
            journal.record(step)
            raise KeyError

    with pytest.raises(KeyError):
        record_and_fail()
    assert store.books.load("main").ledger == funded
    journal.record(step)
    assert store.books.load("main").ledger == spent
    assert store.books.load("main").marks == marks


def test_the_same_fill_again_is_booked_once(store, journal, funded):
    bought = approved_order()
    step = trading_step(minutes(6), funded, bought, fill_of(bought))
    journal.record(step)
    head = store.events.head()
    journal.record(StepRecord(book="main", at=minutes(7), fills=step.fills, ledger=step.ledger))
    assert store.events.head() == head
    assert store.history.fills() == step.fills
    assert only_order(store).filled_qty == BaseQty("0.5")
    assert store.books.check("main") == []


@pytest.mark.parametrize(
    "change", [{"qty": BaseQty("0.4")}, {"price": Price(1)}, {"fee": QuoteAmount(0)}, {"filled_at": minutes(9)}]
)
def test_a_fill_id_with_other_contents_stops_everything(store, journal, funded, change):
    bought = approved_order()
    step = trading_step(minutes(6), funded, bought, fill_of(bought))
    journal.record(step)
    with pytest.raises(Fatal, match="came a second time with other contents"):
        journal.record(StepRecord(book="main", at=minutes(7), fills=[replace(step.fills[0], **change)]))
    assert store.history.fills() == step.fills


def test_a_fill_of_an_unknown_order_stops_everything_and_nothing_of_the_step_is_kept(store, journal, funded):
    step = trading_step(minutes(6), funded, approved_order(), fill_of(approved_order(2)))
    with pytest.raises(Fatal, match="intent i2, which was never recorded"):
        journal.record(step)
    assert store.history.orders() == []
    assert store.books.load("main").ledger == funded
    assert store.books.check("main") == []


def test_partial_fills_add_up_to_the_order(store, journal, funded):
    bought = approved_order()
    parts = [fill_of(bought, qty="0.2", part="a"), fill_of(bought, qty="0.3", part="b")]
    ledger, _ = apply_fill(funded, parts[0])
    journal.record(
        StepRecord(book="main", at=minutes(6), submitted=[submitted_order(bought)], fills=parts[:1], ledger=ledger)
    )
    assert (only_order(store).state, only_order(store).filled_qty) == (OrderState.OPEN, BaseQty("0.2"))
    assert store.books.load("main").open_orders == [only_order(store)]
    ledger, _ = apply_fill(ledger, parts[1])
    journal.record(StepRecord(book="main", at=minutes(7), fills=parts[1:], ledger=ledger))
    assert (only_order(store).state, only_order(store).filled_qty) == (OrderState.FILLED, BaseQty("0.5"))
    assert store.books.check("main") == []


def test_an_intent_is_on_disk_before_anything_is_sent_and_becomes_the_order(store, journal):
    bought = approved_order()
    journal.write_ahead([bought])
    waiting = only_order(store)
    assert (waiting.approved, waiting.state, waiting.order_id, waiting.submitted) == (
        bought, OrderState.INTENDED, None, None,
    )
    journal.record(StepRecord(book="main", at=minutes(2), submitted=[submitted_order(bought)]))
    assert only_order(store).submitted == submitted_order(bought)
    assert only_order(store).state is OrderState.OPEN
    assert kinds(store) == ["order_intended", "order_submitted"]


def test_an_intent_is_never_written_or_sent_twice(store, journal):
    bought = approved_order()
    journal.write_ahead([bought])
    with pytest.raises(Fatal, match="written already"):
        journal.write_ahead([bought])
    journal.record(StepRecord(book="main", at=minutes(2), submitted=[submitted_order(bought)]))
    second = replace(submitted_order(bought), order_id="O-other")
    with pytest.raises(Fatal, match="became O-i1 and now O-other"):
        journal.record(StepRecord(book="main", at=minutes(2), submitted=[second]))


def test_writing_ahead_inside_another_transaction_is_refused(store, journal):
    with pytest.raises(Fatal), store.transaction():
        journal.write_ahead([approved_order()])
    assert store.history.orders() == []


@pytest.mark.parametrize("state", [state for state in OrderState if state is not OrderState.OPEN])
def test_an_update_moves_an_open_order(store, journal, state):
    bought = approved_order()
    change = update_of(bought, state)
    journal.record(StepRecord(book="main", at=minutes(2), submitted=[submitted_order(bought)], updates=[change]))
    assert (only_order(store).state, only_order(store).reason) == (state, change.reason)


def test_a_late_report_does_not_bring_an_ended_order_back(store, journal):
    bought = approved_order()
    journal.record(
        StepRecord(
            book="main", at=minutes(2), submitted=[submitted_order(bought)],
            updates=[update_of(bought, OrderState.CANCELLED), update_of(bought, OrderState.OPEN)],
        )
    )
    assert only_order(store).state is OrderState.CANCELLED
    assert kinds(store) == ["order_submitted", "order_update", "order_update"]


def test_an_unknown_outcome_that_turns_out_open_gets_its_order_id(store, journal):
    bought = approved_order()
    journal.write_ahead([bought])
    unknown = replace(update_of(bought, OrderState.UNKNOWN), order_id="")
    journal.record(StepRecord(book="main", at=minutes(2), updates=[unknown]))
    assert (only_order(store).state, only_order(store).order_id) == (OrderState.UNKNOWN, None)
    journal.record(StepRecord(book="main", at=minutes(3), updates=[update_of(bought, OrderState.OPEN)]))
    assert (only_order(store).state, only_order(store).order_id) == (OrderState.OPEN, "O-i1")


def test_a_halt_that_is_active_already_is_not_raised_again(store, journal):
    first = Halt(kind=HaltKind.DRAWDOWN, book="main", sentence="first", raised_at=minutes(1))
    journal.record(StepRecord(book="main", at=minutes(1), halts_raised=[first]))
    journal.record(StepRecord(book="main", at=minutes(2), halts_raised=[replace(first, sentence="second")]))
    assert store.halts.active("main") == [first]
    assert kinds(store) == ["halt"]


def test_a_mark_may_come_again_after_one_of_an_earlier_moment(store, journal):
    """A late scan is told at its slot, between two looks at prices in one round of the loop."""
    for at, value in ((8, "1"), (5, "2"), (8, "3")):
        journal.record(StepRecord(book="main", at=minutes(at), equity=QuoteAmount(value)))
    assert store.history.equity() == [(minutes(5), Decimal(2)), (minutes(8), Decimal(3))]


def test_a_later_mark_of_the_same_moment_takes_its_place(store, journal):
    for value in ("1.5", "2.5"):
        journal.record(StepRecord(book="main", at=minutes(5), equity=QuoteAmount(value)))
    store.journal("main").record(StepRecord(book="main", at=minutes(5), equity=QuoteAmount("3.5")))
    journal.record(StepRecord(book="main", at=minutes(10), equity=QuoteAmount("4")))
    assert store.history.equity() == [(minutes(5), Decimal("3.5")), (minutes(10), Decimal(4))]


def test_positions_keep_the_order_in_which_they_were_opened(store, journal, funded):
    ledger = funded
    for number, symbol in enumerate(["SOL/USD", "BTC/USD", "ETH/USD"], start=1):
        bought = approved_order(number, symbol=symbol, qty="0.01")
        step = trading_step(minutes(number), ledger, bought, fill_of(bought))
        journal.record(step)
        ledger = step.ledger
    assert list(store.books.load("main").ledger.positions) == ["SOL/USD", "BTC/USD", "ETH/USD"]
    assert isinstance(store.books.load("main").ledger.positions, MappingProxyType)


def test_the_event_log_does_not_depend_on_how_long_a_scan_took(store, tmp_path):
    from shell.store.store import Store

    store.journal("main").record(StepRecord(book="main", at=START, scan=scan(START, milliseconds=1.0)))
    with Store.open(tmp_path / "other.db") as other:
        other.journal("main").record(StepRecord(book="main", at=START, scan=scan(START, milliseconds=99.0)))
        assert other.events.head() == store.events.head()
        assert other.scans.get("main", START).milliseconds == 99.0


def test_hostile_text_from_a_strategy_is_recorded(store, journal):
    bad = replace(answer(reasoning="\ud800\0;DROP TABLE events"), tag="\0")
    journal.record(StepRecord(book="main", at=minutes(1), answers=[bad], faults=["\udfff"]))
    assert store.scans.answers("main")[0].reasoning == "\\ud800\\x00;DROP TABLE events"
    assert store.events.verify()


def test_a_fact_of_another_book_is_refused(store, journal):
    with pytest.raises(Fatal, match="book trial:t0001 came to the journal of main"):
        journal.record(StepRecord(book="trial:t0001", at=START))
    other = approved_order(book="trial:t0001")
    with pytest.raises(Fatal):
        journal.record(StepRecord(book="main", at=START, submitted=[submitted_order(other)]))
    assert kinds(store) == []


def test_steps_without_a_ledger_leave_the_books_alone(store, journal):
    journal.record(StepRecord(book="main", at=minutes(5), scan=scan(minutes(5))))
    assert store.books.load("main") is None
    journal.record(StepRecord(book="main", at=minutes(10), scan=scan(minutes(10)), ledger=Ledger()))
    assert store.books.load("main").ledger == Ledger()
