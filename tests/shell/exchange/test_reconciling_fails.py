"""A reconciliation that cannot be stored changes nothing, in the database or in the process; the next one begins afresh."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shell.errors import DatabaseFailed
from shell.orders import Side
from tests.shell.exchange.bench import Bench, kinds


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


@contextmanager
def full_disk(bench: Bench) -> Iterator[None]:
    """The write-ahead log may not grow."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = bench.path.with_name(bench.path.name + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("dies", [False, True], ids=["the same process", "the next process"])
def test_a_disk_that_is_full_as_the_books_follow_the_exchange_leaves_them_as_they_were(bench: Bench, dies: bool) -> None:
    bench.reconcile()
    bench.trade(Side.BUY, "0.1", told=False, linked=False, stop="29000")
    before = bench.engine.ledger, bench.engine.marks, bench.engine.seat.untold()
    with full_disk(bench), pytest.raises(DatabaseFailed):
        bench.reconcile()
    assert (bench.engine.ledger, bench.engine.marks, bench.engine.seat.untold()) == before
    # A step in between writes what this process believes, and nothing that was undone.
    bench.engine.assess(bench.now)
    assert bench.store.books.check("main") == []
    if dies:
        bench.restart()
    done = bench.reconcile()
    assert kinds(done) == ["missed_fill", "order_ended", "order_linked", "stop_adopted"]
    assert len(bench.engine.seat.owed) == 1, "the strategy hears of a fill once"
    bench.agrees()
    bench.restart()
    assert bench.reconcile().matches
    bench.agrees()
