"""Where look-ahead is planted: a host in this process that shows more than it may, strategies that use it, and markets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from shell.backtest.biases.subject import Subject
from shell.backtest.result import BacktestSettings
from shell.clock import to_ms
from shell.contract import Signal, SymbolData
from shell.errors import StrategyFault
from shell.host.port import FillNotice, ScanRequest, StrategySource
from shell.market.aggregate import aggregate_rows
from shell.market.bars import TIERS, Tier
from shell.market.columns import Columns
from shell.market.frames import rows_of
from shell.market.history import History
from shell.market.synthetic import synthetic_market
from shell.money import QuoteAmount
from tests.shell.scripted import FREE, WIDE

START = datetime(2023, 3, 1, tzinfo=UTC)
BTC = "BTC/USD"
SETTINGS = BacktestSettings(cash=QuoteAmount(10_000), paper=FREE, risk=WIDE, zone=ZoneInfo("UTC"))


class OpenHost:
    """Runs a strategy in this process. It shows candles that had closed by now and, if told to, the next `ahead` 5m bars
    as well, or the whole of the hour that is not over yet; or it shows hours by the names of those after them
    (`misnamed_hours`), or each hour one hour late. With none of these it is an honest host."""

    def __init__(
        self, source: StrategySource, history: History, *, ahead: int = 0, open_hour: bool = False,
        misnamed_hours: bool = False, late_hours: bool = False, names: Mapping[str, Any] | None = None,
    ) -> None:
        self._source, self._ahead, self._names = source, ahead, dict(names or {})
        self._hours_ahead = int(open_hour) - int(late_hours)
        self._bars = {
            (symbol, tier): Columns(rows_of(frame) if tier is Tier.M5 else aggregate_rows(rows_of(frame), tier))
            for symbol, frame in history.m5.items() for tier in TIERS
        }
        if misnamed_hours:
            for symbol in history.m5:
                hours = aggregate_rows(rows_of(history.m5[symbol]), Tier.H1).copy()
                hours[:, 0] += Tier.H1.ms
                self._bars[symbol, Tier.H1] = Columns(hours)
        self._strategy: Any = None

    def start(self, *, symbols: Any, limits: Any, windows: Any, state: Any, recent_trades: Any = ()) -> int:
        module = ModuleType("planted")
        vars(module).update(self._names)
        exec(self._source.code, vars(module))
        self._strategy = vars(module)["Strategy"]()
        self._strategy.initialize(limits, list(symbols))
        if state is not None:
            self._strategy.load_state(state)
        return int(self._strategy.scan_interval_minutes)

    def analyze(self, request: ScanRequest) -> list[Signal]:
        for notice in request.notices:
            if isinstance(notice, FillNotice):
                self._strategy.on_fill(*notice)
        markets = {}
        for symbol, facts in request.facts.items():
            shown = {tier: self._shown(symbol, tier, to_ms(request.now)) for tier in TIERS}
            markets[symbol] = SymbolData(
                current_price=facts.quote.last, candles_5m=shown[Tier.M5], candles_1h=shown[Tier.H1],
                candles_1d=shown[Tier.D1], spread=0.0, volume_24h=0.0, symbol=symbol,
            )
        try:
            signals: list[Signal] = self._strategy.analyze(markets, request.portfolio, request.now)
        except ArithmeticError as error:
            raise StrategyFault("error", f"{type(error).__name__}: {error}") from None
        return signals

    def _shown(self, symbol: str, tier: Tier, now_ms: int) -> pl.DataFrame:
        bars = self._bars[symbol, tier]
        closed_by = now_ms + (self._ahead * tier.ms if tier is Tier.M5 else 0)
        if tier is Tier.H1:
            closed_by = (now_ms // tier.ms + self._hours_ahead) * tier.ms
        count = int(np.searchsorted(bars.times(), closed_by - tier.ms, side="right"))
        return bars.frame_of(max(0, count - tier.window_bars), count)

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = self._strategy.get_state()
        return state

    def close(self) -> None:
        self._strategy = None


def subject(
    code: str, history: History, *, start: datetime | None = None, end: datetime | None = None, **host: Any
) -> Subject:
    """A planted strategy on a history, behind an `OpenHost` of these options."""
    return Subject(
        source=StrategySource(code=code), history=history, settings=SETTINGS, start=start, end=end,
        make_host=lambda source, shown: OpenHost(source, shown, **host),
    )


def strategy(body: str, *, interval: int = 5, state: str = "{}", load: str = "pass", setup: str = "pass") -> str:
    """A strategy file for one symbol: `body` sets `wanted` to hold or not, from `data`, `timestamp` and self."""
    return f'''
from shell.contract import Action, Signal

SEEN = []


class Strategy:
    scan_interval_minutes = {interval}

    def initialize(self, risk_limits, symbols):
        self.scans = 0
        {setup}

    def analyze(self, markets, portfolio, timestamp):
        self.scans += 1
        held = {{position.symbol for position in portfolio.positions}}
        signals = []
        for symbol, data in markets.items():
            wanted = symbol in held
            {body.replace(chr(10), chr(10) + " " * 12)}
            if wanted and symbol not in held:
                signals.append(Signal(symbol, Action.BUY, 0.5))
            elif not wanted and symbol in held:
                signals.append(Signal(symbol, Action.CLOSE))
        return signals

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {state}

    def load_state(self, state):
        {load}
'''


def market(days: int, *, seed: int = 3, symbols: Sequence[str] = (BTC,)) -> History:
    """Synthetic bars without an edge, from START."""
    return synthetic_market(seed, symbols, START, days)


# Honest: looks at the last two hours only.
HONEST = strategy("close = data.candles_5m['close'].tail(24)\nwanted = len(close) == 24 and data.current_price > close.mean()")
HONEST_HOURLY = strategy(
    "close = data.candles_1h['close'].tail(24)\nwanted = len(close) == 24 and close[-1] > close.mean()", interval=60
)
# Buys what is about to rise by the last candle it is shown, which an honest host makes the last price.
PEEKS = strategy("wanted = len(data.candles_5m) > 0 and data.candles_5m['close'][-1] > data.current_price")
PEEKS_AT_THE_HOUR = strategy("wanted = len(data.candles_1h) > 0 and data.candles_1h['close'][-1] > data.current_price", interval=15)
SILENT = strategy("wanted = False", interval=60)
