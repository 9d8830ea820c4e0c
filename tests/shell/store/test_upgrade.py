"""A home of the schema before live trading, with an open position and a paper trial under way, goes on where it was."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from shell.money import BaseQty, Price
from shell.orders import Side
from shell.store import migrations
from shell.store.store import Store
from tests.shell.page.homes import begin, trade
from tests.shell.store.examples import START
from tests.shell.store.older import turn_back

DUE = START + timedelta(days=7)

pytestmark = pytest.mark.sqlite


@pytest.mark.parametrize("version", ["0003"])
def test_positions_stops_and_suspended_trials_outlive_an_upgrade(version: str, database: Path) -> None:
    with Store.open(database) as store:
        begin(store)
        trade(store, 1, Side.BUY)
        trade(store, 2, Side.SELL, price="20500")
        trade(store, 3, Side.BUY, price="18000")
        store.paper.start("c0001", started_at=START, due_at=DUE)
        store.paper.start("c0002", started_at=START, due_at=DUE)
        store.paper.update("t0002", state="extended", due_at=DUE + timedelta(days=7))
        before, trials, head = store.books.load("main"), store.paper.list(), store.events.head()
    newer = turn_back(database, version)
    with Store.open(database) as store:
        assert store.schema_version == migrations.HEAD != version
        after = store.books.load("main")
        assert before is not None
        assert after is not None
        assert after.ledger == before.ledger
        assert after.open_orders == before.open_orders
        (position,) = after.ledger.positions.values()
        assert (position.symbol, position.qty, position.stop_loss) == ("BTC/USD", BaseQty("0.5"), Price("19000"))
        assert store.paper.list() == trials
        assert [(each.trial_id, each.state) for each in store.paper.list()] == [("t0001", "running"), ("t0002", "extended")]
        assert store.books.check("main") == []
        assert store.events.verify()
        assert store.events.head() == head, "an upgrade is no event of trading"
        trade(store, 4, Side.SELL, price="21000")
        assert store.books.check("main") == []
    assert newer.is_file()
