"""Books come back as they were, and a difference between them and their facts is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell.errors import NotNow
from shell.execution.record import StepRecord
from shell.money import BaseQty, Price, QuoteAmount
from shell.orders import OrderState, Side
from shell.portfolio.ledger import CapitalEvent, EquityMarks, apply_capital, apply_fill
from shell.risk.halts import Halt, HaltKind
from shell.store import books as books_module
from shell.store.store import Store
from tests.shell.store.examples import START, approved_order, fill_of, minutes, submitted_order, trading_step, update_of


def bought_half_a_coin(store: Store) -> StepRecord:
    store.books.ensure_capital("main", QuoteAmount(50_000), START)
    order = approved_order()
    step = trading_step(minutes(6), store.books.load("main").ledger, order, fill_of(order))
    store.journal("main").record(step)
    return step


def test_a_book_that_never_was_is_none(store):
    assert store.books.load("main") is None
    assert store.books.check("main") == []
    assert store.books.names() == []


amounts = st.decimals(min_value="0.00000001", max_value="3", places=8)
prices = st.decimals(min_value="0.01", max_value="90000", places=2)


@settings(max_examples=15)
@given(
    deals=st.lists(st.tuples(st.sampled_from(["BTC/USD", "ETH/USD"]), st.booleans(), amounts, prices), max_size=12),
    deposits=st.lists(st.integers(0, 12), max_size=2),
)
def test_any_run_of_fills_comes_back_as_the_ledger_in_memory(tmp_path_factory, deals, deposits):
    with Store.open(tmp_path_factory.mktemp("books") / "brain.db") as store:
        store.books.ensure_capital("main", QuoteAmount(10_000_000), START)
        journal, ledger = store.journal("main"), store.books.load("main").ledger
        trades = []
        for number, (symbol, buying, amount, price) in enumerate(deals):
            if number in deposits:
                event = CapitalEvent(amount=QuoteAmount("0.01"), at=minutes(number), reason="deposit")
                ledger = apply_capital(ledger, event)
                journal.record(StepRecord(book="main", at=minutes(number), capital=[event], ledger=ledger))
            held = ledger.positions.get(symbol)
            if not buying and held is None:
                continue
            qty = BaseQty(amount) if buying else min(BaseQty(amount), held.qty)
            order = approved_order(
                number, symbol=symbol, side=Side.BUY if buying else Side.SELL, qty=str(qty)
            )
            step = trading_step(minutes(number), ledger, order, fill_of(order, price=str(price)))
            journal.record(step)
            ledger = step.ledger
            trades.extend(step.trades)
        state = store.books.load("main")
        assert state.ledger == ledger
        assert list(state.ledger.positions) == list(ledger.positions)
        assert state.recent_trades == trades
        assert store.books.check("main") == []
        assert store.events.verify()


@pytest.mark.parametrize(
    ("tampering", "sentence"),
    [
        ("UPDATE balances SET cash = '50000'", "cash is stored as 50000, its facts give 39959.9498"),
        ("UPDATE balances SET fees_paid = '40.00020000000000000001'", "fees_paid is stored as 40.00020000000000000001"),
        ("UPDATE balances SET consecutive_losses = 1", "consecutive_losses is stored as 1"),
        ("UPDATE positions SET qty = '0.49999999'", "qty of BTC/USD is stored as 0.49999999, its fills give 0.5"),
        ("UPDATE positions SET symbol = 'ETH/USD'", "a position in ETH/USD: its fills give none"),
        ("DELETE FROM positions", "a position in BTC/USD: none is stored"),
        ("DELETE FROM capital_events", "cannot be replayed"),
        ("DELETE FROM balances", "there are facts but no balances"),
        ("UPDATE fills SET fee = '40'", "cash is stored as 39959.9498, its facts give 39959.95"),
        ("UPDATE orders SET filled_qty = '0'", "order i1 says 0 filled, its fills add up to 0.5"),
        (
            "INSERT INTO trades SELECT 'main', 'T-x', 99, 'v', 'BTC/USD', '1', '1', '1', '0', 'DAY', opened_at,"
            " opened_at, 'exit', '' FROM positions",
            "1 trades are stored, its fills give 0",
        ),
    ],
)
def test_any_difference_between_books_and_facts_is_told(store, tampering, sentence):
    bought_half_a_coin(store)
    assert store.books.check("main") == []
    with store.transaction() as connection:
        connection.exec_driver_sql(tampering)
    told = store.books.check("main")
    assert any(sentence in each for each in told), told
    assert all(each.startswith("main: ") for each in told)


def test_a_moved_stop_is_no_difference(store):
    step = bought_half_a_coin(store)
    held = replace(step.ledger.positions["BTC/USD"], stop_loss=Price("19500"))
    moved = replace(step.ledger, positions={"BTC/USD": held})
    store.journal("main").record(
        StepRecord(book="main", at=minutes(7), protection_moved=["BTC/USD"], ledger=moved)
    )
    assert store.books.load("main").ledger.positions["BTC/USD"].stop_loss == Price("19500")
    assert store.books.check("main") == []


def test_capital_is_allocated_once_and_a_later_change_is_an_event_of_the_difference(store):
    ensure = store.books.ensure_capital
    assert ensure("main", QuoteAmount("10000"), START).amount == QuoteAmount(10_000)
    assert ensure("main", QuoteAmount("10000.00"), minutes(1)) is None
    assert ensure("main", QuoteAmount("12500.5"), minutes(2)).amount == QuoteAmount("2500.5")
    assert ensure("main", QuoteAmount(5_000), minutes(3)).amount == QuoteAmount("-7500.5")
    events = store.books.capital_events("main")
    assert [event.amount for event in events] == [QuoteAmount(10_000), QuoteAmount("2500.5"), QuoteAmount("-7500.5")]
    assert [event.reason for event in events] == ["starting capital"] + ["the configured capital changed"] * 2
    ledger = store.books.load("main").ledger
    assert (ledger.cash, ledger.capital) == (QuoteAmount(5_000), QuoteAmount(5_000))
    assert store.books.check("main") == []


def test_capital_that_is_not_there_in_cash_cannot_be_taken(store):
    step = bought_half_a_coin(store)
    with pytest.raises(NotNow, match="the capital of main cannot become 100 now"):
        store.books.ensure_capital("main", QuoteAmount(100), minutes(9))
    assert store.books.load("main").ledger == step.ledger
    assert len(store.books.capital_events("main")) == 1
    assert store.books.ensure_capital("main", QuoteAmount(50_000), minutes(9)) is None


def test_an_engine_that_books_the_configured_capital_too_does_not_double_it(store):
    """Start-up loads the book, then learns of the event and adds it to the engine, whose step names it again."""
    step = bought_half_a_coin(store)
    event = store.books.ensure_capital("main", QuoteAmount(60_000), minutes(9))
    ledger = apply_capital(step.ledger, event)
    assert store.books.load("main").ledger == ledger
    store.journal("main").record(StepRecord(book="main", at=minutes(9), capital=[event], ledger=ledger))
    assert store.books.load("main").ledger == ledger
    assert len(store.books.capital_events("main")) == 2
    assert store.books.check("main") == []


def test_marks_follow_the_configured_capital(store):
    store.books.ensure_capital("main", QuoteAmount(1_000), START)
    marks = EquityMarks(day=date(2023, 3, 1), day_start=QuoteAmount(1_000), peak=QuoteAmount(1_250), trades_today=3)
    store.books.save_marks("main", marks)
    assert store.books.load("main").marks == marks
    store.books.ensure_capital("main", QuoteAmount(2_000), minutes(1))
    # Twice the equity: the day's start moves by the amount, the peak keeps its proportion.
    assert store.books.load("main").marks == replace(marks, day_start=QuoteAmount(2_000), peak=QuoteAmount(2_500))


def test_a_lifted_loss_streak_starts_the_count_again_in_books_and_replay(store):
    store.books.ensure_capital("main", QuoteAmount(50_000), START)
    journal, ledger = store.journal("main"), store.books.load("main").ledger
    for number in (1, 3):
        for order in (approved_order(number), approved_order(number + 1, side=Side.SELL)):
            step = trading_step(order.intent.decided_at, ledger, order, fill_of(order, price="20000"))
            journal.record(step)
            ledger = step.ledger
        if number == 1:
            assert store.books.load("main").ledger.consecutive_losses == 1
            store.halts.raise_(
                Halt(kind=HaltKind.CONSECUTIVE_LOSSES, book="main", sentence="1 loss", raised_at=minutes(2))
            )
            store.halts.lift(HaltKind.CONSECUTIVE_LOSSES, "main", "pat", minutes(2))
            assert store.books.load("main").ledger.consecutive_losses == 0
            assert store.books.check("main") == []
            ledger = replace(ledger, consecutive_losses=0)
    assert store.books.load("main").ledger.consecutive_losses == 1
    assert store.books.check("main") == []


def test_only_orders_that_may_still_fill_are_open(store):
    store.books.ensure_capital("main", QuoteAmount(50_000), START)
    journal = store.journal("main")
    for number, state in enumerate(OrderState):
        order = approved_order(number)
        journal.write_ahead([order])
        if state is OrderState.INTENDED:
            continue
        journal.record(
            StepRecord(
                book="main", at=minutes(number), submitted=[submitted_order(order)], updates=[update_of(order, state)]
            )
        )
    states = [order.state for order in store.books.load("main").open_orders]
    assert states == [OrderState.INTENDED, OrderState.OPEN, OrderState.UNKNOWN]


def test_the_oldest_order_without_a_place_at_the_venue_is_the_oldest_that_may_still_fill(store):
    store.books.ensure_capital("main", QuoteAmount(50_000), START)
    journal = store.journal("main")
    assert store.books.oldest_unplaced("main") is None
    placed, refused, unplaced, later = (approved_order(number) for number in range(4))
    journal.write_ahead([placed, refused, unplaced, later])
    steps = [
        StepRecord(book="main", at=minutes(1), submitted=[submitted_order(placed)]),
        StepRecord(book="main", at=minutes(2), updates=[update_of(refused, OrderState.REJECTED)]),
    ]
    for step in steps:
        journal.record(step)
    assert placed.intent.decided_at < refused.intent.decided_at < unplaced.intent.decided_at < later.intent.decided_at
    assert store.books.oldest_unplaced("main") == unplaced.intent.decided_at
    assert store.books.oldest_unplaced("another") is None


def test_only_the_last_trades_are_recent_oldest_first(store, monkeypatch):
    assert books_module.RECENT_TRADES == 100
    monkeypatch.setattr(books_module, "RECENT_TRADES", 10)
    store.books.ensure_capital("main", QuoteAmount(50_000), START)
    journal, ledger = store.journal("main"), store.books.load("main").ledger
    with store.transaction():
        for number in range(0, 24, 2):
            for order in (
                approved_order(number, qty="0.001"), approved_order(number + 1, side=Side.SELL, qty="0.001")
            ):
                fill = replace(fill_of(order, price="20000"), fee=QuoteAmount("0.08"))
                ledger, trade = apply_fill(ledger, fill)
                journal.record(
                    StepRecord(
                        book="main", at=order.intent.decided_at, submitted=[submitted_order(order)], fills=[fill],
                        trades=[trade] if trade else [], ledger=ledger,
                    )
                )
    recent = store.books.load("main").recent_trades
    assert len(store.history.trades()) == 12
    assert recent == store.history.trades()[-10:]
    assert recent[0].opened_at < recent[-1].opened_at
    assert recent[0].fees == QuoteAmount(Decimal("0.16"))
