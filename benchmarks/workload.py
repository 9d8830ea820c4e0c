"""What is measured: a year of synthetic 5-minute bars, the EMA cross strategy, and an account that never says no.

Imports nothing heavy at the top, so that the peer's process carries none of our libraries.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shell.backtest.result import BacktestSettings
    from shell.config import RiskConfig
    from shell.host.port import StrategySource
    from shell.market.history import History

ROOT = Path(__file__).resolve().parent.parent
STRATEGY_FILE = Path(__file__).with_name("ema_cross_strategy.py")

START = datetime(2023, 1, 1, tzinfo=UTC)
YEAR_DAYS = 365
BARS_A_DAY = 288
SEED = 1
SYMBOLS = (
    "BTC/USD", "ETH/USD", "SOL/USD", "XRP/USD", "ADA/USD", "LTC/USD", "DOGE/USD", "BNB/USD", "DOT/USD", "LINK/USD",
)

CASH = 1_000_000
TAKER_FEE = "0.004"
SIZE_PCT = 0.10
# Bars of the fast and the slow average, as the strategy's file has them.
AVERAGES = (9, 21)
STOP_PCT, TARGET_PCT = 0.02, 0.04
COLUMNS = ("open", "high", "low", "close", "volume")


def market(days: int, symbols: int, seed: int) -> History:
    """The first `symbols` symbols for `days` days; the same seed gives the same bars."""
    from shell.market.synthetic import synthetic_market

    return synthetic_market(seed, SYMBOLS[:symbols], START, days)


def ema_cross(averages: tuple[int, int] = AVERAGES) -> StrategySource:
    """The strategy that engines are compared with; slower averages trade less."""
    from shell.host.port import StrategySource

    code = STRATEGY_FILE.read_text(encoding="utf-8")
    declared = "FAST, SLOW, RSI_PERIOD, VOLUME_PERIOD = {}, {}, "
    if declared.format(*AVERAGES) not in code:
        raise SystemExit(f"{STRATEGY_FILE.name} does not declare its averages as {declared.format(*AVERAGES)}...")
    code = code.replace(declared.format(*AVERAGES), declared.format(*averages))
    return StrategySource(code=code, origin=STRATEGY_FILE.name)


def unlimited() -> RiskConfig:
    """Limits that are all checked and never met, as the peer has none: ten symbols at a tenth each are allowed."""
    from decimal import Decimal

    from shell.config import RiskConfig

    return RiskConfig(
        max_trade_pct=Decimal(1), max_position_pct=Decimal(1), max_positions=100, max_daily_loss_pct=Decimal(1),
        max_drawdown_pct=Decimal(1), max_daily_trades=10_000, max_consecutive_losses=1000, price_collar_pct=Decimal(1),
        max_orders_per_minute=600,
    )


def account() -> BacktestSettings:
    """A taker fee of 0.40 %, no slippage, no spread: what the peer charges."""
    from decimal import Decimal
    from zoneinfo import ZoneInfo

    from shell.backtest.result import BacktestSettings
    from shell.config import PaperConfig
    from shell.money import QuoteAmount

    return BacktestSettings(
        cash=QuoteAmount(CASH), risk=unlimited(), zone=ZoneInfo("UTC"),
        paper=PaperConfig(slippage_pct=Decimal(0), taker_fee_pct=Decimal(TAKER_FEE)),
    )
