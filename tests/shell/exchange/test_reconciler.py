"""Reconciliation against the simulated exchange: whatever happened outside or went unreported, the books end up equal to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from shell.errors import Transient
from shell.exchange.simulator.system import SystemState
from shell.orders import OrderState, OrderUpdate, Purpose, Side
from shell.risk.halts import HaltKind
from tests.shell.exchange.bench import Bench, kinds
from tests.shell.exchange.simulator.kit import wait


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


def test_what_was_there_before_is_external_and_nothing_is_found(bench: Bench) -> None:
    done = bench.reconcile()
    # 20,000 USD in the account, 10,000 of them allocated.
    assert done.matches
    # What was there before the first look is no deposit that anybody has to be told of.
    assert kinds(done) == []
    assert bench.store.account.outside() == {"USD": Decimal(10_000)}
    bench.agrees()


def test_books_that_agree_stay_as_they_are(bench: Bench) -> None:
    bench.reconcile()
    bench.trade(Side.BUY, "0.1")
    before = bench.store.books.load("main")
    done = bench.reconcile()
    assert done.matches
    assert kinds(done) == []
    assert bench.store.books.load("main") == before
    bench.agrees()


def test_a_fill_that_was_not_reported_is_booked_and_halts_nothing(bench: Bench) -> None:
    bench.reconcile()
    bench.trade(Side.BUY, "0.1", told=False)
    done = bench.reconcile()
    assert kinds(done) == ["missed_fill", "order_ended"]
    assert bench.ours("BTC") == Decimal("0.1")
    assert bench.engine.halts == {}
    assert not bench.reconcile().outcome.findings
    bench.agrees()


def test_an_order_whose_answer_was_lost_is_found_by_its_client_id(bench: Bench) -> None:
    bench.reconcile()
    txid = bench.trade(Side.BUY, "0.1", told=False, linked=False)
    done = bench.reconcile()
    assert kinds(done) == ["missed_fill", "order_ended", "order_linked"]
    state = bench.store.books.load("main")
    assert state is not None
    assert state.open_orders == []
    assert [fill.order_id for _, fill in _fills(bench)] == [txid]
    bench.agrees()


def test_an_order_that_never_arrived_is_given_up_only_after_it_could_no_longer(bench: Bench) -> None:
    bench.reconcile()
    approved = _intended_only(bench)
    assert kinds(bench.reconcile(seconds=60)) == []
    assert len(bench.store.books.load("main").open_orders) == 1
    assert kinds(bench.reconcile(seconds=150)) == ["never_placed"]
    assert bench.store.books.load("main").open_orders == []
    assert approved is not None


def test_coins_a_person_buys_and_sells_are_never_ours(bench: Bench) -> None:
    bench.reconcile()
    bench.trade(Side.BUY, "0.1")
    bench.customer.buy("0.2")
    done = bench.reconcile()
    assert done.matches
    assert kinds(done) == ["external_trade"]
    assert bench.store.account.outside()["BTC"] == Decimal("0.2")
    bench.customer.add(type="sell", ordertype="market", volume="0.15")
    assert bench.reconcile().matches
    assert bench.ours("BTC") == Decimal("0.1")
    assert bench.store.account.outside()["BTC"] == Decimal("0.05")
    bench.agrees()


def test_coins_of_ours_that_a_person_sells_shrink_the_position_and_halt(bench: Bench) -> None:
    bench.reconcile()
    bench.trade(Side.BUY, "0.1")
    bench.customer.add(type="sell", ordertype="market", volume="0.04")
    cash = bench.ours("USD")
    done = bench.reconcile()
    assert kinds(done) == ["external_sale"]
    assert bench.ours("BTC") == Decimal("0.06")
    # 0.04 at 30,000 less spread and fee came into the account and stays with us.
    assert Decimal(1180) < bench.ours("USD") - cash < Decimal(1200)
    assert list(bench.engine.halts) == [HaltKind.BOOKS_DIFFER]
    assert [fill.intent.purpose for _, fill in _fills(bench)] == [Purpose.ENTRY, Purpose.EXTERNAL]
    assert any("external sale" in sentence for sentence in done.sentences)
    # Nothing is told of the money that was there before the first look.
    assert bench.notes == []
    bench.agrees()


def test_a_sale_of_theirs_and_ours_together_takes_theirs_first(bench: Bench) -> None:
    bench.reconcile()
    bench.trade(Side.BUY, "0.1")
    bench.customer.buy("0.05")
    bench.reconcile()
    bench.customer.add(type="sell", ordertype="market", volume="0.12")
    bench.reconcile()
    # 0.15 were there, 0.12 are sold: 0.05 of theirs and 0.07 of ours.
    assert bench.ours("BTC") == Decimal("0.03")
    assert bench.store.account.outside()["BTC"] == 0
    bench.agrees()


def test_a_position_sold_whole_by_a_person_ends_and_is_never_sold_again(bench: Bench) -> None:
    bench.reconcile()
    bench.trade(Side.BUY, "0.1")
    bench.customer.add(type="sell", ordertype="market", volume="0.1")
    bench.reconcile()
    assert bench.engine.ledger.positions == {}
    (trade,) = bench.store.books.load("main").recent_trades
    assert trade.exit_purpose == "external"
    bench.agrees()


def test_deposits_withdrawals_and_rewards_are_labelled_and_count_for_nothing(bench: Bench) -> None:
    bench.reconcile()
    bench.trade(Side.BUY, "0.1")
    before = bench.engine.ledger
    exchange = bench.desk.exchange
    exchange.deposit("ZUSD", Decimal("5000"))
    exchange.deposit("ZUSD", Decimal("-1000"))
    exchange.deposit("XBT.F", Decimal("0.001"))
    done = bench.reconcile()
    assert done.matches
    assert kinds(done) == ["deposit", "deposit", "withdrawal"]
    assert bench.engine.ledger == before
    # The coin under its reward name is the same coin.
    assert bench.store.account.outside()["BTC"] == Decimal("0.001")
    bench.agrees()


def test_allocated_cash_that_a_person_takes_out_is_a_capital_event_and_halts(bench: Bench) -> None:
    bench.reconcile()
    bench.desk.exchange.deposit("ZUSD", Decimal("-12000"))
    done = bench.reconcile()
    assert kinds(done) == ["cash_gone", "withdrawal"]
    assert bench.ours("USD") == Decimal(8000)
    assert bench.engine.ledger.realised_pnl.value == 0
    assert bench.engine.ledger.capital.value == Decimal(8000)
    assert HaltKind.BOOKS_DIFFER in bench.engine.halts
    bench.agrees()


def test_coins_of_ours_that_leave_the_account_are_a_withdrawal_and_no_loss(bench: Bench) -> None:
    bench.reconcile()
    bench.trade(Side.BUY, "0.1")
    bench.desk.exchange.deposit("XXBT", Decimal("-0.1"))
    done = bench.reconcile()
    assert kinds(done) == ["coins_gone", "withdrawal"]
    assert bench.engine.ledger.positions == {}
    assert HaltKind.BOOKS_DIFFER in bench.engine.halts
    bench.agrees()


def test_a_stop_the_exchange_spawned_is_adopted_and_its_sale_booked(bench: Bench) -> None:
    bench.reconcile()
    bench.trade(Side.BUY, "0.1", stop="29000")
    done = bench.reconcile()
    assert kinds(done) == ["stop_adopted"]
    (stop,) = done.adopted
    assert stop.intent.purpose is Purpose.STOP
    bench.desk.exchange.print_trade("XBTUSD", "28900", "1")
    wait(bench.desk, 5)
    assert "missed_fill" in kinds(bench.reconcile())
    assert bench.engine.ledger.positions == {}
    (trade,) = bench.store.books.load("main").recent_trades
    assert trade.exit_purpose == "stop"
    assert bench.engine.halts == {}
    bench.agrees()


def test_the_orders_of_others_are_told_and_left_alone(bench: Bench) -> None:
    bench.reconcile()
    txid = bench.customer.add(type="buy", ordertype="limit", price="20000", volume="0.1")
    assert kinds(bench.reconcile()) == ["external_order"]
    assert bench.customer.order(txid)["status"] == "open"
    bench.agrees()


def test_another_home_on_the_same_account_is_found_and_halts(bench: Bench, tmp_path: Path) -> None:
    bench.reconcile()
    other = Bench(tmp_path / "other", exchange=bench.desk)
    other.trade(Side.BUY, "0.01")
    other.store.close()
    bench.customer.nonce = other.customer.nonce + 1000
    done = bench.reconcile()
    assert "other_trader" in kinds(done)
    assert "Stop one of the two" in bench.engine.halts[HaltKind.BOOKS_DIFFER].sentence
    assert bench.ours("BTC") == 0
    bench.agrees()


def _fills(bench: Bench):
    from shell.store.books import read_fills

    with bench.store.reading() as connection:
        return read_fills(connection, "main")


def _intended_only(bench: Bench):
    from shell.contract import OrderType
    from shell.money import NO_MONEY, BaseQty
    from shell.orders import APPROVAL_SEAL, ApprovedOrder, OrderIntent
    from tests.shell.exchange.bench import BTC

    wait(bench.desk, 1)
    intent = OrderIntent(
        intent_id="main:lost:o", book="main", version="v001", symbol=BTC, side=Side.BUY, purpose=Purpose.ENTRY,
        order_type=OrderType.MARKET, qty=BaseQty("0.1"), limit_price=None, decided_at=bench.now,
    )
    approved = ApprovedOrder(intent=intent, reserved=NO_MONEY, seal=APPROVAL_SEAL)
    bench.store.journal("main").write_ahead([approved])
    return approved


def test_a_look_is_due_at_the_start_every_fifteen_minutes_and_soon_after_what_may_have_been_missed(bench: Bench) -> None:
    reconciler = bench.reconciler
    assert reconciler.due(bench.now)
    bench.reconcile()
    assert not reconciler.due(bench.now + timedelta(minutes=14))
    assert reconciler.due(bench.now + timedelta(minutes=15))
    reconciler.needed("the private stream was cut", bench.now)
    assert reconciler.due(bench.now)
    reconciler.failed(bench.now)
    assert not reconciler.due(bench.now)
    assert reconciler.due(bench.now + timedelta(seconds=10))


def test_once_faults_stop_the_books_agree_within_a_minute(bench: Bench) -> None:
    """I7: an answer and fills lost in maintenance are booked by the first look after it, seconds later."""
    bench.reconcile()
    bench.trade(Side.BUY, "0.1", told=False, linked=False, stop="29000")
    bench.desk.exchange.set_state(SystemState.MAINTENANCE)
    bench.reconciler.needed("the private stream was cut", bench.now)
    for _ in range(6):
        with pytest.raises(Transient):
            bench.reconcile(seconds=10)
        bench.reconciler.failed(bench.now)
    assert bench.ours("BTC") == 0
    bench.desk.exchange.set_state(SystemState.ONLINE)
    healed = bench.now
    while not bench.reconciler.due(bench.now):
        wait(bench.desk, 1)
    done = bench.reconcile(seconds=0)
    assert bench.now - healed <= timedelta(seconds=60)
    assert kinds(done) == ["missed_fill", "order_ended", "order_linked", "stop_adopted"]
    assert bench.notes[-1][0] == "warning"
    bench.agrees()


def test_an_order_that_is_open_although_our_books_ended_it_is_named_for_cancelling(bench: Bench) -> None:
    bench.reconcile()
    txid = bench.trade(Side.BUY, "0.05", limit="25000", told=False)
    (order,) = bench.store.books.load("main").open_orders
    ended = OrderUpdate(
        order_id=txid, intent_id=order.intent.intent_id, state=OrderState.CANCELLED, reason="thought so", at=bench.now
    )
    bench.engine.take_up([ended], bench.now)
    done = bench.reconcile()
    assert done.strays == (txid,)
    assert "to be cancelled" in done.sentences[0]
