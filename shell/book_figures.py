"""A book in figures for people and reports: what it did so far, and how a day ended. Floats are for display."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from shell.clock import local_day, to_ms
from shell.contract import OpenPosition
from shell.engine import Engine
from shell.live_value import live_prices
from shell.market.bars import Tier
from shell.money import NO_MONEY, Price, decimal_of
from shell.portfolio.ledger import Ledger
from shell.portfolio.valuation import open_positions
from shell.store.candles import CandleStore
from shell.store.store import Store
from shell.truth.truth import BookFacts, truth_of


def performance_of(store: Store, engine: Engine, now: datetime) -> dict[str, Any]:
    """The truth about a book so far (`shell.truth`), with what it is counted from. A figure without an answer is None, and
    `unanswered` says why."""
    book = engine.config.book
    truth = truth_of(book_facts(store, engine))
    return {"as_of": now.isoformat(), "counts": store.history.counts(book), **truth.as_dict()}


def book_facts(store: Store, engine: Engine) -> BookFacts:
    """Everything a book did so far, for `truth_of`."""
    book = engine.config.book
    marks, capital = store.history.equity(book), store.books.capital_events(book)
    begins = marks[0][0] if marks else None
    starting = sum((event.amount for event in capital if begins is None or event.at <= begins), start=NO_MONEY)
    return BookFacts(
        marks=marks, starting=starting, trades=store.history.trades(book), fills=store.history.fills(book),
        capital=capital, open_since=[position.opened_at for position in engine.ledger.positions.values()],
    )


def record_snapshot(store: Store, engine: Engine, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """Record how the book stands at the end of a local day."""
    day, equity = local_day(now, zone), engine.equity()
    day_pnl = equity - engine.marks.day_start if engine.marks else NO_MONEY
    positions = position_rows(engine)
    store.snapshots.record(
        book=engine.config.book, day=day, at=now, equity=equity, cash=engine.ledger.cash, day_pnl=day_pnl,
        fees=engine.ledger.fees_paid, positions=positions,
    )
    return {
        "day": day.isoformat(), "equity": str(equity), "cash": str(engine.ledger.cash), "day_pnl": str(day_pnl),
        "fees": str(engine.ledger.fees_paid), "positions": positions,
    }


def newest_prices(store: Store, ledger: Ledger) -> dict[str, Price]:
    """The newest stored close of every holding, its own entry price where no candle is stored."""
    candles = CandleStore(store)
    prices = {}
    for symbol, position in ledger.positions.items():
        bar = candles.last(symbol, Tier.M5)
        known = bar is not None and bar.close_ms > to_ms(position.opened_at)
        prices[symbol] = Price(decimal_of(bar.close)) if bar is not None and known else position.avg_entry
    return prices


def position_rows(engine: Engine, *, live: bool = False) -> list[dict[str, Any]]:
    """Every open position at the newest closes, or at the newest prices seen (`live`)."""
    prices = live_prices(engine.ledger, engine.market) if live else engine.prices()
    rows = [position_row(each) for each in open_positions(engine.ledger, prices)]
    return [{**row, "opened_at": row["opened_at"].isoformat() if row["opened_at"] else None} for row in rows]


def position_row(position: OpenPosition) -> dict[str, Any]:
    """An open position as people and reports see it."""
    return {
        "symbol": position.symbol, "qty": position.qty, "avg_entry": position.avg_entry,
        "current_price": position.current_price, "unrealized_pnl": position.unrealized_pnl,
        "unrealized_pnl_pct": position.unrealized_pnl_pct, "stop_loss": position.stop_loss,
        "take_profit": position.take_profit, "opened_at": position.opened_at,
    }
