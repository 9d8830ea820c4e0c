"""Run as a child process that is killed: trades as fast as it can, prints the number of each step once stored."""

from __future__ import annotations

import sys

from shell.execution.record import StepRecord
from shell.money import QuoteAmount
from shell.orders import Side
from shell.store.store import Store
from tests.shell.store.examples import START, approved_order, fill_of, minutes, scan, trading_step


def main(path: str) -> None:
    store = Store.open(path)
    store.books.ensure_capital("main", QuoteAmount(1_000_000), START)
    journal, state = store.journal("main"), store.books.load("main")
    assert state is not None
    ledger = state.ledger
    number = int(store.facts.get("number") or 0)
    while True:
        number += 1
        with store.transaction():
            store.facts.set("number", number)
            step = StepRecord(book="main", at=minutes(number), scan=scan(minutes(number)), ledger=ledger)
            if number % 3 == 0:
                side = Side.BUY if "BTC/USD" not in ledger.positions else Side.SELL
                order = approved_order(number, side=side)
                step = trading_step(minutes(number), ledger, order, fill_of(order))
                step.scan = scan(minutes(number))
            journal.record(step)
            assert step.ledger is not None
            ledger = step.ledger
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
