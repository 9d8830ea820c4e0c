"""What a backtest is given and what it answers, as values."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from shell.config_book import HostConfig, PaperConfig, RiskConfig
from shell.market.history import History
from shell.money import QuoteAmount
from shell.orders import Fill
from shell.portfolio.ledger import TradeClosed

__all__ = ["BacktestResult", "BacktestSettings", "EquityCurve", "History", "Metrics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestSettings:
    """The account and costs a backtest runs under."""

    cash: QuoteAmount
    paper: PaperConfig
    risk: RiskConfig
    zone: ZoneInfo
    host: HostConfig = field(default_factory=HostConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Figures from an equity curve and its trades. Ratios are annualised at 365 days from daily UTC returns; fractions."""

    total_return_pct: float
    max_drawdown_pct: float
    sharpe: float
    sortino: float
    trades: int
    win_rate: float
    profit_factor: float
    expectancy: float
    fees: float
    exposure_pct: float
    buy_and_hold_return_pct: float
    days: int
    daily_sharpe: float

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityCurve:
    """Equity marked at each 5-minute close: times in ms, values in quote units."""

    times_ms: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestResult:
    """One run. `bars` counts 5m bars x symbols; `refusals` count codes, `halts` kinds; a backtest lifts its measured halts
    when the next local day begins."""

    metrics: Metrics
    fills: tuple[Fill, ...]
    trades: tuple[TradeClosed, ...]
    curve: EquityCurve
    daily_returns: NDArray[np.float64]
    final_value: QuoteAmount
    bars: int
    steps: int
    signals: int
    refusals: Counter[str]
    faults: tuple[str, ...]
    start: datetime
    end: datetime
    seconds: float
    certified: bool
    halts: Counter[str] = field(default_factory=Counter)

    @property
    def equity_hash(self) -> str:
        """The digest of every equity mark and of every fill, worked out when asked: most who run backtests never do."""
        digest = hashlib.sha256(self.curve.times_ms.tobytes() + self.curve.values.tobytes())
        lines = [
            f"{each.filled_at.isoformat()}|{each.symbol}|{each.side.value}|{each.qty}|{each.price}\n" for each in self.fills
        ]
        digest.update("".join(lines).encode())
        return digest.hexdigest()
