"""The settings that a book is run by: limits, costs, and how long a strategy may take. What `shell.config` says holds here.

Apart from the rest because a fast backtest's process needs these alone, and each section costs it milliseconds to make.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

_NO_TIME = timedelta(0)
_DAY = timedelta(days=1)
_COST_MAX = Decimal("0.1")


class Section(BaseModel):
    """One table of a settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RiskConfig(Section):
    """config/risk_limits.toml: hard limits, written by the user alone. Flat keys, every one optional in a file."""

    max_trade_pct: Decimal = Field(
        default=Decimal("0.10"), gt=0, le=1, description="largest single opening order, of total value"
    )
    default_trade_pct: Decimal = Field(
        default=Decimal("0.05"), gt=0, le=1, description="size of a signal that names none, of total value"
    )
    max_position_pct: Decimal = Field(
        default=Decimal("0.25"), gt=0, le=1, description="largest holding of one coin, of total value"
    )
    max_positions: int = Field(default=5, ge=1, le=100, description="coins held at once")
    max_daily_loss_pct: Decimal = Field(
        default=Decimal("0.03"), gt=0, le=1, description="loss since a local day began that halts openings"
    )
    max_daily_trades: int = Field(default=20, ge=1, le=10_000, description="opening orders a local day")
    max_drawdown_pct: Decimal = Field(
        default=Decimal("0.15"), gt=0, le=1, description="fall from the highest total value that halts openings"
    )
    max_consecutive_losses: int = Field(
        default=8, ge=1, le=1000, description="losing trades in a row that halt openings"
    )
    stale_price: timedelta = Field(
        default=timedelta(minutes=10), gt=_NO_TIME, le=_DAY, description="age at which a price is too old to open on"
    )
    price_collar_pct: Decimal = Field(
        default=Decimal("0.05"), gt=0, le=1, description="furthest a limit price may lie from the last price"
    )
    max_orders_per_minute: int = Field(default=10, ge=1, le=600, description="orders sent in any 60 seconds")
    duplicate_window: timedelta = Field(
        default=timedelta(minutes=1), ge=_NO_TIME, le=_DAY, description="time in which a repeated signal is a duplicate"
    )
    rollback_daily_loss_pct: Decimal = Field(
        default=Decimal("0.02"), gt=0, le=1, description="loss of a day that rolls a freshly promoted version back"
    )


class PairCosts(Section):
    """Costs of one pair that differ from the rest; what is left out is as in [paper]."""

    symbol: str = Field(default="", description="the pair, written BTC/USD")
    slippage_pct: Decimal | None = Field(default=None, ge=0, le=_COST_MAX)
    spread_pct: Decimal | None = Field(default=None, ge=0, le=_COST_MAX)
    maker_fee_pct: Decimal | None = Field(default=None, ge=0, le=_COST_MAX)
    taker_fee_pct: Decimal | None = Field(default=None, ge=0, le=_COST_MAX)


class PaperConfig(Section):
    """How paper fills are priced."""

    slippage_pct: Decimal = Field(
        default=Decimal("0.0005"), ge=0, le=_COST_MAX, description="how much worse than the quote a market order fills"
    )
    spread_pct: Decimal = Field(
        default=Decimal("0.0004"), ge=0, le=_COST_MAX, description="distance between bid and ask where none is known"
    )
    maker_fee_pct: Decimal = Field(default=Decimal("0.0025"), ge=0, le=_COST_MAX, description="fee of a resting order")
    taker_fee_pct: Decimal = Field(default=Decimal("0.004"), ge=0, le=_COST_MAX, description="fee of a market order")
    limit_entry_expiry: timedelta = Field(
        default=_DAY, gt=_NO_TIME, le=timedelta(days=30), description="age at which an unfilled entry is cancelled"
    )
    pairs: tuple[PairCosts, ...] = Field(default=(), description="pairs whose costs differ")

    def for_symbol(self, symbol: str) -> PaperConfig:
        """These costs as they hold for `symbol`."""
        for pair in self.pairs:
            if pair.symbol == symbol:
                return self.model_copy(update=pair.model_dump(exclude={"symbol"}, exclude_none=True))
        return self


class HostConfig(Section):
    call_timeout: timedelta = Field(
        default=timedelta(seconds=10), gt=_NO_TIME, le=timedelta(minutes=10), description="wall-clock limit of one call"
    )
    start_timeout: timedelta = Field(
        default=timedelta(seconds=60), gt=_NO_TIME, le=timedelta(minutes=10), description="wall-clock limit of a start"
    )
    max_consecutive_faults: int = Field(
        default=3, ge=1, le=100, description="faults in a row after which a version is rolled back"
    )
