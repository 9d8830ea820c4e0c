"""Homes for the page to look at: one that has just traded, and one with a year behind it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np

from shell.clock import to_ms
from shell.config import Settings
from shell.home import Home
from shell.market.bars import Tier
from shell.market.frames import to_frame
from shell.money import QuoteAmount
from shell.orders import Side
from shell.store.candles import CandleStore
from shell.store.store import Store
from shell.store.types import utc_text
from tests.shell.store.examples import START, answer, approved_order, fill_of, scan, trading_step

SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD")


def settings(**page: object) -> Settings:
    """The shipped ones, on any free port unless told otherwise."""
    shipped = Settings()
    return shipped.model_copy(update={"page": shipped.page.model_copy(update={"port": 0, **page})})


def home_at(folder: Path) -> Home:
    return Home.private(folder).create()


def begin(store: Store) -> None:
    """10,000 of capital, so that there is a book."""
    store.books.ensure_capital("main", QuoteAmount(20_000), START)


def buy(store: Store, number: int, *, price: str = "20000.1", reasoning: str = "the trend is up") -> None:
    """One signal, its order and its fill, as a step records them."""
    trade(store, number, Side.BUY, price=price, reasoning=reasoning)


def trade(store: Store, number: int, side: Side, *, price: str = "20000.1", reasoning: str = "the trend is up") -> None:
    state = store.books.load("main")
    assert state is not None
    journal = store.journal("main")
    order = approved_order(number, side=side)
    journal.write_ahead([order])
    at = START + timedelta(minutes=5 * number)
    step = trading_step(at, state.ledger, order, fill_of(order, price=price))
    step.scan, step.answers = scan(at), [answer(number, reasoning=reasoning)]
    journal.record(step)


def add_year(store: Store, seed: int, *, every: timedelta = timedelta(minutes=5)) -> int:
    """A year of equity marks and of hourly and daily candles; returns how many marks."""
    rng = np.random.default_rng(seed)
    count = round(timedelta(days=365) / every)
    values = 20_000 * np.exp(np.cumsum(rng.normal(0, 0.0004, count)))
    rows = [("main", utc_text(START + (number + 1) * every), f"{value:.8f}") for number, value in enumerate(values.tolist())]
    with store.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO equity (book, at, value) VALUES (?, ?, ?)", rows)
    candles = CandleStore(store)
    for symbol in SYMBOLS:
        for tier, bars in ((Tier.H1, 365 * 24), (Tier.D1, 365)):
            opens = to_ms(START) + tier.ms * np.arange(bars)
            closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.002, bars)))
            table = np.column_stack((opens, closes, closes * 1.01, closes * 0.99, closes, np.ones(bars)))
            candles.add(symbol, tier, to_frame(table.astype(np.float64)))
    return count
