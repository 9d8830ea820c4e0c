"""A scripted strategy behind the host's protocol, and small markets: what engine tests are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from shell.backtest.run import MemoryJournal
from shell.book_setup import fees_of, new_engine, pairs_of
from shell.clock import to_ms
from shell.config import HostConfig, PaperConfig, RiskConfig
from shell.contract import Signal
from shell.engine import Engine
from shell.errors import StrategyFault
from shell.host.port import ScanRequest
from shell.market.book import MarketBook, ReplayFeed
from shell.market.frames import CANDLE_SCHEMA
from shell.market.history import History
from shell.money import QuoteAmount
from shell.portfolio.ledger import CapitalEvent, Ledger
from shell.store.books import BookState

START = datetime(2023, 3, 1, tzinfo=UTC)
BTC, ETH = "BTC/USD", "ETH/USD"
STEP = timedelta(minutes=5)
# No costs and no spread: a fill happens exactly where the path says.
FREE = PaperConfig(
    slippage_pct=Decimal(0), spread_pct=Decimal(0), maker_fee_pct=Decimal(0), taker_fee_pct=Decimal(0)
)
WIDE = RiskConfig(
    max_trade_pct=Decimal(1), default_trade_pct=Decimal("0.5"), max_position_pct=Decimal(1),
    max_daily_loss_pct=Decimal(1), max_drawdown_pct=Decimal(1), max_daily_trades=1000, max_consecutive_losses=1000,
    price_collar_pct=Decimal(1), max_orders_per_minute=600,
)

Script = Mapping[int, Sequence[Signal]]


class ScriptedHost:
    """Answers scan number n with `script[n]`; remembers what it was asked and told."""

    def __init__(self, script: Script | None = None, *, interval: int = 5) -> None:
        self.script = dict(script or {})
        self.interval = interval
        self.requests: list[ScanRequest] = []
        self.starts: list[Mapping[Any, Any]] = []
        self.faults: set[int] = set()
        self.scans = 0

    def start(self, *, symbols: Any, limits: Any, windows: Any, state: Any, recent_trades: Any = ()) -> int:
        self.starts.append(windows)
        return self.interval

    def analyze(self, request: ScanRequest) -> list[Signal]:
        number, self.scans = self.scans, self.scans + 1
        self.requests.append(request)
        if number in self.faults:
            raise StrategyFault("error", f"planted at scan {number}")
        return list(self.script.get(number, ()))

    def get_state(self) -> dict[str, Any]:
        return {"scans": self.scans}

    def close(self) -> None:
        return None


def candles(bars: Sequence[tuple[float, float, float, float]], *, start: datetime = START) -> pl.DataFrame:
    """5-minute bars (open, high, low, close) of volume 1 from `start`; None leaves a hole."""
    rows = [(start + number * STEP, *bar, 1.0) for number, bar in enumerate(bars) if bar is not None]
    return pl.DataFrame(rows, schema=CANDLE_SCHEMA, orient="row")


def flat(price: float, count: int) -> list[tuple[float, float, float, float]]:
    return [(price, price, price, price)] * count


def engine_on(
    frames: Mapping[str, pl.DataFrame],
    host: ScriptedHost,
    *,
    paper: PaperConfig = FREE,
    risk: RiskConfig = WIDE,
    cash: int = 10_000,
    start: datetime = START,
    journal: MemoryJournal | None = None,
    last_scan: datetime | None = None,
) -> tuple[Engine, MemoryJournal]:
    """An engine at `start` with `cash`, on a replay of `frames`; after `last_scan` if it was restarted."""
    history = History(m5=frames)
    kept = journal or MemoryJournal()
    feed = ReplayFeed(history, history.symbols, start, start + timedelta(days=400))
    market = MarketBook(history.symbols, feed, spread_pct=float(paper.spread_pct) if paper.slippage_pct else 0.0)
    market.preload(history, start)
    engine = new_engine(
        book="test", version="v001", market=market, host=host, journal=kept, paper=paper, risk=risk,
        host_config=HostConfig(), zone=ZoneInfo("UTC"), pairs=pairs_of(history), fees=fees_of(history.symbols, paper),
        state=None if last_scan is None else BookState(
            ledger=Ledger(), marks=None, open_orders=[], halts=[], recent_trades=[], unanswered=0, last_scan=last_scan
        ),
    )
    engine.add_capital(CapitalEvent(amount=QuoteAmount(cash), at=start, reason="test capital"))
    return engine, kept


def run(engine: Engine, steps: int, *, start: datetime = START, after: Callable[[int], None] | None = None) -> None:
    """Step the engine `steps` times, five minutes apart, from one step after `start`."""
    for number in range(1, steps + 1):
        engine.step(start + number * STEP, origin="test")
        if after is not None:
            after(number)


def ms(moment: datetime) -> int:
    return to_ms(moment)
