"""A database that was restored to an older copy, or a process that died anywhere, converges to the exchange and places nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from shell.money import QuoteAmount
from shell.orders import Side
from shell.risk.halts import HaltKind
from tests.shell.exchange.bench import Bench, kinds
from tests.shell.exchange.simulator.kit import wait


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


def copied(bench: Bench, name: str) -> Path:
    """A copy of the database as a backup would take it: of one state, closed."""
    bench.store.close()
    copy = bench.path.with_name(name)
    shutil.copyfile(bench.path, copy)
    bench.restart_on(bench.path)
    return copy


def test_a_process_that_dies_before_the_report_is_whole_after_its_first_look(bench: Bench) -> None:
    bench.reconcile()
    bench.trade(Side.BUY, "0.1", told=False, linked=False, stop="29000")
    bench.restart()
    assert bench.ours("BTC") == 0
    done = bench.reconcile()
    assert kinds(done) == ["missed_fill", "order_ended", "order_linked", "stop_adopted"]
    bench.agrees()
    bench.restart()
    assert bench.reconcile().matches
    bench.agrees()


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_every_older_copy_of_the_database_converges_to_the_exchange(bench: Bench, after: int) -> None:
    """Hazard 21: whatever was lost, after one look the books are the account's, openings are halted and nothing was sent."""
    bench.reconcile()
    copies = [copied(bench, "copy0.db")]
    bench.trade(Side.BUY, "0.1", stop="29000")
    copies.append(copied(bench, "copy1.db"))
    bench.trade(Side.BUY, "0.05", limit="25000", told=False)
    copies.append(copied(bench, "copy2.db"))
    bench.desk.exchange.print_trade("XBTUSD", "28900", "1")
    wait(bench.desk, 60)
    bench.reconcile()
    copies.append(copied(bench, "copy3.db"))
    orders = len(bench.desk.exchange.venue.orders)
    bench.restart_on(copies[after])
    done = bench.reconcile()
    bench.agrees()
    assert bench.ours("BTC") == 0
    assert len(bench.desk.exchange.venue.orders) == orders
    # Orders of which the copy knows nothing are a reason to look before anything is bought again.
    assert (HaltKind.BOOKS_DIFFER in bench.engine.halts) == (after <= 1)
    assert ("recovered" in kinds(done)) == (after <= 1)
    assert bench.reconcile().matches
    bench.agrees()


def test_a_halt_for_differing_books_outlives_the_process(bench: Bench) -> None:
    bench.reconcile()
    bench.trade(Side.BUY, "0.1")
    bench.customer.add(type="sell", ordertype="market", volume="0.1")
    bench.reconcile()
    bench.restart()
    assert HaltKind.BOOKS_DIFFER in bench.engine.halts
    assert bench.reconcile().matches
    assert HaltKind.BOOKS_DIFFER in bench.engine.halts


def test_a_loss_limit_measures_the_same_across_a_restart_and_a_deposit(bench: Bench) -> None:
    """Hazard 17: neither forgets the peak that a drawdown is measured from, nor the day's start."""
    bench.reconcile()
    bench.trade(Side.BUY, "0.3")
    marks = bench.engine.marks
    assert marks is not None
    bench.desk.exchange.deposit("ZUSD", Decimal("50000"))
    bench.reconcile()
    bench.restart()
    bench.reconcile()
    assert bench.engine.marks == marks
    equity = bench.engine.equity()
    bench.allocate("10000")
    after = bench.engine.marks
    assert after is not None
    # The part of the peak that was lost stays what it was, and the day's result in money does.
    lost = (marks.peak - equity).ratio(marks.peak)
    assert abs((after.peak - bench.engine.equity()).ratio(after.peak) - lost) < lost / 10**20
    assert after.day_start - marks.day_start == QuoteAmount("10000")
