"""A book that trades at almost every scan, over an invented market and a real store: something worth interrupting.

Run as a program it goes on from wherever the store stands: `python -m tests.faults.busy_book HOME SEED STEPS`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from shell.book_setup import fees_of, new_engine, pairs_of
from shell.clock import to_ms
from shell.config import HostConfig, PaperConfig, RiskConfig
from shell.contract import Action, ClosedTrade, OrderType, RiskLimits, Signal
from shell.engine import Engine
from shell.execution.record import Journal
from shell.home import Home, HomeLock
from shell.host.port import BarArray, ScanRequest
from shell.market.bars import Tier
from shell.market.book import MarketBook, ReplayFeed
from shell.market.synthetic import synthetic_market
from shell.money import QuoteAmount
from shell.store.books import BookState
from shell.store.store import Store

BOOK = "main"
SYMBOLS = ["BTC/USD", "ETH/USD"]
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
DAYS_MAX = 10
CASH = QuoteAmount(10_000)

# Limits that never stand in the way, so that orders keep flowing.
RISK = RiskConfig(
    max_daily_loss_pct=Decimal(1), max_daily_trades=10_000, max_drawdown_pct=Decimal(1), max_consecutive_losses=1000,
    max_orders_per_minute=600, duplicate_window=timedelta(0),
)


class BusyStrategy:
    """Signals that depend on the slot and on what is held, on nothing remembered: a restart changes none of them."""

    def start(
        self,
        *,
        symbols: Sequence[str],
        limits: RiskLimits,
        windows: Mapping[tuple[str, Tier], BarArray],
        state: Mapping[str, Any] | None,
        recent_trades: Sequence[ClosedTrade] = (),
    ) -> int:
        return 5

    def analyze(self, request: ScanRequest) -> list[Signal]:
        slot = to_ms(request.now) // Tier.M5.ms
        held = {position.symbol for position in request.portfolio.positions}
        signals = []
        for offset, symbol in enumerate(SYMBOLS):
            last = request.facts[symbol].quote.last if symbol in request.facts else 0.0
            turn = (slot + 2 * offset) % 7
            if last and symbol not in held and turn % 2 == 0:
                limit = turn == 4
                signals.append(
                    Signal(
                        symbol, Action.BUY, order_type=OrderType.LIMIT if limit else OrderType.MARKET,
                        limit_price=last * 0.9995 if limit else None, stop_loss=last * 0.996, take_profit=last * 1.004,
                    )
                )
            elif symbol in held and turn == 5:
                signals.append(Signal(symbol, Action.CLOSE))
        return signals

    def get_state(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        return


def begin(journal: Journal, seed: int, state: BookState | None) -> tuple[Engine, datetime]:
    """An engine that goes on from `state`, and the moment of its first step."""
    paper = PaperConfig()
    history = synthetic_market(seed, SYMBOLS, BEGIN - timedelta(days=1), DAYS_MAX + 1)
    start = state.last_scan if state is not None and state.last_scan is not None else BEGIN
    end = BEGIN + timedelta(days=DAYS_MAX)
    market = MarketBook(SYMBOLS, ReplayFeed(history, SYMBOLS, start, end), spread_pct=float(paper.spread_pct))
    market.preload(history, start)
    engine = new_engine(
        book=BOOK, version="v001", market=market, host=BusyStrategy(), journal=journal, paper=paper, risk=RISK,
        host_config=HostConfig(), zone=ZoneInfo("UTC"), pairs=pairs_of(history), fees=fees_of(SYMBOLS, paper),
        state=state,
    )
    return engine, start + STEP


def go(engine: Engine, first: datetime, steps: int, tell: Callable[[str], None] = lambda _: None) -> None:
    """Step `engine` from `first` until `steps` steps after the beginning of the book, telling each one."""
    now = first
    while now <= BEGIN + steps * STEP:
        tell(now.isoformat())
        engine.step(now, origin="fault test")
        now += STEP
    engine.close()


def main(folder: Path, seed: int, steps: int) -> None:
    """One life of the process; prints a line as each step begins."""
    home = Home.private(folder).create()
    with HomeLock(home), Store.open(home.database) as store:
        store.books.ensure_capital(BOOK, CASH, BEGIN)
        engine, first = begin(store.journal(BOOK), seed, store.books.load(BOOK))
        go(engine, first, steps, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
