"""Settings as frozen, typed objects, read once. Every duration carries its unit, every `_pct` is a fraction."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RiskConfig(_Section):
    """config/risk_limits.toml: hard limits, written by the user alone. Flat keys, every one optional in a file."""

    max_trade_pct: Decimal = Field(default=Decimal("0.10"), gt=0, le=1)
    default_trade_pct: Decimal = Field(default=Decimal("0.05"), gt=0, le=1)
    max_position_pct: Decimal = Field(default=Decimal("0.25"), gt=0, le=1)
    max_positions: int = Field(default=5, ge=1, le=100)
    max_daily_loss_pct: Decimal = Field(default=Decimal("0.03"), gt=0, le=1)
    max_daily_trades: int = Field(default=20, ge=1, le=10_000)
    max_drawdown_pct: Decimal = Field(default=Decimal("0.15"), gt=0, le=1)
    max_consecutive_losses: int = Field(default=8, ge=1, le=1000)
    stale_price: timedelta = timedelta(minutes=10)
    price_collar_pct: Decimal = Field(default=Decimal("0.05"), gt=0, le=1)
    max_orders_per_minute: int = Field(default=10, ge=1, le=600)
    duplicate_window: timedelta = timedelta(minutes=1)
    rollback_daily_loss_pct: Decimal = Field(default=Decimal("0.02"), gt=0, le=1)


class PaperConfig(_Section):
    """How paper fills are priced."""

    slippage_pct: Decimal = Field(default=Decimal("0.0005"), ge=0, le=Decimal("0.1"))
    spread_pct: Decimal = Field(default=Decimal("0.0004"), ge=0, le=Decimal("0.1"))
    maker_fee_pct: Decimal = Field(default=Decimal("0.0025"), ge=0, le=Decimal("0.1"))
    taker_fee_pct: Decimal = Field(default=Decimal("0.004"), ge=0, le=Decimal("0.1"))


class AccountConfig(_Section):
    quote: str = "USD"
    starting_cash: Decimal = Field(default=Decimal(10_000), gt=0)
    timezone: str = "America/New_York"
    symbols: tuple[str, ...] = ("BTC/USD", "ETH/USD", "SOL/USD")


class HostConfig(_Section):
    call_timeout: timedelta = timedelta(seconds=10)
    start_timeout: timedelta = timedelta(seconds=60)
    max_consecutive_faults: int = Field(default=3, ge=1, le=100)


class OrchestratorConfig(_Section):
    """`search_evaluations` are looks at the search segment a night (logged); `candidates_per_night` go on to selection."""

    candidates_per_night: int = Field(default=1, ge=0, le=10)
    search_evaluations: int = Field(default=6, ge=1, le=500)
    revisions_max: int = Field(default=2, ge=0, le=10)
    paper_trials_max: int = Field(default=3, ge=1, le=3)
    search_pct: Decimal = Field(default=Decimal("0.5"), gt=0, lt=1)
    selection_pct: Decimal = Field(default=Decimal("0.35"), gt=0, lt=1)
    history_days_min: int = Field(default=60, ge=10)
    history_days_max: int = Field(default=240, ge=10)


class GateConfig(_Section):
    """Thresholds of the gate (design section 6)."""

    min_trades: int = Field(default=10, ge=1)
    min_days: int = Field(default=20, ge=2)
    min_deflated_sharpe: float = Field(default=0.95, gt=0, lt=1)
    max_drawdown_pct: float = Field(default=0.25, gt=0, le=1)
    cost_stress: float = Field(default=2.0, ge=1)


class AiConfig(_Section):
    provider: Literal["local", "anthropic", "vertex"] = "local"


class TelegramConfig(_Section):
    base_url: str = ""
    owner_ids: tuple[int, ...] = ()


class LogConfig(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(_Section):
    """config/settings.toml, with the risk limits beside it."""

    mode: Literal["paper", "live"] = "paper"
    account: AccountConfig = AccountConfig()
    paper: PaperConfig = PaperConfig()
    host: HostConfig = HostConfig()
    orchestrator: OrchestratorConfig = OrchestratorConfig()
    gate: GateConfig = GateConfig()
    ai: AiConfig = AiConfig()
    telegram: TelegramConfig = TelegramConfig()
    log: LogConfig = LogConfig()
    risk: RiskConfig = RiskConfig()
